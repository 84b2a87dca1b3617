import { closeSync, constants } from 'node:fs';
import { opendir, readdir, rmdir, unlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { bytePath, type Directory, openAbove, openDirectory } from './directory.ts';
import { mountIdOf } from './mounts.ts';
import { errorCode, pathOfHandle } from './safe-fs.ts';

/** A tree has something mounted in it: removing on would delete what belongs to someone else. */
export class MountPointError extends Error {
  readonly path: string;

  constructor(path: string, options?: ErrorOptions) {
    super(`${path}: has a mount, not removed`, options);
    this.name = 'MountPointError';
    this.path = path;
  }
}

/** How many entries one look into a large directory takes; bounds the memory that a directory of millions costs. */
const BATCH = 1024;
/** A directory whose own size is below this is listed in one call. */
const SMALL_DIRECTORY_BYTES = 256 * 1024;
/** Below this depth a directory is listed anew after each of its subdirectories, instead of keeping the list. */
const KEEP_LISTS_TO_DEPTH = 64;
/** So often may a directory get new entries while it is being emptied, before this is given up. */
const MAX_REFILLS = 100;

/** A directory on the way from the root of the removal to where it is now. Only the last of them is open. */
interface Frame {
  /** File names are bytes; latin1 keeps every one of them, where UTF-8 would lose those that are not text. */
  readonly name: string;
  readonly device: bigint;
  readonly inode: bigint;
  subdirectories: string[];
  /** The last listing came to the end of the directory. */
  listed: boolean;
}

/**
 * Removes a file or a directory with everything in it. Success if it is not there.
 *
 * Follows no symbolic link and does not enter a mount, also not a bind mount of the same file system: the kernel's
 * mount number of each directory is compared with the one above it. It holds three descriptors whatever the depth, and
 * uses paths of one component, so neither a tree of ten thousand levels nor a long path stops it. The parent of `path`
 * is trusted.
 *
 * What may take long (unlink, rmdir, a listing) is asynchronous. Opening a name with O_PATH, fstat and close are not:
 * they touch memory that the listing has just brought in, and a trip through the thread pool costs ten times as much.
 *
 * @throws MountPointError where something is mounted in the tree (what came before it may be gone already);
 *   UnsafePathError when someone moves the tree meanwhile; otherwise the system's error as `cause`.
 */
export async function removeTree(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
  let parent: Directory;
  try {
    parent = openDirectory(Buffer.from(dirname(path)));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  try {
    const name = Buffer.from(basename(path)).toString('latin1');
    if ((await removeEntry(parent, name, true, path)) === 'removed') return;
    await new TreeRemoval(path, options.signal).run(parent, name);
  } finally {
    closeSync(parent.fd);
  }
}

class TreeRemoval {
  readonly #path: string;
  readonly #signal: AbortSignal | undefined;
  readonly #frames: Frame[] = [];
  #mountId = -1;
  #refills = 0;

  constructor(path: string, signal: AbortSignal | undefined) {
    this.#path = path;
    this.#signal = signal;
  }

  /** Empties `name` in `parent` depth first and removes it. `current` is the one open directory of the walk. */
  async run(parent: Directory, name: string): Promise<void> {
    this.#mountId = mountIdOf(parent);
    let current = await this.#descend(parent, name);
    if (!current) return;
    try {
      for (;;) {
        const subdirectory = await this.#nextSubdirectory(current);
        if (subdirectory !== undefined) {
          const child = await this.#descend(current, subdirectory);
          if (child) {
            closeSync(current.fd);
            current = child;
          }
          continue;
        }
        const emptied = this.#top();
        if (this.#frames.length > 1) {
          const above = openAbove(current, this.#frames.at(-2), this.#path);
          closeSync(current.fd);
          current = above;
          this.#frames.pop();
          if (await this.#removeEmptied(current, emptied)) continue;
          this.#top().subdirectories.push(emptied.name);
        } else {
          if (await this.#removeEmptied(parent, emptied)) return;
          emptied.listed = false;
        }
      }
    } finally {
      closeSync(current.fd);
    }
  }

  /** Opens a subdirectory, one level down. Undefined when it is not there any more. */
  async #descend(from: Directory, name: string): Promise<Directory | undefined> {
    const shownPath = this.#shown(name);
    let child: Directory;
    try {
      child = openDirectory(bytePath(from, name), constants.O_NOFOLLOW);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      // It became a link or a file since it was listed.
      if (errorCode(error) !== 'ENOTDIR' && errorCode(error) !== 'ELOOP') throw error;
      if ((await removeEntry(from, name, false, shownPath)) === 'removed') return undefined;
      throw error;
    }
    if (mountIdOf(child) !== this.#mountId) {
      closeSync(child.fd);
      throw new MountPointError(shownPath);
    }
    const above = this.#frames.at(-1);
    if (above && this.#frames.length > KEEP_LISTS_TO_DEPTH) {
      above.subdirectories = [];
      above.listed = false;
    }
    this.#frames.push({ name, device: child.device, inode: child.inode, subdirectories: [], listed: false });
    return child;
  }

  /** Removes what can be removed at once. The name of a directory that has to be emptied first, or undefined: all gone. */
  async #nextSubdirectory(directory: Directory): Promise<string | undefined> {
    const frame = this.#top();
    while (frame.subdirectories.length === 0 && !frame.listed) {
      this.#signal?.throwIfAborted();
      const { entries, isAll } = await list(directory);
      frame.listed = isAll;
      for (const entry of entries) {
        const outcome = await removeEntry(directory, entry.name, entry.isDirectory, this.#shown(entry.name));
        if (outcome === 'not empty') frame.subdirectories.push(entry.name);
      }
    }
    return frame.subdirectories.pop();
  }

  /** False when it has entries again: someone writes, or the file system skips entries of a listing while others go. */
  async #removeEmptied(above: Directory, frame: Frame): Promise<boolean> {
    if ((await removeEntry(above, frame.name, true, this.#shown(frame.name))) === 'removed') return true;
    this.#refills += 1;
    if (this.#refills > MAX_REFILLS) {
      throw new Error(`${this.#path}: someone keeps writing into it while it is being removed`);
    }
    return false;
  }

  #top(): Frame {
    const frame = this.#frames.at(-1);
    if (!frame) throw new Error('removeTree left its tree');
    return frame;
  }

  #shown(name: string): string {
    const text = Buffer.from(name, 'latin1').toString();
    return this.#frames.length === 0 ? this.#path : `${this.#path}/${this.#frames.length > 1 ? '.../' : ''}${text}`;
  }
}

interface Entry {
  readonly name: string;
  readonly isDirectory: boolean;
}

async function list(directory: Directory): Promise<{ entries: Entry[]; isAll: boolean }> {
  const path = pathOfHandle(directory);
  if (directory.size < SMALL_DIRECTORY_BYTES) {
    const all = await readdir(path, { encoding: 'latin1', withFileTypes: true });
    return { entries: all.map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() })), isAll: true };
  }
  const entries: Entry[] = [];
  const listing = await opendir(path, { encoding: 'latin1', bufferSize: BATCH });
  try {
    while (entries.length < BATCH) {
      const entry = await listing.read();
      if (!entry) return { entries, isAll: true };
      entries.push({ name: entry.name, isDirectory: entry.isDirectory() });
    }
    return { entries, isAll: false };
  } finally {
    await listing.close();
  }
}

/** One unlink or rmdir, whichever fits what is there now. */
async function removeEntry(
  directory: Directory,
  name: string,
  isDirectory: boolean,
  shownPath: string,
): Promise<'removed' | 'not empty'> {
  const path = bytePath(directory, name);
  try {
    await (isDirectory ? rmdir(path) : unlink(path));
    return 'removed';
  } catch (error) {
    switch (errorCode(error)) {
      case 'ENOENT':
        return 'removed';
      case 'ENOTEMPTY':
      case 'EEXIST':
      case 'EISDIR':
        return 'not empty';
      case 'ENOTDIR':
        return removeEntry(directory, name, false, shownPath);
      case 'EBUSY':
        throw new MountPointError(shownPath, { cause: error });
      default:
        throw new Error(`cannot remove ${shownPath}: ${errorCode(error) ?? String(error)}`, { cause: error });
    }
  }
}
