import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isUnifiedCgroup } from '../support/machine.ts';

/** What the kernel says of one cgroup. Of v1 and v2 in the same words, so that a test is the same on both. */
export interface KernelCgroup {
  /** cpu.shares; on v2 the weight that stands for it. */
  readonly cpuShares: number;
  /** Microseconds in each period of 100 ms; undefined: no limit. */
  readonly cpuQuotaMicros: number | undefined;
  /** Undefined: no limit. */
  readonly memoryBytes: number | undefined;
  /** Undefined: no limit. */
  readonly pidsMax: number | undefined;
}

/** A page counter's largest value: what v1 shows where nothing is limited. */
const V1_NO_MEMORY_LIMIT = '9223372036854771712';

/** The path of a process' cgroup beneath the mount point of a controller's hierarchy. */
export function cgroupPathOf(pid: number, controller: string): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  for (const line of lines) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (isUnifiedCgroup() ? controllers === '' : controllers.split(',').includes(controller)) return path;
  }
  throw new Error(`process ${pid} is in no cgroup of ${controller}:\n${lines.join('\n')}`);
}

export function readCgroup(path: string): KernelCgroup {
  return isUnifiedCgroup() ? readV2(path) : readV1(path);
}

/** Whether any hierarchy has a cgroup of this path. */
export function cgroupExists(path: string): boolean {
  return hierarchies().some((mount) => existsSync(join(mount, path)));
}

/** cpu.shares as the kernel of this machine shows them when a kubelet asks for `shares` for a pod or a class of pods. */
export function shownShares(shares: number): number {
  return isUnifiedCgroup() ? 1 + Math.floor(((shares - 2) * 9999) / 262142) : shares;
}

/** As `shownShares`, for a container: runtimes convert to weights by one of two curves. */
export function shownContainerShares(shares: number): readonly number[] {
  if (!isUnifiedCgroup()) return [shares];
  const exponent = Math.log2(shares);
  return [shownShares(shares), Math.ceil(10 ** ((exponent ** 2 + 125 * exponent) / 612 - 7 / 34))];
}

/**
 * Whether containerd notices that the kernel killed a process for its memory. On v1 it does not where a hierarchy that the
 * kernel has is not mounted: it then finds none of a container's cgroups.
 */
export function runtimeSeesOomKills(): boolean {
  if (isUnifiedCgroup()) return true;
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  const controllers = readFileSync('/proc/self/cgroup', 'utf8').matchAll(/^\d+:([^:=]+):/gm);
  return [...controllers].flatMap(([, names = '']) => names.split(',')).every((name) => isMounted(name, mounts));
}

/** How fast a process may use a disk, given by its numbers (`254:0`); what is not limited is left out. */
export function shownIoLimits(pid: number, numbers: string): { readBytes?: number; writeOperations?: number } {
  const directory = isUnifiedCgroup()
    ? join('/sys/fs/cgroup', cgroupPathOf(pid, 'io'))
    : join(v1Mount('blkio'), cgroupPathOf(pid, 'blkio'));
  const value = (file: string, name: string): number | undefined => {
    const line = readFileSync(join(directory, file), 'utf8')
      .split('\n')
      .find((each) => each.startsWith(`${numbers} `));
    const text = isUnifiedCgroup() ? line?.match(`${name}=(\\d+)`)?.[1] : line?.split(' ')[1];
    return text === undefined ? undefined : Number(text);
  };
  const readBytes = value(isUnifiedCgroup() ? 'io.max' : 'blkio.throttle.read_bps_device', 'rbps');
  const writeOperations = value(isUnifiedCgroup() ? 'io.max' : 'blkio.throttle.write_iops_device', 'wiops');
  return { ...(readBytes !== undefined && { readBytes }), ...(writeOperations !== undefined && { writeOperations }) };
}

function isMounted(controller: string, mountinfo: string): boolean {
  return new RegExp(` - cgroup \\S+ (?:\\S*,)?${controller}(?:,|$)`, 'm').test(mountinfo);
}

function hierarchies(): string[] {
  return isUnifiedCgroup() ? ['/sys/fs/cgroup'] : ['cpu', 'memory', 'pids', 'systemd', 'freezer'].map(v1Mount);
}

function v1Mount(controller: string): string {
  return join('/sys/fs/cgroup', controller);
}

function readV1(path: string): KernelCgroup {
  const file = (controller: string, name: string) => readFileSync(join(v1Mount(controller), path, name), 'utf8').trim();
  const period = Number(file('cpu', 'cpu.cfs_period_us'));
  if (period !== 100_000) throw new Error(`the period of ${path} is ${period}`);
  return {
    cpuShares: Number(file('cpu', 'cpu.shares')),
    cpuQuotaMicros: limit(file('cpu', 'cpu.cfs_quota_us'), '-1'),
    memoryBytes: limit(file('memory', 'memory.limit_in_bytes'), V1_NO_MEMORY_LIMIT),
    pidsMax: limit(file('pids', 'pids.max'), 'max'),
  };
}

function readV2(path: string): KernelCgroup {
  const file = (name: string) => readFileSync(join('/sys/fs/cgroup', path, name), 'utf8').trim();
  const [quota = '', period] = file('cpu.max').split(' ');
  if (period !== '100000') throw new Error(`the period of ${path} is ${period}`);
  return {
    cpuShares: Number(file('cpu.weight')),
    cpuQuotaMicros: limit(quota, 'max'),
    memoryBytes: limit(file('memory.max'), 'max'),
    pidsMax: limit(file('pids.max'), 'max'),
  };
}

function limit(text: string, none: string): number | undefined {
  return text === none ? undefined : Number(text);
}
