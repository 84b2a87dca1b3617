import type { Pod } from '../api/pod.ts';
import type { ObservedContainer, ObservedPod, ObservedSandbox } from '../runtime/observed.ts';
import type { Action } from './actions.ts';
import { allContainersOf } from './containers.ts';
import type { PodFacts } from './facts.ts';
import { instancesOf, isAlive } from './instances.ts';
import type { ContainerStep } from './plan-steps.ts';

/**
 * What nobody needs any more of a pod that is to run: dead containers beyond one for each name, containers that the
 * manifest does not name, and sandboxes left empty. One dead container of each name stays for its log and last state. PURE.
 */
export function planGarbage(
  pod: Pod,
  observed: ObservedPod,
  current: ObservedSandbox | undefined,
  facts: PodFacts,
  now: number,
): ContainerStep {
  const superfluous = superfluousContainers(pod, observed);
  const removed = new Set(superfluous.map((container) => container.id));
  const inUse = new Set(
    observed.containers.filter((container) => !removed.has(container.id)).map((container) => container.sandboxId),
  );
  // Without a usable sandbox the old ones are stopped by the step that makes the next.
  const empty = current
    ? observed.sandboxes.filter((sandbox) => sandbox.id !== current.id && !inUse.has(sandbox.id))
    : [];
  const removedSandboxes = new Set(empty.map((sandbox) => sandbox.id));
  const containers = superfluous.filter((container) => !removedSandboxes.has(container.sandboxId));
  return later([...containers.map(remove), ...empty.map(({ id }) => removeSandbox(id))], facts, now);
}

/** Of a pod that has ended: its sandboxes stay, for its last containers are in them. PURE. */
export function planGarbageOfEnded(pod: Pod, observed: ObservedPod, facts: PodFacts, now: number): ContainerStep {
  return later(superfluousContainers(pod, observed).map(remove), facts, now);
}

function superfluousContainers(pod: Pod, observed: ObservedPod): ObservedContainer[] {
  const names = new Set(allContainersOf(pod).map((container) => container.name));
  return [
    ...[...names].flatMap((name) => instancesOf(observed, name).superfluous),
    ...observed.containers.filter((container) => !names.has(container.containerName) && !isAlive(container)),
  ];
}

/** What could not be removed is tried again, also when nothing else happens to the pod. */
function later(actions: readonly Action[], { garbageRetryAtMs }: PodFacts, now: number): ContainerStep {
  if (actions.length === 0 || garbageRetryAtMs <= now) return { actions };
  return { actions: [], wakeAtMs: garbageRetryAtMs };
}

function remove({ id }: ObservedContainer): Action {
  return { kind: 'removeContainer', containerId: id };
}

function removeSandbox(sandboxId: string): Action {
  return { kind: 'removeSandbox', sandboxId };
}
