import type { Container, Pod, PodSpec } from './pod.ts';
import { addQuantity, compareQuantity, formatQuantity, parseQuantity } from './quantity.ts';

/**
 * What a pod as a whole requests and may use, by the rules of k8s.io/component-helpers/resource: containers run
 * together, init containers one after the other beside the sidecars started before them, pod-level values replace
 * the sum, overhead comes on top.
 */

/** Resource names to quantities. */
export type ResourceList = Readonly<Record<string, string>>;

export interface PodResourcesOptions {
  excludeOverhead?: boolean;
}

/** True for an init container that keeps running: a sidecar. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

/** Resources that can be set for the pod as a whole: cpu, memory, hugepages. */
export function isPodLevelResource(name: string): boolean {
  return name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');
}

export function hasPodLevelResources(spec: PodSpec): boolean {
  const { requests = {}, limits = {} } = spec.resources ?? {};
  return [...Object.keys(requests), ...Object.keys(limits)].some(isPodLevelResource);
}

/** What admission and the pod's cgroup count. */
export function podRequests(pod: Pick<Pod, 'spec'>, options: PodResourcesOptions = {}): Record<string, string> {
  const total = aggregateContainerRequests(pod.spec);
  for (const [name, value] of Object.entries(pod.spec.resources?.requests ?? {})) {
    if (isPodLevelResource(name)) total.set(name, value);
  }
  if (!options.excludeOverhead) addResources(total, pod.spec.overhead);
  return Object.fromEntries(total);
}

/**
 * The sum of the limits. A resource is in it as soon as one container limits it, so a value here does not mean that
 * the pod is limited: whoever sets a limit on the pod checks every container first.
 */
export function podLimits(pod: Pick<Pod, 'spec'>, options: PodResourcesOptions = {}): Record<string, string> {
  const total = aggregateContainerLimits(pod.spec);
  for (const [name, value] of Object.entries(pod.spec.resources?.limits ?? {})) {
    if (isPodLevelResource(name)) total.set(name, value);
  }
  if (!options.excludeOverhead) {
    for (const [name, value] of Object.entries(pod.spec.overhead ?? {})) {
      const limit = total.get(name);
      if (limit !== undefined && parseQuantity(limit).nanos !== 0n) total.set(name, sum(limit, value));
    }
  }
  return Object.fromEntries(total);
}

/** The requests of all containers together, without pod-level values and overhead. */
export function aggregateContainerRequests(spec: PodSpec): Map<string, string> {
  return aggregate(spec, (container) => container.resources?.requests);
}

/** The limits of all containers together, without pod-level values and overhead. */
export function aggregateContainerLimits(spec: PodSpec): Map<string, string> {
  return aggregate(spec, (container) => container.resources?.limits);
}

/**
 * While init container i runs, so do the sidecars before it; after that all sidecars and containers run. The pod
 * needs the greatest of these for each resource.
 */
function aggregate(spec: PodSpec, resourcesOf: (container: Container) => ResourceList | undefined) {
  const total = new Map<string, string>();
  for (const container of spec.containers) addResources(total, resourcesOf(container));

  const sidecars = new Map<string, string>();
  const initialization = new Map<string, string>();
  for (const container of spec.initContainers ?? []) {
    if (isSidecar(container)) {
      addResources(total, resourcesOf(container));
      addResources(sidecars, resourcesOf(container));
      maxResources(initialization, sidecars);
    } else {
      const running = new Map(sidecars);
      addResources(running, resourcesOf(container));
      maxResources(initialization, running);
    }
  }
  maxResources(total, initialization);
  return total;
}

function addResources(total: Map<string, string>, more: ResourceList | undefined): void {
  for (const [name, value] of Object.entries(more ?? {})) {
    const current = total.get(name);
    total.set(name, current === undefined ? value : sum(current, value));
  }
}

function maxResources(total: Map<string, string>, other: ReadonlyMap<string, string>): void {
  for (const [name, value] of other) {
    const current = total.get(name);
    if (current === undefined || compareQuantity(value, current) > 0) total.set(name, value);
  }
}

function sum(a: string, b: string): string {
  return formatQuantity(addQuantity(a, b));
}
