/** The mount table of this process, and the mount operations that the daemon needs. */
import { constants, readFileSync } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { run } from './exec.ts';
import { O_PATH, pathOfHandle, UnsafePathError } from './safe-fs.ts';

export interface Mount {
  readonly id: number;
  readonly parentId: number;
  readonly mountPoint: string;
  readonly fsType: string;
  /** Options of the mount (`rw`, `relatime`, ...), then those of its file system (`size=64k`, ...). */
  readonly options: readonly string[];
}

/** PURE. Reads the text of /proc/self/mountinfo; see proc(5) for the fields. */
export function parseMountInfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    // Field 7 and on are optional ones, closed by a lone hyphen.
    const separator = fields.indexOf('-', 6);
    const [id, parentId, , , mountPoint, options] = fields;
    if (separator < 0 || id === undefined || parentId === undefined || mountPoint === undefined) continue;
    const [fsType, , superOptions] = fields.slice(separator + 1);
    mounts.push({
      id: Number(id),
      parentId: Number(parentId),
      mountPoint: unescapeOctal(mountPoint),
      fsType: fsType ?? '',
      options: [...(options ?? '').split(','), ...(superOptions ?? '').split(',')],
    });
  }
  return mounts;
}

export async function readMounts(): Promise<Mount[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/**
 * PURE. The mounts at `directory` and below it, in the order in which they can be unmounted: the deepest first, and of
 * several on one place the uppermost first.
 *
 * @param directory an absolute path without symbolic links, as the mount table has them.
 */
export function mountsBeneath(mounts: readonly Mount[], directory: string): Mount[] {
  const prefix = directory.endsWith('/') ? directory : `${directory}/`;
  const depth = (mount: Mount) => mount.mountPoint.split('/').length;
  return mounts
    .filter((mount) => mount.mountPoint === directory || mount.mountPoint.startsWith(prefix))
    .reverse()
    .sort((a, b) => depth(b) - depth(a));
}

/**
 * The kernel's number of the mount that an open file belongs to. Unlike `st_dev` it tells a bind mount of the same
 * file system apart. Synchronous, because procfs answers from memory.
 */
export function mountIdOf(handle: { readonly fd: number }): number {
  const info = readFileSync(`/proc/self/fdinfo/${handle.fd}`, 'latin1');
  const match = /^mnt_id:\s*(\d+)$/m.exec(info);
  if (!match) throw new Error('/proc/self/fdinfo has no mnt_id: Linux 3.15 or newer is needed');
  return Number(match[1]);
}

/**
 * Mounts a file system that is in memory on one component of an open directory. The target reaches mount(8) as
 * `/proc/<pid>/fd/<n>/<name>` and `--no-canonicalize` keeps it from resolving that, so nothing can be swapped between
 * our check and the mount.
 */
export async function mountMemory(
  fsType: 'tmpfs' | 'hugetlbfs',
  parent: FileHandle,
  name: string,
  options: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const args = ['--no-canonicalize', '-t', fsType, '-o', options.join(','), fsType, pathElsewhere(parent, name)];
  await run('mount', args, { timeoutMs: 30_000, ...(signal ? { signal } : {}) });
}

/**
 * Mounts the very object that `source` (an O_PATH handle) stands for on one component of an open directory. With
 * `--no-canonicalize` the kernel takes the descriptor itself; without it mount(8) would turn it into a path, and whoever
 * can swap a part of that path would choose what is mounted. What is mounted below the object does not come along.
 *
 * @throws UnsafePathError when something else is mounted after all; it is unmounted.
 */
export async function bindMountAt(
  source: FileHandle,
  parent: FileHandle,
  name: string,
  signal?: AbortSignal,
): Promise<void> {
  const args = ['--no-canonicalize', '--bind', pathElsewhere(source), pathElsewhere(parent, name)];
  await run('mount', args, { timeoutMs: 30_000, ...(signal ? { signal } : {}) });
  const mounted = await open(pathOfHandle(parent, name), O_PATH | constants.O_NOFOLLOW);
  try {
    const [wanted, found] = [await source.stat({ bigint: true }), await mounted.stat({ bigint: true })];
    if (wanted.dev === found.dev && wanted.ino === found.ino) return;
  } finally {
    await mounted.close();
  }
  await unmountAt(parent, name);
  throw new UnsafePathError(name, 'was mounted from somewhere else');
}

/**
 * Unmounts what is mounted on one component of an open directory. Never lazily: a busy mount is an error. Without helpers
 * such as umount.nfs, which would ask a server that may be gone.
 *
 * @param force gives up what a server was asked and has not answered, also for others that have the same mounted.
 */
export async function unmountAt(parent: FileHandle, name: string, force = false): Promise<void> {
  const options = ['--no-canonicalize', '--internal-only', ...(force ? ['--force'] : [])];
  const args = [...options, pathElsewhere(parent, name)];
  await run('umount', args, { timeoutMs: 30_000 });
}

/** Whether a server has the files. */
export function isRemote({ fsType }: Mount): boolean {
  return fsType === 'nfs' || fsType === 'nfs4';
}

/** A path that means the same in another process as long as the handle is open here. */
function pathElsewhere(handle: FileHandle, name?: string): string {
  return pathOfHandle(handle, name).replace('/proc/self/', `/proc/${process.pid}/`);
}

/** The kernel writes a blank, a tab, a line feed, a backslash and `#` as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
