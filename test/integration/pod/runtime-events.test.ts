// The runtime's events drive the pods; without them the daemon looks for itself.
import t from 'tap';
import { startProxy } from '../faults/faults.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const proxy = await startProxy(runtime);
t.teardown(() => proxy.stop());
const daemon = await startDaemon({ runtime: proxy, config: { crashLoopBackOff: { maxContainerRestartPeriod: '1s' } } });
t.teardown(() => daemon.stop());

const source = wantedContainerd() === '1.6' ? 'containerd' : 'cri';
const stream = async () =>
  /^mini_kubelet_runtime_event_stream_up\{source="(\w+)"\} (\d)$/m.exec(
    (await daemon.api.request('GET', '/metrics')).text,
  );
const isFollowing = async () => (await stream())?.[2] === '1';
const lists = () => proxy.calls('ListContainers').length;

/** Kills the container, and waits until it runs again. */
async function crash(times: number): Promise<void> {
  const { containerID = '' } = statusOf(await daemon.getPod('web'), 'a');
  process.kill(runtime.containerPid(containerID.replace('containerd://', '')), 'SIGKILL');
  await daemon.waitForExistingPod('web', (pod) => isReady(pod) && statusOf(pod, 'a').restartCount === times);
}

t.test('a crash is seen by its event, with nothing listed, and the container starts again', async (t) => {
  await daemon.createPod(podManifest('web', [{ name: 'a', command: shell('') }]));
  await daemon.waitForExistingPod('web', isReady);
  await waitFor('the stream to be followed', isFollowing);
  t.equal((await stream())?.[1], source);
  await crash(1);
  // The lists that follow the daemon's start may come in between: not in two crashes.
  const before = lists();
  await crash(2);
  t.ok(lists() - before <= 1, `${lists() - before} lists`);
});

t.test('without the stream the daemon lists, says so, and follows it again when it is back', async (t) => {
  for (const method of ['GetContainerEvents', 'Subscribe']) proxy.inject(method, 'error(Unavailable: no events today)');
  await runtime.restart();
  await daemon.waitUntilReady();
  await waitFor('the loss to be told', () => /lost the runtime event stream/.test(daemon.log()));
  t.notOk(await isFollowing());
  const before = lists();
  await crash(3);
  t.ok(lists() > before, 'seen by a list');
  t.equal(daemon.log().match(/lost the runtime event stream/g)?.length, 1, 'told once');

  proxy.clear();
  await waitFor('the stream to be back', isFollowing);
  t.match(daemon.log(), /the runtime event stream is back/);
  const after = lists();
  await crash(4);
  t.ok(lists() - after <= 1, `${lists() - after} lists`);
  await daemon.deletePod('web');
});
