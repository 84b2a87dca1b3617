import type { Pod } from './pod.ts';
import type { PriorityClass } from './priority-class.ts';

/**
 * Fills in what the pod's priority class says of its pods, in place (plugin/pkg/admission/priority of Kubernetes).
 *
 * @param classes all that there are.
 * @returns why the pod is refused, or undefined.
 */
export function applyPriorityClass({ spec }: Pod, classes: readonly PriorityClass[]): string | undefined {
  const named = spec.priorityClassName;
  const found = named ? classes.find(({ metadata }) => metadata.name === named) : defaultOf(classes);
  if (named && !found) return `no PriorityClass with name ${named} was found`;
  const priority = found?.value ?? 0;
  const policy = found?.preemptionPolicy ?? 'PreemptLowerPriority';
  const computed = 'must not be provided in pod spec; priority admission controller computed';
  if (spec.priority !== undefined && spec.priority !== priority) {
    return `the integer value of priority (${spec.priority}) ${computed} ${priority} from the given PriorityClass name`;
  }
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
    return `the string value of PreemptionPolicy (${spec.preemptionPolicy}) ${computed} ${policy} from the given PriorityClass name`;
  }
  if (found) spec.priorityClassName = found.metadata.name;
  spec.priority = priority;
  spec.preemptionPolicy = policy;
  return undefined;
}

/** Of several, which can only be made at the same moment, the least one. */
function defaultOf(classes: readonly PriorityClass[]): PriorityClass | undefined {
  return classes.filter(({ globalDefault }) => globalDefault).toSorted((a, b) => a.value - b.value)[0];
}
