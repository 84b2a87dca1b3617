import type { Container, ContainerStatus, Pod } from '../api/pod.ts';
import { isSidecar } from '../api/pod-resources.ts';

/** What a container is to its pod: one that prepares it and ends, one that serves the others, or one that the pod is for. */
export type ContainerRole = 'init' | 'sidecar' | 'app';

/** The containers that a pod starts by itself, in the order in which they are started. PURE. */
export function containersOf({ spec }: Pod): Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

export function findContainer(pod: Pod, name: string): Container | undefined {
  return containersOf(pod).find((container) => container.name === name);
}

export function roleOf(pod: Pod, { name }: Pick<Container, 'name'>): ContainerRole {
  const init = pod.spec.initContainers?.find((container) => container.name === name);
  if (!init) return 'app';
  return isSidecar(init) ? 'sidecar' : 'init';
}

/** What the stored status says of a container. */
export function storedStatus({ status }: Pod, name: string): ContainerStatus | undefined {
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return all.find((item) => item.name === name);
}

/** The part of the pod that an event about a container names. */
export function fieldPath(pod: Pod, name: string): string {
  return roleOf(pod, { name }) === 'app' ? `spec.containers{${name}}` : `spec.initContainers{${name}}`;
}
