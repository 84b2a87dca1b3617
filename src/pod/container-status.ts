import type { Container, ContainerState, ContainerStatus, Pod } from '../api/pod.ts';
import type { ObservedContainer, ObservedPod } from '../runtime/observed.ts';
import type { PodFacts, Problem } from './facts.ts';
import { instancesOf } from './instances.ts';
import { isEnding } from './phase.ts';
import { restartOf } from './restart.ts';
import { rfc3339, rfc3339FromNanos } from './times.ts';

export interface ContainerStatusSettings {
  readonly maxRestartDelaySeconds: number;
  /** Prefix of container ids, such as `containerd`. */
  readonly runtimeName: string;
  /** What the container wrote as its last words, by container id. */
  readonly terminationMessages: ReadonlyMap<string, string>;
}

/** Exit code of a container that was running and of which the runtime knows nothing any more (pkg/kubelet/kubelet_pods.go). */
const VANISHED_EXIT_CODE = 137;

/** One container's `status.containerStatuses` entry. PURE. */
export function containerStatus(
  pod: Pod,
  container: Container,
  observed: ObservedPod,
  facts: PodFacts,
  settings: ContainerStatusSettings,
  now: number,
): ContainerStatus {
  const stored = pod.status?.containerStatuses?.find((status) => status.name === container.name);
  const { latest, previous } = instancesOf(observed, container.name);
  const problem = facts.startProblems.get(container.name);
  if (!latest) return statusWithoutTrace(pod, container, stored, problem);

  const { state, lastState } = states(pod, container, latest, previous, problem, settings, now);
  const isRunning = state.running !== undefined;
  const user = latest.user;
  return {
    name: container.name,
    state,
    lastState,
    ready: isRunning,
    started: isRunning,
    restartCount: latest.restartCount,
    image: latest.image || (container.image ?? ''),
    imageID: latest.imageRef,
    containerID: `${settings.runtimeName}://${latest.id}`,
    ...(container.resources?.requests ? { allocatedResources: container.resources.requests } : {}),
    resources: container.resources ?? {},
    ...mountStatuses(container, latest.recursiveReadOnlyPaths),
    ...(user ? { user: { linux: { ...user, supplementalGroups: [...user.supplementalGroups] } } } : {}),
  };
}

/** The runtime has nothing of the container: it was never made, or is gone. */
function statusWithoutTrace(
  pod: Pod,
  container: Container,
  stored: ContainerStatus | undefined,
  problem: Problem | undefined,
): ContainerStatus {
  if (stored?.containerID && (pod.metadata.deletionTimestamp || isEnding(pod) || stored.state?.terminated)) {
    return { ...stored, ready: false, started: false, state: lostState(stored) };
  }
  const waiting: ContainerState = {
    waiting: problem ? { reason: problem.reason, message: problem.message } : { reason: 'ContainerCreating' },
  };
  return {
    name: container.name,
    state: waiting,
    lastState: stored?.containerID ? lostState(stored) : {},
    ready: false,
    started: false,
    restartCount: stored?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: stored?.imageID ?? '',
    ...(stored?.containerID ? { containerID: stored.containerID } : {}),
    ...(container.resources?.requests ? { allocatedResources: container.resources.requests } : {}),
    resources: container.resources ?? {},
    ...mountStatuses(container),
  };
}

function lostState(stored: ContainerStatus): ContainerState {
  if (stored.state?.terminated) return stored.state;
  if (!stored.state?.running) return stored.lastState ?? {};
  return {
    terminated: {
      exitCode: VANISHED_EXIT_CODE,
      reason: 'ContainerStatusUnknown',
      message: 'The container could not be located when the pod was terminated or restarted',
      ...(stored.state.running.startedAt ? { startedAt: stored.state.running.startedAt } : {}),
      ...(stored.containerID ? { containerID: stored.containerID } : {}),
    },
  };
}

function states(
  pod: Pod,
  container: Container,
  latest: ObservedContainer,
  previous: ObservedContainer | undefined,
  problem: Problem | undefined,
  settings: ContainerStatusSettings,
  now: number,
): { state: ContainerState; lastState: ContainerState } {
  const before: ContainerState = previous ? terminated(pod, previous, settings) : {};
  switch (latest.state) {
    case 'RUNNING':
    case 'UNKNOWN': {
      const startedAt = rfc3339FromNanos(latest.startedAtNanos);
      return { state: { running: startedAt ? { startedAt } : {} }, lastState: before };
    }
    case 'CREATED':
      return {
        state: {
          waiting: problem ? { reason: problem.reason, message: problem.message } : { reason: 'ContainerCreating' },
        },
        lastState: before,
      };
    case 'EXITED': {
      const ended = terminated(pod, latest, settings);
      const waiting = waitingForRestart(pod, container, latest, problem, settings, now);
      return waiting ? { state: { waiting }, lastState: ended } : { state: ended, lastState: before };
    }
  }
}

/** Undefined when the container is not started again, or about to be at this moment. */
function waitingForRestart(
  pod: Pod,
  container: Container,
  ended: ObservedContainer,
  problem: Problem | undefined,
  settings: ContainerStatusSettings,
  now: number,
): ContainerState['waiting'] {
  if (pod.metadata.deletionTimestamp || isEnding(pod)) return undefined;
  const restart = restartOf(pod, container, ended, settings.maxRestartDelaySeconds);
  if (!restart) return undefined;
  const { delaySeconds, dueAtMs } = restart;
  // Not ended for good, even if the policy would have it so.
  if (delaySeconds === undefined)
    return problem ? { reason: problem.reason, message: problem.message } : { reason: 'ContainerCreating' };
  if (dueAtMs > now) {
    const { name, namespace, uid } = pod.metadata;
    return {
      reason: 'CrashLoopBackOff',
      message: `back-off ${goSeconds(delaySeconds)} restarting failed container=${ended.containerName} pod=${name}_${namespace}(${uid}), next start at ${rfc3339(Math.ceil(dueAtMs / 1000) * 1000)}`,
    };
  }
  return problem && { reason: problem.reason, message: problem.message };
}

function terminated(pod: Pod, container: ObservedContainer, settings: ContainerStatusSettings): ContainerState {
  const startedAt = rfc3339FromNanos(container.startedAtNanos);
  const finishedAt = rfc3339FromNanos(container.finishedAtNanos);
  // The file of a pod that gave its resources back is gone; what was read from it is in the stored status.
  const message = settings.terminationMessages.get(container.id) || container.message || storedMessage(pod, container);
  return {
    terminated: {
      exitCode: container.exitCode,
      reason: container.reason || (container.exitCode === 0 ? 'Completed' : 'Error'),
      ...(message ? { message } : {}),
      ...(startedAt ? { startedAt } : {}),
      ...(finishedAt ? { finishedAt } : {}),
      containerID: `${settings.runtimeName}://${container.id}`,
    },
  };
}

function storedMessage(pod: Pod, container: ObservedContainer): string | undefined {
  const stored = pod.status?.containerStatuses?.find((status) => status.name === container.containerName);
  const ends = [stored?.state?.terminated, stored?.lastState?.terminated];
  return ends.find((end) => end?.containerID?.endsWith(`//${container.id}`))?.message;
}

function mountStatuses(
  container: Container,
  recursiveReadOnlyPaths: readonly string[] = [],
): Pick<ContainerStatus, 'volumeMounts'> {
  if (!container.volumeMounts?.length) return {};
  const modeOf = (path: string) => (recursiveReadOnlyPaths.includes(path) ? 'Enabled' : 'Disabled');
  return {
    volumeMounts: container.volumeMounts.map(({ name, mountPath, readOnly }) => ({
      name,
      mountPath,
      ...(readOnly ? { readOnly: true, recursiveReadOnly: modeOf(mountPath) } : {}),
    })),
  };
}

/** Seconds as Go prints a duration: `10s`, `2m40s`, `5m0s`. */
function goSeconds(seconds: number): string {
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
