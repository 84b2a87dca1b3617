import t from 'tap';
import { newStore, openStore, otherKind, statusOf, type Thing, thing, thingKind } from './support.ts';

function recolor(color: string): (current: Thing) => Thing {
  return (current) => ({ ...current, spec: { color } });
}

t.test('an object that was created is found, listed and counted', async (t) => {
  const store = openStore(t);
  const created = store.create(thingKind, thing('a'));
  t.equal(created.metadata.resourceVersion, '1');
  t.same(store.get(thingKind, 'default', 'a'), created);
  t.same(store.list(thingKind), { items: [created], resourceVersion: '1' });
});

t.test('lists come in the order of namespace and name, and can be narrowed', async (t) => {
  const store = openStore(t);
  for (const [name, namespace] of [
    ['b', 'x'],
    ['c', 'default'],
    ['a', 'x'],
  ] as const) {
    store.create(thingKind, thing(name, name === 'b' ? 'blue' : 'red', { namespace }));
  }
  const names = (options?: Parameters<typeof store.list<Thing>>[1]) =>
    store.list(thingKind, options).items.map((item) => `${item.metadata.namespace}/${item.metadata.name}`);
  t.same(names(), ['default/c', 'x/a', 'x/b']);
  t.same(names({ namespace: 'x' }), ['x/a', 'x/b']);
  t.same(names({ filter: (object) => object.spec.color === 'blue' }), ['x/b']);
});

t.test('a list at an earlier resourceVersion shows what was there', async (t) => {
  const store = openStore(t);
  const states: string[][] = [];
  const shown = (objects: Thing[] | undefined) =>
    objects?.map(({ metadata, spec }) => `${metadata.name} ${spec.color} @${metadata.resourceVersion}`);
  const remember = () => states.push(shown(store.list(thingKind).items) ?? []);
  remember();
  for (const step of [
    () => store.create(thingKind, thing('b')),
    () => store.create(thingKind, thing('d')),
    () => store.update(thingKind, 'default', 'b', recolor('blue')),
    () => store.create(otherKind, thing('b')),
    () => store.delete(thingKind, 'default', 'b'),
    () => store.create(thingKind, thing('a', 'green', { namespace: 'default' })),
    () => store.create(thingKind, thing('b', 'black')),
    () => store.update(thingKind, 'default', 'd', recolor('white')),
    () => store.delete(thingKind, 'default', 'a'),
  ]) {
    step();
    remember();
  }
  t.same(states.at(-1), ['b black @7', 'd white @8']);
  for (const [resourceVersion, state] of states.entries()) {
    t.same(shown(store.listAt(thingKind, resourceVersion)), state, `at ${resourceVersion}`);
  }
  t.same(shown(store.listAt(thingKind, 3, { filter: ({ spec }) => spec.color === 'blue' })), ['b blue @3']);
  t.same(store.listAt(thingKind, 3, { namespace: 'elsewhere' }), []);
  t.match(
    statusOf(() => store.listAt(thingKind, 10)),
    { code: 504, reason: 'Timeout' },
  );
});

t.test('how far back a list can go ends with the history', async (t) => {
  const store = openStore(t, { history: { maxChanges: 2, maxLength: 1_000_000 } });
  for (const name of ['a', 'b', 'c']) store.create(thingKind, thing(name));
  t.equal(store.listAt(thingKind, 0), undefined);
  t.equal(store.listAt(thingKind, 1)?.length, 1);
});

t.test('the oldest is the one that was created first, whatever its name, also after updates and a start', async (t) => {
  const path = `${t.testdir({})}/store.db`;
  const store = newStore(path);
  store.open();
  for (const name of ['c', 'b', 'a']) store.create(thingKind, thing(name));
  store.delete(thingKind, 'default', 'c');
  store.create(thingKind, thing('c'));
  store.update(thingKind, 'default', 'b', recolor('blue'));
  const oldest = (of: typeof store, but?: string) =>
    of.findOldest(thingKind, ({ metadata }) => metadata.name !== but)?.metadata.name;
  t.same([oldest(store), oldest(store, 'b')], ['b', 'a']);
  t.equal(
    store.findOldest(thingKind, () => false),
    undefined,
  );
  store.close();
  const again = newStore(path);
  again.open();
  t.teardown(() => again.close());
  t.same([oldest(again), oldest(again, 'b')], ['b', 'a']);
});

t.test('a second object of the same name is refused, one in another namespace or of another kind is not', async (t) => {
  const store = openStore(t);
  store.create(thingKind, thing('a'));
  t.match(
    statusOf(() => store.create(thingKind, thing('a'))),
    { code: 409, reason: 'AlreadyExists' },
  );
  store.create(thingKind, thing('a', 'red', { namespace: 'other' }));
  store.create(otherKind, thing('a'));
  t.equal(store.list(thingKind).items.length, 2);
});

t.test('names that look like paths or prototype members are names and nothing else', async (t) => {
  const store = openStore(t);
  for (const name of ['..', '__proto__', 'constructor', 'a%2Fb', "x'; DROP TABLE objects; --"]) {
    t.equal(store.get(thingKind, 'default', name), undefined);
    store.create(thingKind, thing(name));
    t.equal(store.get(thingKind, 'default', name)?.metadata.name, name);
    store.delete(thingKind, 'default', name);
  }
  t.same(store.list(thingKind).items, []);
});

t.test('what comes out of the store cannot be changed, and what went in may be', async (t) => {
  const store = openStore(t);
  const original = thing('a');
  const created = store.create(thingKind, original);
  t.throws(() => {
    created.spec.color = 'green';
  }, TypeError);
  original.spec.color = 'green';
  t.equal(store.get(thingKind, 'default', 'a')?.spec.color, 'red');
});

t.test('an update gets a new resourceVersion; one that changes nothing does not', async (t) => {
  const store = openStore(t);
  const first = store.create(thingKind, thing('a'));
  t.equal(store.update(thingKind, 'default', 'a', recolor('blue')).metadata.resourceVersion, '2');
  t.equal(store.update(thingKind, 'default', 'a', recolor('blue')).metadata.resourceVersion, '2');
  t.equal(store.update(thingKind, 'default', 'a', () => undefined).metadata.resourceVersion, '2');
  t.equal(first.spec.color, 'red', 'the earlier state is still what it was');
  t.match(
    statusOf(() => store.update(thingKind, 'default', 'b', recolor('blue'))),
    { code: 404, reason: 'NotFound' },
  );
});

t.test('what an update throws comes out and nothing is changed', async (t) => {
  const store = openStore(t);
  store.create(thingKind, thing('a'));
  const boom = new Error('boom');
  t.throws(
    () =>
      store.update(thingKind, 'default', 'a', () => {
        throw boom;
      }),
    boom,
  );
  t.equal(store.resourceVersion, '1');
});

t.test('a deletion gives the last state, counts, and can be made conditional', async (t) => {
  const store = openStore(t);
  store.create(thingKind, thing('a'));
  t.match(
    statusOf(() => store.delete(thingKind, 'default', 'a', { uid: 'another' })),
    { code: 409 },
  );
  t.match(
    statusOf(() => store.delete(thingKind, 'default', 'a', { resourceVersion: '9' })),
    { code: 409 },
  );
  const gone = store.delete(thingKind, 'default', 'a', { uid: 'uid-of-a', resourceVersion: '1' });
  t.equal(gone.metadata.resourceVersion, '2');
  t.equal(store.get(thingKind, 'default', 'a'), undefined);
  t.match(
    statusOf(() => store.delete(thingKind, 'default', 'a')),
    { code: 404 },
  );
});

t.test('everything is there again after the store was opened anew, and the count goes on', async (t) => {
  const path = `${t.testdir({})}/store.db`;
  const first = newStore(path);
  first.open();
  first.create(thingKind, thing('a'));
  first.create(thingKind, thing('b'));
  first.update(thingKind, 'default', 'a', recolor('blue'), { durable: false });
  first.delete(thingKind, 'default', 'b');
  const before = first.list(thingKind);
  first.close();

  const second = newStore(path);
  second.open();
  t.teardown(() => second.close());
  t.same(second.list(thingKind), before);
  t.equal(second.create(thingKind, thing('c')).metadata.resourceVersion, '5');
});

t.test('after a start of the machine no resourceVersion is given out a second time', async (t) => {
  const path = `${t.testdir({})}/store.db`;
  const before = newStore(path, { bootId: 'one' });
  before.open();
  before.create(thingKind, thing('a'));
  before.close();
  const after = newStore(path, { bootId: 'two' });
  after.open();
  t.teardown(() => after.close());
  t.equal(after.create(thingKind, thing('b')).metadata.resourceVersion, '100002');
});

t.test('what was written is on the disk once `flushed` resolves', async (t) => {
  const store = openStore(t);
  await store.flushed();
  for (let i = 0; i < 100; i++) store.create(thingKind, thing(`a${i}`));
  await store.flushed();
  t.equal(store.failure, undefined);
});
