import type { Pod } from '../api/pod.ts';

/** The runtime is given at least this long to stop a container, as by a kubelet: a process needs a moment even to obey. */
export const MIN_GRACE_SECONDS = 2;
/** A pod's grace period of 0 counts as this, as in a kubelet's pod workers: preStop hooks get their chance. */
const MIN_POD_GRACE_SECONDS = 1;
const DEFAULT_GRACE_SECONDS = 30;
/** Condition of a pod that has done its work or was given up, while its last containers are stopped: since when. */
export const STOPPING_CONDITION = 'mini-kubelet.io/Stopping';

/**
 * Seconds that a container of the pod may still take to stop. The clock runs on while the daemon is down: for a pod that is
 * being deleted it started with the request, and its deadline is the deletionTimestamp; for one that ends by itself it
 * started with the condition that tells so.
 */
export function graceSecondsLeft(pod: Pod, now: number): number {
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  const asked = deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  const whole = Math.max(asked, MIN_POD_GRACE_SECONDS);
  const deadlinesMs = [stoppingDeadlineMs(pod)];
  if (deletionTimestamp) deadlinesMs.push(Date.parse(deletionTimestamp) + (whole - asked) * 1000);
  const secondsLeft = deadlinesMs.flatMap((ms) => (ms === undefined ? [] : [Math.ceil((ms - now) / 1000)]));
  return Math.max(Math.min(whole, ...secondsLeft), 0);
}

function stoppingDeadlineMs({ spec, status }: Pod): number | undefined {
  const since = status?.conditions?.find(({ type }) => type === STOPPING_CONDITION)?.lastTransitionTime;
  if (!since) return undefined;
  const whole = Math.max(spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS, MIN_POD_GRACE_SECONDS);
  // It is told in whole seconds, and nobody is to lose a part of one.
  return Date.parse(since) + (whole + 1) * 1000;
}
