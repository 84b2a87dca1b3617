import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../../api/pod.ts';
import { podLogDirectoryName } from '../../logs/paths.ts';
import type { ObservedPod } from '../../runtime/observed.ts';
import { errorCode } from '../../util/safe-fs.ts';
import { diskUsage } from '../../volumes/disk-usage.ts';
import {
  CONTAINERS,
  emptyDirsDirectory,
  HOSTS_FILE,
  NFS_VOLUMES,
  podDirectory,
  volumesDirectory,
} from '../../volumes/pod-directory.ts';
import { diskEmptyDirs, type PodStorageUsage } from './storage-limits.ts';

export interface StoragePlaces {
  /** `<state>/pods`. */
  readonly podsDir: string;
  /** `/var/log/pods`. */
  readonly logDirectory: string;
}

/**
 * What a pod has on the disk. Nothing in it is entered by a path that the pod could change: the directories named here
 * are the daemon's own.
 *
 * @param written bytes in the writable layer of each container, by its id, as the runtime tells.
 */
export async function measurePodStorage(
  pod: Pod,
  observed: ObservedPod,
  written: ReadonlyMap<string, { readonly usedBytes: number }>,
  { podsDir, logDirectory }: StoragePlaces,
  signal?: AbortSignal,
): Promise<PodStorageUsage> {
  const { uid = '', name = '', namespace = '' } = pod.metadata;
  const own = podDirectory(podsDir, uid);
  const emptyDirs = diskEmptyDirs(pod).map((volume) => ({
    volume,
    path: join(emptyDirsDirectory(podsDir, uid), volume),
  }));
  const logs = join(logDirectory, podLogDirectoryName({ uid, name, namespace }));
  const containerLogs = (await namesIn(logs)).map((container) => ({ container, path: join(logs, container) }));
  // Each counts for the first that leads to it: what is left of `volumes` is no emptyDir.
  const volumes = volumesDirectory(podsDir, uid);
  const kinds = (await namesIn(volumes)).filter((kind) => kind !== NFS_VOLUMES).map((kind) => join(volumes, kind));
  const others = [...kinds, join(own, CONTAINERS), join(own, HOSTS_FILE)];
  const paths = [...emptyDirs.map(({ path }) => path), ...containerLogs.map(({ path }) => path), ...others];
  const usage = await diskUsage(paths, signal ? { signal } : {});
  const bytesOf = (path: string) => usage.get(path)?.bytes ?? 0;
  const containers = new Map<string, number>();
  const add = (container: string, bytes: number) => containers.set(container, (containers.get(container) ?? 0) + bytes);
  for (const { container, path } of containerLogs) add(container, bytesOf(path));
  for (const { id, containerName, state } of observed.containers) {
    if (state === 'RUNNING') add(containerName, written.get(id)?.usedBytes ?? 0);
  }
  return {
    emptyDirs: new Map(emptyDirs.map(({ volume, path }) => [volume, bytesOf(path)])),
    containers,
    otherBytes: others.reduce((sum, path) => sum + bytesOf(path), 0),
  };
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
