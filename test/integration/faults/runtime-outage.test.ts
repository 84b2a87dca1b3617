// The container runtime is away, hangs, or is killed: pods go on, the node says so, the API accepts, and all is done when
// the runtime is back.
import t, { type Test } from 'tap';
import type { Node } from '../../../src/api/node.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { isReady } from '../pod/pods.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { leaksSince, takeSnapshot } from '../support/leaks.ts';
import { childrenOf, isAlive, sendSignal } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { containerId, identityOf, inRuntime, pairManifest, singleManifest, startProxy } from './faults.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const proxy = await startProxy(runtime);
t.teardown(() => proxy.stop());
const daemon = await startDaemon({ runtime: proxy });
t.teardown(() => daemon.stop());
const baseline = await takeSnapshot({ runtime, daemon });

const names = Array.from({ length: 10 }, (_, index) => `steady-${index}`);
await Promise.all(names.map((name) => daemon.createPod(pairManifest(name))));
const steady = await Promise.all(names.map((name) => daemon.waitForExistingPod(name, isReady)));
const before = new Map(steady.map((pod) => [pod.metadata.name, identityOf(pod)]));
const pids = steady.flatMap((pod) => ['a', 'b'].map((name) => runtime.containerPid(containerId(pod, name))));

async function assertSteady(t: Test): Promise<void> {
  t.ok(pids.every(isAlive), 'no process of the pods ended');
  for (const name of names) t.same(identityOf(await daemon.getPod(name)), before.get(name), `${name} noticed nothing`);
}

/** Waits on a watch until the node is ready, or is not; returns the condition and how long that took. */
async function nodeReady(wanted: 'True' | 'False') {
  const begin = performance.now();
  const path = `/api/v1/nodes?watch=true&fieldSelector=metadata.name%3D${daemon.root.name}`;
  for await (const { object } of daemon.api.watch<Node>(path, AbortSignal.timeout(30_000))) {
    const condition = object.status?.conditions?.find(({ type }) => type === 'Ready');
    if (condition?.status === wanted) return { ...condition, ms: performance.now() - begin };
  }
  throw new Error('the watch ended');
}

/** Asserts that the API answers at once, though the runtime does not. */
async function assertApiAnswers(t: Test): Promise<void> {
  const begin = performance.now();
  await daemon.api.expectOk('GET', '/api/v1/pods');
  await daemon.api.expectOk('GET', podPath('steady-0'));
  const ready = await daemon.api.request('GET', '/readyz');
  t.equal(ready.status, 500);
  t.match(ready.text, /\[-\]runtime failed: container runtime is down/);
  t.equal((await daemon.api.request('GET', '/livez')).status, 200);
  const ms = performance.now() - begin;
  t.ok(ms < 2000, `four requests took ${Math.round(ms)} ms`);
}

t.test('containerd is stopped and started', async (t) => {
  await daemon.createPod(singleManifest('leaving'));
  await daemon.waitForExistingPod('leaving', isReady);
  const { pid } = runtime;
  sendSignal(pid, 'SIGTERM');
  await waitFor('the end of containerd', () => !isAlive(pid));
  const notReady = await nodeReady('False');
  t.comment(`the node is not ready after ${Math.round(notReady.ms)} ms: ${notReady.reason}: ${notReady.message}`);
  t.ok(notReady.ms < 10_000);
  t.match(notReady, { reason: 'KubeletNotReady', message: /container runtime is down/ });
  await assertApiAnswers(t);

  await daemon.createPod(singleManifest('arriving'));
  await daemon.createPod(singleManifest('passing'));
  await daemon.api.expectOk('DELETE', podPath('leaving'));
  await daemon.api.expectOk('DELETE', podPath('passing'));
  t.match(await daemon.getPod('leaving'), { metadata: { deletionTimestamp: /Z$/ } }, 'not gone before its containers');
  await assertSteady(t);

  await runtime.start();
  const ready = await nodeReady('True');
  t.comment(`the node is ready ${Math.round(ready.ms)} ms after containerd`);
  t.ok(ready.ms < 7000);
  await daemon.waitForExistingPod('arriving', isReady);
  await daemon.waitForPod('leaving', (pod) => pod === undefined);
  await daemon.waitForPod('passing', (pod) => pod === undefined);
  t.equal((await daemon.api.request('GET', '/readyz')).status, 200);
  await assertSteady(t);
  await daemon.deletePod('arriving');
});

t.test('containerd hangs, and goes on', async (t) => {
  proxy.forgetCalls();
  await runtime.pause();
  const hanging: Pod[] = [];
  try {
    for (let index = 0; index < 12; index += 1)
      hanging.push(await daemon.createPod(singleManifest(`hanging-${index}`)));
    const notReady = await nodeReady('False');
    t.comment(`the node is not ready after ${Math.round(notReady.ms)} ms: ${notReady.message}`);
    t.ok(notReady.ms < 10_000);
    await assertApiAnswers(t);
    await daemon.api.expectOk('DELETE', podPath('hanging-0'));
    const open = proxy.calls().filter(({ grpcStatus }) => grpcStatus === undefined);
    t.comment(`${open.length} calls wait for the runtime`);
    t.ok(open.length < 40, 'calls do not pile up');
  } finally {
    runtime.resume();
  }
  await nodeReady('True');
  await daemon.waitForPod('hanging-0', (pod) => pod === undefined);
  for (const { metadata } of hanging.slice(1)) {
    const pod = await daemon.waitForExistingPod(metadata.name ?? '', isReady);
    t.equal(pod.status?.containerStatuses?.[0]?.restartCount, 0);
    t.equal((await inRuntime(runtime, metadata.uid)).sandboxes.length, 1);
  }
  await assertSteady(t);
  await Promise.all(hanging.slice(1).map(({ metadata }) => daemon.deletePod(metadata.name ?? '')));
});

const kills = 3;
t.test('containerd is killed three times while pods come and go', async (t) => {
  for (let kill = 0; kill < kills; kill += 1) {
    await daemon.createPod(singleManifest(`comes-${kill}`));
    if (kill > 0) await daemon.api.expectOk('DELETE', podPath(`comes-${kill - 1}`));
    await waitFor('the runtime to be at work', () => proxy.calls().some(({ grpcStatus }) => grpcStatus === undefined));
    await runtime.restart();
    await nodeReady('True');
    const pod = await daemon.waitForExistingPod(`comes-${kill}`, isReady, { timeoutMs: 30_000 });
    t.equal(pod.status?.containerStatuses?.[0]?.restartCount, 0);
  }
  await daemon.waitForPod('comes-1', (pod) => pod === undefined);
  await daemon.deletePod('comes-2');
  await assertSteady(t);
});

t.test('a container that ends while the runtime is away is restarted when it is back', async (t) => {
  const pid = runtime.containerPid(containerId(await daemon.getPod('steady-0'), 'a'));
  await runtime.kill();
  sendSignal(pid, 'SIGKILL');
  await runtime.start();
  const pod = await daemon.waitForExistingPod(
    'steady-0',
    (seen) => isReady(seen) && seen.status?.containerStatuses?.[0]?.restartCount === 1,
  );
  // containerd 2 tells the end of a container that it did not see as 255.
  t.match(pod.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, /^(137|255)$/);
  t.equal(pod.status?.containerStatuses?.[1]?.restartCount, 0, 'the other container was left alone');
});

t.test('nothing is left', async (t) => {
  await Promise.all(names.map((name) => daemon.deletePod(name)));
  const leaks = await leaksSince(baseline, { runtime, daemon });
  const shims = await runtime.forgottenShims();
  const isForgotten = (leak: string) =>
    shims.some((pid) => leak === `shims: ${pid}`) || /^(network namespaces: |mounts: .*\/netns\/)cni-[^/]+$/.test(leak);
  // What a containerd forgets that is killed while it makes a sandbox: a shim, and a network namespace that was not
  // written down yet. No client can have them removed.
  t.same(
    leaks.filter((leak) => !isForgotten(leak)),
    [],
  );
  t.ok(leaks.length <= 3 * kills, `of each kill a shim, a namespace and its mount at most: ${leaks}`);
  t.same(childrenOf(shims), [], 'nothing runs in what the runtime forgot');
});
