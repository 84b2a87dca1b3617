import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { Event } from '../../../src/api/event.ts';
import { eventKind } from '../../../src/api/kinds.ts';
import type { KubeObject } from '../../../src/api/meta.ts';
import { EventRecorder } from '../../../src/events/recorder.ts';
import { TokenBucket } from '../../../src/events/token-bucket.ts';
import { Store } from '../../../src/store/store.ts';

const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', uid: 'pod-uid', resourceVersion: '7' },
};
const node: KubeObject = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1', uid: 'node-uid' } };

class FakeClock {
  ms = Date.parse('2026-01-01T00:00:00Z');
  now(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

interface Setup {
  recorder: EventRecorder;
  clock: FakeClock;
  store: Store;
  events: () => Event[];
}

function begin(t: Test, path = `${t.testdir({})}/store.db`): Setup {
  const clock = new FakeClock();
  const logger = pino({ level: 'silent' });
  const store = new Store({ path, logger, clock, reserveBytes: 4_096 });
  store.open();
  const recorder = new EventRecorder({ store, clock, logger, host: 'node-1' });
  recorder.start();
  t.teardown(() => {
    recorder.stop();
    store.close();
  });
  const events = () => {
    recorder.flush();
    return store.list(eventKind).items;
  };
  return { recorder, clock, store, events };
}

t.test('an event says what happened to which part of which object', async (t) => {
  const { recorder, events } = begin(t);
  recorder.event(pod, 'Normal', 'Started', 'Started container c', 'spec.containers{c}');
  t.match(events(), [
    {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: /^web\.[0-9a-f]{16}$/,
        namespace: 'default',
        uid: /./,
        creationTimestamp: '2026-01-01T00:00:00Z',
      },
      involvedObject: {
        apiVersion: 'v1',
        kind: 'Pod',
        namespace: 'default',
        name: 'web',
        uid: 'pod-uid',
        resourceVersion: '7',
        fieldPath: 'spec.containers{c}',
      },
      type: 'Normal',
      reason: 'Started',
      message: 'Started container c',
      source: { component: 'mini-kubelet', host: 'node-1' },
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:00Z',
      count: 1,
    },
  ]);
});

t.test('events are such as a client may write too', async (t) => {
  const { recorder, events } = begin(t);
  recorder.event(pod, 'Warning', 'Failed', 'x'.repeat(5_000));
  recorder.event(node, 'Normal', 'NodeReady', 'ready');
  recorder.event({ ...pod, metadata: { ...pod.metadata, name: 'a'.repeat(253) } }, 'Normal', 'Started', '');
  for (const event of events()) t.same(eventKind.validateCreate(event), []);
  t.equal(events().find(({ reason }) => reason === 'NodeReady')?.metadata.namespace, 'default');
  t.equal(events().find(({ reason }) => reason === 'Failed')?.message?.length, 1024);
});

t.test('the same thing again is counted, another thing is another event', async (t) => {
  const { recorder, clock, events } = begin(t);
  const repeat = () => recorder.event(pod, 'Warning', 'BackOff', 'Back-off restarting');
  repeat();
  repeat();
  t.match(events(), [{ count: 2 }]);
  clock.ms += 60_000;
  repeat();
  t.match(events(), [{ count: 3, firstTimestamp: '2026-01-01T00:00:00Z', lastTimestamp: '2026-01-01T00:01:00Z' }]);
  recorder.event(pod, 'Warning', 'BackOff', 'Back-off restarting', 'spec.containers{c}');
  recorder.event(pod, 'Warning', 'BackOff', 'another message');
  recorder.event({ ...pod, metadata: { ...pod.metadata, uid: 'next' } }, 'Warning', 'BackOff', 'Back-off restarting');
  t.equal(events().length, 4);
});

t.test('counting goes on after a restart, and after a client deleted the event', async (t) => {
  const path = `${t.testdir({})}/store.db`;
  const first = begin(t, path);
  first.recorder.event(pod, 'Normal', 'Pulled', 'pulled');
  first.recorder.stop();
  first.store.close();
  const second = begin(t, path);
  second.recorder.event(pod, 'Normal', 'Pulled', 'pulled');
  t.match(second.events(), [{ count: 2 }]);
  const [event] = second.events();
  second.store.delete(eventKind, 'default', event?.metadata.name ?? '');
  second.recorder.event(pod, 'Normal', 'Pulled', 'pulled');
  t.match(second.events(), [{ count: 1 }]);
});

t.test('one object cannot flood the store, and not silence another', async (t) => {
  const { recorder, clock, events } = begin(t);
  for (let i = 0; i < 1_000; i++) recorder.event(pod, 'Warning', `Reason${i}`, 'too much');
  recorder.event(node, 'Normal', 'NodeReady', 'ready');
  t.equal(events().length, 26);
  clock.ms += 5 * 60_000;
  recorder.event(pod, 'Warning', 'Late', 'five minutes later');
  recorder.event(pod, 'Warning', 'Later', 'and another');
  t.equal(events().length, 27);
});

t.test('probes that fail on and on leave room for what comes of it', async (t) => {
  const { recorder, events } = begin(t);
  for (let i = 0; i < 100; i++) recorder.event(pod, 'Warning', 'Unhealthy', 'Liveness probe failed');
  recorder.event(pod, 'Normal', 'Killing', 'Container web failed liveness probe, will be restarted');
  t.strictSame(
    events()
      .map(({ reason }) => reason)
      .sort(),
    ['Killing', 'Unhealthy'],
  );
});

t.test('what came too fast to be written is counted all the same', async (t) => {
  const { recorder, clock, events } = begin(t);
  for (let i = 0; i < 25; i++) recorder.event(pod, 'Warning', 'Unhealthy', 'no answer');
  t.match(events(), [{ count: 25 }]);
  for (let i = 0; i < 10; i++) recorder.event(pod, 'Warning', 'Unhealthy', 'no answer');
  clock.ms += 5 * 60_000;
  recorder.event(pod, 'Warning', 'Unhealthy', 'no answer');
  t.match(events(), [{ count: 36, lastTimestamp: '2026-01-01T00:05:00Z' }]);
});

t.test('from the tenth message on, similar events are told as one, by its latest words', async (t) => {
  const path = `${t.testdir({})}/store.db`;
  const { recorder, events, store } = begin(t, path);
  for (let i = 1; i <= 12; i++) recorder.event(pod, 'Warning', 'Failed', `message ${i}`);
  recorder.event(pod, 'Warning', 'Failed', 'of a part', 'spec.containers{a}');
  recorder.event(pod, 'Warning', 'Unhealthy', 'another reason');
  recorder.event(pod, 'Normal', 'Failed', 'another type');
  const told = () => events().map(({ message, count }) => `${count} ${message}`);
  const singles = Array.from({ length: 9 }, (_, i) => `1 message ${i + 1}`);
  t.same(
    told().sort(),
    [
      ...singles,
      '3 (combined from similar events): message 12',
      '1 of a part',
      '1 another reason',
      '1 another type',
    ].sort(),
  );
  recorder.stop();
  store.close();

  const second = begin(t, path);
  for (let i = 21; i <= 30; i++) second.recorder.event(pod, 'Warning', 'Failed', `message ${i}`);
  const combined = () => second.events().filter(({ message }) => message?.startsWith('(combined'));
  t.match(combined(), [{ count: 4, message: /message 30$/ }], 'the count goes on after a restart');
  second.clock.ms += 601_000;
  second.recorder.event(pod, 'Warning', 'Failed', 'message 31');
  t.match(combined(), [{ count: 4 }], 'after ten quiet minutes each is told alone again');
});

t.test('all objects together cannot flood it either', async (t) => {
  const { recorder, clock, events } = begin(t);
  const flood = () => {
    for (let i = 0; i < 500; i++) {
      recorder.event(
        { ...pod, metadata: { ...pod.metadata, name: `p${i}`, uid: `${i}` } },
        'Normal',
        'Started',
        `${clock.ms}`,
      );
    }
  };
  flood();
  t.equal(events().length, 100);
  clock.ms += 1_000;
  flood();
  t.equal(events().length, 150);
});

t.test('events are forgotten an hour after they last happened', async (t) => {
  const path = `${t.testdir({})}/store.db`;
  const { recorder, clock, events, store } = begin(t, path);
  recorder.event(pod, 'Normal', 'Old', 'old');
  events();
  clock.ms += 1_800_000;
  recorder.event(pod, 'Normal', 'Young', 'young');
  events();
  clock.ms += 1_801_000;
  recorder.start();
  t.same(
    store.list(eventKind).items.map(({ reason }) => reason),
    ['Young'],
  );
});

t.test('a store that refuses does no harm to those who report', async (t) => {
  const { recorder, store } = begin(t);
  const create = store.create;
  store.create = () => {
    throw new Error('disk full');
  };
  recorder.event(pod, 'Normal', 'Started', 'lost');
  t.doesNotThrow(() => recorder.flush());
  store.create = create;
});

t.test('a bucket gives its burst, then so many a second, and never more than it holds', async (t) => {
  const bucket = new TokenBucket(3, 2, 0);
  const take = (ms: number, times: number) => Array.from({ length: times }, () => bucket.take(ms));
  t.same(take(0, 4), [true, true, true, false]);
  t.same(take(500, 2), [true, false]);
  t.same(take(1_000_000, 4), [true, true, true, false]);
  t.notOk(bucket.isFull(1_000_500));
  t.ok(bucket.isFull(1_001_500));
});
