import type { Pod } from '../api/pod.ts';
import type { ObservedContainer, ObservedPod } from '../runtime/observed.ts';
import { storedStatus } from './containers.ts';
import type { PodFacts } from './facts.ts';

/**
 * Whether the start of a container was cut off: the daemon or the runtime was killed during the call, and the runtime
 * now shows a container that ended though it never ran. It says nothing about the pod: it must not count as a restart,
 * and must not fail a pod whose containers are never restarted. Had the runtime refused to start the container, the worker
 * would know, or the stored status. PURE.
 */
export function isUnfinishedStart(pod: Pod, facts: PodFacts, container: ObservedContainer): boolean {
  if (container.state !== 'EXITED' || container.startedAtNanos > 0n) return false;
  const isRefused = facts.startProblems.get(container.containerName)?.refusedId === container.id;
  return !isRefused && !isEndStored(pod, container);
}

/** The pod as it were without the starts that were cut off. PURE. */
export function withoutUnfinishedStarts(pod: Pod, facts: PodFacts, observed: ObservedPod): ObservedPod {
  const containers = observed.containers.filter((container) => !isUnfinishedStart(pod, facts, container));
  return containers.length === observed.containers.length ? observed : { ...observed, containers };
}

function isEndStored(pod: Pod, { containerName, id }: ObservedContainer): boolean {
  const stored = storedStatus(pod, containerName);
  const ends = [stored?.state?.terminated, stored?.lastState?.terminated];
  return ends.some((end) => end?.containerID?.endsWith(`//${id}`));
}
