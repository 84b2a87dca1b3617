import type { Container, Pod } from '../api/pod.ts';
import { podRequests } from '../api/pod-resources.ts';
import { qosClass } from '../api/qos.ts';
import type { CgroupResources } from './cgroup-fs.ts';
import { bytesOf } from './formulas.ts';

/**
 * A kubelet's feature MemoryQoS (KEP-2570 as of Kubernetes 1.36), for cgroup v2: memory that was requested is kept from
 * being reclaimed, and what uses more than that is slowed down before it meets its limit. PURE.
 */
export interface MemoryQos {
  /** Above 0, at most 1: how much of what lies between request and limit can be used at full speed. */
  readonly throttlingFactor: number;
  /** `None`: requests are not protected. */
  readonly reservationPolicy: 'None' | 'TieredReservation';
  /** What stands in for a limit that is missing. */
  readonly allocatableBytes: bigint;
}

/** Values of these files that the kernel has for a new cgroup. */
export const NO_MEMORY_QOS = { 'memory.min': '0', 'memory.low': '0', 'memory.high': 'max' } as const;

/** The kernel cuts off what is no whole page; larger ones than this are its own business. */
const PAGE_BYTES = 4096n;

/**
 * What the kernel is told of a container, every value named, so that a change in place takes back what was there.
 * A Guaranteed container may use all it has at full speed.
 *
 * @param limit of the container, or of its pod; 0: none.
 */
export function containerMemoryQos(
  pod: Pod,
  container: Container,
  limit: bigint,
  qos: MemoryQos,
): Record<keyof typeof NO_MEMORY_QOS, string> {
  const request = bytesOf(container.resources?.requests, 'memory');
  const { minBytes, lowBytes } = protection(pod, request, qos);
  const high = qosClass(pod) === 'Guaranteed' ? undefined : memoryHigh(request, limit, qos);
  return {
    'memory.min': String(minBytes),
    'memory.low': String(lowBytes),
    'memory.high': high === undefined ? NO_MEMORY_QOS['memory.high'] : String(high),
  };
}

/**
 * From how many bytes on a container is slowed down; undefined: never.
 *
 *     request + factor * (limit - request), in whole pages
 */
export function memoryHigh(request: bigint, limit: bigint, qos: MemoryQos): bigint | undefined {
  if (limit !== 0n && limit === request) return undefined;
  const most = limit === 0n ? qos.allocatableBytes : limit;
  const bytes = Math.floor(Number(request) + Number(most - request) * qos.throttlingFactor);
  const high = (BigInt(bytes) / PAGE_BYTES) * PAGE_BYTES;
  return high > request ? high : undefined;
}

/** What the pod's own cgroup is told; throttling is for containers only, or one would slow down the others. */
export function podMemoryQos(pod: Pod, qos: MemoryQos): CgroupResources {
  const { minBytes, lowBytes } = protection(pod, bytesOf(podRequests(pod), 'memory'), qos);
  return { memoryMinBytes: minBytes, memoryLowBytes: lowBytes };
}

/** What the cgroup of the burstable class and that of all pods are told. */
export interface QosMemory {
  readonly burstable: CgroupResources;
  readonly root: CgroupResources;
}

/**
 * A cgroup protects no more than the one above it does: each has the sum of those below. (A kubelet leaves memory.low of
 * the uppermost at 0, by which the burstable class loses its own.)
 */
export function qosMemory(pods: readonly Pod[], qos: MemoryQos): QosMemory {
  let min = 0n;
  let low = 0n;
  for (const pod of pods) {
    const { memoryMinBytes = 0n, memoryLowBytes = 0n } = podMemoryQos(pod, qos);
    min += memoryMinBytes;
    low += memoryLowBytes;
  }
  return {
    burstable: { memoryLowBytes: low },
    root: { memoryMinBytes: min + low, memoryLowBytes: low },
  };
}

/** Never reclaimed: what Guaranteed pods request. Reclaimed last: what Burstable ones do. */
function protection(
  pod: Pod,
  request: bigint,
  { reservationPolicy }: MemoryQos,
): { minBytes: bigint; lowBytes: bigint } {
  if (reservationPolicy === 'None') return { minBytes: 0n, lowBytes: 0n };
  const qos = qosClass(pod);
  return { minBytes: qos === 'Guaranteed' ? request : 0n, lowBytes: qos === 'Burstable' ? request : 0n };
}
