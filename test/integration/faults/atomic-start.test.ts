// Any runtime will do.
// The annotation that makes the containers of a pod start all together, or not at all.
import t, { type Test } from 'tap';
import { isOver, isReady, podManifest, shell, statusOf } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { leaksSince, takeSnapshot } from '../support/leaks.ts';
import { isAlive } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { containerId, identityOf, inRuntime, startProxy, waitForEvent } from './faults.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const proxy = await startProxy(runtime);
t.teardown(() => proxy.stop());
const daemon = await startDaemon({ runtime: proxy });
t.teardown(() => daemon.stop());
const baseline = await takeSnapshot({ runtime, daemon });

const together = (graceSeconds: number) => ({
  annotations: {
    'mini-kubelet.io/atomic-start': 'true',
    'mini-kubelet.io/atomic-start-grace-seconds': String(graceSeconds),
  },
});
const condition = 'mini-kubelet.io/AtomicStart';
const good = { name: 'good', command: shell('') };

t.test('all containers start: the pod is Ready, and later crashes are ordinary restarts', async (t) => {
  const crashing = {
    name: 'other',
    command: shell('[ -e /shared/crashed ] || { touch /shared/crashed; sleep 1; exit 1; }'),
  };
  const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
  const volumes = [{ name: 'shared', emptyDir: {} }];
  await daemon.createPod(podManifest('success', [good, { ...crashing, volumeMounts }], { volumes }, together(30)));
  const first = await daemon.waitForExistingPod('success', isReady);
  t.match(
    first.status?.conditions?.find(({ type }) => type === condition),
    { status: 'True' },
  );
  const pod = await daemon.waitForExistingPod(
    'success',
    (seen) => isReady(seen) && statusOf(seen, 'other').restartCount === 1,
  );
  t.equal(pod.status?.phase, 'Running');
  t.equal(statusOf(pod, 'good').restartCount, 0);
  t.same(statusOf(pod, 'good').containerID, statusOf(first, 'good').containerID);
  await daemon.deletePod('success');
});

/** Asserts that the pod has failed as a whole, with nothing running and nothing started again. */
async function assertFailed(t: Test, name: string, message: RegExp): Promise<void> {
  const pod = await daemon.waitForExistingPod(name, isOver);
  t.match(pod.status, { phase: 'Failed', reason: 'AtomicStartFailed', message });
  t.match(
    pod.status?.conditions?.find(({ type }) => type === condition),
    { status: 'False', reason: 'AtomicStartFailed' },
  );
  t.notOk(isReady(pod));
  const { containers } = await inRuntime(runtime, pod.metadata.uid);
  t.notOk(
    containers.some(({ state }) => state === 'CONTAINER_RUNNING'),
    'no container runs',
  );
  await waitForEvent(daemon, name, /^AtomicStartFailed: /);
  await waitFor(
    'its address to be given back',
    () => runtime.network.leases().length === baseline['address leases']?.length,
  );
  const before = await inRuntime(runtime, pod.metadata.uid);
  await daemon.restart('SIGKILL');
  t.match((await daemon.getPod(name)).status, { phase: 'Failed', reason: 'AtomicStartFailed' });
  t.same(await inRuntime(runtime, pod.metadata.uid), before, 'also after a restart of the daemon');
  await daemon.deletePod(name);
  t.same(await leaksSince(baseline, { runtime, daemon }), []);
}

t.test('a container whose image is not there within the grace takes the others down', async (t) => {
  const missing = { name: 'missing', image: 'mini-kubelet.local/missing:1', imagePullPolicy: 'Never' as const };
  await daemon.createPod(podManifest('no-image', [good, missing], {}, together(3)));
  const half = await daemon.waitForExistingPod('no-image', (pod) => statusOf(pod, 'good').state?.running !== undefined);
  const pid = runtime.containerPid(containerId(half, 'good'));
  t.notOk(isReady(half));
  await assertFailed(t, 'no-image', /containers did not start within 3 s: \[missing\]/);
  t.notOk(isAlive(pid));
});

t.test('a program that cannot be executed takes the others down', async (t) => {
  await daemon.createPod(
    podManifest('no-program', [good, { name: 'bad', command: ['/no/such/program'] }], {}, together(3)),
  );
  await assertFailed(t, 'no-program', /containers did not start within 3 s: \[bad\]/);
});

t.test('where nothing is ever restarted, a container that fails ends the pod at once', async (t) => {
  const spec = { restartPolicy: 'Never' } as const;
  const begin = performance.now();
  await daemon.createPod(
    podManifest('hopeless', [good, { name: 'bad', command: ['/no/such/program'] }], spec, together(600)),
  );
  await assertFailed(t, 'hopeless', /container bad failed and is not restarted/);
  t.ok(performance.now() - begin < 60_000);
});

t.test('the daemon is killed in between: the start goes on where it was', async (t) => {
  proxy.inject('StartContainer', '1*off->1*hold');
  await daemon.createPod(podManifest('interrupted', [good, { ...good, name: 'other' }], {}, together(60)));
  await waitFor('the second start', () => proxy.heldCalls > 0);
  await daemon.kill9();
  proxy.clear();
  await daemon.start();
  const pod = await daemon.waitForExistingPod('interrupted', isReady);
  t.same(
    identityOf(pod).containers?.map(({ restartCount }) => restartCount),
    [0, 0],
  );
  await daemon.deletePod('interrupted');
  t.same(await leaksSince(baseline, { runtime, daemon }), []);
});
