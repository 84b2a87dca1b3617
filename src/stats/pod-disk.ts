import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../api/pod.ts';
import { podLogDirectoryName } from '../logs/paths.ts';
import { errorCode } from '../util/safe-fs.ts';
import { type DiskUsage, diskUsage } from '../volumes/disk-usage.ts';
import { payloadVolumeOf, payloadVolumePath } from '../volumes/payload-volume.ts';
import {
  CONTAINERS,
  emptyDirsDirectory,
  HOSTS_FILE,
  LOCAL_VOLUMES,
  NFS_VOLUMES,
  podDirectory,
  volumesDirectory,
} from '../volumes/pod-directory.ts';
import { sumOfUsage } from './usage.ts';

export interface StoragePlaces {
  /** `<state>/pods`. */
  readonly podsDir: string;
  /** `/var/log/pods`. */
  readonly logDirectory: string;
}

/** What a pod has on the disk of the node, without the writable layers of its containers. */
export interface PodDisk {
  /** By name, those on the disk. */
  readonly emptyDirs: ReadonlyMap<string, DiskUsage>;
  /** Volumes with objects of the API, by name, those on the disk. */
  readonly payloads: ReadonlyMap<string, DiskUsage>;
  /** By the container's name. */
  readonly logs: ReadonlyMap<string, DiskUsage>;
  /** The rest: hosts file, termination messages. */
  readonly others: DiskUsage;
}

const NOTHING: DiskUsage = { bytes: 0, inodes: 0 };

/** Where volumes of a pod are, by name: `onDisk` those that take room there, `mounted` those with a file system of their own. */
interface VolumePaths {
  readonly emptyDirs: ReadonlyMap<string, string>;
  readonly payloads: ReadonlyMap<string, string>;
  readonly mounted: ReadonlyMap<string, string>;
}

/**
 * Walks through what a pod has on the disk. Nothing in it is entered by a path that the pod could change: the directories
 * named here are the daemon's own.
 */
export async function measurePodDisk(
  pod: Pod,
  { podsDir, logDirectory }: StoragePlaces,
  signal: AbortSignal,
): Promise<PodDisk> {
  const { uid = '', name = '', namespace = '' } = pod.metadata;
  const own = podDirectory(podsDir, uid);
  const { emptyDirs, payloads } = volumePaths(pod, podsDir);
  const logs = join(logDirectory, podLogDirectoryName({ uid, name, namespace }));
  const containerLogs = new Map((await namesIn(logs)).map((container) => [container, join(logs, container)] as const));
  // Each counts for the first that leads to it: what is left of `volumes` is in none of those above.
  const volumes = volumesDirectory(podsDir, uid);
  const kinds = (await namesIn(volumes)).filter((kind) => kind !== NFS_VOLUMES).map((kind) => join(volumes, kind));
  const others = [...kinds, join(own, CONTAINERS), join(own, HOSTS_FILE)];
  const named = [emptyDirs, payloads, containerLogs].flatMap((paths) => [...paths.values()]);
  const usage = await diskUsage([...named, ...others], { signal });
  const usageOf = (paths: ReadonlyMap<string, string>) =>
    new Map([...paths].map(([key, path]) => [key, usage.get(path) ?? NOTHING] as const));
  return {
    emptyDirs: usageOf(emptyDirs),
    payloads: usageOf(payloads),
    logs: usageOf(containerLogs),
    others: sumOfUsage(others.map((path) => usage.get(path) ?? NOTHING)),
  };
}

/**
 * The volumes of a pod that are file systems of their own, by name, with their paths: in memory, or a persistent one.
 * Not those of nfs, whose server may keep waiting whoever asks. PURE
 */
export function mountedVolumes(pod: Pod, podsDir: string): ReadonlyMap<string, string> {
  return volumePaths(pod, podsDir).mounted;
}

function volumePaths(pod: Pod, podsDir: string): VolumePaths {
  const { uid = '' } = pod.metadata;
  const volumesDir = volumesDirectory(podsDir, uid);
  const emptyDirs = new Map<string, string>();
  const payloads = new Map<string, string>();
  const mounted = new Map<string, string>();
  for (const volume of pod.spec.volumes ?? []) {
    const { name, emptyDir, persistentVolumeClaim, ephemeral } = volume;
    const payload = payloadVolumeOf(pod, volume);
    if (emptyDir) {
      (emptyDir.medium ? mounted : emptyDirs).set(name, join(emptyDirsDirectory(podsDir, uid), name));
    } else if (payload) {
      (payload.medium ? mounted : payloads).set(name, payloadVolumePath(volumesDir, payload));
    } else if (persistentVolumeClaim || ephemeral) {
      mounted.set(name, join(volumesDir, LOCAL_VOLUMES, name));
    }
  }
  return { emptyDirs, payloads, mounted };
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
