import type { ContainerStatus, Pod } from '../api/pod.ts';
import { DEADLINE_EXCEEDED } from './active-deadline.ts';
import { containersOf, roleOf } from './containers.ts';
import { EVICTED } from './disruption.ts';
import { NODE_SHUTDOWN_TERMINATED } from './node-shutdown-status.ts';
import { decideRestart } from './restart.ts';
import { RESTARTING_ALL } from './restart-all.ts';

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';

/** Set when a pod whose containers must start together did not get that far. */
export const ATOMIC_START_FAILED = 'AtomicStartFailed';

/** Reasons of the status that say that the pod was decided to end. */
const endReasons: readonly (string | undefined)[] = [
  ATOMIC_START_FAILED,
  DEADLINE_EXCEEDED,
  EVICTED,
  NODE_SHUTDOWN_TERMINATED,
];

/** The statuses of a pod's containers, each list in the manifest's order. */
export interface ContainerStatuses {
  /** Init containers and sidecars. */
  readonly init: readonly ContainerStatus[];
  readonly apps: readonly ContainerStatus[];
}

export function isTerminalPhase(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

/** True for a pod that has ended or was decided to end: nothing of it is started any more. */
export function isEnding(pod: Pod): boolean {
  return isTerminalPhase(pod.status?.phase) || endReasons.includes(pod.status?.reason);
}

/**
 * The phase that follows from the containers' states (`getPhase` in pkg/kubelet/kubelet_pods.go). A pod that has ended
 * stays so, and none has while one of its containers runs. PURE.
 */
export function phaseOf(pod: Pod, statuses: ContainerStatuses): PodPhase {
  const stored = pod.status?.phase;
  if (stored === 'Succeeded' || stored === 'Failed') return stored;
  const apps = countStates(pod, statuses.apps);
  const isAnyRunning = apps.running > 0 || statuses.init.some(({ state }) => state?.running);
  if (isEnding(pod)) return apps.running > 0 ? 'Running' : isAnyRunning ? 'Pending' : 'Failed';
  const isAllSuccess = apps.waiting === 0 && apps.succeeded === apps.stopped;
  if (pod.metadata.deletionTimestamp && !isAnyRunning && apps.stopped > 0) {
    return isAllSuccess ? 'Succeeded' : 'Failed';
  }
  const initialization = initializationOf(pod, statuses);
  if (initialization === 'failed') return isAnyRunning ? 'Pending' : 'Failed';
  if (initialization === 'pending' || apps.waiting > 0 || statuses.apps.length === 0) return 'Pending';
  if (apps.running > 0 || apps.restarting > 0 || isAnyRunning) return 'Running';
  return isAllSuccess ? 'Succeeded' : 'Failed';
}

function countStates(pod: Pod, statuses: readonly ContainerStatus[]) {
  const counts = { waiting: 0, running: 0, stopped: 0, restarting: 0, succeeded: 0 };
  for (const status of statuses) {
    const ended = endOf(status);
    if (status.state?.running) counts.running += 1;
    else if (ended) {
      counts.stopped += 1;
      // One that ended and waits is started again, whatever the policy: its definition has changed.
      if (status.state?.waiting || isRestarted(pod, status.name, ended.exitCode)) counts.restarting += 1;
      if (ended.exitCode === 0) counts.succeeded += 1;
    } else counts.waiting += 1;
  }
  return counts;
}

/** How far init containers and sidecars are. A sidecar that is down counts only until an app container has started. */
function initializationOf(pod: Pod, { init, apps }: ContainerStatuses): 'pending' | 'failed' | 'done' {
  let isPending = false;
  const hasAppStarted = apps.some((status) => status.state?.running || endOf(status));
  for (const status of init) {
    const { state } = status;
    // It was initialized, and is about to be so again.
    if (state?.waiting?.reason === RESTARTING_ALL) continue;
    if (roleOf(pod, status) === 'sidecar') {
      if (!hasAppStarted && !(state?.running && status.started)) isPending = true;
    } else if (!state?.terminated) isPending = true;
    else if (state.terminated.exitCode !== 0) {
      if (!isRestarted(pod, status.name, state.terminated.exitCode)) return 'failed';
      isPending = true;
    }
  }
  return isPending ? 'pending' : 'done';
}

/** How a container that does not run ended, if it ever ran. */
export function endOf({ state, lastState }: ContainerStatus) {
  return state?.terminated ?? (state?.waiting ? lastState?.terminated : undefined);
}

function isRestarted(pod: Pod, name: string, exitCode: number): boolean {
  const container = containersOf(pod).find((item) => item.name === name);
  return container !== undefined && decideRestart(pod, container, exitCode) !== 'stay';
}
