import type { ResourceList } from '../api/pod-resources.ts';
import { cpuMilli, formatQuantity, quantityBytes } from '../api/quantity.ts';
import type { NodeCapacity } from './capacity.ts';

/**
 * What pods may request of the node: its capacity less what is kept back. PURE
 * (pkg/kubelet/cm/node_container_manager_linux.go, pkg/kubelet/nodestatus/setters.go.)
 */

export interface Reservations {
  /** Quantities by resource name, as KubeletConfiguration's kubeReserved. */
  readonly kubeReserved: ResourceList;
  readonly systemReserved: ResourceList;
  /** Quantity or percentage by signal, as KubeletConfiguration's evictionHard: `memory.available` and `nodefs.available` count here. */
  readonly evictionHard: Readonly<Record<string, string>>;
  readonly maxPods: number;
}

export interface NodeResources {
  readonly capacity: ResourceList;
  readonly allocatable: ResourceList;
  /** What all pods together may use: capacity less the reservations, eviction not counted, which is to happen before. */
  readonly podLimits: { readonly cpuMilli: number; readonly memoryBytes: bigint };
}

export function nodeResources(capacity: NodeCapacity, reservations: Reservations): NodeResources {
  const memory = lessReserved(capacity.memoryBytes, reservations, 'memory', quantityBytes);
  const storage = lessReserved(capacity.ephemeralStorageBytes, reservations, 'ephemeral-storage', quantityBytes);
  const cpu = Number(
    lessReserved(BigInt(capacity.cpuCount) * 1000n, reservations, 'cpu', (amount) => BigInt(cpuMilli(amount))),
  );
  // Huge pages are memory that nothing else can use.
  const hugepageBytes = [...capacity.hugepages.values()].reduce((sum, bytes) => sum + bytes, 0n);
  const memoryEviction = threshold(reservations.evictionHard['memory.available'], capacity.memoryBytes);
  const storageEviction = threshold(reservations.evictionHard['nodefs.available'], capacity.ephemeralStorageBytes);
  const fixed = { ...hugepageList(capacity.hugepages), pods: String(reservations.maxPods) };
  return {
    capacity: {
      cpu: String(capacity.cpuCount),
      'ephemeral-storage': byteQuantity(capacity.ephemeralStorageBytes),
      memory: byteQuantity(capacity.memoryBytes),
      ...fixed,
    },
    allocatable: {
      cpu: cpu % 1000 === 0 ? String(cpu / 1000) : `${cpu}m`,
      'ephemeral-storage': byteQuantity(notNegative(storage - storageEviction)),
      memory: byteQuantity(notNegative(memory - memoryEviction - hugepageBytes)),
      ...fixed,
    },
    podLimits: { cpuMilli: cpu, memoryBytes: memory },
  };
}

function lessReserved(
  total: bigint,
  { kubeReserved, systemReserved }: Reservations,
  resource: string,
  parse: (amount: string) => bigint,
): bigint {
  return notNegative(total - parse(kubeReserved[resource] ?? '0') - parse(systemReserved[resource] ?? '0'));
}

/** A threshold is a quantity, or a percentage of what there is. */
function threshold(value: string | undefined, total: bigint): bigint {
  if (value === undefined) return 0n;
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(value)?.[1];
  if (percent === undefined) return quantityBytes(value);
  // Percentages are configured with few digits: hundred-thousandths of the whole are exact for them.
  return (total * BigInt(Math.round(Number(percent) * 1000))) / 100_000n;
}

function hugepageList(hugepages: ReadonlyMap<string, bigint>): ResourceList {
  return Object.fromEntries([...hugepages].map(([resource, bytes]) => [resource, byteQuantity(bytes)]));
}

function byteQuantity(bytes: bigint): string {
  return formatQuantity({ nanos: bytes * 1_000_000_000n, format: 'BinarySI' });
}

function notNegative(amount: bigint): bigint {
  return amount < 0n ? 0n : amount;
}
