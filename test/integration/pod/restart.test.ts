// Any runtime will do.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Container, Pod } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { Timeline } from '../support/timeline.ts';
import { waitFor } from '../support/wait.ts';
import { isOver, isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

type RestartPolicy = NonNullable<Pod['spec']['restartPolicy']>;

/** Notes its start and its end in the shared file, and ends with this code. */
const run = (name: string, exitCode: number, before = ''): Partial<Container> & { name: string } => ({
  name,
  command: [
    'sh',
    '-c',
    `log() { read up rest </proc/uptime; echo "$up ${name} $1" >>/timeline/events; }\nlog start\n${before}\nlog exit\nexit ${exitCode}`,
  ],
  volumeMounts: [{ name: 'timeline', mountPath: '/timeline' }],
});

async function create(
  name: string,
  restartPolicy: RestartPolicy,
  containers: (Partial<Container> & { name: string })[],
) {
  const directory = join(daemon.root.path, name);
  mkdirSync(directory, { recursive: true });
  await daemon.createPod(
    podManifest(name, containers, { restartPolicy, volumes: [{ name: 'timeline', hostPath: { path: directory } }] }),
  );
  return () => Timeline.read(directory);
}

const waitingReason = (pod: Pod, container: string) => statusOf(pod, container).state?.waiting?.reason;
const isHeldBack = (pod: Pod, container: string) => waitingReason(pod, container) === 'CrashLoopBackOff';

interface Outcome {
  readonly restartPolicy: RestartPolicy;
  readonly exitCodes: readonly [number, number];
  readonly phase: string;
  /** Of each container: how often it was started when the back-off begins, or the pod is over. */
  readonly starts: readonly [number, number];
}

const outcomes: readonly Outcome[] = [
  { restartPolicy: 'Never', exitCodes: [0, 0], phase: 'Succeeded', starts: [1, 1] },
  { restartPolicy: 'Never', exitCodes: [0, 3], phase: 'Failed', starts: [1, 1] },
  { restartPolicy: 'OnFailure', exitCodes: [0, 0], phase: 'Succeeded', starts: [1, 1] },
  { restartPolicy: 'OnFailure', exitCodes: [0, 3], phase: 'Running', starts: [1, 2] },
  { restartPolicy: 'Always', exitCodes: [0, 3], phase: 'Running', starts: [2, 2] },
];

t.test('what ends is started again, or not, as the policy says of its exit code', async (t) => {
  const nameOf = ({ restartPolicy, exitCodes }: Outcome) => `${restartPolicy.toLowerCase()}-${exitCodes.join('-')}`;
  const timelines = new Map<Outcome, () => Timeline>();
  for (const outcome of outcomes) {
    const [first, second] = outcome.exitCodes;
    timelines.set(outcome, await create(nameOf(outcome), outcome.restartPolicy, [run('a', first), run('b', second)]));
  }
  for (const outcome of outcomes) {
    const name = nameOf(outcome);
    const names = ['a', 'b'] as const;
    const pod = await daemon.waitForExistingPod(name, (seen) =>
      outcome.phase === 'Running'
        ? names.every((item, index) =>
            outcome.starts[index] === 2 ? isHeldBack(seen, item) : statusOf(seen, item).state?.terminated,
          )
        : isOver(seen),
    );
    t.equal(pod.status?.phase, outcome.phase, name);
    const timeline = timelines.get(outcome)?.();
    for (const [index, item] of names.entries()) {
      const starts = outcome.starts[index] ?? 0;
      t.equal(timeline?.count(item, 'start'), starts, `${name}: starts of ${item}\n${timeline}`);
      t.equal(statusOf(pod, item).restartCount, starts - 1, `${name}: restartCount of ${item}`);
      const { state, lastState } = statusOf(pod, item);
      const end = state?.terminated ?? lastState?.terminated;
      t.match(end, { exitCode: outcome.exitCodes[index] }, `${name}: exit code of ${item}`);
    }
  }
  for (const outcome of outcomes) await daemon.deletePod(nameOf(outcome));
});

t.test('restarts wait 0 and 10 s after the end of the run before, and others go on', async (t) => {
  const timeline = await create('loop', 'Always', [
    run('a', 1),
    run('steady', 0, 'trap "exit 0" TERM; sleep 1000000 & wait $!'),
  ]);
  const first = await daemon.waitForExistingPod('loop', (pod) => isHeldBack(pod, 'a'));
  t.match(statusOf(first, 'a'), { restartCount: 1, ready: false });
  t.match(statusOf(first, 'a').state?.waiting?.message, /^back-off 10s restarting failed container=a pod=loop_default/);
  t.equal(first.status?.phase, 'Running');
  t.match(statusOf(first, 'steady'), { ready: true, restartCount: 0 });
  const third = await daemon.waitForExistingPod(
    'loop',
    (pod) => statusOf(pod, 'a').restartCount === 2 && isHeldBack(pod, 'a'),
  );
  t.match(statusOf(third, 'a').state?.waiting?.message, /^back-off 20s /);
  const ends = timeline().events.filter(({ container, what }) => container === 'a' && what === 'exit');
  const starts = timeline().events.filter(({ container, what }) => container === 'a' && what === 'start');
  const wait = (index: number) => (starts[index + 1]?.uptimeSeconds ?? 0) - (ends[index]?.uptimeSeconds ?? 0);
  t.equal(starts.length, 3, String(timeline()));
  t.ok(wait(0) < 4, `the first wait is ${wait(0).toFixed(2)} s`);
  t.ok(wait(1) >= 9.9 && wait(1) < 14, `the second is ${wait(1).toFixed(2)} s`);
  t.equal(timeline().count('steady', 'start'), 1);
  await daemon.deletePod('loop');
});

t.test('a container that is killed from outside is restarted in its sandbox', async (t) => {
  await daemon.createPod(
    podManifest('killed', [
      { name: 'a', command: shell('') },
      { name: 'b', command: shell('') },
    ]),
  );
  const before = await daemon.waitForExistingPod('killed', isReady);
  process.kill(runtime.containerPid((statusOf(before, 'a').containerID ?? '').replace('containerd://', '')), 'SIGKILL');
  const after = await daemon.waitForExistingPod(
    'killed',
    (pod) => isReady(pod) && statusOf(pod, 'a').restartCount === 1,
  );
  t.match(statusOf(after, 'a').lastState?.terminated, { exitCode: 137 });
  t.equal(after.status?.podIP, before.status?.podIP);
  t.strictSame(statusOf(after, 'b'), statusOf(before, 'b'));
  await daemon.deletePod('killed');
});

t.test(
  'what could not be started is tried again, and the back-off goes on, after a restart of the daemon',
  async (t) => {
    const directory = join(daemon.root.path, 'bin');
    mkdirSync(directory);
    await daemon.createPod(
      podManifest(
        'late',
        [
          { name: 'a', command: ['/host/program'], volumeMounts: [{ name: 'bin', mountPath: '/host' }] },
          { name: 'b', command: shell('') },
        ],
        { volumes: [{ name: 'bin', hostPath: { path: directory } }] },
      ),
    );
    const timeline = await create('resumed', 'Always', [run('a', 1)]);
    await daemon.waitForExistingPod('resumed', (pod) => isHeldBack(pod, 'a'));
    const refused = await daemon.waitForExistingPod(
      'late',
      (pod) => waitingReason(pod, 'a') !== 'ContainerCreating' && statusOf(pod, 'b').ready,
    );
    t.match(JSON.stringify(statusOf(refused, 'a')), /\/host\/program.*no such file or directory/);

    await daemon.restart('SIGKILL');
    writeFileSync(join(directory, 'program'), '#!/bin/sh\ntrap "exit 0" TERM\nsleep 1000000 & wait', { mode: 0o755 });
    const pod = await daemon.waitForExistingPod('resumed', (seen) => isHeldBack(seen, 'a'));
    t.match(statusOf(pod, 'a'), { restartCount: 1, state: { waiting: { message: /^back-off 10s / } } });
    t.equal(timeline().count('a', 'start'), 2, 'it did not start again');
    await waitFor('its third start', () => timeline().count('a', 'start') === 3, 15_000);
    const events = timeline().events.map(({ uptimeSeconds }) => uptimeSeconds);
    const wait = (events[4] ?? 0) - (events[3] ?? 0);
    t.ok(wait >= 9.9 && wait < 14, `${wait.toFixed(2)} s after the end of the run before`);
    const after = await daemon.waitForExistingPod('late', isReady);
    t.match(statusOf(after, 'b'), { restartCount: 0 });
    for (const name of ['late', 'resumed']) await daemon.deletePod(name);
  },
);
