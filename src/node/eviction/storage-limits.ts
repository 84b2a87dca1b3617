import type { Pod } from '../../api/pod.ts';
import { podLimits } from '../../api/pod-resources.ts';
import { quantityBytes } from '../../api/quantity.ts';

/** What a pod has on the disk of the node, in bytes. */
export interface PodStorageUsage {
  /** By name, those on the disk. */
  readonly emptyDirs: ReadonlyMap<string, number>;
  /** Writable layer and logs, by the container's name. */
  readonly containers: ReadonlyMap<string, number>;
  /** The rest: hosts file, termination messages, volumes with objects of the API. */
  readonly otherBytes: number;
}

const STORAGE = 'ephemeral-storage';

/** Whether anything limits what the pod has on the disk. PURE */
export function hasStorageLimit(pod: Pod): boolean {
  return hasContainerStorageLimit(pod) || limitedEmptyDirs(pod).length > 0;
}

/** Whether the limit of a container's storage is among them. PURE */
export function hasContainerStorageLimit(pod: Pod): boolean {
  return (podLimits(pod)[STORAGE] ?? '0') !== '0';
}

/**
 * Why the pod has to go, in the kubelet's order and words (`localStorageEviction` in pkg/kubelet/eviction); undefined when
 * it keeps to its limits. Those of memory volumes are kept by the kernel. PURE
 */
export function storageLimitProblem(pod: Pod, usage: PodStorageUsage): string | undefined {
  for (const { name, sizeLimit } of limitedEmptyDirs(pod)) {
    if (exceeds(usage.emptyDirs.get(name), sizeLimit)) {
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${sizeLimit}". `;
    }
  }
  const podLimit = podLimits(pod)[STORAGE];
  if (exceeds(totalStorageBytes(usage), podLimit)) {
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${podLimit}. `;
  }
  for (const { name, resources } of pod.spec.containers) {
    const limit = resources?.limits?.[STORAGE];
    if (exceeds(usage.containers.get(name), limit)) {
      return `Container ${name} exceeded its local ephemeral storage limit "${limit}". `;
    }
  }
  return undefined;
}

/** All that counts as the pod's own. PURE */
export function totalStorageBytes({ emptyDirs, containers, otherBytes }: PodStorageUsage): number {
  return [...emptyDirs.values(), ...containers.values()].reduce((sum, bytes) => sum + bytes, otherBytes);
}

function limitedEmptyDirs({ spec }: Pod): { name: string; sizeLimit: string }[] {
  return (spec.volumes ?? []).flatMap(({ name, emptyDir }) =>
    emptyDir?.sizeLimit !== undefined && !emptyDir.medium && quantityBytes(emptyDir.sizeLimit) > 0n
      ? [{ name, sizeLimit: emptyDir.sizeLimit }]
      : [],
  );
}

/** A limit of 0 is none, as in the kubelet. */
function exceeds(usedBytes: number | undefined, limit: string | undefined): boolean {
  if (usedBytes === undefined || limit === undefined) return false;
  const limitBytes = quantityBytes(limit);
  return limitBytes > 0n && BigInt(Math.floor(usedBytes)) > limitBytes;
}
