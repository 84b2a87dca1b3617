import t from 'tap';
import type { Json } from '../../../../src/server/patch/json.ts';
import { applyJsonPatch } from '../../../../src/server/patch/json-patch.ts';
import { applyMergePatch } from '../../../../src/server/patch/merge-patch.ts';

interface Case {
  from: Json;
  patch: unknown;
  to?: Json;
  error?: { code: number; message?: RegExp };
}

function repeat(count: number, operation: unknown): unknown[] {
  return Array.from({ length: count }, () => operation);
}

const cases: Record<string, Case> = {
  'no operation': { from: { a: 1 }, patch: [], to: { a: 1 } },
  'add a member': { from: { a: 1 }, patch: [{ op: 'add', path: '/b', value: 2 }], to: { a: 1, b: 2 } },
  'add replaces a member': { from: { a: 1 }, patch: [{ op: 'add', path: '/a', value: null }], to: { a: null } },
  'add to the middle of a list': { from: [1, 3], patch: [{ op: 'add', path: '/1', value: 2 }], to: [1, 2, 3] },
  'add to the end of a list': { from: [1], patch: [{ op: 'add', path: '/-', value: 2 }], to: [1, 2] },
  'add past the end of a list': { from: [1], patch: [{ op: 'add', path: '/2', value: 2 }], error: { code: 422 } },
  'add into nothing': { from: {}, patch: [{ op: 'add', path: '/a/b', value: 2 }], error: { code: 422 } },
  'add into a number': { from: { a: 1 }, patch: [{ op: 'add', path: '/a/b', value: 2 }], error: { code: 422 } },
  'remove a member': { from: { a: 1, b: 2 }, patch: [{ op: 'remove', path: '/a' }], to: { b: 2 } },
  'remove from a list': { from: [1, 2, 3], patch: [{ op: 'remove', path: '/1' }], to: [1, 3] },
  'remove what is not there': { from: {}, patch: [{ op: 'remove', path: '/a' }], error: { code: 422 } },
  'replace a member': { from: { a: 1 }, patch: [{ op: 'replace', path: '/a', value: 2 }], to: { a: 2 } },
  'replace in a list': { from: [1, 2], patch: [{ op: 'replace', path: '/0', value: 9 }], to: [9, 2] },
  'replace everything': { from: { a: 1 }, patch: [{ op: 'replace', path: '', value: { b: 2 } }], to: { b: 2 } },
  'replace what is not there': { from: {}, patch: [{ op: 'replace', path: '/a', value: 1 }], error: { code: 422 } },
  'move a member': { from: { a: 1 }, patch: [{ op: 'move', from: '/a', path: '/b' }], to: { b: 1 } },
  'move into itself': { from: { a: {} }, patch: [{ op: 'move', from: '/a', path: '/a/b' }], error: { code: 422 } },
  'copy a member': {
    from: { a: { x: 1 } },
    patch: [
      { op: 'copy', from: '/a', path: '/b' },
      { op: 'add', path: '/b/x', value: 2 },
    ],
    to: { a: { x: 1 }, b: { x: 2 } },
  },
  'a test that holds': {
    from: { a: [1, { b: 2 }] },
    patch: [{ op: 'test', path: '/a', value: [1, { b: 2 }] }],
    to: { a: [1, { b: 2 }] },
  },
  'a test that fails': {
    from: { a: '1' },
    patch: [
      { op: 'replace', path: '/a', value: '2' },
      { op: 'test', path: '/a', value: '1' },
    ],
    error: { code: 422, message: /testing value "\/a" failed/ },
  },
  'escaped pointers': {
    from: { 'a/b': { '~': 1 } },
    patch: [{ op: 'replace', path: '/a~1b/~0', value: 2 }],
    to: { 'a/b': { '~': 2 } },
  },
  'an index with a leading zero': { from: [1, 2], patch: [{ op: 'remove', path: '/01' }], error: { code: 422 } },
  'a negative index': { from: [1, 2], patch: [{ op: 'remove', path: '/-1' }], error: { code: 422 } },
  'an inherited member is not there': {
    from: {},
    patch: [{ op: 'copy', from: '/constructor', path: '/a' }],
    error: { code: 422 },
  },
  'the prototype is not there': {
    from: {},
    patch: [{ op: 'add', path: '/__proto__/x', value: 1 }],
    error: { code: 422 },
  },
  'an unknown operation': { from: {}, patch: [{ op: 'spin', path: '/a' }], error: { code: 400 } },
  'no list': { from: {}, patch: { op: 'add' }, error: { code: 400 } },
  'no operation in the list': { from: {}, patch: [1], error: { code: 400 } },
  'no value': { from: {}, patch: [{ op: 'add', path: '/a' }], error: { code: 400 } },
  'no from': { from: {}, patch: [{ op: 'move', path: '/a' }], error: { code: 400 } },
  'a pointer that is none': { from: {}, patch: [{ op: 'remove', path: 'a' }], error: { code: 400 } },
  'too many operations': {
    from: { a: 1 },
    patch: repeat(10_001, { op: 'test', path: '/a', value: 1 }),
    error: { code: 413, message: /allowed maximum operations in a JSON patch is 10000, got 10001/ },
  },
  'a copy that doubles again and again': {
    from: { a: [1, 2, 3] },
    patch: Array.from({ length: 40 }, () => ({ op: 'copy', from: '/a', path: '/a/-' })),
    error: { code: 413 },
  },
  'a copy into its own depth': {
    from: { a: {} },
    patch: Array.from({ length: 40 }, (_, i) => ({
      op: 'copy',
      from: '',
      path: `/a${'/a'.repeat(2 ** Math.min(i, 12) - 1)}`,
    })),
    error: { code: 422 },
  },
  'shifting a long list ten thousand times': {
    from: Array.from({ length: 100_000 }, () => 0),
    patch: repeat(10_000, { op: 'add', path: '/0', value: 0 }),
    error: { code: 413 },
  },
};

for (const [name, { from, patch, to, error }] of Object.entries(cases)) {
  t.test(name, async (t) => {
    const before = JSON.stringify(from);
    const begin = performance.now();
    if (error) t.throws(() => applyJsonPatch(from, patch), { name: 'PatchError', ...error });
    else t.strictSame(applyJsonPatch(from, patch), to);
    t.equal(JSON.stringify(from), before, 'the document is as it was');
    t.ok(performance.now() - begin < 10_000, 'in no time');
  });
}

t.test('merge patch', async (t) => {
  // The examples of RFC 7396, appendix A.
  const examples: [Json, Json, Json][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of examples) {
    t.strictSame(applyMergePatch(target, patch), result, JSON.stringify([target, patch]));
  }
  const polluted = applyMergePatch({}, JSON.parse('{"__proto__":{"privileged":true}}'));
  t.equal(JSON.stringify(polluted), '{"__proto__":{"privileged":true}}');
  t.equal(Reflect.get({}, 'privileged'), undefined);
});
