// Sandboxes of other CRI clients on the same socket: a kubelet, crictl, or another mini-kubelet with a database of its own.
import { join } from 'node:path';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { DEMO_IMAGE, isReady } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { isAlive } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { identityOf, inRuntime, pairManifest, singleManifest, startProxy } from './faults.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const proxy = await startProxy(runtime);
t.teardown(() => proxy.stop());
const daemon = await startDaemon({ runtime: proxy, config: { syncFrequency: '1s' } });
t.teardown(() => daemon.stop());

/** Makes a sandbox with one container as a kubelet does, with its labels. */
async function runForeign(name: string, uid: string, labels: Record<string, string>, running = true) {
  const own = {
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.namespace': 'default',
    'io.kubernetes.pod.uid': uid,
  };
  const sandboxConfig = {
    metadata: { name, namespace: 'default', uid, attempt: 0 },
    labels: { ...own, ...labels },
    logDirectory: join(runtime.root.path, 'foreign', uid),
    linux: { cgroupParent: `/${runtime.root.name}/${uid}` },
  };
  const { podSandboxId } = await runtime.cri.call('RunPodSandbox', { config: sandboxConfig });
  const { containerId } = await runtime.cri.call('CreateContainer', {
    podSandboxId,
    sandboxConfig,
    config: {
      metadata: { name: 'a', attempt: 0 },
      image: { image: DEMO_IMAGE },
      command: ['sleep', '1000000'],
      labels: { ...own, ...labels, 'io.kubernetes.container.name': 'a' },
      annotations: { 'io.kubernetes.container.restartCount': '0', 'io.kubernetes.container.hash': 'abc' },
      logPath: 'a.log',
      linux: {},
    },
  });
  if (running) await runtime.cri.call('StartContainer', { containerId });
  return { uid, podSandboxId, containerId, pid: running ? runtime.containerPid(containerId) : undefined };
}

t.test('what others made is neither shown, stopped, nor removed', async (t) => {
  const other = { 'mini-kubelet.io/instance': 'another' };
  const foreign = [
    await runForeign('same-name', '00000000-0000-4000-8000-000000000001', {}),
    await runForeign('unknown', '00000000-0000-4000-8000-000000000002', {}),
    await runForeign('neighbour', '00000000-0000-4000-8000-000000000003', other),
    await runForeign('not-started', '00000000-0000-4000-8000-000000000004', {}, false),
  ];
  const stopped = await runForeign('stopped', '00000000-0000-4000-8000-000000000005', other);
  await runtime.cri.call('StopPodSandbox', { podSandboxId: stopped.podSandboxId });
  const before = await Promise.all([...foreign, stopped].map(({ uid }) => inRuntime(runtime, uid)));

  // A whole life of a pod of the same name, restarts of the daemon, and a container that crashes beside them.
  await daemon.createPod(pairManifest('same-name'));
  const pod = await daemon.waitForExistingPod('same-name', isReady);
  await daemon.createPod(singleManifest('crashing', {}, { command: ['false'] }));
  await daemon.waitForExistingPod('crashing', ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1);
  await daemon.restart('SIGKILL');
  t.same(identityOf(await daemon.getPod('same-name')), identityOf(pod));
  await daemon.deletePod('same-name');
  await daemon.deletePod('crashing');
  proxy.forgetCalls();
  // The third list has begun when the second one was acted on.
  await proxy.called('ListPodSandbox', 3);

  const { items } = await daemon.api.expectOk<{ items: Pod[] }>('GET', '/api/v1/pods');
  t.same(items, [], 'no pod is shown');
  t.same(await Promise.all([...foreign, stopped].map(({ uid }) => inRuntime(runtime, uid))), before);
  for (const { uid, pid } of foreign) if (pid !== undefined) t.ok(isAlive(pid), `${uid} goes on`);
  const ids = [...foreign, stopped].flatMap(({ podSandboxId, containerId }) => [podSandboxId, containerId]);
  const touched = proxy.calls().filter(({ request }) => ids.some((id) => request.includes(id)));
  t.same(
    touched.map(({ method }) => method),
    [],
    'no call names any of them',
  );
});

t.test('the end of a foreign container changes nothing either', async (t) => {
  const { containerId, pid } = await runForeign('ending', '00000000-0000-4000-8000-000000000006', {});
  proxy.forgetCalls();
  await runtime.cri.call('StopContainer', { containerId, timeout: 0 });
  await waitFor('its end', () => pid !== undefined && !isAlive(pid));
  await proxy.called('ListPodSandbox', 2);
  t.same(
    proxy.calls().filter(({ request }) => request.includes(containerId)),
    [],
  );
});

t.test('two daemons share a runtime', async (t) => {
  const second = await startDaemon({ runtime });
  t.teardown(() => second.stop());
  await Promise.all([daemon.createPod(pairManifest('twin')), second.createPod(pairManifest('twin'))]);
  const [one, two] = [
    await daemon.waitForExistingPod('twin', isReady),
    await second.waitForExistingPod('twin', isReady),
  ];
  t.not(one.metadata.uid, two.metadata.uid);
  await daemon.deletePod('twin');
  await daemon.restart('SIGKILL');
  t.same(identityOf(await second.getPod('twin')), identityOf(two), 'the other one notices nothing');
  t.equal((await inRuntime(runtime, two.metadata.uid)).containers.length, 2);
  await second.deletePod('twin');
});
