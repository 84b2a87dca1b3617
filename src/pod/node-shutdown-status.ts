import type { Pod } from '../api/pod.ts';
import type { Disruption } from './disruption.ts';

/** Reason and message of a pod that ended because the machine goes down (pkg/kubelet/nodeshutdown). */
export const NODE_SHUTDOWN_TERMINATED = 'Terminated';
const NODE_SHUTDOWN_MESSAGE = 'Pod was terminated in response to imminent node shutdown.';
/** Reason of a pod that is not admitted for the same cause. */
export const NODE_SHUTDOWN_REFUSED = 'NodeShutdown';

/** Why a pod ends with the machine. */
export const NODE_SHUTDOWN: Disruption = { reason: NODE_SHUTDOWN_TERMINATED, message: NODE_SHUTDOWN_MESSAGE };

/** Whether the pod ended, or was not admitted, because the machine went down. PURE. */
export function isEndedByShutdown({ status }: Pod): boolean {
  if (status?.phase !== 'Failed') return false;
  return (
    status.reason === NODE_SHUTDOWN_REFUSED ||
    (status.reason === NODE_SHUTDOWN_TERMINATED && status.message === NODE_SHUTDOWN_MESSAGE)
  );
}
