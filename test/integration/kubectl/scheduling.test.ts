// Any runtime will do.
import t, { type Test } from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { isReady, podManifest, shell } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());
const node = daemon.root.name;

async function kubectl(t: Test, args: string): Promise<string> {
  const { exitCode, stdout, stderr } = await daemon.kubectl(args.split(' '));
  t.equal(exitCode, 0, `kubectl ${args}: ${stderr}`);
  return stdout;
}

const running = (name: string, spec = {}) => podManifest(name, [{ name: 'a', command: shell('') }], spec);

function scheduled({ status }: Pod) {
  return status?.conditions?.find(({ type }) => type === 'PodScheduled');
}

/** Waits until the scheduler has said that the pod has to wait. */
async function waitingPod(name: string): Promise<Pod> {
  return daemon.waitForExistingPod(name, (pod) => scheduled(pod)?.status === 'False');
}

t.test('pods wait while the node is cordoned, and come when it is not any more', async (t) => {
  await kubectl(t, `cordon ${node}`);
  await daemon.createPod(running('waits'));
  await daemon.createPod(running('placed', { nodeName: node }));
  const tolerations = [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' as const }];
  await daemon.createPod(running('tolerates', { tolerations }));

  const waiting = await waitingPod('waits');
  const message =
    '0/1 nodes are available: 1 node(s) were unschedulable. no new claims to deallocate, preemption: ' +
    '0/1 nodes are available: 1 Preemption is not helpful for scheduling.';
  t.match(waiting, { spec: { nodeName: undefined }, status: { phase: 'Pending', startTime: undefined } });
  t.match(scheduled(waiting), { reason: 'Unschedulable', message });
  await daemon.waitForExistingPod('placed', isReady);
  await daemon.waitForExistingPod('tolerates', isReady);
  const described = await waitFor('the event', async () => {
    const text = await kubectl(t, 'describe pod waits');
    return text.includes('FailedScheduling') && text;
  });
  t.ok(described.includes(message), described);

  // That it waits is in the pod alone, so a restart changes nothing.
  await daemon.restart('SIGKILL');
  t.match(await daemon.getPod('waits'), { spec: { nodeName: undefined }, status: { phase: 'Pending' } });
  await daemon.createPod(running('never'));
  await waitingPod('never');
  await daemon.deletePod('never');

  await kubectl(t, `uncordon ${node}`);
  const arrived = await daemon.waitForExistingPod('waits', isReady);
  t.equal(arrived.spec.nodeName, node);
  t.equal(scheduled(arrived)?.status, 'True');
  for (const name of ['waits', 'placed', 'tolerates']) await daemon.deletePod(name);
});

t.test('a taint keeps pods away that do not tolerate it, and ends none that are there', async (t) => {
  await daemon.createPod(running('before'));
  await daemon.waitForExistingPod('before', isReady);
  await kubectl(t, `taint node ${node} room=cellar:NoSchedule`);
  await daemon.createPod(running('kept-away'));
  t.match(scheduled(await waitingPod('kept-away'))?.message, /1 node\(s\) had untolerated taint\(s\)/);
  t.ok(isReady(await daemon.getPod('before')));
  await kubectl(t, `taint node ${node} room-`);
  await daemon.waitForExistingPod('kept-away', isReady);
  for (const name of ['before', 'kept-away']) await daemon.deletePod(name);
});

t.test('a pod waits until all its scheduling gates are removed', async (t) => {
  await daemon.createPod(running('gated', { schedulingGates: [{ name: 'example.com/a' }, { name: 'example.com/b' }] }));
  t.match(scheduled(await waitingPod('gated')), { reason: 'SchedulingGated' });
  t.match(await kubectl(t, 'get pod gated --no-headers'), /^gated +0\/1 +SchedulingGated /);
  const withGates = (...names: string[]) =>
    JSON.stringify({ spec: { schedulingGates: names.map((name) => ({ name })) } });
  await kubectl(t, `patch pod gated --type=merge -p ${withGates('example.com/b')}`);
  t.match(await daemon.getPod('gated'), { spec: { nodeName: undefined } });
  await kubectl(t, `patch pod gated --type=merge -p ${withGates()}`);
  await daemon.waitForExistingPod('gated', isReady);
  await daemon.deletePod('gated');
});

t.test('kubectl drain evicts pods as far as a budget allows', async (t) => {
  const labels = { app: 'web' };
  for (const name of ['web-1', 'web-2']) {
    await daemon.createPod(podManifest(name, [{ name: 'a', command: shell('') }], {}, { labels }));
  }
  for (const name of ['web-1', 'web-2']) await daemon.waitForExistingPod(name, isReady);
  await kubectl(t, 'create pdb web --selector=app=web --min-available=1');
  await waitFor('the status of the budget', async () =>
    /^web +1 +N\/A +1 /.test(await kubectl(t, 'get pdb web --no-headers')),
  );
  const drain = `drain ${node} --force --grace-period=1`;
  const first = await daemon.kubectl(`${drain} --timeout=8s`.split(' '));
  t.not(first.exitCode, 0, 'one pod is to stay');
  t.match(first.stderr, /Cannot evict pod as it would violate the pod's disruption budget/);
  const left = (await kubectl(t, 'get pods -o name')).trim().split('\n');
  t.equal(left.length, 1, left.join());
  await kubectl(t, 'delete pdb web');
  t.match(await kubectl(t, drain), new RegExp(`node/${node} drained`));
  t.equal(await kubectl(t, 'get pods -o name'), '');
  t.match(await kubectl(t, 'get nodes --no-headers'), /SchedulingDisabled/);
  await kubectl(t, `uncordon ${node}`);
});
