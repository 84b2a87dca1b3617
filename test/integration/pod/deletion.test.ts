import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { podPath, type WatchEvent } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { leaksSince, takeSnapshot } from '../support/leaks.ts';
import { Timeline, timelineCommand } from '../support/timeline.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

/** Everything else that a stop takes on a busy machine: the runtime's way to the process and back. */
const SLACK_SECONDS = 2.5;

/** Notes each SIGTERM and goes on, noting five times a second that it lives. */
const stubborn = (container: string) => [
  'sh',
  '-c',
  `log() { read up rest </proc/uptime; echo "$up ${container} $1" >>/timeline/events; }
trap 'log term' TERM
log start
while :; do log tick; sleep 0.2 & wait $!; done`,
];

/** Makes a pod whose containers write their timeline, and waits until it is ready. */
async function createTimelinePod(name: string, commands: Readonly<Record<string, string[]>>, graceSeconds: number) {
  const directory = join(daemon.root.path, name);
  mkdirSync(directory);
  await daemon.createPod(
    podManifest(
      name,
      Object.entries(commands).map(([container, command]) => ({
        name: container,
        command,
        volumeMounts: [{ name: 'timeline', mountPath: '/timeline' }],
      })),
      { terminationGracePeriodSeconds: graceSeconds, volumes: [{ name: 'timeline', hostPath: { path: directory } }] },
    ),
  );
  await daemon.waitForExistingPod(name, isReady);
  const read = () => Timeline.read(directory);
  await waitFor('all to have started', () => Object.keys(commands).every((item) => read().count(item, 'start') === 1));
  return read;
}

/** Seconds from the n-th SIGTERM of a container to its last sign of life. */
function lifeAfterTerm(timeline: Timeline, container: string): number {
  const own = timeline.events.filter((event) => event.container === container);
  const term = own.find(({ what }) => what === 'term');
  const last = own.at(-1);
  if (!term || !last) throw new Error(`no SIGTERM in\n${timeline}`);
  return last.uptimeSeconds - term.uptimeSeconds;
}

/** Deletes the pod and follows it to its end. */
async function deleteAndWatch(name: string): Promise<{ answer: Pod; events: WatchEvent<Pod>[] }> {
  const answer = await daemon.api.expectOk<Pod>('DELETE', podPath(name));
  const path = `/api/v1/namespaces/default/pods?fieldSelector=metadata.name%3D${name}&watch=true&resourceVersion=${answer.metadata.resourceVersion}`;
  const events: WatchEvent<Pod>[] = [];
  for await (const event of daemon.api.watch<Pod>(path, AbortSignal.timeout(30_000))) {
    events.push(event);
    if (event.type === 'DELETED') break;
  }
  return { answer, events };
}

function assertBetween(t: Test, value: number, from: number, to: number, what: string): void {
  t.ok(value >= from && value <= to, `${what}: ${value.toFixed(2)} s, wanted ${from} to ${to}`);
}

const before = await takeSnapshot({ runtime, daemon });

t.test('a container that obeys SIGTERM has all of its grace period, and its end is told', async (t) => {
  const timeline = await createTimelinePod('polite', { a: timelineCommand('a', { termSeconds: 1.5 }) }, 20);
  const { answer, events } = await deleteAndWatch('polite');
  t.match(answer.metadata, { deletionGracePeriodSeconds: 20, deletionTimestamp: /Z$/, generation: 2 });
  const what = timeline().events.map((event) => event.what);
  t.strictSame(what, ['start', 'term', 'exit'], String(timeline()));
  assertBetween(t, timeline().secondsBetween(['a', 'term'], ['a', 'exit']), 1.5, 1.5 + SLACK_SECONDS, 'its last words');
  const last = events.filter(({ type }) => type === 'MODIFIED').at(-1)?.object;
  t.equal(last?.status?.phase, 'Succeeded');
  t.match(last && statusOf(last, 'a').state?.terminated, { exitCode: 0, reason: 'Completed' });
  t.match(
    last?.status?.conditions?.find(({ type }) => type === 'Ready'),
    { status: 'False' },
  );
});

t.test('a container that does not is killed when the grace period is over', async (t) => {
  const timeline = await createTimelinePod('stubborn', { a: stubborn('a') }, 3);
  const { events } = await deleteAndWatch('stubborn');
  t.equal(timeline().count('a', 'term'), 1);
  assertBetween(t, lifeAfterTerm(timeline(), 'a'), 3 - 0.5, 3 + SLACK_SECONDS, 'killed after');
  const last = events.filter(({ type }) => type === 'MODIFIED').at(-1)?.object;
  t.equal(last?.status?.phase, 'Failed');
  t.match(last && statusOf(last, 'a').state?.terminated, { exitCode: 137 });
});

t.test('the containers of a pod are stopped side by side', async (t) => {
  const slow = (name: string) => timelineCommand(name, { termSeconds: 2 });
  const timeline = await createTimelinePod('pair', { a: slow('a'), b: slow('b') }, 20);
  await daemon.deletePod('pair');
  const [first, second] = timeline().events.filter(({ what }) => what === 'term');
  assertBetween(t, (second?.uptimeSeconds ?? 99) - (first?.uptimeSeconds ?? 0), 0, 1.5, 'between both signals');
  t.equal(timeline().events.filter(({ what }) => what === 'exit').length, 2, String(timeline()));
});

t.test('a second request can shorten the grace period, and not lengthen it', async (t) => {
  const timeline = await createTimelinePod('shrunk', { a: stubborn('a') }, 600);
  const first = await daemon.api.expectOk<Pod>('DELETE', podPath('shrunk'));
  await waitFor('the signal', () => timeline().count('a', 'term') === 1);
  const longer = await daemon.api.expectOk<Pod>('DELETE', `${podPath('shrunk')}?gracePeriodSeconds=1200`);
  const deadline = ({ metadata }: Pod) => [metadata.deletionTimestamp, metadata.deletionGracePeriodSeconds];
  t.strictSame(deadline(longer), deadline(first), 'a longer one changes nothing');
  const again = await daemon.api.expectOk<Pod>('DELETE', podPath('shrunk'));
  t.strictSame(deadline(again), deadline(first), 'nor does the same request once more');
  const shorter = await daemon.api.expectOk<Pod>('DELETE', `${podPath('shrunk')}?gracePeriodSeconds=2`);
  t.equal(shorter.metadata.deletionGracePeriodSeconds, 2);
  t.ok(Date.parse(shorter.metadata.deletionTimestamp ?? '') < Date.parse(first.metadata.deletionTimestamp ?? ''));
  await daemon.waitForPod('shrunk', (pod) => pod === undefined, { timeoutMs: 15_000 });
  t.ok(lifeAfterTerm(timeline(), 'a') < 10, String(timeline()));
});

t.test('a grace period of 0 in the request ends a stubborn pod at once', async (t) => {
  await createTimelinePod('now', { a: stubborn('a') }, 600);
  const body = { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0 };
  await daemon.api.expectOk('DELETE', podPath('now'), { body });
  // Even then the runtime gives it the two seconds that a kubelet does.
  await daemon.waitForPod('now', (pod) => pod === undefined, { timeoutMs: 2000 + SLACK_SECONDS * 1000 });
  t.equal((await daemon.api.request('GET', podPath('now'))).status, 404);
});

t.test('a request for another pod of the same name is refused', async (t) => {
  await daemon.createPod(podManifest('named', [{ name: 'a', command: shell('') }]));
  const pod = await daemon.waitForExistingPod('named', isReady);
  const refuse = async (preconditions: object, message: RegExp) => {
    const { status, body } = await daemon.api.request('DELETE', podPath('named'), { body: { preconditions } });
    t.match({ status, body }, { status: 409, body: { reason: 'Conflict', message } });
  };
  await refuse({ uid: '00000000-0000-0000-0000-000000000000' }, /UID in precondition/);
  await refuse({ resourceVersion: '1' }, /ResourceVersion in precondition/);
  t.notOk((await daemon.getPod('named')).metadata.deletionTimestamp, 'it is not about to go');
  await daemon.api.expectOk('DELETE', podPath('named'), { body: { preconditions: { uid: pod.metadata.uid } } });
  await daemon.waitForPod('named', (seen) => seen === undefined);
  t.equal((await daemon.api.request('DELETE', podPath('named'))).status, 404);
});

t.test('a pod that waits for something is deleted without waiting for it', async (t) => {
  const pods = {
    image: podManifest('waits-image', [{ name: 'a', image: 'mini-kubelet.local/missing:1', imagePullPolicy: 'Never' }]),
    crash: podManifest('waits-crash', [{ name: 'a', command: ['false'] }]),
    volume: podManifest('waits-volume', [{ name: 'a', volumeMounts: [{ name: 'v', mountPath: '/v' }] }], {
      volumes: [{ name: 'v', hostPath: { path: '/nonexistent', type: 'Directory' } }],
    }),
  };
  for (const pod of Object.values(pods)) await daemon.createPod(pod);
  await daemon.waitForExistingPod('waits-image', (pod) => waitingReason(pod) === 'ErrImageNeverPull');
  await daemon.waitForExistingPod('waits-crash', (pod) => waitingReason(pod) === 'CrashLoopBackOff');
  await daemon.waitForExistingPod('waits-volume', ({ status }) => status?.reason === 'FailedMount');
  for (const { metadata } of Object.values(pods)) {
    await daemon.api.expectOk('DELETE', podPath(metadata.name));
    await daemon.waitForPod(metadata.name, (pod) => pod === undefined, { timeoutMs: 8000 });
    t.pass(`${metadata.name} is gone`);
  }
});

t.test('a pod that is deleted while it starts does not run', async (t) => {
  const { network } = runtime;
  const create = (name: string) => daemon.createPod(podManifest(name, [{ name: 'a', command: shell('') }]));
  const isGone = async (name: string) => {
    await daemon.waitForPod(name, (pod) => pod === undefined);
    t.pass(`${name} is gone`);
  };
  await create('brief-stored');
  await daemon.api.expectOk('DELETE', podPath('brief-stored'));
  await isGone('brief-stored');

  const calls = network.calls().length;
  network.hold('ADD');
  await create('brief-network');
  await waitFor('the network to be asked', () => network.calls().length > calls);
  await daemon.api.expectOk('DELETE', podPath('brief-network'));
  network.clear();
  await isGone('brief-network');

  await create('brief-sandbox');
  await daemon.waitForExistingPod('brief-sandbox', ({ status }) =>
    Boolean(status?.conditions?.some((item) => item.type === 'PodReadyToStartContainers' && item.status === 'True')),
  );
  await daemon.api.expectOk('DELETE', podPath('brief-sandbox'));
  await isGone('brief-sandbox');
});

t.test('nothing is left of all these pods', async (t) => {
  t.strictSame(await leaksSince(before, { runtime, daemon }), []);
});

function waitingReason(pod: Pod): string | undefined {
  return pod.status?.containerStatuses?.[0]?.state?.waiting?.reason;
}
