import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import type { PostStartState } from '../../../src/hooks/hook-runner.ts';
import type { PodFacts } from '../../../src/pod/facts.ts';
import { plan } from '../../../src/pod/plan.ts';
import type { ObservedPod } from '../../../src/runtime/observed.ts';
import { container, ended, factsWith, NOW, nanosAt, observed, podWith, sandbox, show } from './fixtures.ts';

interface Row {
  readonly pod?: Pod | undefined;
  readonly observed: ObservedPod;
  readonly facts?: PodFacts;
  /** The planned actions, in one line each. */
  readonly actions: readonly string[];
  /** Seconds from now. */
  readonly wakeIn?: number;
}

const running = [container('a'), container('b')];
const deleting = podWith(
  {},
  { phase: 'Running' },
  {
    deletionTimestamp: new Date(NOW + 20_000).toISOString(),
    deletionGracePeriodSeconds: 30,
  },
);
const withFinalizer = { ...deleting, metadata: { ...deleting.metadata, finalizers: ['example.com/wait'] } };
const hold = { reason: 'X', message: 'x', retryAtMs: NOW + 5000 };

function createdStatus(name: string, restartCount: number) {
  const base = {
    name,
    image: '',
    imageID: '',
    ready: false,
    restartCount,
    containerID: `containerd://${name}${restartCount}`,
  };
  return { ...base, state: { waiting: { reason: 'ContainerCreating' } } };
}

const rows: Readonly<Record<string, Row>> = {
  'everything is good: do nothing': { observed: observed([sandbox()], running), actions: [] },
  'a new pod gets a sandbox and all its containers in one step': {
    observed: observed([], []),
    actions: ['run in new sandbox 0: a#0 b#0'],
  },
  'a container that is missing is started in the sandbox that is there': {
    observed: observed([sandbox()], [container('a')]),
    actions: ['run in s0: b#0'],
  },
  'a container that was created before a crash of the daemon is only started': {
    observed: observed([sandbox()], [container('a'), container('b', { state: 'CREATED' })]),
    actions: ['run in s0: b#0=b0'],
  },
  'a container that was created in an old sandbox is removed': {
    observed: observed(
      [sandbox({ attempt: 1 })],
      [container('a', { sandboxId: 's1' }), container('b', { state: 'CREATED' })],
    ),
    actions: ['remove b0'],
  },
  'a start that a crash cut off is no run: the container is removed, to be made again': {
    pod: podWith({ restartPolicy: 'Never' }),
    observed: observed([sandbox()], [container('a'), ended('b', 128, { startedAtNanos: 0n })]),
    actions: ['remove b0'],
  },
  'then it is made again with the same count': {
    pod: podWith({}, { containerStatuses: [createdStatus('b', 3)] }),
    observed: observed(
      [sandbox()],
      [container('a'), ended('b', 1, { restartCount: 2, finishedAtNanos: nanosAt(-99) })],
    ),
    actions: ['run in s0: b#3 after 10 s'],
  },
  'a container that cannot be removed is not asked for over and over': {
    observed: observed([sandbox()], [container('a'), ended('b', 128, { startedAtNanos: 0n })]),
    facts: factsWith({ garbageRetryAtMs: NOW + 5000 }),
    actions: [],
    wakeIn: 5,
  },
  'a container that the runtime refused to start has ended': {
    pod: podWith({ restartPolicy: 'Never' }),
    observed: observed([sandbox()], [container('a'), ended('b', 128, { startedAtNanos: 0n })]),
    facts: factsWith({ startProblems: new Map([['b', { ...hold, refusedId: 'b0' }]]) }),
    actions: [],
  },
  'one that was just starting when it was to be started has not': {
    pod: podWith({ restartPolicy: 'Never' }),
    observed: observed([sandbox()], [container('a'), ended('b', 128, { startedAtNanos: 0n })]),
    facts: factsWith({ startProblems: new Map([['b', hold]]) }),
    actions: ['remove b0'],
  },
  'the first restart follows at once': {
    observed: observed([sandbox()], [container('a'), ended('b', 1)]),
    actions: ['run in s0: b#1 after 0 s'],
  },
  'the second restart waits 10 s from the end': {
    observed: observed([sandbox()], [container('a'), ended('b', 1, { restartCount: 1, restartDelaySeconds: 0 })]),
    actions: [],
    wakeIn: 10,
  },
  'the third restart comes after 20 s': {
    observed: observed(
      [sandbox()],
      [
        container('a'),
        ended('b', 1, {
          restartCount: 2,
          restartDelaySeconds: 10,
          startedAtNanos: nanosAt(-60),
          finishedAtNanos: nanosAt(-20),
        }),
      ],
    ),
    actions: ['run in s0: b#3 after 20 s'],
  },
  'delays end at the maximum': {
    observed: observed([sandbox()], [container('a'), ended('b', 1, { restartCount: 9, restartDelaySeconds: 300 })]),
    actions: [],
    wakeIn: 300,
  },
  'a container that ran for more than ten minutes restarts at once': {
    observed: observed(
      [sandbox()],
      [container('a'), ended('b', 1, { restartCount: 9, restartDelaySeconds: 300, startedAtNanos: nanosAt(-601) })],
    ),
    actions: ['run in s0: b#10 after 0 s'],
  },
  'OnFailure leaves a container that succeeded alone': {
    pod: podWith({ restartPolicy: 'OnFailure' }),
    observed: observed([sandbox()], [container('a'), ended('b', 0)]),
    actions: [],
  },
  'Never leaves a container that failed alone': {
    pod: podWith({ restartPolicy: 'Never' }),
    observed: observed([sandbox()], [container('a'), ended('b', 1)]),
    actions: [],
  },
  'a container whose postStart hook failed is stopped': {
    observed: observed([sandbox()], running),
    facts: factsWith({ postStarts: new Map([['a0', { kind: 'failed', message: 'x' }]]) }),
    actions: ['kill a0 30 s'],
  },
  'one whose hook runs is left alone': {
    observed: observed([sandbox()], running),
    facts: factsWith({ postStarts: new Map([['a0', { kind: 'running' }]]) }),
    actions: [],
  },
  'a changed image stops the container': {
    observed: observed([sandbox()], [container('a', { hash: 'other' }), container('b')]),
    actions: ['kill a0 30 s'],
  },
  'then it starts with the new one at once, though the old one kept failing': {
    observed: observed(
      [sandbox()],
      [ended('a', 1, { hash: 'other', restartCount: 9, restartDelaySeconds: 300 }), container('b')],
    ),
    actions: ['run in s0: a#10'],
  },
  'also where nothing is restarted': {
    pod: podWith({ restartPolicy: 'Never' }),
    observed: observed([sandbox()], [ended('a', 0, { hash: 'other' }), container('b')]),
    actions: ['run in s0: a#1'],
  },
  'a container in an unknown state is stopped before anything else': {
    observed: observed([sandbox()], [container('a', { state: 'UNKNOWN' }), container('b')]),
    actions: ['kill a0 30 s'],
  },
  'when the sandbox died, what still runs is stopped': {
    observed: observed([sandbox({ state: 'NOTREADY' })], [container('a'), ended('b', 137)]),
    actions: ['kill a0 30 s'],
  },
  'then a new sandbox replaces the old one, after it released its address': {
    observed: observed([sandbox({ state: 'NOTREADY' })], [ended('a', 137), ended('b', 137)]),
    actions: ['run in new sandbox 1 after stopping s0: a#1 after 0 s b#1 after 0 s'],
  },
  'a Never pod whose sandbox died is not made again': {
    pod: podWith({ restartPolicy: 'Never' }),
    observed: observed([sandbox({ state: 'NOTREADY' })], [ended('a', 255), ended('b', 255)]),
    actions: [],
  },
  'a sandbox without an address is replaced': {
    observed: observed([sandbox({ ips: [] })], []),
    actions: ['run in new sandbox 1 after stopping s0: a#0 b#0'],
  },
  'a host network pod needs no address': {
    pod: podWith({ hostNetwork: true }),
    observed: observed([sandbox({ ips: [], hostNetwork: true })], running),
    actions: [],
  },
  'attempts that may be reserved are passed over': {
    observed: observed([], []),
    facts: factsWith({ minSandboxAttempt: 3 }),
    actions: ['run in new sandbox 3: a#0 b#0'],
  },
  'without a network nothing is started': {
    observed: observed([], []),
    facts: factsWith({ networkReady: false }),
    actions: [],
  },
  'without a network a host network pod starts': {
    pod: podWith({ hostNetwork: true }),
    observed: observed([], []),
    facts: factsWith({ networkReady: false }),
    actions: ['run in new sandbox 0: a#0 b#0'],
  },
  'after a failure the pod is left alone for a while': {
    observed: observed([], []),
    facts: factsWith({ podProblem: hold }),
    actions: [],
    wakeIn: 5,
  },
  'a container that cannot start does not keep the other from starting': {
    observed: observed([sandbox()], []),
    facts: factsWith({ startProblems: new Map([['a', hold]]) }),
    actions: ['run in s0: b#0'],
    wakeIn: 5,
  },
  'only one dead container of a name is kept': {
    observed: observed(
      [sandbox()],
      [container('a', { restartCount: 2 }), ended('a', 1, { restartCount: 1 }), ended('a', 1), container('b')],
    ),
    actions: ['remove a0'],
  },
  'an old sandbox goes when nothing in it is needed': {
    observed: observed(
      [sandbox({ attempt: 1 }), sandbox({ state: 'NOTREADY' })],
      running.map((item) => ({ ...item, sandboxId: 's1' })),
    ),
    actions: ['remove sandbox s0'],
  },
  'a container that the runtime lost is started again and counted': {
    pod: podWith(
      {},
      {
        containerStatuses: [
          {
            name: 'a',
            image: 'one',
            imageID: '',
            ready: true,
            restartCount: 4,
            containerID: 'containerd://gone',
            state: { running: {} },
          },
        ],
      },
    ),
    observed: observed([sandbox()], [container('b')]),
    actions: ['run in s0: a#5 after 0 s'],
  },
  'a deleted pod: first its containers stop, within what is left of its grace': {
    pod: deleting,
    observed: observed([sandbox()], running),
    actions: ['kill a0 20 s', 'kill b0 20 s'],
  },
  'then its sandbox goes': {
    pod: deleting,
    observed: observed([sandbox()], [ended('a', 0), ended('b', 0)]),
    actions: ['remove sandbox s0'],
  },
  'a container that never ran goes before its sandbox': {
    pod: deleting,
    observed: observed([sandbox()], [ended('a', 0), container('b', { state: 'CREATED', startedAtNanos: 0n })]),
    actions: ['remove b0'],
  },
  'then all the rest': { pod: deleting, observed: observed([], []), actions: ['finishDeletion'] },
  'finalizers keep the object of a deleted pod, not what it used': {
    pod: withFinalizer,
    observed: observed([], []),
    actions: ['release '],
  },
  'and when that is given back, it waits for them': {
    pod: withFinalizer,
    observed: observed([], []),
    facts: factsWith({ isReleased: true }),
    actions: [],
  },
  'when the grace period is over, nothing of it is left': {
    pod: podWith({}, {}, { deletionTimestamp: new Date(NOW - 60_000).toISOString(), deletionGracePeriodSeconds: 30 }),
    observed: observed([sandbox()], [container('a')]),
    actions: ['kill a0 0 s'],
  },
  'a pod that succeeded gives its resources back, and keeps its containers': {
    pod: podWith({ restartPolicy: 'Never' }, { phase: 'Succeeded' }),
    observed: observed([sandbox()], [ended('a', 0), ended('b', 0)]),
    actions: ['release s0'],
  },
  'and then rests': {
    pod: podWith({ restartPolicy: 'Never' }, { phase: 'Succeeded' }),
    observed: observed([sandbox({ state: 'NOTREADY' })], [ended('a', 0), ended('b', 0)]),
    facts: factsWith({ isReleased: true }),
    actions: [],
  },
  'what is left of a pod that nobody knows is stopped': {
    pod: undefined,
    observed: observed([sandbox()], [container('a')]),
    actions: ['kill a0 1 s'],
  },
  'volumes that are out of date are brought up to date in a pod that runs': {
    observed: observed([sandbox()], [container('a'), container('b')]),
    facts: factsWith({ volumes: { isStale: true, dueAtMs: undefined } }),
    actions: ['refresh volumes'],
  },
  'a step that starts a container does that along the way': {
    observed: observed([sandbox()], [container('a')]),
    facts: factsWith({ volumes: { isStale: true, dueAtMs: undefined } }),
    actions: ['run in s0: b#0'],
  },
  'volumes that will be out of date wake the worker then': {
    observed: observed([sandbox()], [container('a'), container('b')]),
    facts: factsWith({ volumes: { isStale: false, dueAtMs: NOW + 5000 } }),
    actions: [],
    wakeIn: 5,
  },
  'and removed': {
    pod: undefined,
    observed: observed([sandbox()], [ended('a', 0)]),
    actions: ['remove sandbox s0'],
  },
};

for (const [name, row] of Object.entries(rows)) {
  t.test(name, async (t) => {
    const pod = 'pod' in row ? row.pod : podWith();
    const next = plan(pod, row.observed, row.facts ?? factsWith(), { maxRestartDelaySeconds: 300 }, NOW);
    t.same(next.actions.map(show), row.actions);
    t.equal(next.wakeAtMs === undefined ? undefined : (next.wakeAtMs - NOW) / 1000, row.wakeIn);
  });
}

t.test('containers that must start together', async (t) => {
  const annotations = { 'mini-kubelet.io/atomic-start': 'true', 'mini-kubelet.io/atomic-start-grace-seconds': '120' };
  const actionsOf = (pod: Pod, seen: ObservedPod, facts = factsWith()) => {
    const next = plan(pod, seen, facts, { maxRestartDelaySeconds: 300 }, NOW);
    return { actions: next.actions.map(show), wakeIn: next.wakeAtMs && (next.wakeAtMs - NOW) / 1000 };
  };
  const half = observed([sandbox()], [container('a')]);
  const problem = factsWith({ startProblems: new Map([['b', { ...hold, retryAtMs: NOW + 60_000 }]]) });

  t.same(
    actionsOf(podWith({}, {}, { annotations }), half, problem),
    { actions: [], wakeIn: 20 },
    'wait for the whole grace',
  );
  const late = podWith({}, { startTime: '2025-12-31T23:58:00Z' }, { annotations });
  t.same(actionsOf(late, half, problem).actions, ['fail AtomicStartFailed'], 'then the pod fails');
  t.same(actionsOf(late, observed([sandbox()], running)).actions, [], 'unless all of them run');
  const hook = (state: PostStartState) => factsWith({ postStarts: new Map([['b0', state]]) });
  t.same(
    actionsOf(late, observed([sandbox()], running), hook({ kind: 'running' })).actions,
    ['fail AtomicStartFailed'],
    'one whose hook still runs has not started',
  );
  const clean = observed([sandbox()], [container('a'), ended('b', 0)]);
  t.same(actionsOf(podWith({ restartPolicy: 'OnFailure' }, late.status, { annotations }), clean).actions, []);
  t.same(
    actionsOf(late, clean, hook({ kind: 'failed', message: '' })).actions,
    ['fail AtomicStartFailed'],
    'nor one whose hook failed, however it ended',
  );
  const once = podWith(
    {},
    { ...late.status, conditions: [{ type: 'mini-kubelet.io/AtomicStart', status: 'True' }] },
    { annotations },
  );
  t.same(
    actionsOf(once, observed([sandbox()], [container('a'), ended('b', 1)])).actions,
    ['run in s0: b#1 after 0 s'],
    'later failures are restarts',
  );
  const never = podWith({ restartPolicy: 'Never' }, {}, { annotations });
  t.same(
    actionsOf(never, observed([sandbox()], [container('a'), ended('b', 1)])).actions,
    ['fail AtomicStartFailed'],
    'no waiting without hope',
  );
  const failed = podWith({}, { reason: 'AtomicStartFailed' }, { annotations });
  t.same(actionsOf(failed, half).actions, ['kill a0 30 s'], 'and what runs is stopped');
});
