// kill -9 of the daemon in the middle of each call to the runtime that brings a pod up or down. All calls are held up at
// once, each for a pod of its own, so that one crash meets every step.
import t from 'tap';
import { DEMO_IMAGE, isOver, isReady, statusOf } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { takeSnapshot } from '../support/leaks.ts';
import { waitFor } from '../support/wait.ts';
import {
  containerId,
  identityOf,
  inRuntime,
  leaksButShims,
  pairManifest,
  singleManifest,
  startProxy,
} from './faults.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const proxy = await startProxy(runtime);
t.teardown(() => proxy.stop());
// A held call takes one of the places for work on the runtime.
const daemon = await startDaemon({ runtime: proxy, config: { maxConcurrentPodWorkers: 20 } });
t.teardown(() => daemon.stop());

await daemon.createPod(pairManifest('witness'));
const witness = identityOf(await daemon.waitForExistingPod('witness', isReady));
const baseline = await takeSnapshot({ runtime, daemon });

/** Waits until one more call is held up than before `cause`. */
async function holdNext(method: string, fault: string, cause: () => Promise<unknown>): Promise<void> {
  const before = proxy.heldCalls;
  proxy.inject(method, fault);
  await cause();
  await waitFor(`${method} to be held, ${fault}`, () => proxy.heldCalls > before, 20_000);
  proxy.inject(method, 'off');
}

/** The runtime hangs in its own call, in the middle of the pod's network. */
async function holdNetwork(command: 'ADD' | 'DEL', cause: () => Promise<unknown>): Promise<void> {
  const known = runtime.network.calls().length;
  runtime.network.hold(command);
  await cause();
  const isCalled = () =>
    runtime.network
      .calls()
      .slice(known)
      .some((call) => call.command === command);
  await waitFor(`${command} of the network plugin`, isCalled);
}

async function crashAndRestart(): Promise<void> {
  await daemon.kill9();
  proxy.clear();
  runtime.network.clear();
  await daemon.start();
}

t.test('killed at every step of a start', async (t) => {
  const steps: Readonly<Record<string, readonly [string, string]>> = {
    'image-before': ['ImageStatus', '1*hold'],
    'sandbox-before': ['RunPodSandbox', '1*hold'],
    'sandbox-after': ['RunPodSandbox', '1*holdAfter'],
    'create-before': ['CreateContainer', '1*hold'],
    'create-after': ['CreateContainer', '1*holdAfter'],
    'second-created': ['CreateContainer', '1*off->1*holdAfter'],
    'start-before': ['StartContainer', '1*hold'],
    'start-after': ['StartContainer', '1*holdAfter'],
    'second-started': ['StartContainer', '1*off->1*holdAfter'],
  };
  for (const [name, [method, fault]] of Object.entries(steps)) {
    await holdNext(method, fault, () => daemon.createPod(pairManifest(name)));
  }
  await holdNetwork('ADD', () => daemon.createPod(pairManifest('network-set-up')));
  const names = [...Object.keys(steps), 'network-set-up'];
  const before = new Map<string, Awaited<ReturnType<typeof stateOf>>>();
  for (const name of names) before.set(name, await stateOf(name));
  await crashAndRestart();

  for (const name of names) {
    t.test(name, async (t) => {
      const pod = await daemon.waitForExistingPod(name, isReady, { timeoutMs: 30_000 });
      const { startTime, running } = before.get(name) ?? {};
      t.equal(pod.status?.startTime, startTime, 'the start time holds');
      const { sandboxes, containers } = await inRuntime(runtime, pod.metadata.uid);
      t.same(
        sandboxes.map(({ state }) => state),
        ['SANDBOX_READY'],
        'one sandbox',
      );
      t.same(containers.map((item) => `${item.name} ${item.attempt} ${item.state}`).sort(), [
        'a 0 CONTAINER_RUNNING',
        'b 0 CONTAINER_RUNNING',
      ]);
      t.same(
        pod.status?.containerStatuses?.map(({ restartCount }) => restartCount),
        [0, 0],
        'no container was restarted',
      );
      const ids = new Set(containers.map(({ id }) => id));
      t.ok(
        running?.every((id) => ids.has(id)),
        'what ran goes on',
      );
      await daemon.deletePod(name);
    });
  }
  t.test('the rest', async (t) => {
    t.same(identityOf(await daemon.getPod('witness')), witness, 'the other pod was left alone');
    t.same(await leaksButShims(baseline, { runtime, daemon }), [], 'nothing is left of them');
  });
});

async function stateOf(name: string) {
  const { metadata, status } = await daemon.getPod(name);
  const { containers } = await inRuntime(runtime, metadata.uid);
  const running = containers.filter(({ state }) => state === 'CONTAINER_RUNNING').map(({ id }) => id);
  return { startTime: status?.startTime, running };
}

t.test('killed at every step of a deletion', async (t) => {
  const steps: Readonly<Record<string, readonly [string, string]>> = {
    'stop-before': ['StopContainer', '1*hold'],
    'stop-after': ['StopContainer', '1*holdAfter'],
    'sandbox-stop-before': ['StopPodSandbox', '1*hold'],
    'sandbox-stop-after': ['StopPodSandbox', '1*holdAfter'],
    'sandbox-remove-before': ['RemovePodSandbox', '1*hold'],
    'sandbox-remove-after': ['RemovePodSandbox', '1*holdAfter'],
  };
  const names = [...Object.keys(steps), 'network-tear-down', 'acknowledged'];
  for (const name of names) await daemon.createPod(pairManifest(name));
  for (const name of names) await daemon.waitForExistingPod(name, isReady);
  for (const [name, [method, fault]] of Object.entries(steps)) {
    await holdNext(method, fault, () => requestDelete(name));
  }
  await holdNetwork('DEL', () => requestDelete('network-tear-down'));
  await requestDelete('acknowledged');
  await crashAndRestart();

  for (const name of names) await daemon.waitForPod(name, (pod) => pod === undefined, { timeoutMs: 30_000 });
  t.same(identityOf(await daemon.getPod('witness')), witness, 'the other pod was left alone');
  t.same(await leaksButShims(baseline, { runtime, daemon }), [], 'nothing is left of them');
});

t.test('the grace period goes on where it was when the daemon was killed', async (t) => {
  const graceSeconds = 12;
  const command = ['sh', '-c', "trap 'echo TERM' TERM; while :; do sleep 1; echo tick; done"];
  const spec = { terminationGracePeriodSeconds: graceSeconds };
  await daemon.createPod(singleManifest('stubborn', spec, { command }));
  const pod = await daemon.waitForExistingPod('stubborn', isReady);
  const id = containerId(pod, 'a');
  // One that has done its work, but for a sidecar.
  const sidecar = { name: 'sidecar', image: DEMO_IMAGE, command, restartPolicy: 'Always' as const };
  const worker = { ...spec, initContainers: [sidecar], restartPolicy: 'Never' as const };
  await daemon.createPod(singleManifest('worked', worker, { command: ['sleep', '1'] }));
  const isTold = async (name: string, container: string) =>
    (await daemon.containerLog(name, container)).includes('TERM\n');
  await waitFor('the sidecar to be told', () => isTold('worked', 'sidecar'));
  // Its answer is kept back, so that the container is still there to tell when it died.
  proxy.inject('StopPodSandbox', '2*hold');
  const askedAtMs = Date.now();
  await requestDelete('stubborn');
  // Far enough into the grace period to tell whether it begins anew.
  await waitFor('six seconds of grace', async () =>
    /TERM\n(.*\n)*(tick\n){6}/.test(await daemon.containerLog('stubborn', 'a')),
  );
  await daemon.kill9();
  await daemon.start();
  await waitFor('the containers to be dead', () => proxy.heldCalls > 1, 40_000);
  const { status } = await runtime.cri.call('ContainerStatus', { containerId: id });
  const graceMs = Number(BigInt(status?.finishedAt ?? 0) / 1_000_000n) - askedAtMs;
  t.comment(`killed after ${graceMs} ms of ${graceSeconds} s`);
  t.equal(status?.exitCode, 137);
  t.ok(graceMs >= graceSeconds * 1000, 'it had its whole grace period');
  t.ok(graceMs < graceSeconds * 1000 + 5500, 'which did not begin anew');

  const worked = await daemon.waitForExistingPod('worked', isOver);
  t.match(worked.status, { phase: 'Succeeded' });
  t.notOk(
    worked.status?.conditions?.some(({ type }) => type === 'mini-kubelet.io/Stopping'),
    'it is over',
  );
  const [work, service] = ['a', 'sidecar'].map((name) =>
    Date.parse(statusOf(worked, name).state?.terminated?.finishedAt ?? ''),
  );
  const sidecarMs = (service ?? Number.NaN) - (work ?? Number.NaN);
  t.comment(`the sidecar was killed after about ${sidecarMs} ms`);
  // Both ends are told in whole seconds.
  t.ok(sidecarMs >= (graceSeconds - 1) * 1000, 'the sidecar had it as well');
  t.ok(sidecarMs < graceSeconds * 1000 + 5500, 'and did not begin anew');
  proxy.clear();
  await daemon.waitForPod('stubborn', (seen) => seen === undefined);
  await daemon.deletePod('worked');
  t.same(await leaksButShims(baseline, { runtime, daemon }), []);
});

async function requestDelete(name: string): Promise<void> {
  await daemon.api.expectOk('DELETE', `/api/v1/namespaces/default/pods/${name}`);
}
