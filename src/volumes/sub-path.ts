import { constants, type Stats } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, readlink, realpath, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { bindMountAt, mountIdOf, unmountAt } from '../util/mounts.ts';
import {
  errorCode,
  mkdirBeneath,
  O_PATH,
  openTrustedDirectory,
  pathOfHandle,
  UnsafePathError,
} from '../util/safe-fs.ts';
import { OWN_DIRECTORY_MODE } from './pod-directory.ts';

/** As many symbolic links as the kernel follows on one way. */
const MAX_LINKS = 40;
/** Each level is an open file. */
const MAX_DEPTH = 1024;
const PERMISSIONS = 0o7777;
/** Nothing is ever read from or written to the files and directories that are mounted on. */
const TARGET_MODE = 0o640;

/** Where a part of a volume is mounted for one container. */
export interface SubPathTarget {
  /** An existing directory that only the daemon can reach. */
  readonly root: string;
  /** Plain relative path below it, such as `volume-subpaths/<volume>/<container>/<index>`. */
  readonly path: string;
}

/**
 * Mounts a file or directory inside a volume at a place of the daemon's own, which the runtime may then mount by path:
 * whatever happens in the volume afterwards, the place shows the very object that was found here. What is missing is made
 * as directories with the volume's own mode (pkg/volume/util/subpath of Kubernetes).
 *
 * The way leads from descriptor to descriptor, so nothing can be swapped on it. Symbolic links are followed as long as
 * they stay inside the volume: a ConfigMap's files are such links.
 *
 * Idempotent: where the same object is mounted already, that mount stays.
 *
 * @param subPath relative; `..`, absolute paths and NUL are refused.
 * @returns the path of the mount.
 * @throws UnsafePathError when the way leads out of the volume; otherwise the system's error.
 */
export async function mountSubPath(
  volumePath: string,
  subPath: string,
  target: SubPathTarget,
  signal?: AbortSignal,
): Promise<string> {
  const walk = await VolumeWalk.begin(volumePath);
  try {
    const found = await walk.to(splitSubPath(subPath));
    await bindOnto(found, target, signal);
    return join(target.root, target.path);
  } finally {
    await walk.close();
  }
}

/** PURE. The components of a subPath. @throws UnsafePathError */
export function splitSubPath(subPath: string): string[] {
  const components = subPath.split('/').filter((component) => component !== '' && component !== '.');
  if (subPath.startsWith('/') || subPath.includes('\0') || components.includes('..')) {
    throw new UnsafePathError(subPath, 'is not a path inside the volume');
  }
  return components;
}

/** A way through a volume: the directories from its root to where the walk is, all of them open. */
class VolumeWalk {
  readonly #volumePath: string;
  readonly #directories: FileHandle[];
  readonly #mode: number;
  #links = 0;

  private constructor(volumePath: string, root: FileHandle, mode: number) {
    this.#volumePath = volumePath;
    this.#directories = [root];
    this.#mode = mode;
  }

  static async begin(volumePath: string): Promise<VolumeWalk> {
    const root = await openTrustedDirectory(volumePath);
    try {
      return new VolumeWalk(volumePath, root, (await root.stat()).mode & PERMISSIONS);
    } catch (error) {
      await root.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const directory of this.#directories.splice(0)) await directory.close();
  }

  /** Goes on along `components`. @returns the last one's handle, which the walk closes. */
  async to(components: readonly string[]): Promise<FileHandle> {
    const ahead = [...components];
    for (let component = ahead.shift(); component !== undefined; component = ahead.shift()) {
      if (component === '' || component === '.') continue;
      if (component === '..') {
        await this.#up();
        continue;
      }
      const { handle, stats } = await this.#openOrMake(component);
      if (stats.isSymbolicLink()) {
        await handle.close();
        ahead.unshift(...(await this.#targetOf(component)));
        continue;
      }
      this.#directories.push(handle);
      if (this.#directories.length > MAX_DEPTH) throw new UnsafePathError(this.#shown(component), 'is too deep');
      if (!stats.isDirectory() && ahead.some((next) => next !== '' && next !== '.')) {
        throw new UnsafePathError(this.#shown(component), 'is not a directory');
      }
    }
    return this.#here();
  }

  #here(): FileHandle {
    const directory = this.#directories.at(-1);
    if (!directory) throw new Error('the walk has ended');
    return directory;
  }

  async #up(): Promise<void> {
    if (this.#directories.length < 2) throw this.#escape();
    await this.#directories.pop()?.close();
  }

  async #openOrMake(component: string): Promise<{ handle: FileHandle; stats: Stats }> {
    const path = pathOfHandle(this.#here(), component);
    const flags = O_PATH | constants.O_NOFOLLOW;
    let made = false;
    let handle: FileHandle;
    try {
      handle = await open(path, flags);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      made = await this.#make(path);
      handle = await open(path, flags);
    }
    try {
      const stats = await handle.stat();
      // Past the umask.
      if (made && stats.isDirectory()) await chmod(pathOfHandle(handle), this.#mode);
      return { handle, stats };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** False when someone else was faster. */
  async #make(path: string): Promise<boolean> {
    try {
      await mkdir(path, { mode: this.#mode });
      return true;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
      return false;
    }
  }

  /** Where a link leads, in components from here; one with an absolute target must name the volume itself. */
  async #targetOf(link: string): Promise<string[]> {
    this.#links += 1;
    if (this.#links > MAX_LINKS) throw new UnsafePathError(this.#shown(link), 'leads through too many symbolic links');
    const target = await readlink(pathOfHandle(this.#here(), link));
    if (!target.startsWith('/')) return target.split('/');
    const root = await realpath(this.#volumePath);
    if (target !== root && !target.startsWith(`${root}/`)) throw this.#escape();
    for (const directory of this.#directories.splice(1)) await directory.close();
    return target.slice(root.length).split('/');
  }

  #escape(): UnsafePathError {
    return new UnsafePathError(this.#volumePath, 'a symbolic link leads out of the volume');
  }

  #shown(component: string): string {
    return `${this.#volumePath}/.../${component}`;
  }
}

async function bindOnto(source: FileHandle, target: SubPathTarget, signal: AbortSignal | undefined): Promise<void> {
  const components = target.path.split('/');
  const name = components.pop() ?? '';
  const parent = await mkdirBeneath(target.root, components.join('/'), OWN_DIRECTORY_MODE);
  try {
    const stats = await source.stat({ bigint: true });
    for (;;) {
      const mounted = await openTarget(parent, name, stats.isDirectory());
      try {
        if (mountIdOf(mounted) === mountIdOf(parent)) break;
        const { dev, ino } = await mounted.stat({ bigint: true });
        if (dev === stats.dev && ino === stats.ino) return;
      } finally {
        await mounted.close();
      }
      // Of an earlier instance of the container; the volume has another object there now.
      await unmountAt(parent, name);
    }
    await bindMountAt(source, parent, name, signal);
  } finally {
    await parent.close();
  }
}

/** Opens what is mounted on, or makes it. One of the other kind was left by an earlier instance. */
async function openTarget(parent: FileHandle, name: string, wantsDirectory: boolean): Promise<FileHandle> {
  for (;;) {
    const path = pathOfHandle(parent, name);
    try {
      const found = await open(path, O_PATH | constants.O_NOFOLLOW);
      const isDirectory = (await found.stat()).isDirectory();
      if (isDirectory === wantsDirectory || mountIdOf(found) !== mountIdOf(parent)) return found;
      await found.close();
      await (isDirectory ? rmdir(path) : unlink(path));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
    if (wantsDirectory) await mkdir(path, { mode: OWN_DIRECTORY_MODE });
    else await (await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, TARGET_MODE)).close();
  }
}
