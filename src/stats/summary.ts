import type { DiskUsage } from '../volumes/disk-usage.ts';
import {
  type CgroupUsage,
  type ContainerUsage,
  type CpuUsage,
  type FsUsage,
  type InterfaceUsage,
  type MemoryUsage,
  type NodeUsage,
  type PodDiskUsage,
  type PodUsage,
  type StorageUsage,
  sumOfUsage,
  type Usage,
  type VolumeUsage,
} from './usage.ts';

export interface SummaryOptions {
  readonly nodeName: string;
  /** Undefined: CPU and memory only. */
  readonly storage: StorageUsage | undefined;
}

/** A kubelet's `/stats/summary` (k8s.io/kubelet's stats/v1alpha1). What is not known is left out. PURE. */
export function summary({ node, pods }: Usage, { nodeName, storage }: SummaryOptions): object {
  return { node: nodeSummary(node, nodeName, storage), pods: pods.map((pod) => podSummary(pod, storage)) };
}

function nodeSummary(node: NodeUsage, nodeName: string, storage: StorageUsage | undefined): object {
  const time = rfc3339(node.atMs);
  const base = { nodeName, startTime: rfc3339(node.bootedAtMs), ...cpuAndMemory(node, time) };
  if (!storage) return base;
  const swapUsageBytes = node.memory?.swapBytes ?? 0;
  return {
    ...base,
    network: networkSummary(node.interfaces, time),
    fs: fsSummary(node.fs, time),
    runtime: storage.imageFs && { imageFs: fsSummary(storage.imageFs, time) },
    rlimit: { time, maxpid: node.maxProcesses, curproc: node.processes },
    swap: { time, swapAvailableBytes: node.swapCapacityBytes - swapUsageBytes, swapUsageBytes },
  };
}

function podSummary(pod: PodUsage, storage: StorageUsage | undefined): object {
  const { name, namespace, uid } = pod;
  const time = rfc3339(pod.atMs);
  const base = {
    podRef: { name, namespace, uid },
    startTime: rfc3339(pod.startedAtMs),
    containers: pod.containers.map((container) => containerSummary(container, uid, storage)),
    ...cpuAndMemory(pod, time),
  };
  if (!storage) return base;
  const disk = storage.pods.get(uid);
  return {
    ...base,
    network: pod.interfaces && networkSummary(pod.interfaces, time),
    volume:
      disk && disk.volumes.length > 0 ? disk.volumes.map((volume) => volumeSummary(volume, pod, disk)) : undefined,
    'ephemeral-storage': disk && takenOf(disk, storageOf(pod, disk, storage)),
    process_stats: { process_count: pod.processes },
    swap: swapSummary(pod.memory, time),
  };
}

function containerSummary(container: ContainerUsage, podUid: string, storage: StorageUsage | undefined): object {
  const time = rfc3339(container.atMs);
  const { id, name, startedAtMs } = container;
  const base = { name, startTime: rfc3339(startedAtMs), ...cpuAndMemory(container, time) };
  if (!storage) return base;
  const written = storage.written.get(id);
  // What it may use is what the images' file system has; what it does use is its own layer.
  const rootfs = written && { ...fsSummary(storage.imageFs, time), ...written, time };
  const disk = storage.pods.get(podUid);
  const logs = disk && takenOf(disk, disk.logs.get(name));
  return { ...base, rootfs, logs, swap: swapSummary(container.memory, time) };
}

function volumeSummary({ name, claim, fs }: VolumeUsage, { namespace }: PodUsage, { atMs }: PodDiskUsage): object {
  return {
    ...fsSummary(fs, rfc3339(atMs)),
    name,
    pvcRef: claim === undefined ? undefined : { name: claim, namespace },
  };
}

/** All that counts for limits of `ephemeral-storage`. */
function storageOf({ containers }: PodUsage, { own, logs }: PodDiskUsage, { written }: StorageUsage): DiskUsage {
  const layers = containers.flatMap(({ id }) => {
    const layer = written.get(id);
    return layer ? [{ bytes: layer.usedBytes, inodes: layer.inodesUsed }] : [];
  });
  return sumOfUsage([own, ...logs.values(), ...layers]);
}

/** What it may use is what the node's file system has; what it does use is its own. */
function takenOf({ fs, atMs }: PodDiskUsage, taken: DiskUsage | undefined): object | undefined {
  return fs && taken && fsSummary({ ...fs, usedBytes: taken.bytes, inodesUsed: taken.inodes }, rfc3339(atMs));
}

function cpuAndMemory({ cpu, memory }: CgroupUsage, time: string): object {
  return { cpu: cpu && cpuSummary(cpu, time), memory: memory && memorySummary(memory, time) };
}

function cpuSummary({ usageNanos, rate }: CpuUsage, time: string): object {
  return { time, usageNanoCores: rate?.nanoCores, usageCoreNanoSeconds: usageNanos };
}

function memorySummary(memory: MemoryUsage, time: string): object {
  const { usageBytes, workingSetBytes, rssBytes, pageFaults, majorPageFaults, limitBytes } = memory;
  const availableBytes = limitBytes === undefined ? undefined : Math.max(0, limitBytes - workingSetBytes);
  return { time, availableBytes, usageBytes, workingSetBytes, rssBytes, pageFaults, majorPageFaults };
}

function swapSummary(memory: MemoryUsage | undefined, time: string): object | undefined {
  return memory?.swapBytes === undefined ? undefined : { time, swapUsageBytes: memory.swapBytes };
}

function fsSummary(fs: FsUsage | undefined, time: string): object | undefined {
  return fs && { time, ...fs };
}

/** The primary one is shown twice, as a kubelet does: `eth0`, or the first. */
function networkSummary(interfaces: readonly InterfaceUsage[], time: string): object {
  const all = interfaces.map(({ name, rxBytes, rxErrors, txBytes, txErrors }) => ({
    name,
    rxBytes,
    rxErrors,
    txBytes,
    txErrors,
  }));
  return { time, ...(all.find(({ name }) => name === 'eth0') ?? all[0]), interfaces: all };
}

function rfc3339(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
