import type { Pod } from '../api/pod.ts';
import { isSidecar, podLimits, podRequests, type ResourceList } from '../api/pod-resources.ts';
import { qosClass } from '../api/qos.ts';
import { cpuMilli, quantityBytes } from '../api/quantity.ts';
import type { CgroupResources } from './cgroup-fs.ts';

/**
 * The arithmetic from requests and limits to what the kernel is told, for pods, QoS classes and the node. PURE.
 * (pkg/kubelet/cm/helpers_linux.go; containers are in container-resources.ts.)
 */

/** The kernel's own bounds of cpu.shares. */
export const MIN_SHARES = 2;
export const MAX_SHARES = 262_144;
const SHARES_PER_CPU = 1024;

/** The period that a quota counts for, 100 ms in microseconds. */
export const DEFAULT_CFS_PERIOD_MICROS = 100_000;
/** The kernel takes no quota below 1 ms. */
const MIN_QUOTA_MICROS = 1000;

/** cpu.shares of a CPU request in thousandths; no request is the least weight, not the kernel's default of 1024. */
export function milliCpuToShares(milliCpu: number): number {
  return Math.min(Math.max(Math.floor((milliCpu * SHARES_PER_CPU) / 1000), MIN_SHARES), MAX_SHARES);
}

/** Microseconds of CPU time per period for a CPU limit in thousandths; 0, which is no limit, for 0. */
export function milliCpuToQuota(milliCpu: number, periodMicros = DEFAULT_CFS_PERIOD_MICROS): number {
  if (milliCpu === 0) return 0;
  return Math.max(Math.floor((milliCpu * periodMicros) / 1000), MIN_QUOTA_MICROS);
}

/**
 * cpu.weight of a slice, from [2, 262144] to [1, 10000] in a straight line, as a kubelet converts for its own slices.
 * Runtimes convert a container's shares by another curve: 1 CPU is 39 here and 100 there (cgroup_manager_linux.go).
 */
export function sharesToWeight(shares: number): number {
  if (shares >= MAX_SHARES) return 10_000;
  return 1 + Math.floor(((Math.max(shares, MIN_SHARES) - MIN_SHARES) * 9999) / (MAX_SHARES - MIN_SHARES));
}

export function milliOf(amounts: ResourceList | undefined, resource: string): number {
  const amount = amounts?.[resource];
  return amount === undefined ? 0 : cpuMilli(amount);
}

export function bytesOf(amounts: ResourceList | undefined, resource: string): bigint {
  const amount = amounts?.[resource];
  return amount === undefined ? 0n : quantityBytes(amount);
}

export interface PodCgroupOptions {
  /** -1: no limit. */
  readonly podPidsLimit: number;
  /** False: CPU limits are not enforced. */
  readonly cpuCfsQuota: boolean;
  readonly cpuCfsQuotaPeriodMicros?: number;
  /** Page sizes that can be limited here, as cgroup files spell them (`2MB`); none where there is no hugetlb controller. */
  readonly hugepageSizes: readonly string[];
}

/**
 * What the pod's own cgroup is told. Sums are over all containers with the pod's overhead, or the pod-level resources
 * where those are set; a limit is set only when no container could exceed it by its own right (ResourceConfigForPod).
 */
export function podCgroupResources(pod: Pod, options: PodCgroupOptions): CgroupResources {
  const requests = podRequests(pod);
  const limits = podLimits(pod);
  const qos = qosClass(pod);
  const periodMicros = options.cpuCfsQuotaPeriodMicros ?? DEFAULT_CFS_PERIOD_MICROS;
  const quotaMicros = milliCpuToQuota(milliOf(limits, 'cpu'), periodMicros);
  const limitsCpu = qos === 'Guaranteed' || (qos === 'Burstable' && isLimited(pod, 'cpu'));
  const limitsMemory = qos === 'Guaranteed' || (qos === 'Burstable' && isLimited(pod, 'memory'));
  return {
    cpuShares: qos === 'BestEffort' ? MIN_SHARES : milliCpuToShares(milliOf(requests, 'cpu')),
    ...(limitsCpu && { cpuPeriodMicros: periodMicros, cpuQuotaMicros: options.cpuCfsQuota ? quotaMicros : -1 }),
    ...(limitsMemory && { memoryBytes: bytesOf(limits, 'memory') }),
    ...(options.podPidsLimit > 0 && { pidsMax: options.podPidsLimit }),
    ...(options.hugepageSizes.length > 0 && { hugepages: hugepageLimits(requests, options.hugepageSizes) }),
  };
}

/** What has room for both; a limit that only one of them has is left out. PURE */
export function largerResources(one: CgroupResources, other: CgroupResources): CgroupResources {
  const { cpuShares, cpuPeriodMicros, cpuQuotaMicros, memoryBytes, ...rest } = one;
  const quotas = [cpuQuotaMicros, other.cpuQuotaMicros];
  const quota = quotas.includes(-1) ? -1 : larger(cpuQuotaMicros, other.cpuQuotaMicros);
  const memory = larger(memoryBytes, other.memoryBytes);
  return {
    ...rest,
    cpuShares: Math.max(cpuShares ?? 0, other.cpuShares ?? 0),
    ...(quota !== undefined && cpuPeriodMicros !== undefined && { cpuPeriodMicros, cpuQuotaMicros: quota }),
    ...(memory !== undefined && { memoryBytes: memory }),
  };
}

function larger<T extends number | bigint>(one: T | undefined, other: T | undefined): T | undefined {
  if (one === undefined || other === undefined) return undefined;
  return one > other ? one : other;
}

/**
 * Whether every container is limited, or the pod as a whole. An init container counts as limited when a sidecar started
 * before it is: what the pod needs at that time is the sum of both.
 */
function isLimited(pod: Pod, resource: 'cpu' | 'memory'): boolean {
  if (!isZero(pod.spec.resources?.limits, resource)) return true;
  if (pod.spec.containers.some((container) => isZero(container.resources?.limits, resource))) return false;
  let limitedSidecar = false;
  for (const container of pod.spec.initContainers ?? []) {
    const limited = !isZero(container.resources?.limits, resource);
    if (!limited && !limitedSidecar) return false;
    if (isSidecar(container)) limitedSidecar ||= limited;
  }
  return true;
}

function isZero(amounts: ResourceList | undefined, resource: 'cpu' | 'memory'): boolean {
  return resource === 'cpu' ? milliOf(amounts, resource) === 0 : bytesOf(amounts, resource) === 0n;
}

/**
 * Bytes of huge pages by size, 0 for each size that was not asked for. Huge pages cannot be overcommitted: their request
 * is their limit.
 */
export function hugepageLimits(amounts: ResourceList | undefined, sizes: readonly string[]): Map<string, bigint> {
  const limits = new Map(sizes.map((size) => [size, 0n]));
  for (const [resource, amount] of Object.entries(amounts ?? {})) {
    if (!resource.startsWith('hugepages-')) continue;
    const size = hugepageSizeName(quantityBytes(resource.slice('hugepages-'.length)));
    const before = limits.get(size);
    if (before !== undefined) limits.set(size, before + quantityBytes(amount));
  }
  return limits;
}

/** A page size in bytes as the kernel's cgroup files spell it: 2097152 is `2MB`. */
export function hugepageSizeName(bytes: bigint): string {
  let size = bytes;
  let unit = 'B';
  for (const next of ['KB', 'MB', 'GB']) {
    if (size < 1024n || size % 1024n !== 0n) break;
    size /= 1024n;
    unit = next;
  }
  return `${size}${unit}`;
}

/** What all pods together may use: the node's capacity less what is reserved for the system, eviction not counted. */
export interface RootLimits {
  readonly cpuMilli: number;
  readonly memoryBytes: bigint;
}

/** What `kubepods` itself is told (getCgroupConfig in node_container_manager_linux.go). CPU is a weight, not a limit. */
export function rootCgroupResources(limits: RootLimits): CgroupResources {
  return { cpuShares: milliCpuToShares(limits.cpuMilli), memoryBytes: limits.memoryBytes };
}

/** The weight of all burstable pods together: what they request (setCPUCgroupConfig in qos_container_manager_linux.go). */
export function burstableShares(pods: Iterable<Pod>): number {
  let milliCpu = 0;
  for (const pod of pods) {
    if (qosClass(pod) === 'Burstable') milliCpu += milliOf(podRequests(pod), 'cpu');
  }
  return milliCpuToShares(milliCpu);
}
