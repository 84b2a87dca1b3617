import type { Pod, PodStatus } from '../../../src/api/pod.ts';
import type { Action } from '../../../src/pod/actions.ts';
import { NO_FACTS, type PodFacts } from '../../../src/pod/facts.ts';
import { containerHash } from '../../../src/runtime/labels.ts';
import {
  type ObservedContainer,
  type ObservedPod,
  type ObservedSandbox,
  toObservedPod,
} from '../../../src/runtime/observed.ts';

/** The moment at which the tables below stand: seconds count from here. */
export const NOW = Date.parse('2026-01-01T00:00:00Z');
export const UID = '11111111-2222-3333-4444-555555555555';

/** A time `seconds` after NOW (before, if negative), in the runtime's unit. */
export function nanosAt(seconds: number): bigint {
  return BigInt(NOW + seconds * 1000) * 1_000_000n;
}

/** A pod with the containers `a` and `b` that was admitted 100 s ago. */
export function podWith(
  spec: Partial<Pod['spec']> = {},
  status: PodStatus = {},
  metadata: Partial<Pod['metadata']> = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', uid: UID, generation: 1, ...metadata },
    spec: {
      nodeName: 'node',
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      containers: [
        { name: 'a', image: 'one' },
        { name: 'b', image: 'two' },
      ],
      ...spec,
    },
    status: { phase: 'Pending', startTime: '2025-12-31T23:58:20Z', ...status },
  };
}

export function sandbox(change: Partial<ObservedSandbox> = {}): ObservedSandbox {
  const attempt = change.attempt ?? 0;
  return {
    id: `s${attempt}`,
    pod: { uid: UID, name: 'web', namespace: 'default' },
    attempt,
    state: 'READY',
    ips: ['10.0.0.2'],
    hostNetwork: false,
    ...change,
  };
}

/** The image of each container that the tables know: `a` and `b` are apps, `i` is an init container, `s` a sidecar. */
export const images = { a: 'one', b: 'two', i: 'three', s: 'four' } as const;
export type ContainerName = keyof typeof images;

/** Init containers for `podWith`: a sidecar, then one that ends. */
export const initContainers: Pod['spec']['initContainers'] = [
  { name: 's', image: images.s, restartPolicy: 'Always' },
  { name: 'i', image: images.i },
];

/** A container that has been running for 60 s in the first sandbox. */
export function container(name: ContainerName, change: Partial<ObservedContainer> = {}): ObservedContainer {
  const restartCount = change.restartCount ?? 0;
  return {
    id: `${name}${restartCount}`,
    sandboxId: 's0',
    pod: { uid: UID, name: 'web', namespace: 'default' },
    containerName: name,
    hash: containerHash({ name, image: images[name] }),
    restartCount,
    restartDelaySeconds: restartCount === 0 ? undefined : 0,
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    podGracePeriodSeconds: 30,
    state: 'RUNNING',
    createdAtNanos: nanosAt(-61),
    startedAtNanos: nanosAt(-60),
    finishedAtNanos: 0n,
    exitCode: 0,
    reason: '',
    message: '',
    image: images[name],
    imageRef: `sha256:${name}`,
    recursiveReadOnlyPaths: [],
    user: undefined,
    ...change,
  };
}

/** A container that ran for 10 s and ended at this moment. */
export function ended(
  name: ContainerName,
  exitCode: number,
  change: Partial<ObservedContainer> = {},
): ObservedContainer {
  return container(name, {
    state: 'EXITED',
    startedAtNanos: nanosAt(-10),
    finishedAtNanos: nanosAt(0),
    exitCode,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    ...change,
  });
}

export function observed(sandboxes: readonly ObservedSandbox[], containers: readonly ObservedContainer[]): ObservedPod {
  return toObservedPod(UID, sandboxes, containers);
}

export function factsWith(change: Partial<PodFacts> = {}): PodFacts {
  return { ...NO_FACTS, ...change };
}

/** A planned action in one line. */
export function show(action: Action): string {
  switch (action.kind) {
    case 'runPod': {
      const stopped = action.stopFirst.length > 0 ? ` after stopping ${action.stopFirst.join(' ')}` : '';
      const place = action.sandboxId ?? `new sandbox ${action.attempt}${stopped}`;
      const starts = action.starts.map(({ containerName, restartCount, createdId, restartDelaySeconds }) => {
        const id = createdId === undefined ? '' : `=${createdId}`;
        const delay = restartDelaySeconds === undefined ? '' : ` after ${restartDelaySeconds} s`;
        return `${containerName}#${restartCount}${id}${delay}`;
      });
      return `run in ${place}: ${starts.join(' ')}`;
    }
    case 'killContainer':
      return `kill ${action.containerId} ${action.graceSeconds} s`;
    case 'removeContainer':
      return `remove ${action.containerId}`;
    case 'refreshVolumes':
      return 'refresh volumes';
    case 'resizePod':
      return `resize ${action.containers.map(({ containerId }) => containerId).join(' ')}`;
    case 'removeSandbox':
      return `remove sandbox ${action.sandboxId}`;
    case 'releaseResources':
      return `release ${action.sandboxIds.join(' ')}`;
    case 'failPod':
      return `fail ${action.reason}`;
    case 'finishDeletion':
      return action.kind;
  }
}
