import type { Pod } from '../api/pod.ts';

/** The runtime is given at least this long, as by a kubelet: a process needs a moment even to obey. */
export const MIN_GRACE_SECONDS = 2;
const DEFAULT_GRACE_SECONDS = 30;

/**
 * Seconds that a container of the pod may still take to stop. For a pod that is being deleted the clock started with the
 * request, and runs on while the daemon is down: its deadline is the deletionTimestamp.
 */
export function graceSecondsLeft(pod: Pod, now: number): number {
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  const whole = deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  if (!deletionTimestamp) return Math.max(whole, MIN_GRACE_SECONDS);
  const left = Math.ceil((Date.parse(deletionTimestamp) - now) / 1000);
  return Math.max(Math.min(whole, left), MIN_GRACE_SECONDS);
}
