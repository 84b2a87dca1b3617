import type { Pod } from '../api/pod.ts';

/** The runtime is given at least this long to stop a container, as by a kubelet: a process needs a moment even to obey. */
export const MIN_GRACE_SECONDS = 2;
/** A pod's grace period of 0 counts as this, as in a kubelet's pod workers: preStop hooks get their chance. */
const MIN_POD_GRACE_SECONDS = 1;
const DEFAULT_GRACE_SECONDS = 30;

/**
 * Seconds that a container of the pod may still take to stop. For a pod that is being deleted the clock started with the
 * request, and runs on while the daemon is down: its deadline is the deletionTimestamp.
 */
export function graceSecondsLeft(pod: Pod, now: number): number {
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  const asked = deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  const whole = Math.max(asked, MIN_POD_GRACE_SECONDS);
  if (!deletionTimestamp) return whole;
  const deadlineMs = Date.parse(deletionTimestamp) + (whole - asked) * 1000;
  return Math.max(Math.min(whole, Math.ceil((deadlineMs - now) / 1000)), 0);
}
