import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { podKind } from '../../../../src/api/kinds.ts';
import { StatusError } from '../../../../src/api/status-error.ts';
import { applyFields } from '../../../../src/server/fields/apply-fields.ts';
import type { FieldSchema } from '../../../../src/server/fields/field-schema.ts';
import { FieldSet } from '../../../../src/server/fields/field-set.ts';
import { fieldsOf } from '../../../../src/server/fields/fields-of.ts';
import { type Managers, ownable, readManagers, writeManagers } from '../../../../src/server/fields/managed-fields.ts';
import { pathText } from '../../../../src/server/fields/path-element.ts';
import { trackUpdate } from '../../../../src/server/fields/track-update.ts';
import { asJson, type Json } from '../../../../src/server/patch/json.ts';

const schema = podKind.schema as FieldSchema;

interface State {
  readonly object: Json;
  readonly managers: Managers;
}

const empty: State = { object: {}, managers: new Map() };

function manager(name: string, operation: 'Apply' | 'Update') {
  return { name, operation, apiVersion: 'v1', subresource: undefined };
}

function apply({ object, managers }: State, name: string, applied: Json, { force = false, now = '1' } = {}): State {
  const application = { live: object, applied, schema, managers, manager: manager(name, 'Apply'), now };
  return applyFields({ ...application, force, allowed: new FieldSet() }, (merged) => merged);
}

function update({ object, managers }: State, name: string, next: Json): State {
  const tracking = { managers, manager: manager(name, 'Update'), schema, now: '1' };
  return { object: next, managers: trackUpdate(object, next, tracking) };
}

/** The fields that stand in the way; none when it can be applied. */
function conflicts(state: State, name: string, applied: Json): string[] {
  try {
    apply(state, name, applied);
    return [];
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return (error.status.details?.causes ?? []).map(({ field = '' }) => field);
  }
}

const container = (rest: Record<string, Json>): Json => ({ spec: { containers: [{ name: 'c', ...rest }] } });

t.test('what stands in the way of whom', async (t) => {
  const cases: [string, Json, Json, string[]][] = [
    ['the same value', { metadata: { labels: { a: '1' } } }, { metadata: { labels: { a: '1' } } }, []],
    [
      'another value',
      { metadata: { labels: { a: '1' } } },
      { metadata: { labels: { a: '2' } } },
      ['.metadata.labels.a'],
    ],
    ['another key of a map', { metadata: { labels: { a: '1' } } }, { metadata: { labels: { b: '2' } } }, []],
    ['another entry of a set', { metadata: { finalizers: ['a/x'] } }, { metadata: { finalizers: ['b/x'] } }, []],
    [
      'another atomic list',
      { spec: { tolerations: [{ key: 'a' }] } },
      { spec: { tolerations: [{ key: 'a' }, { key: 'b' }] } },
      ['.spec.tolerations'],
    ],
    [
      'another key of an atomic map',
      { spec: { nodeSelector: { a: '1' } } },
      { spec: { nodeSelector: { b: '1' } } },
      ['.spec.nodeSelector'],
    ],
    [
      'another member of an atomic object',
      container({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'a' } } }] }),
      container({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'b' } } }] }),
      ['.spec.containers[name="c"].env[name="A"].valueFrom.fieldRef'],
    ],
    ['another field of an entry', container({ image: 'x' }), container({ workingDir: '/' }), []],
    ['another entry of a list', container({ env: [{ name: 'A' }] }), container({ env: [{ name: 'B' }] }), []],
    [
      'a port with the same number and the default protocol',
      container({ ports: [{ containerPort: 1, name: 'a' }] }),
      container({ ports: [{ containerPort: 1, protocol: 'TCP', name: 'b' }] }),
      ['.spec.containers[name="c"].ports[containerPort=1,protocol="TCP"].name'],
    ],
    [
      'a port with the same number and another protocol',
      container({ ports: [{ containerPort: 1, name: 'a' }] }),
      container({ ports: [{ containerPort: 1, protocol: 'UDP', name: 'b' }] }),
      [],
    ],
    [
      'an empty object for one with members',
      container({ resources: { limits: { cpu: '1' } } }),
      container({ resources: {} }),
      [],
    ],
  ];
  for (const [name, first, second, expected] of cases) {
    t.same(conflicts(apply(empty, 'one', first), 'two', second), expected, name);
    t.same(conflicts(update(empty, 'one', first), 'two', second), expected, `${name}, after an update`);
  }
});

t.test('entries that are applied come in their order, others stay among them', async (t) => {
  const order = (before: string, applied: string): string => {
    const containers = (names: string): Json => ({ spec: { containers: [...names].map((name) => ({ name })) } });
    const { object } = apply({ object: containers(before), managers: new Map() }, 'me', containers(applied));
    return (object as { spec: { containers: { name: string }[] } }).spec.containers.map(({ name }) => name).join('');
  };
  for (const [before, applied, expected] of [
    ['ab', 'ab', 'ab'],
    ['ab', 'ba', 'ba'],
    ['ab', 'c', 'abc'],
    ['abc', 'ca', 'bca'],
    ['abc', 'bx', 'abcx'],
    ['ab', 'xab', 'xab'],
    ['', 'ab', 'ab'],
  ] as const) {
    t.equal(order(before, applied), expected, `${applied} into ${before}`);
  }
});

t.test('entries that are there twice make way for the one that is applied', async (t) => {
  const env = (...list: Json[]): Json => container({ env: list });
  const twice: State = { object: env({ name: 'A', value: '1' }, { name: 'A', value: '2' }), managers: new Map() };
  t.same(
    apply(twice, 'me', env({ name: 'B', value: '3' })).object,
    env({ name: 'A', value: '1' }, { name: 'A', value: '2' }, { name: 'B', value: '3' }),
  );
  t.same(apply(twice, 'me', env({ name: 'A', value: '3' })).object, env({ name: 'A', value: '3' }));
});

const word = fc.constantFrom('a', 'b', 'c', '__proto__');
const record = (values: fc.Arbitrary<string>, prefix: string) =>
  fc.uniqueArray(fc.tuple(word, values), { selector: ([key]) => key, minLength: 1, maxLength: 3 }).map((entries) =>
    // Own members, whatever their names.
    JSON.parse(
      `{${entries.map(([key, value]) => `${JSON.stringify(prefix + key)}:${JSON.stringify(value)}`).join(',')}}`,
    ),
  );
const namedList = (prefix: string, rest: Record<string, fc.Arbitrary<unknown>>) =>
  fc.uniqueArray(fc.record({ name: word.map((name) => prefix + name), ...rest }, { requiredKeys: ['name'] }), {
    selector: ({ name }) => name,
    minLength: 1,
    maxLength: 3,
  });

/** Parts of pods; with a prefix, those that share nothing with those of another prefix. */
function parts(prefix = ''): fc.Arbitrary<Json> {
  const env = namedList(prefix, { value: word });
  const containers = namedList(prefix, { image: word, env, command: fc.array(word, { minLength: 1, maxLength: 2 }) });
  const finalizers = fc.uniqueArray(
    word.map((name) => prefix + name),
    { minLength: 1 },
  );
  const spec = prefix === '' ? { containers, nodeSelector: record(word, ''), hostname: word } : { containers };
  return fc
    .record(
      {
        metadata: fc.record({ labels: record(word, prefix), finalizers }, { requiredKeys: ['labels'] }),
        spec: fc.record(spec, { requiredKeys: ['containers'] }),
      },
      { requiredKeys: [] },
    )
    .map(asJson);
}

type Step = { readonly name: string; readonly isApply: boolean; readonly part: Json };
const steps = fc.array(
  fc.record({ name: fc.constantFrom('x', 'y', 'z'), isApply: fc.boolean(), part: parts() }) as fc.Arbitrary<Step>,
  { maxLength: 6 },
);

function play(taken: readonly Step[]): State {
  return taken.reduce(
    (state, { name, isApply, part }) =>
      isApply ? apply(state, name, part, { force: true }) : update(state, name, part),
    empty,
  );
}

function ownedFields({ managers }: State): FieldSet {
  return [...managers.values()].reduce((union, { fields }) => union.union(fields), new FieldSet());
}

t.test('to apply the same again changes nothing, whatever happened before', async (t) => {
  fc.assert(
    fc.property(steps, parts(), (before, part) => {
      const once = apply(play(before), 'me', part, { force: true });
      const twice = apply(once, 'me', part, { now: '2' });
      assert.deepStrictEqual(twice.object, once.object);
      assert.deepStrictEqual(writeManagers(twice.managers), writeManagers(once.managers));
    }),
  );
  t.pass();
});

t.test('managers of different fields never meet, and leave no trace when they go', async (t) => {
  fc.assert(
    fc.property(fc.array(parts('one-'), { minLength: 1, maxLength: 3 }), parts('two-'), (mine, theirs) => {
      const alone = apply(empty, 'two', theirs);
      const both = mine.reduce<State>((state, part) => apply(state, 'one', part), alone);
      const again = apply(both, 'two', theirs);
      assert.deepStrictEqual(again.object, both.object);
      const left = apply(both, 'one', {});
      assert.deepStrictEqual([...fieldsOf(left.object, schema).paths()], [...fieldsOf(alone.object, schema).paths()]);
      assert.deepStrictEqual(writeManagers(left.managers), writeManagers(alone.managers));
    }),
  );
  t.pass();
});

t.test('every field that is there has a manager, as somebody has set it', async (t) => {
  fc.assert(
    fc.property(steps, (taken) => {
      const state = play(taken);
      const fields = ownable(fieldsOf(state.object, schema), undefined);
      assert.deepStrictEqual([...fields.difference(ownedFields(state)).paths()].map(pathText), []);
    }),
  );
  t.pass();
});

t.test('what was written is read as the same', async (t) => {
  fc.assert(
    fc.property(steps, (taken) => {
      const written = writeManagers(play(taken).managers);
      assert.deepStrictEqual(writeManagers(readManagers(JSON.parse(JSON.stringify(written ?? [])))), written);
    }),
  );
  t.pass();
});
