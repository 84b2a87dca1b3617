import type { ContainerStatus, Pod } from '../api/pod.ts';

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';

/** Set when a pod whose containers must start together did not get that far. */
export const ATOMIC_START_FAILED = 'AtomicStartFailed';

export function isTerminalPhase(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

/** True for a pod that has ended or was decided to end: nothing of it is started any more. */
export function isEnding(pod: Pod): boolean {
  return isTerminalPhase(pod.status?.phase) || pod.status?.reason === ATOMIC_START_FAILED;
}

/**
 * The phase that follows from the containers' states (`getPhase` in pkg/kubelet/kubelet_pods.go). A pod that has ended
 * stays so.
 */
export function phaseOf(pod: Pod, statuses: readonly ContainerStatus[]): PodPhase {
  const stored = pod.status?.phase;
  if (stored === 'Succeeded' || stored === 'Failed') return stored;
  const counts = countStates(statuses);
  const isOver = counts.running === 0 && counts.waiting === 0;
  if (isEnding(pod)) return counts.running > 0 ? 'Running' : 'Failed';
  if (pod.metadata.deletionTimestamp && counts.running === 0 && counts.stopped > 0) {
    return isOver && counts.succeeded === counts.stopped ? 'Succeeded' : 'Failed';
  }
  if (counts.waiting > 0 || statuses.length === 0) return 'Pending';
  if (counts.running > 0) return 'Running';
  if (pod.spec.restartPolicy === 'Always' || pod.spec.restartPolicy === undefined) return 'Running';
  // A container that ended and waits is started again, whatever the policy: its definition has changed.
  if (counts.restarting > 0) return 'Running';
  if (counts.succeeded === counts.stopped) return 'Succeeded';
  return pod.spec.restartPolicy === 'Never' ? 'Failed' : 'Running';
}

function countStates(statuses: readonly ContainerStatus[]) {
  const counts = { waiting: 0, running: 0, stopped: 0, restarting: 0, succeeded: 0 };
  for (const { state, lastState } of statuses) {
    const ended = state?.terminated ?? (state?.waiting ? lastState?.terminated : undefined);
    if (state?.running) counts.running += 1;
    else if (ended) {
      counts.stopped += 1;
      if (state?.waiting) counts.restarting += 1;
      if (ended.exitCode === 0) counts.succeeded += 1;
    } else counts.waiting += 1;
  }
  return counts;
}
