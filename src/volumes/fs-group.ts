import { chmodSync, chownSync, closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import { opendir } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { Pod } from '../api/pod.ts';
import { bytePath, type Directory, openAbove, openDirectory } from '../util/directory.ts';
import { mountIdOf } from '../util/mounts.ts';
import { errorCode, O_PATH, pathOfHandle } from '../util/safe-fs.ts';

const PERMISSIONS = 0o7777;
const SET_GID = 0o2000;
const READ_WRITE = 0o660;
const READ_ONLY = 0o440;
const SEARCH = 0o110;
/** So many entries are changed before others get their turn. */
const BATCH = 64;

export interface FsGroup {
  readonly gid: number;
  /** The volume can only be read: so much, and no more, the group may do as well. */
  readonly readOnly?: boolean;
  /** Leaves everything as it is when the volume's root already is as it should be. */
  readonly onRootMismatch?: boolean;
}

/** What the group of a pod's volumes is, or undefined. PURE. */
export function fsGroupOf({ spec }: Pod): FsGroup | undefined {
  const { fsGroup, fsGroupChangePolicy } = spec.securityContext ?? {};
  if (fsGroup === undefined) return undefined;
  return { gid: fsGroup, onRootMismatch: fsGroupChangePolicy === 'OnRootMismatch' };
}

/** The mode that a file or directory of a volume gets besides its own. PURE. */
export function fsGroupMode(mode: number, isDirectory: boolean, readOnly = false): number {
  const wanted = (readOnly ? READ_ONLY : READ_WRITE) | (isDirectory ? SEARCH | SET_GID : 0);
  return (mode & PERMISSIONS) | wanted;
}

/**
 * Gives a volume and all that is in it to a group: the group is set, files become readable and writable for it, directories
 * searchable as well, and what is made in these later belongs to it too (pkg/volume/volume_linux.go of Kubernetes).
 *
 * Whoever can write into the volume may have prepared it, and may change it meanwhile. So every object is opened as one
 * component of an open directory, by O_PATH and without following a link, and is changed by that descriptor alone. A link
 * itself is changed, never what it points to. Left alone are devices, whatever is mounted in the volume, and files with
 * several names: one of these may lie outside. Any depth takes three descriptors.
 *
 * The root is changed last: with `onRootMismatch` a walk that was cut off is repeated.
 *
 * @param path a directory, or a single file, in a place that only the daemon can change.
 * @returns how many files were left alone.
 * @throws UnsafePathError when a directory is moved while the walk is in it; the signal's reason.
 */
export async function applyFsGroup(path: string, group: FsGroup, signal?: AbortSignal): Promise<{ skipped: number }> {
  const flags = O_PATH | constants.O_NOFOLLOW;
  const fd = openSync(path, flags);
  try {
    const stats = fstatSync(fd);
    if (group.onRootMismatch && isAsWanted(stats, group)) return { skipped: 0 };
    if (!stats.isDirectory()) return { skipped: change(fd, stats, group) ? 0 : 1 };
  } finally {
    closeSync(fd);
  }
  return { skipped: await new GroupWalk(path, group, signal).run() };
}

interface Frame extends Pick<Directory, 'device' | 'inode'> {
  /** latin1: see bytePath. */
  readonly subdirectories: string[];
}

class GroupWalk {
  readonly #path: string;
  readonly #group: FsGroup;
  readonly #signal: AbortSignal | undefined;
  readonly #frames: Frame[] = [];
  #mountId = -1;
  #skipped = 0;
  #changed = 0;

  constructor(path: string, group: FsGroup, signal: AbortSignal | undefined) {
    this.#path = path;
    this.#group = group;
    this.#signal = signal;
  }

  /** Depth first; a directory is changed after all that is in it. `current` is the one open directory of the walk. */
  async run(): Promise<number> {
    let current = openDirectory(Buffer.from(this.#path), constants.O_NOFOLLOW);
    try {
      this.#mountId = mountIdOf(current);
      await this.#enter(current);
      for (;;) {
        const name = this.#frames.at(-1)?.subdirectories.pop();
        if (name !== undefined) {
          const child = this.#open(current, name);
          if (!child) continue;
          closeSync(current.fd);
          current = child;
          await this.#enter(current);
          continue;
        }
        await this.#change(current.fd, fstatSync(current.fd));
        if (this.#frames.length === 1) return this.#skipped;
        const above = openAbove(current, this.#frames.at(-2), this.#path);
        closeSync(current.fd);
        current = above;
        this.#frames.pop();
      }
    } finally {
      closeSync(current.fd);
    }
  }

  /** Undefined for a directory that is gone or was replaced since it was listed, and for one that is a mount. */
  #open(parent: Directory, name: string): Directory | undefined {
    let child: Directory;
    try {
      child = openDirectory(bytePath(parent, name), constants.O_NOFOLLOW);
    } catch (error) {
      if (isGone(error)) return undefined;
      throw error;
    }
    if (mountIdOf(child) === this.#mountId) return child;
    closeSync(child.fd);
    return undefined;
  }

  /** Changes what is in the directory, and notes its subdirectories. */
  async #enter(directory: Directory): Promise<void> {
    const { device, inode } = directory;
    const subdirectories: string[] = [];
    this.#frames.push({ device, inode, subdirectories });
    for await (const entry of await opendir(pathOfHandle(directory), { encoding: 'latin1', bufferSize: BATCH })) {
      if (entry.isDirectory()) subdirectories.push(entry.name);
      else await this.#changeEntry(directory, entry.name);
    }
  }

  async #changeEntry(directory: Directory, name: string): Promise<void> {
    let fd: number;
    try {
      fd = openSync(bytePath(directory, name), O_PATH | constants.O_NOFOLLOW);
    } catch (error) {
      if (isGone(error)) return;
      throw error;
    }
    try {
      const stats = fstatSync(fd);
      // A directory that took the place of a file, or what someone mounted there: neither was listed.
      if (stats.isDirectory() || mountIdOf({ fd }) !== this.#mountId) return;
      await this.#change(fd, stats);
    } finally {
      closeSync(fd);
    }
  }

  async #change(fd: number, stats: Stats): Promise<void> {
    if (!change(fd, stats, this.#group)) this.#skipped += 1;
    this.#changed += 1;
    if (this.#changed % BATCH !== 0) return;
    await setImmediate();
    this.#signal?.throwIfAborted();
  }
}

/** False for what is left alone. */
function change(fd: number, stats: Stats, group: FsGroup): boolean {
  if (stats.isBlockDevice() || stats.isCharacterDevice()) return false;
  if (!stats.isDirectory() && stats.nlink > 1) return false;
  const path = pathOfHandle({ fd });
  if (stats.gid !== group.gid) chownSync(path, -1, group.gid);
  if (stats.isSymbolicLink()) return true;
  // Looked up anew: with its group a program has lost its set-user-id bit, and is not to get it back.
  const { mode } = fstatSync(fd);
  const wanted = fsGroupMode(mode, stats.isDirectory(), group.readOnly);
  if ((mode & PERMISSIONS) !== wanted) chmodSync(path, wanted);
  return true;
}

function isAsWanted({ gid, mode }: Stats, group: FsGroup): boolean {
  return gid === group.gid && (mode & PERMISSIONS) === fsGroupMode(mode, true, group.readOnly);
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errorCode(error) ?? '');
}
