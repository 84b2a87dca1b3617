import t from 'tap';
import type { Pod, PodStatus } from '../../../src/api/pod.ts';
import { podColumns, podRow } from '../../../src/api/pod-table.ts';
import { manifest, preparedPod } from './pod-fixture.ts';

const now = Date.parse('2026-01-01T00:10:00Z');

interface Shown {
  spec?: Record<string, unknown>;
  status: PodStatus;
  isDeleted?: boolean;
}

function row({ spec = {}, status, isDeleted = false }: Shown) {
  const pod: Pod = preparedPod(manifest({ spec }));
  pod.metadata.creationTimestamp = '2026-01-01T00:00:00Z';
  if (isDeleted) pod.metadata.deletionTimestamp = '2026-01-01T00:09:00Z';
  pod.status = status;
  return podRow(pod, now);
}

const running = { running: { startedAt: '2026-01-01T00:00:01Z' } };

function terminated(exitCode: number, reason?: string, signal?: number) {
  return { terminated: { exitCode, reason, signal, finishedAt: '2026-01-01T00:05:00Z' } };
}

function container(state: object, more: object = {}): NonNullable<PodStatus['containerStatuses']>[number] {
  return { name: 'app', image: 'x', imageID: '', ready: false, restartCount: 0, state, ...more };
}

/** Ready, Status and Restarts. */
function cells(shown: Shown) {
  return row(shown).slice(1, 4).join(' | ');
}

const init = (...names: string[]) => ({ initContainers: names.map((name) => ({ name, image: 'x' })) });
const sidecar = {
  initContainers: [
    { name: 'side', image: 'x', restartPolicy: 'Always' },
    { name: 'i', image: 'x' },
  ],
};

t.test('the columns are those of kubectl', async (t) => {
  t.same(
    podColumns.map(({ name, priority }) => [name, priority]),
    [
      ['Name', 0],
      ['Ready', 0],
      ['Status', 0],
      ['Restarts', 0],
      ['Age', 0],
      ['IP', 1],
      ['Node', 1],
      ['Nominated Node', 1],
      ['Readiness Gates', 1],
    ],
  );
});

t.test('a whole row', async (t) => {
  const status: PodStatus = {
    phase: 'Running',
    podIPs: [{ ip: '10.0.0.2' }],
    containerStatuses: [container(running, { ready: true })],
    conditions: [{ type: 'example.com/a', status: 'True' }],
  };
  const spec = { nodeName: 'node', readinessGates: [{ conditionType: 'example.com/a' }, { conditionType: 'b' }] };
  t.same(row({ spec, status }), ['web', '1/1', 'Running', '0', '10m', '10.0.0.2', 'node', '<none>', '1/2']);
  t.same(row({ status: {} }), ['web', '0/1', '', '0', '10m', '<none>', '<none>', '<none>', '<none>']);
});

t.test('what the pod does', async (t) => {
  const phase = 'Running';
  const initialized = [{ type: 'Initialized', status: 'True' as const }];
  const cases: [string, Shown][] = [
    ['0/1 | Pending | 0', { status: { phase: 'Pending' } }],
    ['1/1 | Running | 0', { status: { phase, containerStatuses: [container(running, { ready: true })] } }],
    ['0/1 | Running | 0', { status: { phase, containerStatuses: [container(running)] } }],
    [
      '0/1 | ContainerCreating | 0',
      { status: { phase: 'Pending', containerStatuses: [container({ waiting: { reason: 'ContainerCreating' } })] } },
    ],
    [
      '0/1 | CrashLoopBackOff | 3 (5m ago)',
      {
        status: {
          phase,
          containerStatuses: [
            container({ waiting: { reason: 'CrashLoopBackOff' } }, { restartCount: 3, lastState: terminated(1) }),
          ],
        },
      },
    ],
    ['0/1 | Running | 2', { status: { phase, containerStatuses: [container(running, { restartCount: 2 })] } }],
    [
      '0/1 | Completed | 0',
      { status: { phase: 'Succeeded', containerStatuses: [container(terminated(0, 'Completed'))] } },
    ],
    ['0/1 | Error | 0', { status: { phase: 'Failed', containerStatuses: [container(terminated(1, 'Error'))] } }],
    ['0/1 | ExitCode:3 | 0', { status: { phase: 'Failed', containerStatuses: [container(terminated(3))] } }],
    [
      '0/1 | Signal:9 | 0',
      { status: { phase: 'Failed', containerStatuses: [container(terminated(137, undefined, 9))] } },
    ],
    ['0/1 | Evicted | 0', { status: { phase: 'Failed', reason: 'Evicted' } }],
    [
      '1/1 | NotReady | 0',
      {
        status: {
          phase,
          containerStatuses: [container(terminated(0, 'Completed')), container(running, { name: 'b', ready: true })],
        },
      },
    ],
    [
      '1/1 | Running | 0',
      {
        status: {
          phase,
          conditions: [{ type: 'Ready', status: 'True' }],
          containerStatuses: [container(terminated(0, 'Completed')), container(running, { name: 'b', ready: true })],
        },
      },
    ],
    [
      '0/1 | First | 0',
      {
        status: {
          phase,
          containerStatuses: [
            container({ waiting: { reason: 'First' } }),
            container({ waiting: { reason: 'Second' } }),
          ],
        },
      },
    ],
    [
      '0/1 | SchedulingGated | 0',
      {
        status: {
          phase: 'Pending',
          conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
        },
      },
    ],
    ['0/1 | Terminating | 0', { status: { phase }, isDeleted: true }],
    ['0/1 | Failed | 0', { status: { phase: 'Failed' }, isDeleted: true }],
    ['0/1 | Unknown | 0', { status: { phase, reason: 'NodeLost' }, isDeleted: true }],
    [
      '0/1 | Init:0/2 | 0',
      {
        spec: init('a', 'b'),
        status: { phase: 'Pending', initContainerStatuses: [container(running, { name: 'a' })] },
      },
    ],
    [
      '0/1 | Init:1/2 | 0',
      {
        spec: init('a', 'b'),
        status: {
          phase: 'Pending',
          initContainerStatuses: [
            container(terminated(0), { name: 'a' }),
            container({ waiting: { reason: 'PodInitializing' } }, { name: 'b' }),
          ],
        },
      },
    ],
    [
      '0/1 | Init:ErrImagePull | 0',
      {
        spec: init('a'),
        status: {
          phase: 'Pending',
          initContainerStatuses: [container({ waiting: { reason: 'ErrImagePull' } }, { name: 'a' })],
        },
      },
    ],
    [
      '0/1 | Init:Error | 1 (5m ago)',
      {
        spec: init('a'),
        status: {
          phase: 'Pending',
          initContainerStatuses: [
            container(terminated(1, 'Error'), { name: 'a', restartCount: 1, lastState: terminated(1) }),
          ],
        },
      },
    ],
    [
      '0/1 | Init:ExitCode:2 | 0',
      {
        spec: init('a'),
        status: { phase: 'Pending', initContainerStatuses: [container(terminated(2), { name: 'a' })] },
      },
    ],
    [
      '1/2 | Init:1/2 | 4',
      {
        spec: sidecar,
        status: {
          phase: 'Pending',
          initContainerStatuses: [
            container(running, { name: 'side', started: true, ready: true, restartCount: 4 }),
            container({ waiting: { reason: 'PodInitializing' } }, { name: 'i' }),
          ],
        },
      },
    ],
    [
      '2/2 | Running | 4',
      {
        spec: sidecar,
        status: {
          phase,
          conditions: initialized,
          initContainerStatuses: [
            container(running, { name: 'side', started: true, ready: true, restartCount: 4 }),
            container(terminated(0), { name: 'i', restartCount: 7 }),
          ],
          containerStatuses: [container(running, { ready: true })],
        },
      },
    ],
  ];
  for (const [want, shown] of cases) t.equal(cells(shown), want, want);
});
