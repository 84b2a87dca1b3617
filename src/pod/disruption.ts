import type { Pod, PodStatus } from '../api/pod.ts';
import { rfc3339 } from './times.ts';

/** Why the node ends a pod. */
export interface Disruption {
  /** One of phase.ts's endReasons. */
  readonly reason: string;
  readonly message: string;
}

/** Reason of a pod that the node ended, or did not admit, because it ran short of something. */
export const EVICTED = 'Evicted';

/** The status of a pod from when it was decided that the node ends it. PURE. */
export function disruptedStatus({ metadata, status }: Pod, { reason, message }: Disruption, now: number): PodStatus {
  const type = 'DisruptionTarget';
  const others = status?.conditions?.filter((condition) => condition.type !== type) ?? [];
  return {
    ...status,
    reason,
    message,
    conditions: [
      ...others,
      {
        type,
        status: 'True',
        reason: 'TerminationByKubelet',
        message,
        lastTransitionTime: rfc3339(now),
        ...(metadata.generation ? { observedGeneration: metadata.generation } : {}),
      },
    ],
  };
}
