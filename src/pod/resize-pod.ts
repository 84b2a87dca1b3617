import type { Container, Pod, ResourceRequirements } from '../api/pod.ts';
import { quantityBytes } from '../api/quantity.ts';
import { containerLinuxResources } from '../cgroups/container-resources.ts';
import { NO_MEMORY_QOS } from '../cgroups/memory-qos.ts';
import type { ActionOf } from './actions.ts';
import { findContainer } from './containers.ts';
import { criResources } from './cri-resources.ts';
import { messageOf } from './problems.ts';
import type { PodServices } from './services.ts';

/** A change of resources that could not be made now. */
export class ResizeError extends Error {}

/**
 * Changes resources of containers that run:
 *
 * 1. a memory limit below what is used now is refused: the kernel would kill for it;
 * 2. the pod's cgroup gets the larger of both, so that what grows has room;
 * 3. the containers get theirs;
 * 4. the pod's cgroup gets its own.
 *
 * Each step may be repeated. (doPodResizeAction in pkg/kubelet/kuberuntime.)
 *
 * @throws ResizeError
 */
export async function resizePod(
  services: PodServices,
  pod: Pod,
  { containers }: ActionOf<'resizePod'>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ResourceRequirements>> {
  const { client, cgroups, settings } = services;
  const done = new Map<string, ResourceRequirements>();
  try {
    for (const { containerId, containerName, from } of containers) {
      await checkUsage(services, pod, wanted(pod, containerName), containerId, from);
    }
    const before = new Map(containers.map(({ containerName, from }) => [containerName, from]));
    await cgroups.growPod(pod, withResources(pod, before));
    for (const { containerId, containerName } of containers) {
      const container = wanted(pod, containerName);
      const node = settings.containerNode();
      const { cpuPeriod, cpuQuota, cpuShares, memoryLimitInBytes, memorySwapLimitInBytes, unified } = criResources(
        containerLinuxResources(pod, container, node),
      );
      const changed = {
        ...{ cpuPeriod, cpuQuota, cpuShares, memoryLimitInBytes, memorySwapLimitInBytes },
        // A runtime that is told nothing of a file writes again what it was told when the container was made.
        ...(node.cgroupVersion === 2 && { unified: { ...NO_MEMORY_QOS, ...unified } }),
      };
      await client.updateContainerResources(containerId, changed, { signal });
      done.set(containerId, container.resources ?? {});
    }
    await cgroups.ensurePod(pod);
  } catch (error) {
    if (error instanceof ResizeError || signal.aborted) throw error;
    throw new ResizeError(messageOf(error), { cause: error });
  }
  return done;
}

async function checkUsage(
  { cgroups }: PodServices,
  pod: Pod,
  { name, resources }: Container,
  containerId: string,
  from: ResourceRequirements,
): Promise<void> {
  const [limit, old] = [resources?.limits?.memory, from.limits?.memory];
  if (limit === undefined || (old !== undefined && quantityBytes(limit) >= quantityBytes(old))) return;
  const used = await cgroups.memoryUsage(pod, containerId);
  if (used === undefined || used <= quantityBytes(limit)) return;
  const bytes = quantityBytes(limit);
  throw new ResizeError(
    `attempting to set container ${JSON.stringify(name)} memory limit (${bytes}) below current usage (${used})`,
  );
}

function withResources(pod: Pod, resources: ReadonlyMap<string, ResourceRequirements>): Pod {
  const change = (container: Container): Container => ({
    ...container,
    resources: resources.get(container.name) ?? container.resources ?? {},
  });
  const { initContainers, containers } = pod.spec;
  const spec = { ...pod.spec, containers: containers.map(change) };
  return { ...pod, spec: initContainers ? { ...spec, initContainers: initContainers.map(change) } : spec };
}

function wanted(pod: Pod, name: string): Container {
  const container = findContainer(pod, name);
  if (!container) throw new Error(`pod has no container ${name}`);
  return container;
}
