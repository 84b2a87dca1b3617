// Any runtime will do.
import t, { type Test } from 'tap';
import type { Status } from '../../../src/api/meta.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { podPath, type WatchEvent } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, shell } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const collection = '/api/v1/namespaces/default/pods';

interface PodList {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly Pod[];
}

const list = () => daemon.api.expectOk<PodList>('GET', collection);
const create = (name: string) => daemon.createPod(podManifest(name, [{ name: 'a', command: shell('') }]));
const label = (name: string, value: string) =>
  daemon.api.expectOk<Pod>('PATCH', podPath(name), {
    body: { metadata: { labels: { value } } },
    contentType: 'application/merge-patch+json',
  });

/**
 * Keeps a picture of all pods as an informer does: lists once, then watches, and goes on from the last resourceVersion
 * when the watch ends. It notes everything that must never happen.
 */
class Informer {
  readonly pods = new Map<string, Pod>();
  readonly complaints: string[] = [];
  #version = '';
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        if (this.#version === '') await this.#list();
        const path = `${collection}?watch=true&allowWatchBookmarks=true&resourceVersion=${this.#version}`;
        for await (const event of daemon.api.watch<Pod | Status>(path, signal)) this.#take(event);
      } catch (error) {
        // The daemon is away.
        if (!(error instanceof Error && 'code' in error) && !signal.aborted) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #list(): Promise<void> {
    const { metadata, items } = await list();
    for (const pod of items) {
      const known = this.pods.get(pod.metadata.name ?? '');
      if (known && versionOf(known) > versionOf(pod)) this.complaints.push(`list went back: ${describe(pod)}`);
    }
    this.pods.clear();
    for (const pod of items) this.pods.set(pod.metadata.name ?? '', pod);
    this.#version = metadata.resourceVersion;
  }

  #take({ type, object }: WatchEvent<Pod | Status>): void {
    if (type === 'ERROR') {
      if ('code' in object && object.code === 410) this.#version = '';
      else this.complaints.push(`error: ${JSON.stringify(object)}`);
      return;
    }
    const pod = object as Pod;
    const { name = '', resourceVersion = '' } = pod.metadata;
    if (Number(resourceVersion) < Number(this.#version)) this.complaints.push(`${type} went back: ${describe(pod)}`);
    this.#version = resourceVersion;
    if (type === 'BOOKMARK') return;
    const isKnown = this.pods.has(name);
    if (isKnown !== (type !== 'ADDED')) this.complaints.push(`${type} of a pod that is ${isKnown ? '' : 'un'}known`);
    if (type === 'DELETED') this.pods.delete(name);
    else this.pods.set(name, pod);
  }

  /** Waits until the picture is the daemon's own, and nothing happens any more. */
  async settle(t: Test, message: string): Promise<void> {
    await waitFor(message, async () => JSON.stringify(await picture()) === JSON.stringify(this.picture()), 20_000);
    t.strictSame(this.complaints, [], message);
  }

  picture(): string[] {
    return [...this.pods.values()].map(describe).sort();
  }
}

async function picture(): Promise<string[]> {
  return (await list()).items.map(describe).sort();
}

const versionOf = (pod: Pod) => Number(pod.metadata.resourceVersion);
const describe = ({ metadata, status }: Pod) =>
  `${metadata.name} ${metadata.uid} ${metadata.resourceVersion} ${status?.phase}`;

t.test('an informer misses nothing while pods come and go and the daemon is killed', async (t) => {
  const informer = new Informer();
  informer.start();
  for (let round = 0; round < 3; round += 1) {
    const names = [0, 1, 2].map((index) => `churn-${round}-${index}`);
    await Promise.all(names.map(create));
    await Promise.all(names.map((name) => daemon.waitForExistingPod(name, isReady)));
    const [first = '', second = '', third = ''] = names;
    // In the middle of it.
    const requests = [
      label(first, `${round}`),
      daemon.api.expectOk('DELETE', podPath(second)),
      daemon.api.expectOk('DELETE', podPath(third)),
    ];
    await Promise.all(requests);
    await daemon.restart(round === 1 ? 'SIGTERM' : 'SIGKILL');
    for (const name of [second, third]) await daemon.waitForPod(name, (pod) => pod === undefined);
    await informer.settle(t, `round ${round}`);
  }
  await informer.stop();
  for (const round of [0, 1, 2]) await daemon.deletePod(`churn-${round}-0`);
});

t.test('a watch goes on over a restart from where nothing happened since', async (t) => {
  await create('quiet');
  await daemon.waitForExistingPod('quiet', isReady);
  const before = await list();
  await daemon.restart('SIGKILL');
  t.strictSame((await list()).items, before.items, 'the restart changed no pod');
  const path = `${collection}?watch=true&resourceVersion=${before.metadata.resourceVersion}`;
  const watch = daemon.api.watch<Pod>(path, AbortSignal.timeout(10_000));
  const next = watch.next();
  await label('quiet', 'after');
  t.match((await next).value, {
    type: 'MODIFIED',
    object: { metadata: { name: 'quiet', labels: { value: 'after' } } },
  });
  await watch.return(undefined);
});

t.test('a watch from before the daemon can tell is answered 410, and a new list helps', async (t) => {
  const before = await list();
  await label('quiet', 'once');
  await label('quiet', 'twice');
  await daemon.restart();
  const path = `${collection}?watch=true&resourceVersion=`;
  const expired = daemon.api.watch<Status>(path + before.metadata.resourceVersion, AbortSignal.timeout(10_000));
  t.match((await expired.next()).value, { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } });
  t.equal((await expired.next()).done, true, 'nothing follows');
  const fresh = daemon.api.watch<Pod>(path + (await list()).metadata.resourceVersion, AbortSignal.timeout(10_000));
  const next = fresh.next();
  await label('quiet', 'thrice');
  t.match((await next).value, { type: 'MODIFIED', object: { metadata: { labels: { value: 'thrice' } } } });
  await fresh.return(undefined);
});

t.test('who begins with nothing is told all, then a bookmark, then what happens', async (t) => {
  const path = `${collection}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`;
  const watch = daemon.api.watch<Pod>(path, AbortSignal.timeout(10_000));
  t.match((await watch.next()).value, { type: 'ADDED', object: { metadata: { name: 'quiet' } } });
  const bookmark = (await watch.next()).value;
  t.match(bookmark, {
    type: 'BOOKMARK',
    object: {
      kind: 'Pod',
      metadata: {
        annotations: { 'k8s.io/initial-events-end': 'true' },
        resourceVersion: (await list()).metadata.resourceVersion,
      },
    },
  });
  const next = watch.next();
  await label('quiet', 'last');
  t.match((await next).value, { type: 'MODIFIED' });
  await watch.return(undefined);
});

t.test('a watcher by label or field sees a pod come and go as it begins and ceases to match', async (t) => {
  const { metadata } = await list();
  const follow = (selector: string) =>
    daemon.api.watch<Pod>(
      `${collection}?watch=true&resourceVersion=${metadata.resourceVersion}&${selector}`,
      AbortSignal.timeout(10_000),
    );
  const [byLabel, byPhase] = [follow('labelSelector=value%3Dchosen'), follow('fieldSelector=status.phase%3DRunning')];
  const seen: string[] = [];
  const record = async (name: string, watch: AsyncGenerator<WatchEvent<Pod>>, count: number) => {
    for (let index = 0; index < count; index += 1) seen.push(`${name} ${(await watch.next()).value?.type}`);
  };
  const recorded = Promise.all([record('label', byLabel, 2), record('phase', byPhase, 1)]);
  await label('quiet', 'chosen');
  await label('quiet', 'other');
  await recorded;
  t.strictSame(seen.sort(), ['label ADDED', 'label DELETED', 'phase MODIFIED']);
  await Promise.all([byLabel.return(undefined), byPhase.return(undefined)]);
  await daemon.deletePod('quiet');
});
