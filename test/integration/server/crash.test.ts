import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { ApiClient } from '../support/api-client.ts';
import { manifest, podsPath } from './server.ts';

interface PodList {
  metadata: { resourceVersion: string };
  items: Pod[];
}

async function startProcess(directory: string): Promise<ChildProcess> {
  const script = `${import.meta.dirname}/server-process.ts`;
  const child = spawn(process.execPath, [script, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout ?? child, 'data');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** What an informer does: list, then watch from there, and list again when the watch is refused. */
class Informer {
  readonly seen = new Map<string, string>();
  readonly #api: ApiClient;
  readonly #abort = new AbortController();
  #resourceVersion: string | undefined;
  readonly versions: number[] = [];

  constructor(api: ApiClient) {
    this.#api = api;
  }

  async run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list();
        await this.#watch();
      } catch {
        // The server is down for a moment: that is what the test is about.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  stop(): void {
    this.#abort.abort();
  }

  async #list(): Promise<void> {
    const { items, metadata } = await this.#api.expectOk<PodList>('GET', podsPath);
    this.seen.clear();
    for (const pod of items) this.seen.set(pod.metadata.name, JSON.stringify(pod));
    this.#resourceVersion = metadata.resourceVersion;
  }

  async #watch(): Promise<void> {
    const path = `${podsPath}?watch=true&resourceVersion=${this.#resourceVersion}`;
    for await (const { type, object } of this.#api.watch<Pod>(path, this.#abort.signal)) {
      if (type === 'ERROR') {
        this.#resourceVersion = undefined;
        return;
      }
      const version = Number(object.metadata.resourceVersion);
      this.versions.push(version);
      this.#resourceVersion = String(version);
      if (type === 'DELETED') this.seen.delete(object.metadata.name);
      else this.seen.set(object.metadata.name, JSON.stringify(object));
    }
  }
}

t.test('killed again and again: no write that was answered is lost, and no watcher misses one', async (t) => {
  const directory = mkdtempSync(`${tmpdir()}/mk-api-`);
  const api = new ApiClient(`${directory}/api.sock`);
  const informer = new Informer(api);
  const acknowledged = new Map<string, string>();
  let child = await startProcess(directory);
  const informing = informer.run();
  t.teardown(async () => {
    await kill(child);
    rmSync(directory, { recursive: true });
  });

  for (let round = 0; round < 8; round++) {
    const writes = Array.from({ length: 30 }, async (_, i) => {
      const name = `pod-${round}-${i}`;
      try {
        const pod = await api.expectOk<Pod>('POST', podsPath, { body: manifest(name) });
        acknowledged.set(name, pod.metadata.uid);
      } catch {
        // Not answered: it may be there or not.
      }
    });
    // Somewhere in the middle of them.
    await Promise.race(writes.slice(round * 3));
    await kill(child);
    await Promise.all(writes);
    child = await startProcess(directory);
  }

  const { items } = await api.expectOk<PodList>('GET', podsPath);
  const stored = new Map(items.map(({ metadata }) => [metadata.name, metadata.uid]));
  t.ok(acknowledged.size > 8, `${acknowledged.size} writes were answered`);
  for (const [name, uid] of acknowledged) if (stored.get(name) !== uid) t.fail(`${name} was answered and is lost`);
  t.equal(new Set(items.map(({ metadata }) => metadata.resourceVersion)).size, items.length, 'no version twice');

  const last = await api.expectOk<Pod>('POST', podsPath, { body: manifest('last') });
  while (!informer.seen.has(last.metadata.name)) await new Promise((resolve) => setTimeout(resolve, 10));
  const listed = (await api.expectOk<PodList>('GET', podsPath)).items;
  t.same(
    [...informer.seen].sort(),
    listed.map((pod) => [pod.metadata.name, JSON.stringify(pod)]).sort(),
    'a watcher knows what a list shows',
  );
  t.same(
    informer.versions,
    informer.versions.toSorted((left, right) => left - right),
    'events came in order',
  );
  informer.stop();
  await informing;
});
