import { closeSync, constants, type Stats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytePath, type Directory, openDirectory } from '../util/directory.ts';
import { mountIdOf } from '../util/mounts.ts';
import { errorCode, pathOfHandle } from '../util/safe-fs.ts';

/** Directories on the way down are kept open, so that nobody can move one under us. What is deeper is not counted. */
const MAX_DEPTH = 512;
/** After so many entries others get as much time as they took. */
const BATCH = 256;
/** What the kernel counts blocks in, whatever the file system's own are. */
const BLOCK_BYTES = 512;

export interface DiskUsage {
  /** As they are allocated. */
  readonly bytes: number;
  /** Files and directories. */
  readonly inodes: number;
}

/**
 * How much of the disk each of these paths takes, with everything below it. What several of them lead to counts for the
 * first one only, and a file with several names once. Paths that are not there are left out.
 *
 * It follows no symbolic link, neither at first nor when one is put in the place of a directory meanwhile, and enters no
 * mount, also not one of the same file system. It looks at one entry after the other and rests in between, so that a tree of millions
 * takes long, and takes nothing from others. (du is quicker, but ends by SIGABRT where directories are swapped under it.)
 *
 * @param paths absolute; what is above their last components is trusted.
 * @throws what the signal was aborted with.
 */
export async function diskUsage(
  paths: readonly string[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<ReadonlyMap<string, DiskUsage>> {
  const walk = new UsageWalk(options.signal);
  const usage = new Map<string, DiskUsage>();
  for (const path of paths) {
    const found = await walk.measure(path);
    if (found) usage.set(path, found);
  }
  return usage;
}

class UsageWalk {
  readonly #signal: AbortSignal | undefined;
  /** Directories, and files with several names, that were counted. */
  readonly #counted = new Set<string>();
  #entries = 0;
  #batchStartedAt = performance.now();
  #bytes = 0;
  #inodes = 0;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Undefined where there is nothing. */
  async measure(path: string): Promise<DiskUsage | undefined> {
    this.#bytes = 0;
    this.#inodes = 0;
    const above = open(() => openDirectory(Buffer.from(dirname(path))));
    if (!above) return undefined;
    try {
      const name = Buffer.from(basename(path)).toString('latin1');
      if (!(await this.#stat(above, name))) return undefined;
      await this.#visit(above, name, mountIdOf(above), 0);
    } finally {
      closeSync(above.fd);
    }
    return { bytes: this.#bytes, inodes: this.#inodes };
  }

  async #visit(above: Directory, name: string, mountId: number, depth: number): Promise<void> {
    await this.#rest();
    const stats = await this.#stat(above, name);
    if (!stats || BigInt(stats.dev) !== above.device || !this.#count(stats)) return;
    if (!stats.isDirectory() || depth === MAX_DEPTH) return;
    // It may be another one by now, or a link.
    const directory = open(() => openDirectory(bytePath(above, name), constants.O_NOFOLLOW));
    if (!directory) return;
    try {
      if (mountIdOf(directory) !== mountId) return;
      const listing = await opendir(pathOfHandle(directory), { encoding: 'latin1', bufferSize: BATCH });
      for await (const entry of listing) await this.#visit(directory, entry.name, mountId, depth + 1);
    } finally {
      closeSync(directory.fd);
    }
  }

  /** False for what was counted before. */
  #count(stats: Stats): boolean {
    if (stats.nlink > 1 || stats.isDirectory()) {
      const identity = `${stats.dev}:${stats.ino}`;
      if (this.#counted.has(identity)) return false;
      this.#counted.add(identity);
    }
    this.#bytes += stats.blocks * BLOCK_BYTES;
    this.#inodes += 1;
    return true;
  }

  /** Undefined for what is gone meanwhile. */
  async #stat(above: Directory, name: string): Promise<Stats | undefined> {
    try {
      return await lstat(bytePath(above, name));
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #rest(): Promise<void> {
    this.#entries += 1;
    if (this.#entries % BATCH !== 0) return;
    this.#signal?.throwIfAborted();
    await sleep(performance.now() - this.#batchStartedAt);
    this.#batchStartedAt = performance.now();
  }
}

/** Undefined for what is gone, or is no directory any more. */
function open(openIt: () => Directory): Directory | undefined {
  try {
    return openIt();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}
