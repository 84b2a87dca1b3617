import type { Node, Taint } from '../api/node.ts';
import type { Pod } from '../api/pod.ts';
import { qosClass } from '../api/qos.ts';
import { toleratesTaint } from './taints.ts';

/** Whether a pod may come to the node now; if not, what its condition PodScheduled says. */
export type Schedule =
  | { readonly kind: 'bind' }
  | { readonly kind: 'wait'; readonly reason: 'SchedulingGated' | 'Unschedulable'; readonly message: string };

/** What a cordoned node counts as having, for those that tolerate it. */
export const UNSCHEDULABLE_TAINT: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
export const MEMORY_PRESSURE_KEY = 'node.kubernetes.io/memory-pressure';

/**
 * What a scheduler decides for the one node there is, in its words. PURE (pkg/scheduler/framework/plugins of Kubernetes:
 * schedulinggates, nodeunschedulable, tainttoleration.)
 *
 * Only what may pass by itself, or by the administrator's hand, makes a pod wait. Whether it fits is left to admission,
 * which refuses it: there is no other node.
 */
export function schedule(pod: Pod, node: Pick<Node, 'spec'> | undefined): Schedule {
  if (pod.spec.schedulingGates?.length) {
    const message = 'Scheduling is blocked due to non-empty scheduling gates';
    return { kind: 'wait', reason: 'SchedulingGated', message };
  }
  const { unschedulable = false, taints = [] } = node?.spec ?? {};
  if (unschedulable && !toleratesTaint(pod, UNSCHEDULABLE_TAINT)) return noNode('node(s) were unschedulable');
  const isHeld = taints.some((taint) => isKeepingAway(taint) && !tolerates(pod, taint));
  return isHeld ? noNode('node(s) had untolerated taint(s)') : { kind: 'bind' };
}

function isKeepingAway({ key, effect }: Taint): boolean {
  // That of a cordoned node follows from its spec.
  return effect !== 'PreferNoSchedule' && key !== UNSCHEDULABLE_TAINT.key;
}

/** A pod that has requested anything counts as able to cope where memory is short (admission of Kubernetes' taints by condition). */
function tolerates(pod: Pod, taint: Taint): boolean {
  return toleratesTaint(pod, taint) || (taint.key === MEMORY_PRESSURE_KEY && qosClass(pod) !== 'BestEffort');
}

function noNode(why: string): Schedule {
  const preemption = '0/1 nodes are available: 1 Preemption is not helpful for scheduling.';
  const message = `0/1 nodes are available: 1 ${why}. no new claims to deallocate, preemption: ${preemption}`;
  return { kind: 'wait', reason: 'Unschedulable', message };
}

/** The order in which pods that waited come to the node: by priority, then by age. PURE */
export function bySchedulingOrder(one: Pod, other: Pod): number {
  const byPriority = (other.spec.priority ?? 0) - (one.spec.priority ?? 0);
  if (byPriority !== 0) return byPriority;
  const [a = '', b = ''] = [one, other].map(({ metadata }) => metadata.creationTimestamp);
  return a < b ? -1 : a > b ? 1 : 0;
}
