// Any runtime will do.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Container, Pod } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { TestRegistry } from '../support/registry.ts';
import { Timeline, timelineCommand } from '../support/timeline.ts';
import { isOver, isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const registry = new TestRegistry(['stalled:1']);
await registry.start(runtime);
t.teardown(() => registry.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

/** Enough for all these pods to start in on a busy machine. */
const GRACE_SECONDS = 12;

/** A pod that starts as a whole or not at all: `good` writes a timeline, and the others are given. */
async function createAtomic(name: string, others: NamedContainer[], spec: Partial<Pod['spec']> = {}) {
  const directory = join(daemon.root.path, name);
  mkdirSync(directory);
  const good = {
    name: 'good',
    command: timelineCommand('good'),
    volumeMounts: [{ name: 'timeline', mountPath: '/timeline' }],
  };
  await daemon.createPod(
    podManifest(
      name,
      [good, ...others],
      { terminationGracePeriodSeconds: 10, volumes: [{ name: 'timeline', hostPath: { path: directory } }], ...spec },
      {
        annotations: {
          'mini-kubelet.io/atomic-start': 'true',
          'mini-kubelet.io/atomic-start-grace-seconds': String(GRACE_SECONDS),
        },
      },
    ),
  );
  return () => Timeline.read(directory);
}

const atomicCondition = (pod: Pod) =>
  pod.status?.conditions?.find(({ type }) => type === 'mini-kubelet.io/AtomicStart');

t.test('a pod whose containers all start is ready, and what fails later is restarted', async (t) => {
  await createAtomic('whole', [{ name: 'later', command: ['sh', '-c', 'sleep 2; exit 1'] }]);
  const pod = await daemon.waitForExistingPod('whole', isReady);
  t.match(atomicCondition(pod), { status: 'True' });
  const after = await daemon.waitForExistingPod('whole', (seen) => statusOf(seen, 'later').restartCount === 1);
  t.match(after.status, { phase: 'Running' });
  t.match(statusOf(after, 'good'), { restartCount: 0, state: { running: {} } });
  await daemon.deletePod('whole', { gracePeriodSeconds: 0 });
});

type NamedContainer = Partial<Container> & { name: string };
const stalled: NamedContainer = { name: 'stalled', image: registry.image('stalled:1') };

const failing: readonly { name: string; containers: NamedContainer[]; spec?: Partial<Pod['spec']>; message: RegExp }[] =
  [
    {
      name: 'no-program',
      containers: [{ name: 'bad', command: ['/nonexistent'] }],
      message: /did not start within 12 s: \[bad\]/,
    },
    {
      name: 'no-image',
      containers: [{ name: 'bad', image: 'mini-kubelet.local/missing:1', imagePullPolicy: 'Never' }],
      message: /did not start within 12 s: \[bad\]/,
    },
    { name: 'stalled-image', containers: [stalled], message: /did not start within 12 s: \[stalled\]/ },
    {
      name: 'slow-hook',
      containers: [
        { name: 'bad', command: shell(''), lifecycle: { postStart: { exec: { command: ['sleep', '1000'] } } } },
      ],
      message: /did not start within 12 s: \[bad\]/,
    },
    {
      name: 'failed-hook',
      // It ends well when it is told to: still it has not started.
      containers: [{ name: 'bad', command: shell(''), lifecycle: { postStart: { exec: { command: ['false'] } } } }],
      spec: { restartPolicy: 'Never' },
      message: /container bad failed and is not restarted/,
    },
    {
      name: 'crashes',
      containers: [{ name: 'bad', command: ['false'] }, stalled],
      spec: { restartPolicy: 'Never' },
      message: /container bad failed and is not restarted/,
    },
  ];

t.test('a pod one of whose containers does not start ends as a whole', async (t) => {
  registry.fail('stalled', { kind: 'stall' });
  const timelines = new Map<string, () => Timeline>();
  for (const { name, containers, spec } of failing) timelines.set(name, await createAtomic(name, containers, spec));
  await daemon.createPod(
    podManifest('plain', [
      { name: 'good', command: shell('') },
      { name: 'bad', command: ['/nonexistent'] },
    ]),
  );
  for (const { name, message } of failing) {
    const pod = await daemon.waitForExistingPod(name, isOver, { timeoutMs: (GRACE_SECONDS + 30) * 1000 });
    t.match(pod.status, { phase: 'Failed', reason: 'AtomicStartFailed', message }, name);
    t.match(atomicCondition(pod), { status: 'False' }, name);
    t.match(statusOf(pod, 'good').state?.terminated, { exitCode: 0 }, `${name}: the good one was stopped in grace`);
    const timeline = timelines.get(name)?.();
    t.strictSame(
      timeline?.events.map(({ what }) => what),
      ['start', 'term', 'exit'],
      `${name}:\n${timeline}`,
    );
  }
  const plain = await daemon.waitForExistingPod('plain', (pod) => statusOf(pod, 'good').ready);
  t.not(statusOf(plain, 'bad').ready, true, 'without the annotation the others go on');
  for (const { name } of failing) await daemon.deletePod(name);
  await daemon.deletePod('plain');
});
