import { readdir, readFile, statfs } from 'node:fs/promises';
import { cpus } from 'node:os';

/** What the machine has. Bytes and counts are exact; `hugepages` is bytes by resource name (`hugepages-2Mi`). */
export interface NodeCapacity {
  readonly cpuCount: number;
  readonly memoryBytes: bigint;
  readonly swapBytes: bigint;
  /** Size of the file system that pods write to. */
  readonly ephemeralStorageBytes: bigint;
  readonly hugepages: ReadonlyMap<string, bigint>;
}

/**
 * Reads what the machine has.
 *
 * @param stateDir the directory whose file system holds the pods' volumes.
 * @throws Error where the kernel's figures cannot be read.
 */
export async function readCapacity(stateDir: string): Promise<NodeCapacity> {
  const [cpuCount, meminfo, storage, hugepages] = await Promise.all([
    onlineCpus(),
    readFile('/proc/meminfo', 'utf8'),
    statfs(stateDir, { bigint: true }),
    readHugepages(),
  ]);
  const memory = parseMeminfo(meminfo);
  return {
    cpuCount,
    memoryBytes: memory.totalBytes,
    swapBytes: memory.swapBytes,
    ephemeralStorageBytes: storage.blocks * storage.bsize,
    hugepages,
  };
}

/** Not what the daemon itself may use: pods are not bound to the daemon's CPU affinity. */
async function onlineCpus(): Promise<number> {
  try {
    const count = countCpuList(await readFile('/sys/devices/system/cpu/online', 'utf8'));
    if (count > 0) return count;
  } catch {
    // No such file where /sys is not the machine's: Node's own count, from /proc, is as good.
  }
  return Math.max(cpus().length, 1);
}

/** The number of CPUs in a list such as `0-3,8`. PURE */
export function countCpuList(list: string): number {
  let count = 0;
  for (const range of list.trim().split(',')) {
    const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    if (first !== undefined) count += Number(last ?? first) - Number(first) + 1;
  }
  return count;
}

/** @throws Error where the text has no total. PURE */
export function parseMeminfo(text: string): { totalBytes: bigint; swapBytes: bigint } {
  const kib = (name: string) => new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  const total = kib('MemTotal');
  if (total === undefined) throw new Error('/proc/meminfo does not say how much memory there is');
  return { totalBytes: BigInt(total) * 1024n, swapBytes: BigInt(kib('SwapTotal') ?? 0) * 1024n };
}

async function readHugepages(): Promise<Map<string, bigint>> {
  const hugepages = new Map<string, bigint>();
  const root = '/sys/kernel/mm/hugepages';
  for (const dir of await hugepageDirs(root)) {
    const kib = /^hugepages-(\d+)kB$/.exec(dir)?.[1];
    if (kib === undefined) continue;
    const pageBytes = BigInt(kib) * 1024n;
    const count = BigInt((await readFile(`${root}/${dir}/nr_hugepages`, 'utf8')).trim());
    hugepages.set(hugepageResource(pageBytes), count * pageBytes);
  }
  return hugepages;
}

async function hugepageDirs(root: string): Promise<string[]> {
  try {
    return await readdir(root);
  } catch {
    // A kernel without huge pages has no such directory.
    return [];
  }
}

/** The name that Kubernetes gives to huge pages of this size: 2097152 is `hugepages-2Mi`. PURE */
export function hugepageResource(pageBytes: bigint): string {
  let size = pageBytes;
  let unit = '';
  for (const next of ['Ki', 'Mi', 'Gi']) {
    if (size % 1024n !== 0n) break;
    size /= 1024n;
    unit = next;
  }
  return `hugepages-${size}${unit}`;
}
