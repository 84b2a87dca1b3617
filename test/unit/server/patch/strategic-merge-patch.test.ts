import t from 'tap';
import type { JsonObject } from '../../../../src/server/patch/json.ts';
import { PatchError } from '../../../../src/server/patch/patch-error.ts';
import type { PatchSchema } from '../../../../src/server/patch/patch-schema.ts';
import { applyStrategicMergePatch } from '../../../../src/server/patch/strategic-merge-patch.ts';

const container: PatchSchema = {
  properties: {
    env: { 'x-kubernetes-patch-strategy': 'merge', 'x-kubernetes-patch-merge-key': 'name', items: {} },
    args: { items: {} },
  },
};

const schema: PatchSchema = {
  properties: {
    labels: { additionalProperties: {} },
    finalizers: { 'x-kubernetes-patch-strategy': 'merge', items: {} },
    containers: { 'x-kubernetes-patch-strategy': 'merge', 'x-kubernetes-patch-merge-key': 'name', items: container },
    volumes: {
      'x-kubernetes-patch-strategy': 'merge,retainKeys',
      'x-kubernetes-patch-merge-key': 'name',
      items: {},
    },
    nodeSelector: { 'x-kubernetes-patch-strategy': 'replace' },
    tolerations: { items: {} },
  },
};

const a = { name: 'a', image: 'one' };
const b = { name: 'b', image: 'two' };
const c = { name: 'c', image: 'three' };

interface Case {
  from: JsonObject;
  patch: JsonObject;
  to?: JsonObject;
  error?: RegExp;
}

const cases: Record<string, Case> = {
  'an empty patch changes nothing': { from: { containers: [a] }, patch: {}, to: { containers: [a] } },
  'objects merge by member, null takes one out': {
    from: { labels: { x: '1', y: '2' } },
    patch: { labels: { y: null, z: '3', gone: null } },
    to: { labels: { x: '1', z: '3' } },
  },
  'null for a whole field takes it out': { from: { labels: { x: '1' }, n: 1 }, patch: { labels: null }, to: { n: 1 } },
  'a list without a strategy is replaced': {
    from: { tolerations: [{ key: 'x' }] },
    patch: { tolerations: [{ key: 'y' }] },
    to: { tolerations: [{ key: 'y' }] },
  },
  'an object with strategy replace is replaced': {
    from: { nodeSelector: { x: '1' } },
    patch: { nodeSelector: { y: '2' } },
    to: { nodeSelector: { y: '2' } },
  },
  'entries of a keyed list merge by key': {
    from: { containers: [a, b] },
    patch: { containers: [{ name: 'b', image: 'new' }] },
    to: { containers: [a, { name: 'b', image: 'new' }] },
  },
  'a new entry of a keyed list is added, after those that were there': {
    from: { containers: [a, b] },
    patch: { containers: [c] },
    to: { containers: [c, a, b] },
  },
  'nested keyed lists merge too, plain lists in them do not': {
    from: {
      containers: [
        {
          name: 'a',
          args: ['1'],
          env: [
            { name: 'X', value: '1' },
            { name: 'Y', value: '2' },
          ],
        },
      ],
    },
    patch: { containers: [{ name: 'a', args: ['2'], env: [{ name: 'X', value: '3' }] }] },
    to: {
      containers: [
        {
          name: 'a',
          args: ['2'],
          env: [
            { name: 'X', value: '3' },
            { name: 'Y', value: '2' },
          ],
        },
      ],
    },
  },
  'an entry is deleted by a directive': {
    from: { containers: [a, b] },
    patch: { containers: [{ name: 'a', $patch: 'delete' }] },
    to: { containers: [b] },
  },
  'deleting what is not there does nothing': {
    from: { containers: [a] },
    patch: { containers: [{ name: 'z', $patch: 'delete' }] },
    to: { containers: [a] },
  },
  'a list is replaced by a directive in it': {
    from: { containers: [a, b] },
    patch: { containers: [{ $patch: 'replace' }, c] },
    to: { containers: [c] },
  },
  'an object is replaced by a directive': {
    from: { labels: { x: '1' } },
    patch: { labels: { $patch: 'replace', y: '2' } },
    to: { labels: { y: '2' } },
  },
  'an object is emptied by a directive': {
    from: { labels: { x: '1' } },
    patch: { labels: { $patch: 'delete' } },
    to: { labels: {} },
  },
  'directives and nulls are not stored when there is nothing to merge with': {
    from: {},
    patch: { labels: { x: null, y: '1' }, containers: [{ name: 'a', $patch: 'delete' }, b] },
    to: { labels: { y: '1' }, containers: [b] },
  },
  'a field that is only a directive stays away': { from: {}, patch: { labels: { $patch: 'delete' } }, to: {} },
  'plain lists with strategy merge are united': {
    from: { finalizers: ['x', 'y'] },
    patch: { finalizers: ['z', 'x'] },
    to: { finalizers: ['z', 'x', 'y'] },
  },
  'values are taken out of a plain list': {
    from: { finalizers: ['x', 'y', 'z'] },
    patch: { '$deleteFromPrimitiveList/finalizers': ['y', 'q'] },
    to: { finalizers: ['x', 'z'] },
  },
  'the order of a keyed list can be set': {
    from: { containers: [a, b] },
    patch: { '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }, { name: 'a' }], containers: [c] },
    to: { containers: [c, b, a] },
  },
  'the order can be set without a change': {
    from: { containers: [a, b, c] },
    patch: { '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }] },
    to: { containers: [b, c, a] },
  },
  'entries that the order does not name keep their place before those that they stood before': {
    from: { finalizers: ['s1', 'x', 's2', 'y'] },
    patch: { '$setElementOrder/finalizers': ['x', 'y', 'z'], finalizers: ['z'] },
    to: { finalizers: ['s1', 'x', 's2', 'y', 'z'] },
  },
  'an order without a list does nothing': {
    from: {},
    patch: { '$setElementOrder/containers': [{ name: 'a' }] },
    to: {},
  },
  'a patch in another order than its own order is refused': {
    from: { containers: [a, b] },
    patch: { '$setElementOrder/containers': [{ name: 'a' }, { name: 'b' }], containers: [b, a] },
    error: /order in the patch list containers/,
  },
  'only the named members are kept': {
    from: { volumes: [{ name: 'v', emptyDir: {}, extra: 1 }] },
    patch: { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] },
    to: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] },
  },
  'a member that is set but not retained is refused': {
    from: { volumes: [{ name: 'v' }] },
    patch: { volumes: [{ name: 'v', $retainKeys: ['name'], emptyDir: {} }] },
    error: /sets "emptyDir", which its \$retainKeys does not name/,
  },
  'an entry without its key is refused': {
    from: { containers: [a] },
    patch: { containers: [{ image: 'x' }] },
    error: /does not contain declared merge key: name/,
  },
  'an unknown directive is refused': {
    from: { labels: {} },
    patch: { labels: { $patch: 'burn' } },
    error: /unknown patch type: "burn"/,
  },
  'an unknown directive in a list is refused': {
    from: { containers: [a] },
    patch: { containers: [{ name: 'a', $patch: 'merge' }] },
    error: /unknown patch type in a list: "merge"/,
  },
  'a list of other things than objects is refused where objects merge': {
    from: { containers: [a] },
    patch: { containers: ['x'] },
    error: /plain values cannot be merged here/,
  },
  'a value of another type takes the place of what was there': {
    from: { labels: { x: '1' } },
    patch: { labels: 'oops' },
    to: { labels: 'oops' },
  },
  'an unknown field merges as plain JSON does': {
    from: { unknown: { x: 1, list: [1] } },
    patch: { unknown: { y: 2, list: [2] } },
    to: { unknown: { x: 1, y: 2, list: [2] } },
  },
};

for (const [name, { from, patch, to, error }] of Object.entries(cases)) {
  t.test(name, async (t) => {
    const before = JSON.stringify([from, patch]);
    if (error) {
      t.throws(() => applyStrategicMergePatch(from, patch, schema), { name: 'PatchError', message: error });
    } else {
      t.strictSame(applyStrategicMergePatch(from, patch, schema), to);
    }
    t.equal(JSON.stringify([from, patch]), before, 'the inputs are as they were');
  });
}

t.test('a member called __proto__ becomes a member and nothing else', async (t) => {
  const patch = JSON.parse('{"labels":{"__proto__":{"privileged":"yes"}},"__proto__":{"privileged":"yes"}}');
  const result = applyStrategicMergePatch({ labels: {} }, patch, schema);
  t.equal(JSON.stringify(result), JSON.stringify(patch));
  t.equal(Reflect.get({}, 'privileged'), undefined);
  t.equal(Reflect.get(result, 'privileged'), undefined);
});

t.test('a long list merges in no time', async (t) => {
  const entries = Array.from({ length: 100_000 }, (_, i) => ({ name: `n${i}` }));
  const begin = performance.now();
  const result = applyStrategicMergePatch({ containers: entries }, { containers: entries }, schema);
  t.equal((result.containers as unknown[]).length, 100_000);
  // One that looks through the list for each entry takes minutes.
  t.ok(performance.now() - begin < 15_000);
  t.throws(() => applyStrategicMergePatch({ containers: entries }, { containers: [{}] }, schema), PatchError);
});
