import type { CgroupUsage, CpuUsage, IoUsage, MemoryUsage } from './usage.ts';

/** The texts of a cgroup's files by their names; those that the kernel does not have are missing. */
export type CgroupTexts = Readonly<Record<string, string | undefined>>;

export interface UsageFile {
  /** The v1 controller whose hierarchy has the file. */
  readonly controller: string;
  readonly name: string;
}

/** The files to be read for `usageV1`. */
export const USAGE_FILES_V1: readonly UsageFile[] = [
  { controller: 'cpuacct', name: 'cpuacct.usage' },
  { controller: 'cpuacct', name: 'cpuacct.usage_user' },
  { controller: 'cpuacct', name: 'cpuacct.usage_sys' },
  { controller: 'cpu', name: 'cpu.stat' },
  { controller: 'memory', name: 'memory.usage_in_bytes' },
  { controller: 'memory', name: 'memory.limit_in_bytes' },
  { controller: 'memory', name: 'memory.stat' },
  { controller: 'pids', name: 'pids.current' },
  { controller: 'blkio', name: 'blkio.throttle.io_service_bytes_recursive' },
  { controller: 'blkio', name: 'blkio.throttle.io_serviced_recursive' },
];

/** The files to be read for `usageV2`. */
export const USAGE_FILES_V2: readonly string[] = [
  'cpu.stat',
  'memory.current',
  'memory.max',
  'memory.stat',
  'memory.swap.current',
  'pids.current',
  'io.stat',
];

/** More than any machine has: how v1 says that there is no limit. */
const NO_LIMIT_BYTES = 2 ** 60;

/** What the files of a v1 cgroup say, descendants included. PURE. */
export function usageV1(texts: CgroupTexts): CgroupUsage {
  const usageNanos = number(texts['cpuacct.usage']);
  const cfs = table(texts['cpu.stat']);
  const cpu: CpuUsage | undefined =
    usageNanos === undefined
      ? undefined
      : {
          usageNanos,
          userNanos: number(texts['cpuacct.usage_user']),
          systemNanos: number(texts['cpuacct.usage_sys']),
          periods: cfs.get('nr_periods'),
          throttledPeriods: cfs.get('nr_throttled'),
          throttledNanos: cfs.get('throttled_time'),
        };
  const stat = table(texts['memory.stat']);
  const total = (name: string) => stat.get(`total_${name}`) ?? 0;
  const limit = number(texts['memory.limit_in_bytes']);
  const memory = memoryUsage(number(texts['memory.usage_in_bytes']), {
    inactiveFile: total('inactive_file'),
    rssBytes: total('rss'),
    cacheBytes: total('cache'),
    mappedFileBytes: total('mapped_file'),
    pageFaults: total('pgfault'),
    majorPageFaults: total('pgmajfault'),
    limitBytes: limit !== undefined && limit < NO_LIMIT_BYTES ? limit : undefined,
    swapBytes: stat.get('total_swap'),
  });
  return { cpu, memory, processes: number(texts['pids.current']), io: ioV1(texts) };
}

/** The same of a v2 cgroup. PURE. */
export function usageV2(texts: CgroupTexts): CgroupUsage {
  const cpuStat = table(texts['cpu.stat']);
  const nanos = (name: string) => {
    const micros = cpuStat.get(name);
    return micros === undefined ? undefined : micros * 1000;
  };
  const usageNanos = nanos('usage_usec');
  const cpu: CpuUsage | undefined =
    usageNanos === undefined
      ? undefined
      : {
          usageNanos,
          userNanos: nanos('user_usec'),
          systemNanos: nanos('system_usec'),
          periods: cpuStat.get('nr_periods'),
          throttledPeriods: cpuStat.get('nr_throttled'),
          throttledNanos: nanos('throttled_usec'),
        };
  const stat = table(texts['memory.stat']);
  const memory = memoryUsage(number(texts['memory.current']), {
    inactiveFile: stat.get('inactive_file') ?? 0,
    rssBytes: stat.get('anon') ?? 0,
    cacheBytes: stat.get('file') ?? 0,
    mappedFileBytes: stat.get('file_mapped') ?? 0,
    pageFaults: stat.get('pgfault') ?? 0,
    majorPageFaults: stat.get('pgmajfault') ?? 0,
    // `max` is no number.
    limitBytes: number(texts['memory.max']),
    swapBytes: number(texts['memory.swap.current']),
  });
  return { cpu, memory, processes: number(texts['pids.current']), io: ioV2(texts['io.stat']) };
}

/** What is in use and cannot be given back at once. PURE. */
export function workingSet(usageBytes: number, inactiveFileBytes: number): number {
  return Math.max(0, usageBytes - inactiveFileBytes);
}

function memoryUsage(
  usageBytes: number | undefined,
  { inactiveFile, ...others }: Omit<MemoryUsage, 'usageBytes' | 'workingSetBytes'> & { inactiveFile: number },
): MemoryUsage | undefined {
  if (usageBytes === undefined) return undefined;
  return { usageBytes, workingSetBytes: workingSet(usageBytes, inactiveFile), ...others };
}

/** Lines such as `8:0 Read 4096`. */
function ioV1(texts: CgroupTexts): IoUsage | undefined {
  const bytes = texts['blkio.throttle.io_service_bytes_recursive'];
  const counts = texts['blkio.throttle.io_serviced_recursive'];
  if (bytes === undefined || counts === undefined) return undefined;
  const sum = (text: string, operation: string) => sumOf(text.matchAll(new RegExp(`^\\S+ ${operation} (\\d+)$`, 'gm')));
  return {
    readBytes: sum(bytes, 'Read'),
    writtenBytes: sum(bytes, 'Write'),
    reads: sum(counts, 'Read'),
    writes: sum(counts, 'Write'),
  };
}

/** Lines such as `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`. */
function ioV2(text: string | undefined): IoUsage | undefined {
  if (text === undefined) return undefined;
  const sum = (name: string) => sumOf(text.matchAll(new RegExp(` ${name}=(\\d+)`, 'g')));
  return { readBytes: sum('rbytes'), writtenBytes: sum('wbytes'), reads: sum('rios'), writes: sum('wios') };
}

function sumOf(matches: Iterable<RegExpMatchArray>): number {
  return [...matches].reduce((sum, [, value]) => sum + Number(value), 0);
}

/** Lines of a name and a number. */
export function table(text: string | undefined): Map<string, number> {
  const entries = (text ?? '').split('\n').map((line) => line.split(' '));
  return new Map(entries.flatMap(([name, value]) => (name && value ? [[name, Number(value)]] : [])));
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
}
