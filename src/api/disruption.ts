import type { Pod } from './pod.ts';
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from './pod-disruption-budget.ts';
import { matchesLabelSelector } from './selectors.ts';

/** What budgets leave of pods: pkg/controller/disruption and pkg/registry/core/pod/storage/eviction.go of Kubernetes. PURE. */

/** Whether the budget counts the pod. Both are of one namespace. */
export function isBudgetOf({ spec }: PodDisruptionBudget, { metadata }: Pod): boolean {
  // Without a selector none does.
  return spec?.selector !== undefined && matchesLabelSelector(spec.selector, metadata.labels ?? {});
}

/**
 * The budget's status for the pods that it counts. Other than in Kubernetes, whose parts of a whole need a controller
 * that says how many pods there should be, the pods themselves are that whole.
 *
 * @param now RFC 3339.
 */
export function budgetStatus(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  now: string,
): PodDisruptionBudgetStatus {
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  const expectedPods = pods.length;
  const currentHealthy = pods.filter(isHealthy).length;
  const desiredHealthy = Math.max(
    maxUnavailable === undefined
      ? amountOf(minAvailable ?? 0, expectedPods)
      : expectedPods - amountOf(maxUnavailable, expectedPods),
    0,
  );
  const disruptionsAllowed = expectedPods === 0 ? 0 : Math.max(currentHealthy - desiredHealthy, 0);
  const { generation } = budget.metadata;
  const isAllowed = disruptionsAllowed > 0;
  const type = 'DisruptionAllowed';
  const status = isAllowed ? 'True' : 'False';
  const before = budget.status?.conditions?.find((condition) => condition.type === type);
  return {
    ...(generation ? { observedGeneration: generation } : {}),
    disruptionsAllowed,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    conditions: [
      {
        type,
        status,
        ...(generation ? { observedGeneration: generation } : {}),
        lastTransitionTime: before?.status === status ? before.lastTransitionTime : now,
        reason: isAllowed ? 'SufficientPods' : 'InsufficientPods',
        message: '',
      },
    ],
  };
}

/** Why the pod may not be evicted now; undefined when it may. @param pods those that the budget counts. */
export function evictionProblem(pod: Pod, budget: PodDisruptionBudget, pods: readonly Pod[]): string | undefined {
  const { unhealthyPodEvictionPolicy = 'IfHealthyBudget' } = budget.spec ?? {};
  const { currentHealthy, desiredHealthy, disruptionsAllowed } = budgetStatus(budget, pods, '');
  if (!isReady(pod)) {
    if (unhealthyPodEvictionPolicy === 'AlwaysAllow') return undefined;
    // Whoever is not ready is not missed while the others are enough.
    if (currentHealthy >= desiredHealthy && desiredHealthy > 0) return undefined;
  }
  if (disruptionsAllowed > 0) return undefined;
  const { name } = budget.metadata;
  return currentHealthy <= desiredHealthy
    ? `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`
    : `The disruption budget ${name} does not allow evicting pods currently`;
}

/** A pod that does not run, or ends anyway, is nobody's loss: no budget is asked. */
export function isFreeToEvict({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined || status?.phase !== 'Running';
}

function isHealthy(pod: Pod): boolean {
  return isReady(pod) && pod.metadata.deletionTimestamp === undefined;
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
}

/** Percentages are rounded up, as in Kubernetes. */
function amountOf(amount: number | string, whole: number): number {
  return typeof amount === 'number' ? amount : Math.ceil((Number.parseInt(amount, 10) * whole) / 100);
}
