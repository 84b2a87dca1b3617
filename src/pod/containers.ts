import type { Container, ContainerStatus, Pod } from '../api/pod.ts';
import { isSidecar } from '../api/pod-resources.ts';

/**
 * What a container is to its pod: one that prepares it and ends, one that serves the others, one that the pod is for, or
 * one that somebody looks into the pod with.
 */
export type ContainerRole = 'init' | 'sidecar' | 'app' | 'ephemeral';

/** The containers that a pod starts by itself, in the order in which they are started. PURE. */
export function containersOf({ spec }: Pod): Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

/** Those and the ephemeral ones: all that may run in the pod. PURE. */
export function allContainersOf(pod: Pod): Container[] {
  return [...containersOf(pod), ...(pod.spec.ephemeralContainers ?? [])];
}

export function findContainer(pod: Pod, name: string): Container | undefined {
  return allContainersOf(pod).find((container) => container.name === name);
}

export function roleOf(pod: Pod, { name }: Pick<Container, 'name'>): ContainerRole {
  const init = pod.spec.initContainers?.find((container) => container.name === name);
  if (!init) return pod.spec.ephemeralContainers?.some((container) => container.name === name) ? 'ephemeral' : 'app';
  return isSidecar(init) ? 'sidecar' : 'init';
}

/** What the stored status says of a container. */
export function storedStatus({ status }: Pod, name: string): ContainerStatus | undefined {
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = status ?? {};
  const all = [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses];
  return all.find((item) => item.name === name);
}

/** The part of the pod that an event about a container names. */
export function fieldPath(pod: Pod, name: string): string {
  const lists = {
    init: 'initContainers',
    sidecar: 'initContainers',
    app: 'containers',
    ephemeral: 'ephemeralContainers',
  };
  return `spec.${lists[roleOf(pod, { name })]}{${name}}`;
}
