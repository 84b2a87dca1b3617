import type { Pod, PodStatus } from '../api/pod.ts';
import { rfc3339 } from './times.ts';

/** Reason and message of a pod that ended because the machine goes down (pkg/kubelet/nodeshutdown). */
export const NODE_SHUTDOWN_TERMINATED = 'Terminated';
const NODE_SHUTDOWN_MESSAGE = 'Pod was terminated in response to imminent node shutdown.';
/** Reason of a pod that is not admitted for the same cause. */
export const NODE_SHUTDOWN_REFUSED = 'NodeShutdown';

/** The status of a pod from when it was decided that it ends with the machine. PURE. */
export function nodeShutdownStatus({ metadata, status }: Pod, now: number): PodStatus {
  const type = 'DisruptionTarget';
  const others = status?.conditions?.filter((condition) => condition.type !== type) ?? [];
  return {
    ...status,
    reason: NODE_SHUTDOWN_TERMINATED,
    message: NODE_SHUTDOWN_MESSAGE,
    conditions: [
      ...others,
      {
        type,
        status: 'True',
        reason: 'TerminationByKubelet',
        message: NODE_SHUTDOWN_MESSAGE,
        lastTransitionTime: rfc3339(now),
        ...(metadata.generation ? { observedGeneration: metadata.generation } : {}),
      },
    ],
  };
}

/** Whether the pod ended, or was not admitted, because the machine went down. PURE. */
export function isEndedByShutdown({ status }: Pod): boolean {
  if (status?.phase !== 'Failed') return false;
  return (
    status.reason === NODE_SHUTDOWN_REFUSED ||
    (status.reason === NODE_SHUTDOWN_TERMINATED && status.message === NODE_SHUTDOWN_MESSAGE)
  );
}
