import type { ObservedPod } from '../../runtime/observed.ts';
import type { PodDisk } from '../../stats/pod-disk.ts';
import type { PodStorageUsage } from './storage-limits.ts';

/**
 * What counts as a pod's own on the disk. PURE
 *
 * @param written bytes in the writable layer of each container, by its id, as the runtime tells.
 */
export function podStorageUsage(
  { emptyDirs, payloads, logs, others }: PodDisk,
  observed: ObservedPod,
  written: ReadonlyMap<string, { readonly usedBytes: number }>,
): PodStorageUsage {
  const containers = new Map<string, number>();
  const add = (container: string, bytes: number) => containers.set(container, (containers.get(container) ?? 0) + bytes);
  for (const [container, { bytes }] of logs) add(container, bytes);
  for (const { id, containerName, state } of observed.containers) {
    if (state === 'RUNNING') add(containerName, written.get(id)?.usedBytes ?? 0);
  }
  return {
    emptyDirs: new Map([...emptyDirs].map(([volume, { bytes }]) => [volume, bytes])),
    containers,
    otherBytes: [...payloads.values()].reduce((sum, { bytes }) => sum + bytes, others.bytes),
  };
}
