import type { Pod } from '../api/pod.ts';

/** How long the pods of a priority, and of those up to the next one, may take to end. */
export interface ShutdownPeriod {
  readonly priority: number;
  readonly periodMs: number;
}

/** Pods that end together. */
export interface ShutdownGroup {
  readonly pods: readonly Pod[];
  readonly periodMs: number;
}

/** SystemCriticalPriority (pkg/apis/scheduling): what such pods do, others need until their end. */
const CRITICAL_PRIORITY = 2_000_000_000;

/** What a kubelet's configuration says of it, with periods in milliseconds. */
export interface ShutdownSettings {
  /** How long the machine's shutdown is held up in all. */
  readonly totalMs: number;
  /** The last part of it, which only critical pods have. */
  readonly criticalMs: number;
  /** Other than that, periods by priority. */
  readonly byPriority: readonly ShutdownPeriod[];
}

/** The periods in the order in which they pass; none where the shutdown is not held up. PURE. */
export function shutdownPeriods({ totalMs, criticalMs, byPriority }: ShutdownSettings): ShutdownPeriod[] {
  if (byPriority.length > 0) return byPriority.toSorted((a, b) => a.priority - b.priority);
  if (totalMs === 0) return [];
  return [
    { priority: 0, periodMs: totalMs - criticalMs },
    { priority: CRITICAL_PRIORITY, periodMs: criticalMs },
  ];
}

/**
 * Which pods end when, the first ones first: each with the highest priority that is not above its own, and those below all
 * with the lowest (groupByPriority in pkg/kubelet/nodeshutdown). Groups without pods are left out. PURE.
 *
 * @param periods in the order of `shutdownPeriods`.
 */
export function shutdownGroups(pods: readonly Pod[], periods: readonly ShutdownPeriod[]): ShutdownGroup[] {
  const groupOf = ({ spec }: Pod) => {
    const index = periods.findLastIndex(({ priority }) => priority <= (spec.priority ?? 0));
    return Math.max(index, 0);
  };
  const groups = periods.map(({ periodMs }, index) => ({
    pods: pods.filter((pod) => groupOf(pod) === index),
    periodMs,
  }));
  return groups.filter((group) => group.pods.length > 0);
}
