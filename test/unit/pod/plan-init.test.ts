import t from 'tap';
import type { Container, Pod } from '../../../src/api/pod.ts';
import type { PodFacts } from '../../../src/pod/facts.ts';
import { plan } from '../../../src/pod/plan.ts';
import { statusOf } from '../../../src/pod/status.ts';
import type { ObservedPod } from '../../../src/runtime/observed.ts';
import {
  container,
  ended,
  factsWith,
  initContainers,
  NOW,
  nanosAt,
  observed,
  podWith,
  sandbox,
  show,
} from './fixtures.ts';

// The sidecar `s`, then the init container `i`, then the apps `a` and `b`.

interface Row {
  readonly pod?: Pod;
  readonly observed: ObservedPod;
  readonly facts?: PodFacts;
  readonly actions: readonly string[];
  readonly wakeIn?: number;
  readonly phase: string;
  /** Of the Initialized condition, when it is False. */
  readonly incomplete?: string;
}

const withInit = (spec: Partial<Pod['spec']> = {}, status: Pod['status'] = {}) =>
  podWith({ initContainers, ...spec }, status);
const withSidecar = (probes: Partial<Container>) =>
  withInit({
    initContainers: initContainers?.map((item) => (item.name === 's' ? { ...item, ...probes } : item)) ?? [],
  });
const startupProbe = { tcpSocket: { port: 80 } };
const [s, i, a, b] = [container('s'), ended('i', 0), container('a'), container('b')];
const here = (...containers: Parameters<typeof observed>[1]) => observed([sandbox()], containers);
const probed = (isStarted: boolean) =>
  factsWith({ probes: new Map([['s0', { isStarted, isReady: isStarted, failure: undefined }]]) });
const rules: Container['restartPolicyRules'] = [
  { action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [88] } },
];
const withRule = (restartPolicy: 'Always' | 'Never') =>
  withInit({
    restartPolicy,
    containers: [
      { name: 'a', image: 'one', restartPolicy, restartPolicyRules: rules },
      { name: 'b', image: 'two' },
    ],
  });
const before = { createdAtNanos: nanosAt(-61), startedAtNanos: nanosAt(-60) };

const rows: Readonly<Record<string, Row>> = {
  'everything is good: do nothing': { observed: here(s, i, a, b), actions: [], phase: 'Running' },
  'a new pod gets a sandbox and its first init container': {
    observed: observed([], []),
    actions: ['run in new sandbox 0: s#0'],
    phase: 'Pending',
    incomplete: '[s i]',
  },
  'what follows a sidecar starts when the sidecar has started': {
    observed: here(s),
    actions: ['run in s0: i#0'],
    phase: 'Pending',
    incomplete: '[i]',
  },
  'a sidecar that has not passed its startup probe holds the next': {
    pod: withSidecar({ startupProbe }),
    observed: here(s),
    facts: probed(false),
    actions: [],
    phase: 'Pending',
    incomplete: '[s i]',
  },
  'so does one that was not probed yet': {
    pod: withSidecar({ startupProbe }),
    observed: here(s),
    actions: [],
    phase: 'Pending',
    incomplete: '[s i]',
  },
  'until it passes': {
    pod: withSidecar({ startupProbe }),
    observed: here(s),
    facts: probed(true),
    actions: ['run in s0: i#0'],
    phase: 'Pending',
    incomplete: '[i]',
  },
  'an init container that runs holds the apps': {
    observed: here(s, container('i')),
    actions: [],
    phase: 'Pending',
    incomplete: '[i]',
  },
  'the apps start when all before them has been done': {
    observed: here(s, i),
    actions: ['run in s0: a#0 b#0'],
    phase: 'Pending',
  },
  'an init container that fails is tried again': {
    observed: here(s, ended('i', 1)),
    actions: ['run in s0: i#1 after 0 s'],
    phase: 'Pending',
    incomplete: '[i]',
  },
  'and held back': {
    observed: here(s, ended('i', 1, { restartCount: 1 })),
    actions: [],
    wakeIn: 10,
    phase: 'Pending',
    incomplete: '[i]',
  },
  'or ends the pod, with its sidecars, where nothing is restarted': {
    pod: withInit({ restartPolicy: 'Never' }),
    observed: here(s, ended('i', 1)),
    actions: ['kill s0 30 s'],
    phase: 'Pending',
    incomplete: '[i]',
  },
  'and the pod has failed when they are gone': {
    pod: withInit({ restartPolicy: 'Never' }),
    observed: here(ended('s', 0), ended('i', 1)),
    actions: ['release s0'],
    phase: 'Failed',
    incomplete: '[s i]',
  },
  'a sidecar that crashes later is restarted and holds nobody up': {
    observed: here(ended('s', 0), i, a),
    actions: ['run in s0: s#1 after 0 s b#0'],
    phase: 'Pending',
  },
  'also where nothing else is restarted': {
    pod: withInit({ restartPolicy: 'Never' }),
    observed: here(ended('s', 1), i, a, b),
    actions: ['run in s0: s#1 after 0 s'],
    phase: 'Running',
  },
  'a sidecar whose definition changed comes back before the next starts': {
    observed: here(container('s', { hash: 'old' })),
    actions: ['kill s0 30 s'],
    phase: 'Pending',
    incomplete: '[i]',
  },
  'when the apps have ended for good, the sidecars end': {
    pod: withInit({ restartPolicy: 'Never' }),
    observed: here(s, i, ended('a', 0), ended('b', 0)),
    actions: ['kill s0 30 s'],
    phase: 'Running',
  },
  'and only then has the pod succeeded': {
    pod: withInit({ restartPolicy: 'OnFailure' }),
    observed: here(ended('s', 137), i, ended('a', 0), ended('b', 0)),
    actions: ['release s0'],
    phase: 'Succeeded',
  },
  'in a new sandbox all begins anew': {
    observed: observed(
      [sandbox({ attempt: 0, state: 'NOTREADY' })],
      [ended('s', 137), i, ended('a', 137), ended('b', 137)],
    ),
    actions: ['run in new sandbox 1 after stopping s0: s#1 after 0 s'],
    phase: 'Running',
  },
  'with the init containers before the apps': {
    observed: observed(
      [sandbox({ attempt: 1 })],
      [container('s', { restartCount: 1, sandboxId: 's1' }), i, ended('a', 137), ended('b', 137)],
    ),
    actions: ['run in s1: i#1'],
    phase: 'Running',
  },
  'a failed liveness probe restarts a sidecar, with the grace period of the probe': {
    observed: here(s, i, a, b),
    facts: factsWith({
      probes: new Map([['s0', { isStarted: true, isReady: false, failure: { message: 'x', graceSeconds: 5 } }]]),
    }),
    actions: ['kill s0 5 s'],
    phase: 'Running',
  },
  'an exit code that restarts all containers first ends the others': {
    pod: withRule('Never'),
    observed: here(s, i, ended('a', 88, before), b),
    actions: ['kill s0 0 s', 'kill b0 0 s'],
    phase: 'Running',
  },
  'then begins anew in the same sandbox': {
    pod: withRule('Never'),
    observed: here(ended('s', 137), i, ended('a', 88, before), ended('b', 137)),
    actions: ['run in s0: s#1 after 0 s'],
    phase: 'Running',
  },
  'with each container in its turn': {
    pod: withRule('Never'),
    observed: here(
      container('s', { restartCount: 1, createdAtNanos: nanosAt(1) }),
      ended('i', 0, { restartCount: 1, createdAtNanos: nanosAt(1) }),
      i,
      ended('a', 88, before),
      ended('b', 137),
    ),
    actions: ['run in s0: a#1 after 0 s b#1 after 0 s'],
    phase: 'Running',
  },
  'until all are new': {
    pod: withRule('Never'),
    observed: here(
      container('s', { restartCount: 1, createdAtNanos: nanosAt(1) }),
      ended('i', 0, { restartCount: 1, createdAtNanos: nanosAt(1) }),
      container('a', { restartCount: 1, createdAtNanos: nanosAt(1) }),
      ended('a', 88, before),
      container('b', { restartCount: 1, createdAtNanos: nanosAt(1) }),
    ),
    actions: [],
    phase: 'Running',
  },
  'one that asks for it again and again is held back, and all others with it': {
    pod: withRule('Always'),
    observed: here(ended('s', 137), i, ended('a', 88, { ...before, restartCount: 1 }), ended('b', 137)),
    actions: [],
    wakeIn: 10,
    phase: 'Running',
  },
  'a pod ends at its deadline': {
    pod: withInit({ activeDeadlineSeconds: 100 }),
    observed: here(s, i, a, b),
    actions: ['fail DeadlineExceeded'],
    phase: 'Running',
  },
  'and wakes at it': {
    pod: withInit({ activeDeadlineSeconds: 120 }),
    observed: here(s, i, a, b),
    actions: [],
    wakeIn: 20,
    phase: 'Running',
  },
};

const settings = { maxRestartDelaySeconds: 300 };

for (const [name, row] of Object.entries(rows)) {
  t.test(name, async (t) => {
    const pod = row.pod ?? withInit();
    const facts = row.facts ?? factsWith();
    const status = statusOf(
      pod,
      row.observed,
      facts,
      { ...settings, hostIPs: [], runtimeName: 'containerd', terminationMessages: new Map() },
      NOW,
    );
    t.equal(status.phase, row.phase);
    const initialized = status.conditions?.find(({ type }) => type === 'Initialized');
    t.equal(initialized?.message?.replace('containers with incomplete status: ', ''), row.incomplete);
    const next = plan({ ...pod, status }, row.observed, facts, settings, NOW);
    t.same(next.actions.map(show), row.actions);
    t.equal(next.wakeAtMs === undefined ? undefined : (next.wakeAtMs - NOW) / 1000, row.wakeIn);
  });
}
