import t from 'tap';
import type { Pod, PodCondition, PodStatus } from '../../../src/api/pod.ts';
import type { PodFacts } from '../../../src/pod/facts.ts';
import { statusOf } from '../../../src/pod/status.ts';
import type { ObservedPod } from '../../../src/runtime/observed.ts';
import { container, ended, factsWith, initContainers, NOW, observed, podWith, sandbox } from './fixtures.ts';

function status(
  pod: Pod,
  seen: ObservedPod,
  facts: PodFacts = factsWith(),
  messages: Record<string, string> = {},
): PodStatus {
  const settings = {
    hostIPs: ['192.0.2.1'],
    maxRestartDelaySeconds: 300,
    runtimeName: 'containerd',
    terminationMessages: new Map(Object.entries(messages)),
  };
  return statusOf(pod, seen, facts, settings, NOW);
}

function condition(of: PodStatus, type: string) {
  const { status, reason, message } = of.conditions?.find((item) => item.type === type) ?? {};
  return { status, reason, message };
}

const both = observed([sandbox()], [container('a'), container('b')]);

t.test('a pod that runs is Running and Ready, with addresses and ids', async (t) => {
  const actual = status(podWith(), both);
  t.match(actual, {
    phase: 'Running',
    podIP: '10.0.0.2',
    podIPs: [{ ip: '10.0.0.2' }],
    hostIP: '192.0.2.1',
    hostIPs: [{ ip: '192.0.2.1' }],
    startTime: '2025-12-31T23:58:20Z',
    observedGeneration: 1,
    containerStatuses: [
      {
        name: 'a',
        ready: true,
        started: true,
        restartCount: 0,
        imageID: 'sha256:a',
        containerID: 'containerd://a0',
        state: { running: { startedAt: '2025-12-31T23:59:00Z' } },
      },
      { name: 'b', ready: true },
    ],
  });
  for (const type of ['PodScheduled', 'PodReadyToStartContainers', 'Initialized', 'ContainersReady', 'Ready']) {
    t.equal(condition(actual, type).status, 'True', type);
  }
});

t.test('a pod is Ready only when every container is', async (t) => {
  const actual = status(podWith(), observed([sandbox()], [container('a')]));
  t.equal(actual.phase, 'Pending');
  t.same(condition(actual, 'Ready'), {
    status: 'False',
    reason: 'ContainersNotReady',
    message: 'containers with unready status: [b]',
  });
  t.equal(actual.containerStatuses?.[1]?.state?.waiting?.reason, 'ContainerCreating');
});

t.test('a container whose start was cut off has not ended, unless the runtime refused it', async (t) => {
  const pod = podWith({ restartPolicy: 'Never' });
  const seen = observed([sandbox()], [container('a'), ended('b', 128, { startedAtNanos: 0n, reason: 'StartError' })]);
  const cutOff = status(pod, seen);
  t.equal(cutOff.phase, 'Pending');
  t.equal(cutOff.containerStatuses?.[1]?.state?.waiting?.reason, 'ContainerCreating');

  const problem = { reason: 'RunContainerError', message: 'no such file', retryAtMs: NOW, refusedId: 'b0' };
  const refused = status(pod, seen, factsWith({ startProblems: new Map([['b', problem]]) }));
  t.match(refused.containerStatuses?.[1]?.state?.terminated, { exitCode: 128, reason: 'StartError' });
  const later = status({ ...pod, status: refused }, seen);
  t.match(later.containerStatuses?.[1]?.state?.terminated, { exitCode: 128 }, 'also after a restart of the daemon');
});

t.test('a container in back-off tells its last end and when it starts again', async (t) => {
  const crashed = ended('b', 3, { restartCount: 2, restartDelaySeconds: 10 });
  const actual = status(podWith(), observed([sandbox()], [container('a'), crashed]), factsWith(), {
    b2: 'out of coffee',
  });
  t.equal(actual.phase, 'Running');
  t.match(actual.containerStatuses?.[1], {
    restartCount: 2,
    ready: false,
    state: {
      waiting: {
        reason: 'CrashLoopBackOff',
        message:
          /^back-off 20s restarting failed container=b pod=web_default\(.*\), next start at 2026-01-01T00:00:20Z$/,
      },
    },
    lastState: {
      terminated: { exitCode: 3, reason: 'Error', message: 'out of coffee', finishedAt: '2026-01-01T00:00:00Z' },
    },
  });
});

t.test('a problem with starting shows as the waiting reason', async (t) => {
  const problem = { reason: 'ErrImagePull', message: 'no such image', retryAtMs: NOW + 1 };
  const actual = status(
    podWith(),
    observed([sandbox()], [container('a')]),
    factsWith({ startProblems: new Map([['b', problem]]) }),
  );
  t.same(actual.containerStatuses?.[1]?.state, { waiting: { reason: 'ErrImagePull', message: 'no such image' } });
});

t.test('a problem of the whole pod shows while it is Pending, and not after', async (t) => {
  const podProblem = { reason: 'FailedCreatePodSandBox', message: 'no address left', retryAtMs: NOW + 1 };
  const pending = status(podWith(), observed([], []), factsWith({ podProblem }));
  t.match(pending, { phase: 'Pending', reason: 'FailedCreatePodSandBox', message: 'no address left' });
  const after = status(podWith({}, pending), both);
  t.equal(after.reason, undefined);
  const other = status(podWith({}, { reason: 'ContainerRuntimeUnavailable', message: 'away' }), both);
  t.same([other.reason, other.message], [undefined, undefined], 'whatever it was');
  t.equal(after.message, undefined);
});

const phases: readonly [string, Partial<Pod['spec']>, ObservedPod, string][] = [
  [
    'all succeeded under Never',
    { restartPolicy: 'Never' },
    observed([sandbox()], [ended('a', 0), ended('b', 0)]),
    'Succeeded',
  ],
  [
    'one failed under Never',
    { restartPolicy: 'Never' },
    observed([sandbox()], [ended('a', 0), ended('b', 1)]),
    'Failed',
  ],
  [
    'one failed under Never while the other runs',
    { restartPolicy: 'Never' },
    observed([sandbox()], [container('a'), ended('b', 1)]),
    'Running',
  ],
  [
    'one failed under OnFailure',
    { restartPolicy: 'OnFailure' },
    observed([sandbox()], [ended('a', 0), ended('b', 1)]),
    'Running',
  ],
  [
    'all succeeded under OnFailure',
    { restartPolicy: 'OnFailure' },
    observed([sandbox()], [ended('a', 0), ended('b', 0)]),
    'Succeeded',
  ],
  ['all succeeded under Always', {}, observed([sandbox()], [ended('a', 0), ended('b', 0)]), 'Running'],
  [
    'one ended under Never, and its image was changed meanwhile',
    { restartPolicy: 'Never' },
    observed([sandbox()], [ended('a', 0, { hash: 'other' }), ended('b', 0)]),
    'Running',
  ],
];
for (const [name, spec, seen, phase] of phases) {
  t.test(`phase: ${name}`, async (t) => {
    t.equal(status(podWith(spec), seen).phase, phase);
  });
}

t.test('statuses come by name, those of init containers in the order of their turns', async (t) => {
  const spec = {
    containers: [
      { name: 'b', image: 'two' },
      { name: 'a', image: 'one' },
    ],
    initContainers: [
      { name: 's', image: 'four' },
      { name: 'i', image: 'three' },
    ],
  };
  const actual = status(podWith(spec), observed([], []));
  t.same(
    actual.containerStatuses?.map(({ name }) => name),
    ['a', 'b'],
  );
  t.same(
    actual.initContainerStatuses?.map(({ name }) => name),
    ['s', 'i'],
  );
});

t.test('a pod that ended stays so, whatever the runtime says later', async (t) => {
  const actual = status(
    podWith({ restartPolicy: 'Never' }, { phase: 'Failed', reason: 'Evicted', message: 'too big' }),
    both,
  );
  t.match(actual, { phase: 'Failed', reason: 'Evicted', message: 'too big' });
});

t.test('a container that vanished while running counts as killed', async (t) => {
  const before = status(podWith({ restartPolicy: 'Never' }), both);
  const deleting = podWith({ restartPolicy: 'Never' }, before, { deletionTimestamp: new Date(NOW).toISOString() });
  const actual = status(deleting, observed([], []));
  t.match(actual.containerStatuses?.[0]?.state?.terminated, { exitCode: 137, reason: 'ContainerStatusUnknown' });
  t.equal(actual.phase, 'Failed');
});

t.test('what ended before keeps its story when the containers are removed', async (t) => {
  const before = status(podWith(), observed([sandbox()], [ended('a', 0), ended('b', 7)]));
  const deleting = podWith({}, before, { deletionTimestamp: new Date(NOW).toISOString() });
  t.equal(status(deleting, observed([], [])).containerStatuses?.[1]?.state?.terminated?.exitCode, 7);
});

t.test('conditions of others are kept, and a time changes only with its condition', async (t) => {
  const foreign: PodCondition = {
    type: 'example.com/Blessed',
    status: 'True',
    lastTransitionTime: '2020-01-01T00:00:00Z',
  };
  const scheduled: PodCondition = { type: 'PodScheduled', status: 'True', lastTransitionTime: '2020-01-01T00:00:00Z' };
  const ready: PodCondition = { type: 'Ready', status: 'False', lastTransitionTime: '2020-01-01T00:00:00Z' };
  const actual = status(podWith({}, { conditions: [foreign, scheduled, ready] }), both);
  const timeOf = (type: string) => actual.conditions?.find((item) => item.type === type)?.lastTransitionTime;
  t.same(
    actual.conditions?.find((item) => item.type === foreign.type),
    foreign,
  );
  t.equal(timeOf('PodScheduled'), '2020-01-01T00:00:00Z');
  t.equal(timeOf('Ready'), '2026-01-01T00:00:00Z');
});

t.test('a pod with readiness gates is Ready when the conditions that they name are True', async (t) => {
  const gates = podWith({
    readinessGates: [
      { conditionType: 'example.com/a' },
      { conditionType: 'example.com/b' },
      { conditionType: 'PodScheduled' },
    ],
  }).spec;
  const rows: [PodCondition['status'] | undefined, PodCondition['status'] | undefined, string | undefined][] = [
    ['True', 'True', undefined],
    ['True', 'False', 'the status of pod readiness gate "example.com/b" is not "True", but False'],
    ['True', undefined, 'corresponding condition of pod readiness gate "example.com/b" does not exist.'],
    [
      undefined,
      'Unknown',
      'corresponding condition of pod readiness gate "example.com/a" does not exist., ' +
        'the status of pod readiness gate "example.com/b" is not "True", but Unknown',
    ],
  ];
  for (const [a, b, message] of rows) {
    const conditions = [
      ...(a ? [{ type: 'example.com/a', status: a }] : []),
      ...(b ? [{ type: 'example.com/b', status: b }] : []),
    ];
    const actual = status(podWith(gates, { conditions }), both);
    const expected = message
      ? { status: 'False', reason: 'ReadinessGatesNotReady', message }
      : { status: 'True', reason: undefined, message: undefined };
    t.same(condition(actual, 'Ready'), expected, `a ${a}, b ${b}`);
    t.equal(condition(actual, 'ContainersReady').status, 'True');
  }
  const starting = status(podWith(gates), observed([sandbox()], []));
  t.equal(condition(starting, 'Ready').reason, 'ContainersNotReady', 'containers come first');
});

t.test('a host network pod has the addresses of the node', async (t) => {
  const actual = status(podWith({ hostNetwork: true }), observed([sandbox({ hostNetwork: true, ips: [] })], []));
  t.equal(actual.podIP, '192.0.2.1');
});

t.test('a pod that ends by itself tells since when, as long as one of its containers runs', async (t) => {
  const type = 'mini-kubelet.io/Stopping';
  const since = (of: PodStatus) => of.conditions?.find((item) => item.type === type)?.lastTransitionTime;
  const stopping = observed([sandbox()], [container('s'), ended('a', 0), ended('b', 0)]);
  const pod = (status: PodStatus = {}, metadata: Partial<Pod['metadata']> = {}) =>
    podWith({ restartPolicy: 'Never', initContainers: initContainers?.slice(0, 1) }, status, metadata);
  const first = status(pod(), stopping);
  t.same(condition(first, type), { status: 'True', reason: 'PodCompleted', message: undefined });
  t.equal(since(first), '2026-01-01T00:00:00Z');
  const conditions: PodCondition[] = [{ type, status: 'True', lastTransitionTime: '2025-12-31T23:59:50Z' }];
  t.equal(since(status(pod({ conditions }), stopping)), '2025-12-31T23:59:50Z', 'its beginning stays');
  const deleted = { deletionTimestamp: '2026-01-01T00:00:20Z' };
  t.equal(since(status(pod({ conditions }, deleted), stopping)), '2025-12-31T23:59:50Z', 'also when it is deleted');
  t.equal(since(status(pod({}, deleted), stopping)), undefined, 'of one that is deleted that tells enough');
  t.equal(since(status(pod({ reason: 'Evicted' }), both)), '2026-01-01T00:00:00Z', 'or was given up');
  const over = observed([sandbox()], [ended('s', 0), ended('a', 0), ended('b', 0)]);
  t.equal(since(status(pod({ conditions }), over)), undefined, 'it has ended');
  t.equal(since(status(podWith({}, { conditions }), both)), undefined, 'it runs');
});
