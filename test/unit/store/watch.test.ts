import t from 'tap';
import type { ObjectEvent } from '../../../src/store/kind-cache.ts';
import type { Store, WatchOptions } from '../../../src/store/store.ts';
import { newStore, nextTask, openStore, otherKind, statusOf, type Thing, thing, thingKind } from './support.ts';

function paint(store: Store, name: string, color: string): void {
  store.update(thingKind, 'default', name, (current) => ({ ...current, spec: { color } }));
}

function record(store: Store, options: WatchOptions<Thing> = {}): { seen: string[]; stop: () => void } {
  const seen: string[] = [];
  const stop = store.watch(thingKind, options, (event) => seen.push(describe(event)));
  return { seen, stop };
}

function describe({ type, object }: ObjectEvent<Thing>): string {
  return `${type} ${object.metadata.name} ${object.spec.color} @${object.metadata.resourceVersion}`;
}

t.test('a watch from nowhere begins with what is there and goes on with what happens', async (t) => {
  for (const resourceVersion of [undefined, '', '0']) {
    const store = openStore(t);
    store.create(thingKind, thing('a'));
    const { seen, stop } = record(store, { resourceVersion });
    t.same(seen, ['ADDED a red @1'], 'the present objects are told before watch returns');
    store.create(thingKind, thing('b'));
    paint(store, 'a', 'blue');
    store.create(otherKind, thing('c'));
    store.delete(thingKind, 'default', 'b');
    await nextTask();
    t.same(seen.splice(0), ['ADDED a red @1', 'ADDED b red @2', 'MODIFIED a blue @3', 'DELETED b red @5']);
    stop();
    paint(store, 'a', 'green');
    await nextTask();
    t.same(seen, []);
  }
});

t.test('a watch from a resourceVersion tells exactly what came after it', async (t) => {
  const store = openStore(t);
  store.create(thingKind, thing('a'));
  paint(store, 'a', 'blue');
  paint(store, 'a', 'green');
  store.delete(thingKind, 'default', 'a');
  const all = ['MODIFIED a blue @2', 'MODIFIED a green @3', 'DELETED a green @4'];
  for (const [resourceVersion, expected] of [
    ['1', all],
    ['2', all.slice(1)],
    ['3', all.slice(2)],
    ['4', []],
  ] as const) {
    t.same(record(store, { resourceVersion }).seen, expected, `from ${resourceVersion}`);
  }
});

t.test('changes made in the task that begins a watch are told once', async (t) => {
  const store = openStore(t);
  store.create(thingKind, thing('a'));
  const early = record(store);
  store.create(thingKind, thing('b'));
  const late = record(store);
  const resumed = record(store, { resourceVersion: '1' });
  await nextTask();
  t.same(early.seen, ['ADDED a red @1', 'ADDED b red @2']);
  t.same(late.seen, ['ADDED a red @1', 'ADDED b red @2']);
  t.same(resumed.seen, ['ADDED b red @2']);
});

t.test('an object that comes to match is added for the watcher, one that no longer does is deleted', async (t) => {
  const store = openStore(t);
  const options = { filter: (object: Thing) => object.spec.color === 'red' };
  const live = record(store, options);
  store.create(thingKind, thing('a', 'blue'));
  paint(store, 'a', 'red');
  store.update(thingKind, 'default', 'a', (current) => ({
    ...current,
    metadata: { ...current.metadata, labels: { x: 'y' } },
  }));
  paint(store, 'a', 'blue');
  store.delete(thingKind, 'default', 'a');
  await nextTask();
  const expected = ['ADDED a red @2', 'MODIFIED a red @3', 'DELETED a red @4'];
  t.same(live.seen, expected);
  t.same(record(store, { ...options, resourceVersion: '1' }).seen, expected, 'the same when told from history');
});

t.test('a watch of one namespace hears nothing of another', async (t) => {
  const store = openStore(t);
  const { seen } = record(store, { namespace: 'other' });
  store.create(thingKind, thing('a'));
  store.create(thingKind, thing('b', 'red', { namespace: 'other' }));
  await nextTask();
  t.same(seen, ['ADDED b red @2']);
});

t.test('every watcher sees the same order, even when one of them writes', async (t) => {
  const store = openStore(t);
  store.watch(thingKind, {}, ({ type, object }) => {
    if (type === 'ADDED') paint(store, object.metadata.name, 'blue');
  });
  const { seen } = record(store);
  store.create(thingKind, thing('a'));
  store.create(thingKind, thing('b'));
  await nextTask();
  t.same(seen, ['ADDED a red @1', 'ADDED b red @2', 'MODIFIED a blue @3', 'MODIFIED b blue @4']);
});

t.test('a watcher that fails harms neither the writer nor the other watchers', async (t) => {
  const store = openStore(t);
  store.watch(thingKind, {}, () => {
    throw new Error('broken listener');
  });
  const { seen } = record(store);
  store.create(thingKind, thing('a'));
  paint(store, 'a', 'blue');
  await nextTask();
  t.same(seen, ['ADDED a red @1', 'MODIFIED a blue @2']);
});

t.test('a watch that cannot go on is told so', async (t) => {
  const store = openStore(t, { history: { maxChanges: 2, maxLength: 1_000_000 } });
  for (const name of ['a', 'b', 'c', 'd']) store.create(thingKind, thing(name));
  for (const [resourceVersion, code, message] of [
    ['1', 410, 'too old resource version: 1 (2)'],
    ['9', 504, 'Timeout: Too large resource version: 9, current: 4'],
    ['x', 400, 'resourceVersion: Invalid value: "x": must be an unsigned integer'],
    ['-1', 400, 'resourceVersion: Invalid value: "-1": must be an unsigned integer'],
    ['1e300', 400, 'resourceVersion: Invalid value: "1e300": must be an unsigned integer'],
  ] as const) {
    t.match(
      statusOf(() => record(store, { resourceVersion })),
      { code, message },
      `from ${resourceVersion}`,
    );
  }
  t.same(record(store, { resourceVersion: '2' }).seen, ['ADDED c red @3', 'ADDED d red @4']);
});

t.test('history is bounded by size as well', async (t) => {
  const store = openStore(t, { history: { maxChanges: 1_000, maxLength: 10_000 } });
  store.create(thingKind, thing('a'));
  for (let i = 0; i < 20; i++) paint(store, 'a', `${i}`.padStart(2_000, 'x'));
  t.match(
    statusOf(() => record(store, { resourceVersion: '10' })),
    { code: 410, reason: 'Expired' },
  );
  t.equal(record(store, { resourceVersion: '18' }).seen.length, 3);
});

t.test('after a restart a watch goes on where the store stands and nowhere before', async (t) => {
  const path = `${t.testdir({})}/store.db`;
  const first = newStore(path);
  first.open();
  first.create(thingKind, thing('a'));
  paint(first, 'a', 'blue');
  first.close();

  const second = newStore(path);
  second.open();
  t.teardown(() => second.close());
  t.match(
    statusOf(() => record(second, { resourceVersion: '1' })),
    { code: 410, reason: 'Expired' },
  );
  const { seen } = record(second, { resourceVersion: '2' });
  paint(second, 'a', 'green');
  await nextTask();
  t.same(seen, ['MODIFIED a green @3']);
});

t.test(
  'after a restart a watch goes on over what happened to other kinds, unless the machine was away too',
  async (t) => {
    const path = `${t.testdir({})}/store.db`;
    const restarted = (bootId?: string) => {
      const store = newStore(path, bootId === undefined ? {} : { bootId });
      store.open();
      return store;
    };
    const first = restarted();
    first.create(thingKind, thing('a'));
    first.create(thingKind, thing('b'));
    first.create(otherKind, thing('c'));
    first.delete(thingKind, 'default', 'b');
    first.delete(otherKind, 'default', 'c');
    first.close();

    const second = restarted();
    t.match(
      statusOf(() => record(second, { resourceVersion: '3' })),
      { code: 410 },
      'the removal of b is not known any more',
    );
    const { seen } = record(second, { resourceVersion: '4' });
    paint(second, 'a', 'green');
    await nextTask();
    t.same(seen, ['MODIFIED a green @6']);
    second.close();

    const afterPowerCut = restarted('another boot');
    t.teardown(() => afterPowerCut.close());
    t.match(
      statusOf(() => record(afterPowerCut, { resourceVersion: '6' })),
      { code: 410 },
      'a change may have been told and then lost',
    );
  },
);
