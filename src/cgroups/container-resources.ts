import type { Container, Pod } from '../api/pod.ts';
import { aggregateContainerRequests, isSidecar, type ResourceList } from '../api/pod-resources.ts';
import { qosClass } from '../api/qos.ts';
import {
  bytesOf,
  DEFAULT_CFS_PERIOD_MICROS,
  hugepageLimits,
  milliCpuToQuota,
  milliCpuToShares,
  milliOf,
} from './formulas.ts';
import { containerMemoryQos, type MemoryQos } from './memory-qos.ts';

/** What a container is told of the machine it is on. */
export interface ContainerNode {
  readonly memoryCapacityBytes: bigint;
  readonly cgroupVersion: 1 | 2;
  /** As cgroup files spell them (`2MB`); none where huge pages cannot be limited. */
  readonly hugepageSizes: readonly string[];
  /** Whether memory and swap can be limited apart here. */
  readonly swapController: boolean;
  /** Default true: CPU limits are enforced. */
  readonly cpuCfsQuota?: boolean;
  /** Default 100 000. */
  readonly cpuCfsQuotaPeriodMicros?: number;
  /** Default false: an OOM kill takes the container as a whole (v2 only). */
  readonly singleProcessOomKill?: boolean;
  /** Undefined: memory is neither protected nor throttled. */
  readonly memoryQos?: MemoryQos | undefined;
  /** The least oom_score_adj that the runtime can set; a runtime without CAP_SYS_RESOURCE cannot go below its own. Default -1000. */
  readonly minOomScoreAdj?: number;
}

/** CRI's LinuxContainerResources; int64 as bigint, to be written as text where the gRPC library takes no bigint. */
export interface CriLinuxResources {
  readonly cpuPeriod?: bigint;
  /** Microseconds per period; 0: no limit. */
  readonly cpuQuota?: bigint;
  readonly cpuShares: bigint;
  /** Absent: no limit. */
  readonly memoryLimitInBytes?: bigint;
  readonly memorySwapLimitInBytes?: bigint;
  readonly oomScoreAdj: bigint;
  readonly hugepageLimits: readonly { readonly pageSize: string; readonly limit: bigint }[];
  /** v2 files and their values. */
  readonly unified: Readonly<Record<string, string>>;
}

const GUARANTEED_OOM_SCORE_ADJ = -997;
const BEST_EFFORT_OOM_SCORE_ADJ = 1000;
/** Above every Guaranteed pod, below every BestEffort one. */
const MIN_BURSTABLE_OOM_SCORE_ADJ = 3;
const MAX_BURSTABLE_OOM_SCORE_ADJ = 999;

/**
 * What the runtime sets on the container's cgroup and first process. PURE
 * (generateLinuxContainerResources in pkg/kubelet/kuberuntime/kuberuntime_container_linux.go.)
 */
export function containerLinuxResources(pod: Pod, container: Container, node: ContainerNode): CriLinuxResources {
  const requests = container.resources?.requests;
  const cpuLimit = limitOrPods(pod, container, (limits) => milliOf(limits, 'cpu'), 0);
  const memoryLimit = limitOrPods(pod, container, (limits) => bytesOf(limits, 'memory'), 0n);
  const cpuRequest = requests?.cpu === undefined ? cpuLimit : milliOf(requests, 'cpu');
  const period = node.cpuCfsQuotaPeriodMicros ?? DEFAULT_CFS_PERIOD_MICROS;
  const adjustment = oomScoreAdj(pod, container, node.memoryCapacityBytes);
  return {
    cpuShares: BigInt(milliCpuToShares(cpuRequest)),
    ...((node.cpuCfsQuota ?? true) && {
      cpuPeriod: BigInt(period),
      cpuQuota: BigInt(milliCpuToQuota(cpuLimit, period)),
    }),
    ...(memoryLimit !== 0n && { memoryLimitInBytes: memoryLimit }),
    // v1 limits memory and swap together: as much as memory alone leaves no swap.
    ...(memoryLimit !== 0n &&
      node.cgroupVersion === 1 &&
      node.swapController && { memorySwapLimitInBytes: memoryLimit }),
    oomScoreAdj: BigInt(Math.max(adjustment, node.minOomScoreAdj ?? -1000)),
    hugepageLimits: [...hugepageLimits(container.resources?.limits, node.hugepageSizes)].map(([pageSize, limit]) => ({
      pageSize,
      limit,
    })),
    unified: {
      ...unifiedResources(node),
      ...(node.memoryQos && containerMemoryQos(pod, container, memoryLimit, node.memoryQos)),
    },
  };
}

function unifiedResources(node: ContainerNode): Record<string, string> {
  if (node.cgroupVersion !== 2) return {};
  return {
    ...(!(node.singleProcessOomKill ?? false) && { 'memory.oom.group': '1' }),
    ...(node.swapController && { 'memory.swap.max': '0' }),
  };
}

/** A container without a limit of its own is still bounded by the pod's, and programs that look at their cgroup see it. */
function limitOrPods<T>(pod: Pod, container: Container, read: (limits: ResourceList | undefined) => T, none: T): T {
  const own = read(container.resources?.limits);
  return own === none ? read(pod.spec.resources?.limits) : own;
}

/**
 * Who goes first when the machine runs out of memory: BestEffort 1000, Guaranteed and system-node-critical -997, Burstable
 * the less the larger the share of the node's memory that was asked for, between 3 and 999. PURE
 * (GetContainerOOMScoreAdjust in pkg/kubelet/qos/policy.go.)
 */
export function oomScoreAdj(pod: Pod, container: Container, memoryCapacityBytes: bigint): number {
  if (isNodeCritical(pod)) return GUARANTEED_OOM_SCORE_ADJ;
  switch (qosClass(pod)) {
    case 'Guaranteed':
      return GUARANTEED_OOM_SCORE_ADJ;
    case 'BestEffort':
      return BEST_EFFORT_OOM_SCORE_ADJ;
    case 'Burstable': {
      const surplus = podSurplusPerContainer(pod);
      let request = memoryRequest(container) + surplus;
      if (isSidecarOf(pod, container)) {
        // A sidecar does not go before the containers that it serves.
        const least = leastMemoryRequest(pod) + surplus;
        if (least > request) request = least;
      }
      const adjustment = Number(1000n - (1000n * request) / memoryCapacityBytes);
      return Math.min(Math.max(adjustment, MIN_BURSTABLE_OOM_SCORE_ADJ), MAX_BURSTABLE_OOM_SCORE_ADJ);
    }
  }
}

function isNodeCritical(pod: Pod): boolean {
  return pod.spec.priorityClassName === 'system-node-critical';
}

function memoryRequest(container: Container): bigint {
  return bytesOf(container.resources?.requests, 'memory');
}

function leastMemoryRequest(pod: Pod): bigint {
  let least: bigint | undefined;
  for (const request of pod.spec.containers.map(memoryRequest)) {
    if (least === undefined || request < least) least = request;
  }
  return least ?? 0n;
}

/** What the pod requests as a whole beyond its containers, split evenly over all of them, init containers included. */
function podSurplusPerContainer(pod: Pod): bigint {
  const podRequest = bytesOf(pod.spec.resources?.requests, 'memory');
  if (podRequest === 0n) return 0n;
  const requested = bytesOf(Object.fromEntries(aggregateContainerRequests(pod.spec)), 'memory');
  const containers = pod.spec.containers.length + (pod.spec.initContainers ?? []).length;
  return (podRequest - requested) / BigInt(containers);
}

/** A container that is no init container can have the same restart policy. */
function isSidecarOf({ spec }: Pod, container: Container): boolean {
  return isSidecar(container) && (spec.initContainers ?? []).some(({ name }) => name === container.name);
}
