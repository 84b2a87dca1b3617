import type { Container, ContainerStatus, Pod, PodStatus } from '../api/pod.ts';
import { qosClass } from '../api/qos.ts';
import type { ObservedPod } from '../runtime/observed.ts';
import { isComplete } from './completion.ts';
import { conditionsOf } from './conditions.ts';
import { type ContainerStatusSettings, containerStatus } from './container-status.ts';
import type { PodFacts } from './facts.ts';
import { isEnding, phaseOf } from './phase.ts';
import { restartAllOf } from './restart-all.ts';
import { withoutUnfinishedStarts } from './unfinished-start.ts';

export interface StatusSettings extends ContainerStatusSettings {
  /** The node's addresses, the primary one first, at most one of each family. */
  readonly hostIPs: readonly string[];
}

/** The status that follows from the pod, from what the runtime has of it, and from what the worker remembers. PURE. */
export function statusOf(
  pod: Pod,
  seen: ObservedPod,
  facts: PodFacts,
  settings: StatusSettings,
  now: number,
): PodStatus {
  const stored = pod.status ?? {};
  const observed = withoutUnfinishedStarts(pod, facts, seen);
  const restartAll = restartAllOf(pod, observed, settings.maxRestartDelaySeconds);
  const isOver =
    Boolean(pod.metadata.deletionTimestamp) ||
    isEnding(pod) ||
    isComplete(pod, observed, settings.maxRestartDelaySeconds);
  const statusesOf = (containers: readonly Container[]) =>
    containers.map((container) =>
      containerStatus(pod, container, { observed, facts, settings, restartAll, isOver }, now),
    );
  const statuses = { init: statusesOf(pod.spec.initContainers ?? []), apps: statusesOf(pod.spec.containers) };
  const phase = phaseOf(pod, statuses);
  const problem = phase === 'Pending' ? facts.podProblem : undefined;
  const ephemeral = statusesOf(pod.spec.ephemeralContainers ?? []);
  const { reason: storedReason, message: storedMessage, ephemeralContainerStatuses: _, ...kept } = stored;
  // Why a pod ended stays; why it could not start yet goes with the problem.
  const ownReason = isEnding(pod) ? storedReason : undefined;
  const explanation = problem ?? (ownReason === undefined ? undefined : { reason: ownReason, message: storedMessage });
  const ips = podIps(pod, observed, settings);
  return {
    // What others wrote into the status is theirs.
    ...kept,
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
    phase,
    ...(explanation ? { reason: explanation.reason } : {}),
    ...(explanation?.message ? { message: explanation.message } : {}),
    conditions: conditionsOf(pod, observed, phase, statuses, restartAll, isOver, facts, now),
    ...(settings.hostIPs[0] ? { hostIP: settings.hostIPs[0], hostIPs: settings.hostIPs.map((ip) => ({ ip })) } : {}),
    ...(ips[0] ? { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) } : {}),
    ...(statuses.init.length > 0 ? { initContainerStatuses: statuses.init } : {}),
    // By name, as a kubelet's (SortedContainerStatuses in pkg/kubelet/types); init containers in their order.
    containerStatuses: byName(statuses.apps),
    ...(ephemeral.length > 0 ? { ephemeralContainerStatuses: byName(ephemeral) } : {}),
    qosClass: qosClass(pod),
  };
}

function byName(statuses: readonly ContainerStatus[]): ContainerStatus[] {
  return [...statuses].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** The last address is kept when the sandbox is gone, as in Kubernetes, for those who look into what happened. */
function podIps(pod: Pod, observed: ObservedPod, settings: StatusSettings): readonly string[] {
  if (pod.spec.hostNetwork) return settings.hostIPs;
  const current = observed.sandboxes[0]?.ips ?? [];
  return current.length > 0 ? current : (pod.status?.podIPs ?? []).map((item) => item.ip);
}
