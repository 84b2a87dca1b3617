import type {
  CgroupUsage,
  ContainerUsage,
  CpuUsage,
  FsUsage,
  InterfaceUsage,
  LayerUsage,
  MemoryUsage,
  NodeUsage,
  PodUsage,
  Usage,
} from './usage.ts';

export interface SummaryOptions {
  readonly nodeName: string;
  /** Undefined: CPU and memory only. */
  readonly layers: LayerUsage | undefined;
}

/** A kubelet's `/stats/summary` (k8s.io/kubelet's stats/v1alpha1). What is not known is left out. PURE. */
export function summary({ node, pods }: Usage, { nodeName, layers }: SummaryOptions): object {
  return { node: nodeSummary(node, nodeName, layers), pods: pods.map((pod) => podSummary(pod, layers)) };
}

function nodeSummary(node: NodeUsage, nodeName: string, layers: LayerUsage | undefined): object {
  const time = rfc3339(node.atMs);
  const base = { nodeName, startTime: rfc3339(node.bootedAtMs), ...cpuAndMemory(node, time) };
  if (!layers) return base;
  const swapUsageBytes = node.memory?.swapBytes ?? 0;
  return {
    ...base,
    network: networkSummary(node.interfaces, time),
    fs: fsSummary(node.fs, time),
    runtime: layers.imageFs && { imageFs: fsSummary(layers.imageFs, time) },
    rlimit: { time, maxpid: node.maxProcesses, curproc: node.processes },
    swap: { time, swapAvailableBytes: node.swapCapacityBytes - swapUsageBytes, swapUsageBytes },
  };
}

function podSummary(pod: PodUsage, layers: LayerUsage | undefined): object {
  const { name, namespace, uid } = pod;
  const time = rfc3339(pod.atMs);
  const base = {
    podRef: { name, namespace, uid },
    startTime: rfc3339(pod.startedAtMs),
    containers: pod.containers.map((container) => containerSummary(container, layers)),
    ...cpuAndMemory(pod, time),
  };
  if (!layers) return base;
  return {
    ...base,
    network: pod.interfaces && networkSummary(pod.interfaces, time),
    process_stats: { process_count: pod.processes },
    swap: swapSummary(pod.memory, time),
  };
}

function containerSummary(container: ContainerUsage, layers: LayerUsage | undefined): object {
  const time = rfc3339(container.atMs);
  const { id, name, startedAtMs } = container;
  const base = { name, startTime: rfc3339(startedAtMs), ...cpuAndMemory(container, time) };
  if (!layers) return base;
  const written = layers.written.get(id);
  // What it may use is what the images' file system has; what it does use is its own layer.
  const rootfs = written && { ...fsSummary(layers.imageFs, time), ...written, time };
  return { ...base, rootfs, swap: swapSummary(container.memory, time) };
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
