import type { Logger } from '../util/log.ts';
import { type CgroupIo, errorCode } from './cgroup-io.ts';

/** What a cgroup is told. A missing value leaves what the kernel has, which for a new cgroup is "no limit". */
export interface CgroupResources {
  /** v1's scale, 2 to 262144; converted for v2. */
  readonly cpuShares?: number;
  readonly cpuPeriodMicros?: number;
  /** Microseconds of CPU time per period; -1 for no limit. */
  readonly cpuQuotaMicros?: number;
  readonly memoryBytes?: bigint;
  /** v2: never reclaimed. */
  readonly memoryMinBytes?: bigint;
  /** v2: reclaimed only when there is nothing else. */
  readonly memoryLowBytes?: bigint;
  readonly pidsMax?: number;
  /** Bytes by page size as the kernel spells it (`2MB`, `1GB`). */
  readonly hugepages?: ReadonlyMap<string, bigint>;
}

/** The cgroup hierarchies of one machine, seen as one tree. Paths are below the mount points and start with a `/`. */
export interface CgroupFs {
  readonly version: 1 | 2;
  /** The controllers that can be used here. */
  controllers(): Promise<ReadonlySet<string>>;
  /** Whether swap can be limited apart from memory. @param path a cgroup that has been made ready. */
  canLimitSwap(path: string): Promise<boolean>;
  /** Makes the cgroup ready to have children, with its parents. Idempotent. */
  prepareInner(path: string): Promise<void>;
  /** Makes the cgroup, with its parents, and writes its resources. Idempotent. */
  ensure(path: string, resources: CgroupResources): Promise<void>;
  /** Memory that is used in the cgroup, in bytes; undefined where it cannot be told. */
  memoryUsage(path: string): Promise<bigint | undefined>;
  /**
   * Takes back protection and throttling of memory (see memory-qos.ts). No cgroup, or none that has it: nothing is done.
   *
   * @param first done before, when there is something to take back: who is ended in between begins with it again.
   */
  clearMemoryQos(path: string, first: () => Promise<void>): Promise<void>;
  /** Names of the cgroups directly below, in any hierarchy; none where the cgroup is not there. */
  children(path: string): Promise<Set<string>>;
  /**
   * Removes the cgroup with all below it from every hierarchy; processes that are left in it are killed first. A missing
   * cgroup is no error.
   *
   * @throws CgroupBusyError when processes outlive SIGKILL past the deadline.
   */
  remove(path: string, timeoutMs: number): Promise<void>;
}

/** A value that the kernel refused. */
export class CgroupWriteError extends Error {
  readonly code: string | undefined;

  constructor(file: string, value: string, cause: unknown) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    super(`cannot write ${JSON.stringify(value)} to ${file}: ${detail}`, { cause });
    this.name = 'CgroupWriteError';
    this.code = errorCode(cause);
  }
}

/** Writes values that may name a controller or a feature which this kernel has not: said once, then carried on without. */
export class CgroupWriter {
  readonly #io: CgroupIo;
  readonly #logger: Logger;
  readonly #reported = new Set<string>();

  constructor(io: CgroupIo, logger: Logger) {
    this.#io = io;
    this.#logger = logger;
  }

  /** In order, as the CPU period has to be there before the quota. @throws CgroupWriteError */
  async write(dir: string, values: readonly (readonly [file: string, value: string])[]): Promise<void> {
    for (const [file, value] of values) {
      try {
        await this.#io.write(`${dir}/${file}`, value);
      } catch (error) {
        if (errorCode(error) !== 'ENOENT') throw new CgroupWriteError(`${dir}/${file}`, value, error);
        this.reportOnce(file, `the kernel has no ${file}: this limit is not enforced`);
      }
    }
  }

  reportOnce(key: string, message: string, error?: unknown): void {
    if (this.#reported.has(key)) return;
    this.#reported.add(key);
    this.#logger.warn(error === undefined ? {} : { err: error }, message);
  }
}

/** mkdir that is content with a directory that is there already. @returns false where the parent is missing. */
export async function makeDir(io: CgroupIo, path: string): Promise<boolean> {
  try {
    await io.mkdir(path);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') return true;
    if (code === 'ENOENT') return false;
    throw error;
  }
}

/** The path of the parent: '' for a top one, which stands for the mount point itself. */
export function parentPath(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** What the kernel shows, without spaces around; undefined where there is no such file. */
export async function readText(io: CgroupIo, file: string): Promise<string | undefined> {
  try {
    return (await io.read(file)).trim();
  } catch (error) {
    // ENODEV: the cgroup was removed after the file was opened.
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENODEV') return undefined;
    throw error;
  }
}

/** A number that the kernel tells; undefined where there is no such file. */
export async function readNumber(io: CgroupIo, file: string): Promise<bigint | undefined> {
  const text = await readText(io, file);
  return text === undefined ? undefined : BigInt(text);
}

/** Whether the kernel shows this file. */
export async function hasFile(io: CgroupIo, file: string): Promise<boolean> {
  return (await readText(io, file)) !== undefined;
}

/** Names of the child cgroups; none where the cgroup is not there. */
export async function childrenOf(io: CgroupIo, dir: string): Promise<string[]> {
  try {
    return await io.childDirs(dir);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The values of all these promises, after every one of them has ended: none is left running behind a failure. */
export async function allSettledOrThrow(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
