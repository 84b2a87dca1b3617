import type { Pod } from '../api/pod.ts';
import { isSidecar } from '../api/pod-resources.ts';
import type { ObservedContainer } from '../runtime/observed.ts';
import type { Action } from './actions.ts';

/**
 * Ends all of these containers of a pod. All of them are told of it at once and have one grace period together, in which
 * each gets its stop signal when its turn has come. PURE.
 *
 * @param pod undefined when its object is lost, and with it the order.
 */
export function killInOrder(
  pod: Pod | undefined,
  running: readonly ObservedContainer[],
  graceSeconds: number,
  message: string,
): Action[] {
  return running.map((container): Action => {
    const { id, containerName } = container;
    const after = pod ? stopsAfter(pod, container, running) : [];
    return { kind: 'killContainer', containerId: id, containerName, graceSeconds, message, after };
  });
}

/**
 * The containers, by id, that must have ended before this one is told to stop: a sidecar serves until all app containers
 * are gone, and the sidecars that were started after it. All others are stopped at once
 * (pkg/kubelet/kuberuntime/kuberuntime_termination_order.go). PURE.
 *
 * @param running all containers of the pod that are to be stopped.
 */
function stopsAfter(
  { spec }: Pod,
  container: ObservedContainer,
  running: readonly ObservedContainer[],
): readonly string[] {
  const sidecars = (spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name);
  const place = sidecars.indexOf(container.containerName);
  if (place < 0) return [];
  const first = new Set([...spec.containers.map(({ name }) => name), ...sidecars.slice(place + 1)]);
  return running.filter(({ containerName }) => first.has(containerName)).map(({ id }) => id);
}
