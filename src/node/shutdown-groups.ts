import type { Pod } from '../api/pod.ts';

/** A kubelet's shutdownGracePeriod and shutdownGracePeriodCriticalPods. */
export interface ShutdownPeriods {
  /** How long the machine's shutdown is held up in all; 0 for not at all. */
  readonly totalMs: number;
  /** The last part of it, which only critical pods have. */
  readonly criticalMs: number;
}

/** Pods that end together. */
export interface ShutdownGroup {
  readonly pods: readonly Pod[];
  readonly periodMs: number;
}

/** SystemCriticalPriority (pkg/apis/scheduling): what such pods do, others need until their end. */
const CRITICAL_PRIORITY = 2_000_000_000;

/** Which pods end when, the first ones first. Groups without pods are left out. PURE. */
export function shutdownGroups(pods: readonly Pod[], { totalMs, criticalMs }: ShutdownPeriods): ShutdownGroup[] {
  const isCritical = ({ spec }: Pod) => (spec.priority ?? 0) >= CRITICAL_PRIORITY;
  const groups: ShutdownGroup[] = [
    { pods: pods.filter((pod) => !isCritical(pod)), periodMs: totalMs - criticalMs },
    { pods: pods.filter(isCritical), periodMs: criticalMs },
  ];
  return groups.filter((group) => group.pods.length > 0);
}
