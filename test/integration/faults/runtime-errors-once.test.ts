// Any runtime will do.
// Each call to the runtime fails once with each code, before or after its effect.
import t from 'tap';
import { isReady, statusOf } from '../pod/pods.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { leaksSince, takeSnapshot } from '../support/leaks.ts';
import { TestRegistry } from '../support/registry.ts';
import { waitFor } from '../support/wait.ts';
import { inRuntime, singleManifest, startProxy, waitForEvent } from './faults.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const proxy = await startProxy(runtime);
t.teardown(() => proxy.stop());
// A NotFound that is not true is believed, until everything is listed again.
const daemon = await startDaemon({ runtime: proxy, config: { syncFrequency: '3s' } });
t.teardown(() => daemon.stop());
const registry = new TestRegistry(['app:1']);
await registry.start(runtime);
t.teardown(() => registry.stop());
const baseline = await takeSnapshot({ runtime, daemon });

const codes = [
  'Unavailable',
  'Unknown',
  'DeadlineExceeded',
  'ResourceExhausted',
  'NotFound',
  'AlreadyExists',
  'Internal',
];
const startMethods = ['RunPodSandbox', 'CreateContainer', 'StartContainer'];
const endMethods = ['StopContainer', 'StopPodSandbox', 'RemovePodSandbox'];

interface Fault {
  readonly name: string;
  readonly method: string;
  readonly failpoint: string;
}

/** Every method with every code, before and after the effect. */
function faultsOf(methods: readonly string[]): Fault[] {
  return methods.flatMap((method) =>
    codes.flatMap((code) =>
      ['error', 'errorAfter'].map((kind) => ({
        name: `${method}-${kind}-${code}`.toLowerCase(),
        method,
        failpoint: `1*${kind}(${code}: injected)`,
      })),
    ),
  );
}

/** Makes the next call of the method fail, and waits until it has been. */
async function failNext({ method, failpoint }: Fault, cause: () => Promise<unknown>): Promise<void> {
  proxy.forgetCalls();
  proxy.inject(method, failpoint);
  await cause();
  const isMet = () => proxy.calls(method).some(({ fault, grpcStatus }) => fault !== 'off' && grpcStatus !== undefined);
  await waitFor(`${method} to fail`, isMet, 30_000);
}

t.test('a pod starts though a call fails once, with one sandbox and one container', async (t) => {
  const faults = faultsOf(startMethods);
  for (const fault of faults) await failNext(fault, () => daemon.createPod(singleManifest(fault.name)));
  for (const { name } of faults) {
    const pod = await daemon.waitForExistingPod(name, isReady, { timeoutMs: 30_000 });
    const { sandboxes, containers } = await inRuntime(runtime, pod.metadata.uid);
    t.same(
      [...sandboxes.map(({ state }) => state), ...containers.map(({ state, attempt }) => `${state} ${attempt}`)],
      ['SANDBOX_READY', 'CONTAINER_RUNNING 0'],
      name,
    );
    t.equal(statusOf(pod, 'a').restartCount, 0);
    t.equal(pod.status?.reason, undefined, 'the problem is forgotten');
  }
});

t.test('a pod is deleted though a call fails once', async (t) => {
  const names = faultsOf(startMethods).map(({ name }) => name);
  for (const [index, fault] of faultsOf(endMethods).entries()) {
    await failNext(fault, () => daemon.api.expectOk('DELETE', podPath(names[index] ?? '')));
  }
  for (const name of names) await daemon.waitForPod(name, (pod) => pod === undefined, { timeoutMs: 30_000 });
  t.same(await leaksSince(baseline, { runtime, daemon }), []);
});

t.test('an image is pulled though the first pull fails', async (t) => {
  const image = { image: registry.image('app:1'), imagePullPolicy: 'Always' } as const;
  const faults = codes.map((code) => ({
    name: `pull-${code}`.toLowerCase(),
    method: 'PullImage',
    failpoint: `1*error(${code}: no such luck)`,
  }));
  for (const fault of faults) {
    await failNext(fault, () => daemon.createPod(singleManifest(fault.name, {}, image)));
  }
  await waitForEvent(daemon, 'pull-internal', /^Failed: Failed to pull image ".*": no such luck/);
  for (const { name } of faults) {
    const pod = await daemon.waitForExistingPod(name, isReady, { timeoutMs: 30_000 });
    t.equal(statusOf(pod, 'a').restartCount, 0, name);
  }
  await Promise.all(faults.map(({ name }) => daemon.deletePod(name)));
});
