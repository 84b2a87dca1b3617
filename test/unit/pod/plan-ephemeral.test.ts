import t from 'tap';
import type { EphemeralContainer, Pod, PodStatus } from '../../../src/api/pod.ts';
import { plan } from '../../../src/pod/plan.ts';
import { statusOf } from '../../../src/pod/status.ts';
import { containerHash } from '../../../src/runtime/labels.ts';
import type { ObservedContainer, ObservedPod } from '../../../src/runtime/observed.ts';
import { container, ended, factsWith, NOW, observed, podWith, sandbox, show } from './fixtures.ts';

const debug: EphemeralContainer = { name: 'debug', image: 'tools' };
const targeting: EphemeralContainer = { ...debug, targetContainerName: 'a' };
const running = [container('a'), container('b')];

function instance(change: Partial<ObservedContainer> = {}): ObservedContainer {
  return container('a', { id: 'd0', containerName: 'debug', hash: containerHash(debug), ...change });
}

const over = instance({ state: 'EXITED', exitCode: 1 });

function withDebugger(definition: EphemeralContainer, status: PodStatus = {}, spec: Partial<Pod['spec']> = {}): Pod {
  return podWith({ ephemeralContainers: [definition], ...spec }, { phase: 'Running', ...status });
}

const ran: PodStatus = {
  ephemeralContainerStatuses: [
    {
      name: 'debug',
      state: { running: {} },
      lastState: {},
      ready: false,
      restartCount: 0,
      image: '',
      imageID: '',
      containerID: 'containerd://d0',
    },
  ],
};

const rows: [string, Pod, ObservedPod, string[]][] = [
  ['it is started beside the others', withDebugger(debug), observed([sandbox()], running), ['run in s0: debug#0']],
  ['it runs', withDebugger(debug), observed([sandbox()], [...running, instance()]), []],
  ['it has ended', withDebugger(debug), observed([sandbox()], [...running, over]), []],
  ['the runtime has lost it', withDebugger(debug, ran), observed([sandbox()], running), []],
  [
    'it was made and not started',
    withDebugger(debug),
    observed([sandbox()], [...running, instance({ state: 'CREATED', startedAtNanos: 0n })]),
    ['run in s0: debug#0=d0'],
  ],
  [
    'its target does not run',
    withDebugger(targeting),
    observed([sandbox()], [container('b'), ended('a', 0, { restartDelaySeconds: 10 })]),
    [],
  ],
  ['its target runs', withDebugger(targeting), observed([sandbox()], running), ['run in s0: debug#0']],
  [
    'another of its name was taken out before',
    withDebugger({ ...debug, image: 'other' }),
    observed([sandbox()], [...running, over]),
    ['remove d0'],
  ],
  ['it was taken out', podWith({}, { phase: 'Running' }), observed([sandbox()], [...running, over]), ['remove d0']],
  [
    'the others have ended for good',
    withDebugger(debug, {}, { restartPolicy: 'Never' }),
    observed([sandbox()], [ended('a', 0), ended('b', 0), instance()]),
    ['kill d0 30 s'],
  ],
  [
    'it comes when the others have ended for good',
    withDebugger(debug, {}, { restartPolicy: 'Never' }),
    observed([sandbox()], [ended('a', 0), ended('b', 0)]),
    [],
  ],
  ['it comes before there is a sandbox', withDebugger(debug), observed([], []), ['run in new sandbox 0: a#0 b#0']],
  [
    'its sandbox is gone',
    withDebugger(debug),
    observed([sandbox({ state: 'NOTREADY' })], [instance(), ended('a', 0), ended('b', 0)]),
    ['kill d0 30 s'],
  ],
];

for (const [name, pod, seen, expected] of rows) {
  t.test(`an ephemeral container: ${name}`, async (t) => {
    const { actions } = plan(pod, seen, factsWith(), { maxRestartDelaySeconds: 300 }, NOW);
    t.same(actions.map(show), expected);
  });
}

t.test('its status changes nothing for the pod', async (t) => {
  const settings = { hostIPs: [], maxRestartDelaySeconds: 300, runtimeName: 'r', terminationMessages: new Map() };
  const status = (pod: Pod, seen: ObservedPod) => statusOf(pod, seen, factsWith(), settings, NOW);
  const alone = status(podWith(), observed([sandbox()], running));
  const actual = status(withDebugger(debug), observed([sandbox()], [...running, over]));
  const { ephemeralContainerStatuses, ...rest } = actual;
  t.same(rest, alone);
  t.match(ephemeralContainerStatuses, [{ name: 'debug', ready: false, state: { terminated: { exitCode: 1 } } }]);
  const lost = status(withDebugger(debug, ran), observed([sandbox()], running));
  t.match(lost.ephemeralContainerStatuses, [{ state: { terminated: { reason: 'ContainerStatusUnknown' } } }]);
  const waiting = status(withDebugger(targeting), observed([sandbox()], [container('b')]));
  t.match(waiting.ephemeralContainerStatuses, [
    { state: { waiting: { message: 'target container "a" is not running' } } },
  ]);
  const takenOut = status(podWith({}, ran), observed([sandbox()], running));
  t.notOk(takenOut.ephemeralContainerStatuses);
});
