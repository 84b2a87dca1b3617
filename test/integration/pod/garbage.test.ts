// What is left of containers and pods that are gone, and what has to stay of them.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { inRuntime } from '../faults/faults.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({
  runtime,
  config: { crashLoopBackOff: { maxContainerRestartPeriod: '1s' }, syncFrequency: '1s' },
});
t.teardown(() => daemon.stop());

const linksDir = join(daemon.podLogsDir, '../containers');
const logsOf = ({ metadata }: Pod) => join(daemon.podLogsDir, `${metadata.namespace}_${metadata.name}_${metadata.uid}`);
const linksOf = (name: string) => readdirSync(linksDir).filter((link) => link.startsWith(`${name}_`));
const isRestarted = (times: number) => (pod: Pod) => isReady(pod) && statusOf(pod, 'a').restartCount === times;

/** Says which run it is, and ends after the first two. */
const counting = {
  name: 'a',
  command: shell('echo . >>/count/n; echo "run $(wc -l </count/n)"; [ "$(wc -l </count/n)" -gt 3 ] || exit 1'),
  volumeMounts: [{ name: 'count', mountPath: '/count' }],
};
const countVolume = { volumes: [{ name: 'count', emptyDir: {} }] };

async function sandboxesOf(pod: Pod) {
  return (await inRuntime(runtime, pod.metadata.uid)).sandboxes;
}

t.test('of a container one dead instance stays, with its log, whatever happens to daemon and sandbox', async (t) => {
  await daemon.createPod(podManifest('dead', [counting], countVolume));
  const pod = await daemon.waitForExistingPod('dead', isRestarted(3));
  const previous = () => daemon.containerLog('dead', 'a', 'previous=true');
  /** A container that runs may not have said yet which run it is. */
  const isRun = (run: number) =>
    waitFor(`run ${run}`, async () => (await daemon.containerLog('dead', 'a')) === `run ${run}\n`);
  await waitFor(
    'the dead ones to go',
    async () => (await inRuntime(runtime, pod.metadata.uid)).containers.length === 2,
  );
  t.strictSame(readdirSync(join(logsOf(pod), 'a')).sort(), ['2.log', '3.log']);
  t.equal(linksOf('dead').length, 2);
  t.equal(await previous(), 'run 3\n');
  await isRun(4);

  await daemon.restart('SIGKILL');
  t.equal(await previous(), 'run 3\n', 'after a restart of the daemon');
  const [sandbox] = await sandboxesOf(pod);
  // Stopped by CRI, its container would end first, and may be restarted before the sandbox is seen to go.
  process.kill(runtime.containerPid(sandbox?.id ?? ''), 'SIGKILL');
  const moved = await daemon.waitForExistingPod('dead', isRestarted(4));
  t.equal(await previous(), 'run 4\n', 'after a change of the sandbox');
  t.match(statusOf(moved, 'a').lastState?.terminated?.containerID, /^containerd:\/\/[0-9a-f]{64}$/);
  t.strictSame(
    (await sandboxesOf(pod)).map(({ attempt }) => attempt),
    [0, 1],
    'the old sandbox keeps the dead container',
  );
  await isRun(5);

  process.kill(runtime.containerPid((statusOf(moved, 'a').containerID ?? '').replace('containerd://', '')), 'SIGKILL');
  await daemon.waitForExistingPod('dead', isRestarted(5));
  await waitFor('the old sandbox to go', async () => (await sandboxesOf(pod)).length === 1);
  t.equal(await previous(), 'run 5\n');
  await daemon.deletePod('dead');
  t.notOk(existsSync(logsOf(pod)));
  t.strictSame(linksOf('dead'), []);
});

t.test('the restart count goes on from the logs when the runtime and the store have lost it', async (t) => {
  await daemon.createPod(podManifest('lost', [{ name: 'a', command: shell('echo started') }]));
  const store = join(daemon.stateDir, 'store.db');
  const backup = join(daemon.root.path, 'backup');
  await daemon.waitForExistingPod('lost', isReady);
  await daemon.end();
  mkdirSync(backup);
  cpSync(store, join(backup, 'store.db'));
  await daemon.start();
  for (const times of [1, 2]) {
    const pod = await daemon.getPod('lost');
    process.kill(runtime.containerPid((statusOf(pod, 'a').containerID ?? '').replace('containerd://', '')), 'SIGKILL');
    await daemon.waitForExistingPod('lost', isRestarted(times));
  }
  const before = await daemon.getPod('lost');
  await daemon.end();
  for (const { id } of await sandboxesOf(before)) {
    await runtime.cri.call('StopPodSandbox', { podSandboxId: id });
    await runtime.cri.call('RemovePodSandbox', { podSandboxId: id });
  }
  for (const name of readdirSync(daemon.stateDir)) {
    if (name.startsWith('store.db')) rmSync(join(daemon.stateDir, name));
  }
  cpSync(join(backup, 'store.db'), store);
  await daemon.start();
  const pod = await daemon.waitForExistingPod('lost', isRestarted(3));
  t.equal(await daemon.containerLog('lost', 'a', 'previous=true'), 'started\n', 'the log of the last run is there');
  t.ok(existsSync(join(logsOf(pod), 'a', '3.log')), 'and nobody wrote into it');
  await daemon.deletePod('lost');
});

t.test('what a killed daemon left behind is removed at its start, and nothing of others', async (t) => {
  await daemon.createPod(podManifest('witness', [{ name: 'a', command: shell('') }]));
  const witness = await daemon.waitForExistingPod('witness', isReady);
  await daemon.end('SIGKILL');
  const gone = makeLeftovers('11111111-0000-4000-8000-000000000001', true);
  const foreign = makeLeftovers('11111111-0000-4000-8000-000000000002', false);
  await daemon.start();
  await waitFor('the left-overs to go', () => gone.every((path) => !isThere(path)));
  t.ok(foreign.every(isThere), 'logs of a pod that never was ours are not ours to remove');
  for (const path of foreign) rmSync(path, { recursive: true });
  await waitFor('the link to a log that is written', () => linksOf('witness').length === 1);

  // While it runs they are looked for every now and then.
  const late = makeLeftovers('11111111-0000-4000-8000-000000000003', true);
  const dead = join(linksDir, 'nobody_default_a-0123.log');
  symlinkSync(join(daemon.podLogsDir, 'default_nobody_x/a/0.log'), dead);
  const elsewhere = join(linksDir, 'else_default_a-0123.log');
  symlinkSync('/nowhere/0.log', elsewhere);
  await waitFor('all of them to go', () => [...late, dead].every((path) => !isThere(path)));
  t.ok(isThere(elsewhere), 'a link to somewhere else stays');
  rmSync(elsewhere);
  const after = await daemon.getPod('witness');
  t.strictSame(after.status?.containerStatuses, witness.status?.containerStatuses);
  t.equal(linksOf('witness').length, 1);
  await daemon.deletePod('witness');
});

/** What a pod has on the disk: a log, a link to it, and its directory if it is one of this daemon's. */
function makeLeftovers(uid: string, isOurs: boolean): string[] {
  const logs = join(daemon.podLogsDir, `default_gone_${uid}`);
  const link = join(linksDir, `gone_default_a-${uid}.log`);
  const directory = join(daemon.stateDir, 'pods', uid);
  mkdirSync(join(logs, 'a'), { recursive: true });
  writeFileSync(join(logs, 'a/0.log'), '');
  symlinkSync(join(logs, 'a/0.log'), link);
  if (!isOurs) return [logs, link];
  mkdirSync(join(directory, 'volumes/kubernetes.io~empty-dir/v'), { recursive: true });
  return [logs, link, directory];
}

function isThere(path: string): boolean {
  return readdirSync(dirname(path)).includes(path.slice(dirname(path).length + 1));
}

t.test('a pod that only the runtime knows goes with its logs', async (t) => {
  const store = join(daemon.stateDir, 'store.db');
  await daemon.end();
  cpSync(store, join(daemon.root.path, 'without.db'));
  await daemon.start();
  await daemon.createPod(podManifest('forgotten', [{ name: 'a', command: shell('echo started') }]));
  const pod = await daemon.waitForExistingPod('forgotten', isReady);
  await daemon.end('SIGKILL');
  for (const name of readdirSync(daemon.stateDir)) {
    if (name.startsWith('store.db')) rmSync(join(daemon.stateDir, name));
  }
  cpSync(join(daemon.root.path, 'without.db'), store);
  await daemon.start();
  const directory = join(daemon.stateDir, 'pods', pod.metadata.uid ?? '');
  await waitFor('it to go', async () => (await sandboxesOf(pod)).length === 0 && !existsSync(logsOf(pod)));
  await waitFor('its directory to go', () => !existsSync(directory));
  t.strictSame(linksOf('forgotten'), []);
});
