import { isDeepStrictEqual } from 'node:util';
import type { Container, ContainerStatus, Pod, PodCondition, ResourceRequirements } from '../api/pod.ts';
import type { ObservedContainer, ObservedPod } from '../runtime/observed.ts';
import { containersOf, roleOf, storedStatus } from './containers.ts';
import type { PodFacts } from './facts.ts';
import { instancesOf } from './instances.ts';

/**
 * Changing the resources of containers that run. PURE.
 *
 *   spec.containers[].resources       what the user wants
 *   allocated                         the same, or while that has to wait what the containers have
 *   status...resources                what a container has, as the daemon told the runtime last
 *
 * Nothing else is remembered: a daemon that was killed before it noted a change makes it once more.
 */

export const RESIZE_PENDING = 'PodResizePending';
export const RESIZE_IN_PROGRESS = 'PodResizeInProgress';

/** Why a change of resources waits. */
export interface ResizeProblem {
  /** `Infeasible`: the node is too small for it. `Deferred`: not beside the other pods. */
  readonly reason: 'Infeasible' | 'Deferred';
  readonly message: string;
}

/** Whether the pod wants other resources than its containers have. */
export function isResized(pod: Pod): boolean {
  if (pod.metadata.deletionTimestamp) return false;
  return containersOf(pod).some((container) => {
    const stored = resizableStatus(pod, container);
    return stored?.resources !== undefined && !isSame(stored.resources, container.resources);
  });
}

/** The pod with what its containers have: while what it wants has to wait, it is made and counted with this. */
export function withPresentResources(pod: Pod): Pod {
  const present = (container: Container): Container => {
    const resources = resizableStatus(pod, container)?.resources;
    return resources ? { ...container, resources } : container;
  };
  const { initContainers, containers } = pod.spec;
  const spec = { ...pod.spec, containers: containers.map(present) };
  return { ...pod, spec: initContainers ? { ...spec, initContainers: initContainers.map(present) } : spec };
}

/** The pod as others have to count it: what it wants counts when it was found to fit. */
export function countedPod(pod: Pod): Pod {
  const { generation } = pod.metadata;
  const isConsidered = generation === undefined || pod.status?.observedGeneration === generation;
  return isConsidered && !isResizePending(pod) ? pod : withPresentResources(pod);
}

export function isResizePending({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status }) => type === RESIZE_PENDING && status === 'True') ?? false;
}

/** What a container has: what was just told to the runtime, or else what the status says of the same one. */
export function presentResources(
  pod: Pod,
  container: Container,
  { id }: Pick<ObservedContainer, 'id'>,
  { resizedContainers }: Pick<PodFacts, 'resizedContainers'>,
): ResourceRequirements {
  const stored = storedStatus(pod, container.name);
  const ofSame = stored?.containerID?.endsWith(`//${id}`) ? stored.resources : undefined;
  return resizedContainers.get(id) ?? ofSame ?? container.resources ?? {};
}

/** A running container whose resources are to change while it goes on. */
export interface ContainerResize {
  readonly containerId: string;
  readonly containerName: string;
  readonly from: ResourceRequirements;
}

/** @param pod with the resources that it may have. */
export function containerResizes(pod: Pod, observed: ObservedPod, facts: PodFacts): ContainerResize[] {
  return containersOf(pod).flatMap((container) => {
    const { latest } = instancesOf(observed, container.name);
    if (latest?.state !== 'RUNNING' || roleOf(pod, container) === 'init') return [];
    const from = presentResources(pod, container, latest, facts);
    if (isSame(from, container.resources) || mustRestart(container, from)) return [];
    return [{ containerId: latest.id, containerName: container.name, from }];
  });
}

/** Whether the container has resources that it can only get rid of by being started anew: its `resizePolicy` says so. */
export function isRestartedToResize(pod: Pod, container: Container, { id }: Pick<ObservedContainer, 'id'>): boolean {
  const stored = resizableStatus(pod, container);
  if (!stored?.resources || !stored.containerID?.endsWith(`//${id}`)) return false;
  return mustRestart(container, stored.resources);
}

/** The conditions of a pod whose resources change; none when nothing does. */
export function resizeConditions(
  pod: Pod,
  observed: ObservedPod,
  facts: PodFacts,
): Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'>[] {
  const { resizePending, resizeFailure } = facts;
  if (resizePending) return [{ type: RESIZE_PENDING, status: 'True', ...resizePending }];
  const isRestarting = containersOf(pod).some((container) => {
    const { latest } = instancesOf(observed, container.name);
    return latest !== undefined && isRestartedToResize(pod, container, latest);
  });
  if (!isRestarting && containerResizes(pod, observed, facts).length === 0) return [];
  const error = resizeFailure ? { reason: 'Error', message: resizeFailure.message } : {};
  return [{ type: RESIZE_IN_PROGRESS, status: 'True', ...error }];
}

function mustRestart({ resources, resizePolicy = [] }: Container, from: ResourceRequirements): boolean {
  return resizePolicy.some(
    ({ resourceName, restartPolicy }) =>
      restartPolicy === 'RestartContainer' &&
      (['requests', 'limits'] as const).some(
        (list) => resources?.[list]?.[resourceName] !== from[list]?.[resourceName],
      ),
  );
}

/** Of a container that was made: before, what it gets is what the pod wants. */
function resizableStatus(pod: Pod, container: Container): ContainerStatus | undefined {
  if (roleOf(pod, container) === 'init') return undefined;
  const stored = storedStatus(pod, container.name);
  return stored?.containerID ? stored : undefined;
}

function isSame(a: ResourceRequirements | undefined, b: ResourceRequirements | undefined): boolean {
  return isDeepStrictEqual(comparable(a), comparable(b));
}

/** Maps of decoded bodies have no prototype. */
function comparable(resources: ResourceRequirements | undefined): unknown {
  return { limits: { ...resources?.limits }, requests: { ...resources?.requests } };
}
