// Deletion: of a pod that is just being started, with its grace period, and with a shorter one afterwards.
import t from 'tap';
import { isReady } from '../pod/pods.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { leaksSince, takeSnapshot } from '../support/leaks.ts';
import { waitFor } from '../support/wait.ts';
import { containerId, inRuntime, pairManifest, singleManifest, startProxy, stubborn } from './faults.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const proxy = await startProxy(runtime);
t.teardown(() => proxy.stop());
const daemon = await startDaemon({ runtime: proxy });
t.teardown(() => daemon.stop());
const baseline = await takeSnapshot({ runtime, daemon });

const steps: readonly (readonly [string, string])[] = [
  ['ImageStatus', '1*hold'],
  ['RunPodSandbox', '1*hold'],
  ['RunPodSandbox', '1*holdAfter'],
  ['CreateContainer', '1*hold'],
  ['CreateContainer', '1*holdAfter'],
  ['StartContainer', '1*hold'],
  ['StartContainer', '1*holdAfter'],
];
for (const [index, [method, fault]] of steps.entries()) {
  t.test(`a pod is deleted during ${method}, ${fault}: when its object is gone, so is everything`, async (t) => {
    const name = `step-${index}`;
    proxy.inject(method, fault);
    const pod = await daemon.createPod(pairManifest(name));
    await waitFor(`${method} to be held`, () => proxy.heldCalls > 0);
    await daemon.api.expectOk('DELETE', podPath(name));
    proxy.clear();
    await daemon.waitForPod(name, (seen) => seen === undefined);
    t.same(await inRuntime(runtime, pod.metadata.uid), { sandboxes: [], containers: [] });
    t.same(await leaksSince(baseline, { runtime, daemon }), []);
  });
}

t.test('a pod whose network set-up hangs can be deleted', async (t) => {
  runtime.network.hold('ADD');
  const pod = await daemon.createPod(singleManifest('hanging'));
  await waitFor('ADD', () => runtime.network.calls().at(-1)?.command === 'ADD');
  await daemon.api.expectOk('DELETE', podPath('hanging'));
  await daemon.waitForPod('hanging', (seen) => seen === undefined);
  t.same(await inRuntime(runtime, pod.metadata.uid), { sandboxes: [], containers: [] });
  runtime.network.clear();
  t.same(await leaksSince(baseline, { runtime, daemon }), []);
});

t.test('a pod is there until its network has been taken down, also when it never came up', async (t) => {
  runtime.network.hold('ADD');
  runtime.network.hold('DEL');
  await daemon.createPod(singleManifest('half-up'));
  await waitFor('ADD', () => runtime.network.calls().at(-1)?.command === 'ADD');
  await daemon.api.expectOk('DELETE', podPath('half-up'));
  await waitFor('DEL', () => runtime.network.calls().at(-1)?.command === 'DEL');
  // What the daemon does when it has nothing more to wait for takes less time than another pod's life.
  await daemon.createPod(singleManifest('on-host', { hostNetwork: true }));
  await daemon.waitForExistingPod('on-host', isReady);
  await daemon.deletePod('on-host');
  t.ok((await daemon.getPod('half-up')).metadata.deletionTimestamp);
  runtime.network.clear();
  await daemon.waitForPod('half-up', (seen) => seen === undefined);
  t.same(runtime.networkNamespaces(), baseline['network namespaces']);
  t.same(await leaksSince(baseline, { runtime, daemon }), []);
});

t.test('a pod can be deleted though the runtime forgot what it started for it', async (t) => {
  proxy.inject('StartContainer', '1*hold');
  const pod = await daemon.createPod(singleManifest('forgotten'));
  await waitFor('StartContainer to be held', () => proxy.heldCalls > 0);
  const { containers } = await inRuntime(runtime, pod.metadata.uid);
  const [container] = containers;
  t.match(containers, [{ state: 'CONTAINER_CREATED' }]);
  // As after a StartContainer that was cut off at a bad moment: there are processes, and CRI says that there are none.
  await runtime.ctr('tasks', 'start', '--detach', '--null-io', container?.id ?? '');
  await daemon.api.expectOk('DELETE', podPath('forgotten'));
  proxy.clear();
  await daemon.waitForPod('forgotten', (seen) => seen === undefined);
  t.same(await leaksSince(baseline, { runtime, daemon }), []);
});

/** Deletes the pod, waits until it is gone, and returns how long its container had and how it ended. */
async function timeDeletion(name: string, grace: () => Promise<void>) {
  const id = containerId(await daemon.waitForExistingPod(name, isReady), 'a');
  proxy.inject('StopPodSandbox', '1*hold');
  const askedAtMs = Date.now();
  await grace();
  await waitFor('the container to be dead', () => proxy.heldCalls > 0, 60_000);
  const { status } = await runtime.cri.call('ContainerStatus', { containerId: id });
  proxy.clear();
  await daemon.waitForPod(name, (seen) => seen === undefined);
  const seconds = (Number(BigInt(status?.finishedAt ?? 0) / 1_000_000n) - askedAtMs) / 1000;
  return { seconds, exitCode: status?.exitCode };
}

t.test('a container that ignores SIGTERM has its whole grace period, and not much more', async (t) => {
  await daemon.createPod(singleManifest('patient', { terminationGracePeriodSeconds: 4 }, { command: stubborn }));
  const { seconds, exitCode } = await timeDeletion('patient', async () => {
    await daemon.api.expectOk('DELETE', podPath('patient'));
  });
  t.comment(`${seconds} s of 4 s`);
  t.equal(exitCode, 137);
  t.ok(seconds >= 4 && seconds < 9, `${seconds} s`);
});

t.test('a second request shortens the grace period, and a third cannot make it longer', async (t) => {
  await daemon.createPod(singleManifest('hurried', { terminationGracePeriodSeconds: 30 }, { command: stubborn }));
  const { seconds, exitCode } = await timeDeletion('hurried', async () => {
    proxy.forgetCalls();
    await daemon.api.expectOk('DELETE', `${podPath('hurried')}?gracePeriodSeconds=30`);
    await proxy.called('StopContainer');
    await daemon.api.expectOk('DELETE', `${podPath('hurried')}?gracePeriodSeconds=1`);
    const { metadata } = await daemon.api.expectOk<{ metadata: object }>(
      'DELETE',
      `${podPath('hurried')}?gracePeriodSeconds=60`,
    );
    t.match(metadata, { deletionGracePeriodSeconds: 1 });
  });
  t.comment(`${seconds} s of 1 s`);
  t.equal(exitCode, 137);
  t.ok(seconds >= 1 && seconds < 6, `${seconds} s`);
  const stops = proxy.calls('StopContainer').length;
  t.ok(stops <= 3, `the container was stopped ${stops} times`);
});
