import type { DiskUsage } from '../volumes/disk-usage.ts';

/** What a cgroup, a pod or the node has used. Times in nanoseconds and sizes in bytes fit a double for years of use. */

/** The average between two samples. */
export interface CpuRate {
  readonly nanoCores: number;
  readonly windowMs: number;
}

export interface CpuUsage {
  /** Since the cgroup was made, or the machine was started. */
  readonly usageNanos: number;
  readonly userNanos?: number | undefined;
  readonly systemNanos?: number | undefined;
  /** Of CFS, where there is a limit: how many periods passed, and in how many of them, and for how long, it was held back. */
  readonly periods?: number | undefined;
  readonly throttledPeriods?: number | undefined;
  readonly throttledNanos?: number | undefined;
  /** Undefined where there is no earlier sample. */
  readonly rate?: CpuRate | undefined;
}

export interface MemoryUsage {
  readonly usageBytes: number;
  /** What cannot be given back at once: usage without `inactive_file`. What a kubelet evicts by. */
  readonly workingSetBytes: number;
  readonly rssBytes: number;
  readonly cacheBytes: number;
  readonly mappedFileBytes: number;
  readonly pageFaults: number;
  readonly majorPageFaults: number;
  /** Undefined without a limit. Of the node: its memory. */
  readonly limitBytes?: number | undefined;
  /** Undefined where swap is not accounted. */
  readonly swapBytes?: number | undefined;
}

/** What was read from and written to disks, of all of them together. */
export interface IoUsage {
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly reads: number;
  readonly writes: number;
}

export interface CgroupUsage {
  readonly cpu?: CpuUsage | undefined;
  readonly memory?: MemoryUsage | undefined;
  readonly processes?: number | undefined;
  readonly io?: IoUsage | undefined;
}

export interface InterfaceUsage {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

export interface FsUsage {
  readonly availableBytes: number;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  readonly inodesFree: number;
  readonly inodes: number;
  readonly inodesUsed: number;
}

export interface ContainerUsage extends CgroupUsage {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  /** Below each hierarchy's mount point. */
  readonly cgroup: string;
  /** Since the epoch, milliseconds. */
  readonly startedAtMs: number;
  /** When it was read. */
  readonly atMs: number;
}

export interface PodUsage extends CgroupUsage {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly startedAtMs: number;
  readonly atMs: number;
  readonly cgroup: string;
  /** Those that run, by name. */
  readonly containers: readonly ContainerUsage[];
  /** Undefined with the host's network, or when nobody asked for it. */
  readonly interfaces?: readonly InterfaceUsage[] | undefined;
}

export interface NodeUsage extends CgroupUsage {
  readonly bootedAtMs: number;
  readonly atMs: number;
  readonly swapCapacityBytes: number;
  readonly maxProcesses: number;
  readonly interfaces: readonly InterfaceUsage[];
  /** The file system of the daemon's state: volumes of pods are there. */
  readonly fs: FsUsage | undefined;
}

/** What only the runtime knows: where images are, and what containers have written to their own layers. */
export interface LayerUsage {
  readonly imageFs: FsUsage | undefined;
  /** By container id. */
  readonly written: ReadonlyMap<string, { readonly usedBytes: number; readonly inodesUsed: number }>;
}

export interface VolumeUsage {
  readonly name: string;
  /** The claim that it is of. */
  readonly claim: string | undefined;
  /** What is used is the volume's own where it has no file system of its own. */
  readonly fs: FsUsage;
}

/** PURE */
export function sumOfUsage(usages: readonly DiskUsage[]): DiskUsage {
  return usages.reduce((a, b) => ({ bytes: a.bytes + b.bytes, inodes: a.inodes + b.inodes }), { bytes: 0, inodes: 0 });
}

/** What a pod has on disks, without the writable layers of its containers. */
export interface PodDiskUsage {
  /** When it was measured. */
  readonly atMs: number;
  /** The file system where all of it is but some volumes. */
  readonly fs: FsUsage | undefined;
  /** As the pod lists them; those of which something is known. */
  readonly volumes: readonly VolumeUsage[];
  /** By the container's name. */
  readonly logs: ReadonlyMap<string, DiskUsage>;
  /** All that goes with the pod, but logs: volumes on the node's disk, hosts file, termination messages. */
  readonly own: DiskUsage;
}

/** All that takes room on disks. */
export interface StorageUsage extends LayerUsage {
  /** By UID; those that were measured. */
  readonly pods: ReadonlyMap<string, PodDiskUsage>;
}

export interface Usage {
  readonly node: NodeUsage;
  /** By namespace and name. */
  readonly pods: readonly PodUsage[];
}
