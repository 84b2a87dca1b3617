import type { IncomingMessage } from 'node:http';
import { get } from 'node:http';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { podKind } from '../../../src/api/kinds.ts';
import type { ApiClient, WatchEvent } from '../support/api-client.ts';
import { manifest, podsPath, startServer } from './server.ts';

// biome-ignore lint/suspicious/noExplicitAny: events carry objects, tables and statuses
type AnyEvent = WatchEvent<any>;

/** A watch whose events are taken one by one. */
class Watch {
  readonly #lines: AsyncIterator<string>;
  readonly message: IncomingMessage;

  private constructor(message: IncomingMessage) {
    this.message = message;
    this.#lines = createInterface({ input: message })[Symbol.asyncIterator]();
  }

  static async open(t: Test, api: ApiClient, query: string, headers: Record<string, string> = {}): Promise<Watch> {
    const message = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ socketPath: api.socketPath, path: `${podsPath}?watch=true${query}`, headers, agent: false }, resolve).once(
        'error',
        reject,
      );
    });
    t.teardown(() => message.destroy());
    t.equal(message.statusCode, 200);
    t.equal(message.headers['content-type'], 'application/json');
    return new Watch(message);
  }

  /** Undefined at the end. */
  async next(): Promise<AnyEvent | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : JSON.parse(value);
  }

  async take(count: number): Promise<string[]> {
    const taken: string[] = [];
    for (let i = 0; i < count; i++) {
      const event = await this.next();
      taken.push(`${event?.type} ${event?.object.metadata.name}`);
    }
    return taken;
  }
}

function paint(api: ApiClient, name: string, color: string): Promise<unknown> {
  return api.expectOk('PATCH', `${podsPath}/${name}`, {
    body: { metadata: { labels: { color } } },
    contentType: 'application/merge-patch+json',
  });
}

const create = (api: ApiClient, name: string): Promise<{ metadata: { resourceVersion: string } }> =>
  api.expectOk('POST', podsPath, { body: manifest(name) });

t.test('from nowhere: what is there, then what happens', async (t) => {
  const { api, store } = await startServer(t);
  await create(api, 'a');
  const watch = await Watch.open(t, api, '');
  await create(api, 'b');
  await paint(api, 'a', 'red');
  store.delete(podKind, 'default', 'b');
  t.same(await watch.take(4), ['ADDED a', 'ADDED b', 'MODIFIED a', 'DELETED b']);
});

t.test('from a resourceVersion: exactly what came after it', async (t) => {
  const { api } = await startServer(t);
  const { metadata } = await create(api, 'a');
  await paint(api, 'a', 'red');
  await create(api, 'b');
  const watch = await Watch.open(t, api, `&resourceVersion=${metadata.resourceVersion}`);
  t.same(await watch.take(2), ['MODIFIED a', 'ADDED b']);
});

t.test('selectors: what comes to match is added, what no longer does is deleted', async (t) => {
  const { api } = await startServer(t);
  await create(api, 'a');
  const watch = await Watch.open(t, api, '&labelSelector=color%3Dred');
  await paint(api, 'a', 'red');
  await paint(api, 'a', 'blue');
  t.same(await watch.take(2), ['ADDED a', 'DELETED a']);
  const byName = await Watch.open(t, api, '&fieldSelector=metadata.name%3Db');
  await create(api, 'c');
  await create(api, 'b');
  t.same(await byName.take(1), ['ADDED b']);
});

t.test('the initial state ends with a bookmark for those who ask', async (t) => {
  const { api } = await startServer(t);
  await create(api, 'a');
  await create(api, 'b');
  const query = '&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  const watch = await Watch.open(t, api, query);
  t.same(await watch.take(2), ['ADDED a', 'ADDED b']);
  const bookmark = await watch.next();
  t.match(bookmark, {
    type: 'BOOKMARK',
    object: {
      kind: 'Pod',
      metadata: { resourceVersion: /^\d+$/, annotations: { 'k8s.io/initial-events-end': 'true' } },
    },
  });
  await create(api, 'c');
  t.same(await watch.take(1), ['ADDED c']);
  const without = await Watch.open(t, api, '&sendInitialEvents=false&resourceVersionMatch=NotOlderThan');
  await create(api, 'd');
  t.same(await without.take(1), ['ADDED d'], 'no initial state');
});

t.test('a watch that cannot begin there says so in its first event, and ends', async (t) => {
  const { api } = await startServer(t, {}, { maxChanges: 2, maxLength: 1_000_000 });
  for (const name of ['a', 'b', 'c']) await create(api, name);
  for (const [resourceVersion, code, reason] of [
    ['1', 410, 'Expired'],
    ['99999999', 504, 'Timeout'],
  ] as const) {
    const watch = await Watch.open(t, api, `&resourceVersion=${resourceVersion}`);
    t.match(await watch.next(), { type: 'ERROR', object: { kind: 'Status', code, reason } });
    t.equal(await watch.next(), undefined);
  }
  t.equal((await api.request('GET', `${podsPath}?watch=true&resourceVersion=x`)).status, 400);
  t.equal((await api.request('GET', `${podsPath}?watch=true&fieldSelector=spec.color%3Dred`)).status, 400);
});

t.test('a table names its columns once', async (t) => {
  const { api } = await startServer(t);
  await create(api, 'a');
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const watch = await Watch.open(t, api, '', { accept });
  await create(api, 'b');
  const first = await watch.next();
  t.match(first, { type: 'ADDED', object: { kind: 'Table', rows: [{ object: { kind: 'PartialObjectMetadata' } }] } });
  t.ok(first?.object.columnDefinitions.length >= 5);
  const second = await watch.next();
  t.equal(second?.object.rows[0].cells[0], 'b');
  t.same(second?.object.columnDefinitions, []);
});

t.test('the time that a client sets ends its watch, after a last bookmark', async (t) => {
  const { api, store } = await startServer(t);
  const watch = await Watch.open(t, api, '&timeoutSeconds=1&allowWatchBookmarks=true');
  t.match(await watch.next(), { type: 'BOOKMARK', object: { metadata: { resourceVersion: store.resourceVersion } } });
  t.equal(await watch.next(), undefined);
});

t.test('a change reaches a hundred watchers at once', async (t) => {
  const { api } = await startServer(t);
  const watches = await Promise.all(Array.from({ length: 100 }, () => Watch.open(t, api, '')));
  const begin = performance.now();
  await create(api, 'a');
  const seen = await Promise.all(watches.map((watch) => watch.take(1)));
  t.ok(seen.every(([event]) => event === 'ADDED a'));
  t.ok(performance.now() - begin < 500, `${performance.now() - begin} ms`);
});

t.test('watches are bounded in number', async (t) => {
  const { api } = await startServer(t, { maxConnections: 1_200 });
  const open: IncomingMessage[] = [];
  // No more at a time than the kernel queues.
  while (open.length < 1_000) {
    open.push(...(await Promise.all(Array.from({ length: 100 }, () => api.stream(`${podsPath}?watch=true`)))));
  }
  t.teardown(() => {
    for (const message of open) message.destroy();
  });
  t.ok(open.every(({ statusCode }) => statusCode === 200));
  const refused = await api.request('GET', `${podsPath}?watch=true`);
  t.equal(refused.status, 429);
  t.equal(refused.headers['retry-after'], '5');
  t.equal((await api.request('GET', podsPath)).status, 200, 'other requests are answered');
  open.pop()?.destroy();
});

t.test('a client that never reads is cut off; others are not behind, and memory does not grow', async (t) => {
  const { api, store } = await startServer(t);
  await api.expectOk('POST', podsPath, { body: manifest('big', { filler: 'x'.repeat(100_000) }) });
  const idle = await api.stream(`${podsPath}?watch=true`);
  const closed = new Promise((resolve) => {
    idle.once('aborted', resolve);
    idle.once('error', resolve);
    idle.once('close', resolve);
  });
  // Never read: flow control reaches the server when the kernel's buffers are full.
  idle.pause();
  const reader = await Watch.open(t, api, `&resourceVersion=${store.resourceVersion}`);
  const before = process.memoryUsage().rss;
  const delays: number[] = [];
  for (let i = 0; i < 600; i++) {
    const begin = performance.now();
    store.update(
      podKind,
      'default',
      'big',
      (pod) => ({ ...pod, metadata: { ...pod.metadata, labels: { i: `${i}` } } }),
      { durable: false },
    );
    const event = await reader.next();
    t.equal(event?.object.metadata.labels.i, `${i}`);
    delays.push(performance.now() - begin);
  }
  // Nearly all: the machine has other things to do as well.
  const behind = delays.toSorted((left, right) => left - right)[570] ?? 0;
  t.ok(behind < 100, `the other watcher was ${behind.toFixed(1)} ms behind`);
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  t.ok(grown < 200, `${grown.toFixed(0)} MiB for 60 MiB of events that nobody read`);
  idle.resume();
  await closed;
});
