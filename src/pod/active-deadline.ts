import type { Pod } from '../api/pod.ts';

/** Why a pod ended that was active for longer than its activeDeadlineSeconds (pkg/kubelet/active_deadline.go). */
export const DEADLINE_EXCEEDED = 'DeadlineExceeded';
export const DEADLINE_MESSAGE = 'Pod was active on the node longer than the specified deadline';

/** When the pod's time is over, milliseconds since the epoch; undefined without a deadline. Counted from startTime. PURE. */
export function activeDeadlineMs({ spec, status }: Pod): number | undefined {
  if (spec.activeDeadlineSeconds === undefined || !status?.startTime) return undefined;
  return Date.parse(status.startTime) + spec.activeDeadlineSeconds * 1000;
}
