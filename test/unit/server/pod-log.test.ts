import t from 'tap';
import type { ContainerStatus, Pod } from '../../../src/api/pod.ts';
import { StatusError } from '../../../src/api/status-error.ts';
import { chooseContainer, runToRead } from '../../../src/server/pod-log.ts';

function podWith(containers: string[], initContainers: string[] = [], statuses: Partial<ContainerStatus>[] = []): Pod {
  const pod: unknown = {
    metadata: { name: 'p', namespace: 'default', uid: 'u' },
    spec: {
      containers: containers.map((name) => ({ name })),
      initContainers: initContainers.map((name) => ({ name })),
    },
    status: { containerStatuses: statuses },
  };
  return pod as Pod;
}

function messageOf(action: () => unknown): string {
  try {
    return JSON.stringify(action());
  } catch (error) {
    if (error instanceof StatusError && error.status.code === 400) return error.message;
    throw error;
  }
}

t.test('which container is meant', async (t) => {
  const cases: [Pod, string | undefined, string][] = [
    [podWith(['a']), undefined, '"a"'],
    [podWith(['a'], ['i']), undefined, '"a"'],
    [podWith(['a', 'b']), 'b', '"b"'],
    [podWith(['a'], ['i']), 'i', '"i"'],
    [podWith(['a', 'b']), undefined, 'a container name must be specified for pod p, choose one of: [a b]'],
    [
      podWith(['a', 'b'], ['i', 'j']),
      undefined,
      'a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i j]',
    ],
    [podWith(['a']), 'x', 'container x is not valid for pod p'],
  ];
  for (const [pod, wanted, expected] of cases)
    t.equal(
      messageOf(() => chooseContainer(pod, wanted)),
      expected,
    );
});

t.test('which run of it', async (t) => {
  const id = 'containerd://now';
  const last = { terminated: { exitCode: 1, containerID: 'containerd://last' } };
  const run = (containerID: string, restartCount: number) =>
    JSON.stringify({ containerName: 'c', containerID, restartCount });
  const cases: [string, Partial<ContainerStatus>, boolean, string][] = [
    ['running', { state: { running: {} }, containerID: id, restartCount: 3 }, false, run(id, 3)],
    ['ended', { state: { terminated: { exitCode: 0, containerID: id } }, restartCount: 0 }, false, run(id, 0)],
    [
      'the run before the running one',
      { state: { running: {} }, containerID: id, lastState: last, restartCount: 3 },
      true,
      run('containerd://last', 2),
    ],
    [
      'in back-off: the last run is the present one',
      { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: last, restartCount: 3 },
      false,
      run('containerd://last', 3),
    ],
    [
      'in back-off: and the previous one',
      { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: last, restartCount: 3 },
      true,
      run('containerd://last', 3),
    ],
    [
      'no previous one',
      { state: { running: {} }, containerID: id },
      true,
      'previous terminated container "c" in pod "p" not found',
    ],
    [
      'waiting',
      { state: { waiting: { reason: 'ContainerCreating' } } },
      false,
      'container "c" in pod "p" is waiting to start: ContainerCreating',
    ],
    [
      'pulling failed',
      { state: { waiting: { reason: 'ErrImagePull' } } },
      false,
      'container "c" in pod "p" is waiting to start: image can\'t be pulled',
    ],
    [
      'pulling failed again and again',
      { state: { waiting: { reason: 'ImagePullBackOff' } } },
      false,
      'container "c" in pod "p" is waiting to start: trying and failing to pull image',
    ],
    [
      'ended without a container',
      { state: { terminated: { exitCode: 1 } } },
      false,
      'container "c" in pod "p" is terminated',
    ],
    ['no state', {}, false, 'container "c" in pod "p" is waiting to start - no logs yet'],
  ];
  for (const [name, status, previous, expected] of cases) {
    const pod = podWith(['c'], [], [{ name: 'c', restartCount: 0, ...status }]);
    t.equal(
      messageOf(() => runToRead(pod, 'c', previous)),
      expected,
      name,
    );
  }
  t.equal(
    messageOf(() => runToRead(podWith(['c']), 'c', false)),
    'container "c" in pod "p" is not available',
  );
});
