// The ends of what holds a pod together: its sandbox's process, its shim, the whole machine.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { isOver, isReady, podManifest, shell, statusOf } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { leaksSince, takeSnapshot } from '../support/leaks.ts';
import { unmountBeneath } from '../support/leftovers.ts';
import { childrenOf, commandLine, isAlive, killAll, parentOf } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { containerId, identityOf, inRuntime, pairManifest, singleManifest } from './faults.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
// Several power cuts in a row would be waited for as if the containers had crashed.
const config = { crashLoopBackOff: { maxContainerRestartPeriod: '1s' } };
const daemon = await startDaemon({ runtime, config });
t.teardown(() => daemon.stop());
const empty = await takeSnapshot({ runtime, daemon });

await daemon.createPod(pairManifest('witness'));
const witness = identityOf(await daemon.waitForExistingPod('witness', isReady));

const isRestarted = (pod: Pod) =>
  isReady(pod) && pod.status?.containerStatuses?.every(({ restartCount }) => restartCount === 1) === true;

function pidsOf(pod: Pod): number[] {
  return (pod.spec.containers ?? []).map(({ name }) => runtime.containerPid(containerId(pod, name)));
}

/** The process that holds the pod's namespaces. */
function pausePid(pod: Pod): number {
  const shim = parentOf(pidsOf(pod)[0] ?? 0);
  const pause = childrenOf([shim]).find((pid) => commandLine(pid).startsWith('/pause'));
  if (pause === undefined) throw new Error('the pod has no pause process');
  return pause;
}

/** Seconds from now until the predicate holds. */
async function secondsUntil(name: string, predicate: (pod: Pod) => boolean): Promise<{ pod: Pod; seconds: number }> {
  const begin = performance.now();
  const pod = await daemon.waitForExistingPod(name, predicate);
  return { pod, seconds: (performance.now() - begin) / 1000 };
}

for (const what of ['pause', 'shim'] as const) {
  t.test(`the ${what} of a pod is killed: it gets a new sandbox, and each container is restarted once`, async (t) => {
    await daemon.createPod(pairManifest(what));
    const before = await daemon.waitForExistingPod(what, isReady);
    const old = pidsOf(before);
    const leases = runtime.network.leases().length;
    const sandboxesBefore = (await inRuntime(runtime, before.metadata.uid)).sandboxes.map(({ id }) => id);
    await killAll([what === 'pause' ? pausePid(before) : parentOf(old[0] ?? 0)]);

    const { pod, seconds } = await secondsUntil(what, isRestarted);
    t.comment(`ready again after ${seconds.toFixed(1)} s`);
    t.ok(seconds < 10);
    t.notOk(old.some(isAlive), 'no process of the old sandbox is alive');
    t.equal(pod.metadata.uid, before.metadata.uid);
    t.equal(pod.status?.startTime, before.status?.startTime);
    const { sandboxes } = await inRuntime(runtime, pod.metadata.uid);
    const ready = sandboxes.filter(({ state }) => state === 'SANDBOX_READY');
    t.match(ready, [{ attempt: 1 }], 'one sandbox');
    t.notOk(sandboxesBefore.includes(ready[0]?.id ?? ''), 'a new one');
    t.equal(runtime.network.leases().length, leases, 'the old address was given back');
    await daemon.deletePod(what);
  });
}

t.test('a pod that is never restarted ends with its sandbox', async (t) => {
  await daemon.createPod(singleManifest('never', { restartPolicy: 'Never' }, { command: ['sleep', '1000000'] }));
  const before = await daemon.waitForExistingPod('never', isReady);
  const leases = runtime.network.leases().length;
  await killAll([pausePid(before)]);
  const { pod, seconds } = await secondsUntil('never', isOver);
  t.comment(`over after ${seconds.toFixed(1)} s`);
  t.equal(pod.status?.phase, 'Failed');
  t.equal(statusOf(pod, 'a').restartCount, 0);
  await waitFor('its address to be given back', () => runtime.network.leases().length === leases - 1);
  await daemon.deletePod('never');
});

/** Nothing but what is on disk outlives it. */
async function powerCut(): Promise<void> {
  await daemon.kill9();
  await runtime.simulatePowerCut();
  await unmountBeneath(daemon.root.path);
  await runtime.start();
  await daemon.start();
}

t.test('the machine is switched off and on', async (t) => {
  const memory = [{ name: 'memory', mountPath: '/memory' }];
  const volumes = [{ name: 'memory', emptyDir: { medium: 'Memory' as const, sizeLimit: '1Mi' } }];
  const fill = shell('cat /memory/* 2>/dev/null | wc -c; echo 12345 >/memory/file');
  await daemon.createPod(podManifest('always', [{ name: 'a', command: fill, volumeMounts: memory }], { volumes }));
  await daemon.createPod(singleManifest('once', { restartPolicy: 'Never' }));
  await daemon.createPod(singleManifest('done', { restartPolicy: 'Never' }, { command: ['true'] }));
  await daemon.createPod(singleManifest('on-failure', { restartPolicy: 'OnFailure' }));
  await daemon.createPod(singleManifest('leaving', { terminationGracePeriodSeconds: 600 }));
  const uids = new Map<string, string | undefined>();
  for (const name of ['always', 'once', 'on-failure', 'leaving']) {
    uids.set(name, (await daemon.waitForExistingPod(name, isReady)).metadata.uid);
  }
  const done = await daemon.waitForExistingPod('done', isOver);
  uids.set('done', done.metadata.uid);

  await powerCut();

  for (const name of ['witness', 'always', 'on-failure', 'leaving']) {
    const pod = await daemon.waitForExistingPod(name, isRestarted, { timeoutMs: 60_000 });
    if (uids.has(name)) t.equal(pod.metadata.uid, uids.get(name), `${name} is the same pod`);
    t.match(statusOf(pod, 'a').lastState?.terminated, { exitCode: 255 }, `${name} says how it ended`);
    const { sandboxes } = await inRuntime(runtime, pod.metadata.uid);
    t.equal(sandboxes.filter(({ state }) => state === 'SANDBOX_READY').length, 1);
  }
  t.equal(await daemon.containerLog('always', 'a'), '0\n', 'the volume in memory is there, and empty');
  const path = join(daemon.stateDir, 'pods', uids.get('always') ?? '', 'volumes/kubernetes.io~empty-dir/memory');
  t.ok(readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${path} `), 'and in memory');
  t.ok(existsSync(join(path, 'file')));

  const once = await daemon.waitForExistingPod('once', isOver);
  t.equal(once.status?.phase, 'Failed', 'what ran and is never restarted has failed');
  t.match(statusOf(once, 'a'), { restartCount: 0, state: { terminated: { exitCode: 255 } } });
  t.equal((await inRuntime(runtime, once.metadata.uid)).containers.length, 1, 'and was not run again');
  const after = await daemon.getPod('done');
  t.equal(after.status?.phase, 'Succeeded', 'what had ended stays as it was');
  t.same(statusOf(after, 'a').state, statusOf(done, 'a').state);
  // The witness, and the three that run again.
  await waitFor('the address of the one that failed', () => runtime.network.leases().length === 4);
});

t.test('addresses are not used up by one power cut after the other', async (t) => {
  const leases = runtime.network.leases().length;
  for (let round = 2; round <= 3; round += 1) {
    await powerCut();
    const isBack = (pod: Pod) => isReady(pod) && statusOf(pod, 'a').restartCount === round;
    await daemon.waitForExistingPod('always', isBack, { timeoutMs: 60_000 });
    await daemon.waitForExistingPod('witness', isBack, { timeoutMs: 60_000 });
    await daemon.waitForExistingPod('on-failure', isBack, { timeoutMs: 60_000 });
  }
  await waitFor('old addresses to be given back', () => runtime.network.leases().length === leases, 30_000);
  t.equal((await daemon.getPod('witness')).metadata.uid, witness.uid);
});

t.test('nothing is left', async (t) => {
  const names = ['witness', 'always', 'once', 'done', 'on-failure'];
  await daemon.deletePod('leaving', { gracePeriodSeconds: 1 });
  await Promise.all(names.map((name) => daemon.deletePod(name)));
  t.same(await leaksSince(empty, { runtime, daemon }), []);
});
