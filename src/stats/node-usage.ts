import { table, workingSet } from './cgroup-usage.ts';
import type { CpuUsage, InterfaceUsage, MemoryUsage } from './usage.ts';

/** What the kernel tells of the whole machine in /proc, the same with cgroup v1 and v2. PURE. */

/** The kernel counts here in hundredths of a second, whatever its own clock does. */
const NANOS_PER_TICK = 10_000_000;

/** Of /proc/stat: all that is neither idle nor waiting, and when the machine was started. */
export function parseProcStat(text: string): { cpu: CpuUsage; bootedAtMs: number } {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (/^cpu +(.*)$/m.exec(text)?.[1] ?? '')
    .split(' ')
    .map(Number);
  const userNanos = (user + nice) * NANOS_PER_TICK;
  const systemNanos = (system + irq + softirq) * NANOS_PER_TICK;
  return {
    cpu: { usageNanos: userNanos + systemNanos + steal * NANOS_PER_TICK, userNanos, systemNanos },
    bootedAtMs: Number(/^btime (\d+)$/m.exec(text)?.[1] ?? 0) * 1000,
  };
}

/** @throws Error where the text has no total. */
export function parseNodeMemory(
  meminfo: string,
  vmstat: string,
): { memory: MemoryUsage & { limitBytes: number }; swapCapacityBytes: number } {
  const sizes = new Map<string, number>();
  for (const [, name = '', kib] of meminfo.matchAll(/^([^:]+): +(\d+) kB$/gm)) sizes.set(name, Number(kib) * 1024);
  const bytes = (name: string) => sizes.get(name) ?? 0;
  const limitBytes = bytes('MemTotal');
  if (limitBytes === 0) throw new Error('/proc/meminfo does not say how much memory there is');
  const faults = table(vmstat);
  const usageBytes = limitBytes - bytes('MemFree');
  return {
    memory: {
      usageBytes,
      workingSetBytes: workingSet(usageBytes, bytes('Inactive(file)')),
      rssBytes: bytes('AnonPages'),
      cacheBytes: bytes('Cached'),
      mappedFileBytes: bytes('Mapped'),
      pageFaults: faults.get('pgfault') ?? 0,
      majorPageFaults: faults.get('pgmajfault') ?? 0,
      limitBytes,
      swapBytes: bytes('SwapTotal') - bytes('SwapFree'),
    },
    swapCapacityBytes: bytes('SwapTotal'),
  };
}

/** Loopback, and the host's ends of pods' networks, which pods themselves tell of: those that cAdvisor passes over too. */
const PASSED_OVER = /^(lo$|veth|docker|nerdctl)/;

/** Of /proc/net/dev or /proc/<pid>/net/dev, by name. */
export function parseNetDev(text: string): InterfaceUsage[] {
  return [...text.matchAll(/^ *([^:\s]+):(.*)$/gm)]
    .map(([, name = '', values = '']) => ({ name, values: values.trim().split(/ +/).map(Number) }))
    .filter(({ name }) => !PASSED_OVER.test(name))
    .map(({ name, values }) => ({
      name,
      rxBytes: values[0] ?? 0,
      rxPackets: values[1] ?? 0,
      rxErrors: values[2] ?? 0,
      rxDropped: values[3] ?? 0,
      txBytes: values[8] ?? 0,
      txPackets: values[9] ?? 0,
      txErrors: values[10] ?? 0,
      txDropped: values[11] ?? 0,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Of /proc/loadavg: how many processes and threads there are. */
export function parseProcessCount(loadavg: string): number | undefined {
  const count = /^\S+ \S+ \S+ \d+\/(\d+)/.exec(loadavg)?.[1];
  return count === undefined ? undefined : Number(count);
}
