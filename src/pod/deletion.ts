import type { Pod } from '../api/pod.ts';
import { isTerminalPhase } from './phase.ts';
import { rfc3339 } from './times.ts';

const DEFAULT_GRACE_SECONDS = 30;

/**
 * The pod as it is after a request to delete it: with a deadline, by when its containers are stopped. A further request
 * can only bring the deadline forward (`BeforeDelete` in apiserver's registry/rest/delete.go). PURE.
 *
 * @param graceSeconds from the request; undefined for the manifest's own.
 */
export function markForDeletion(pod: Pod, graceSeconds: number | undefined, now: number): Pod {
  const { metadata, spec } = pod;
  const asked = Math.max(graceSeconds ?? spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS, 0);
  // In a pod that has ended, or never came to the node, there is nothing to wait for.
  const wanted = isTerminalPhase(pod.status?.phase) || !spec.nodeName ? 0 : asked;
  const deadlineMs = now + wanted * 1000;
  if (metadata.deletionTimestamp) {
    const isSooner = graceSeconds !== undefined && wanted < (metadata.deletionGracePeriodSeconds ?? 0);
    if (!isSooner || deadlineMs >= Date.parse(metadata.deletionTimestamp)) return pod;
  }
  return {
    ...pod,
    metadata: {
      ...metadata,
      // Rounded up: the grace period is never cut short by the second's fraction.
      deletionTimestamp: rfc3339(Math.ceil(deadlineMs / 1000) * 1000),
      deletionGracePeriodSeconds: wanted,
      generation: (metadata.generation ?? 1) + 1,
    },
  };
}
