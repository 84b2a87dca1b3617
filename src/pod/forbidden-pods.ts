import { namespaceKind, podKind } from '../api/kinds.ts';
import { judgePod } from '../api/pod-security/evaluate.ts';
import { securityPolicy } from '../api/pod-security/policy.ts';
import type { EventRecorder } from '../events/recorder.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../util/log.ts';
import { isTerminalPhase } from './phase.ts';

export interface ForbiddenPodsParts {
  readonly store: Pick<Store, 'get' | 'list'>;
  readonly recorder: Pick<EventRecorder, 'event'>;
  readonly logger: Logger;
}

/**
 * Tells of stored pods that their namespace would not let in today: it was tightened after they came, or this version of the
 * daemon knows a rule that an older one did not. They go on, as in Kubernetes, and their owner is to know.
 */
export function reportForbiddenPods({ store, recorder, logger }: ForbiddenPodsParts): void {
  for (const pod of store.list(podKind).items) {
    const { namespace, name, deletionTimestamp } = pod.metadata;
    if (deletionTimestamp || isTerminalPhase(pod.status?.phase)) continue;
    const labels = store.get(namespaceKind, undefined, namespace ?? '')?.metadata.labels;
    const { forbidden } = judgePod(pod, securityPolicy(labels));
    if (forbidden === undefined) continue;
    logger.warn({ pod: `${namespace}/${name}`, reason: forbidden }, 'a pod goes on that would not be let in any more');
    recorder.event(pod, 'Warning', 'PodSecurityViolation', `The pod goes on, but ${forbidden}`);
  }
}
