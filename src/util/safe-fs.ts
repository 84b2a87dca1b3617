/**
 * File access where someone else may change the tree meanwhile: a container in its volume, a pod that mounts /var/log.
 *
 * Node has no openat(2). `/proc/self/fd/<directory fd>/<one component>` is the same thing: the kernel resolves the
 * descriptor itself, not a path, and O_NOFOLLOW guards the single component after it. A path of several components is
 * therefore walked one by one, and between two steps nothing can be swapped under us.
 *
 * Nothing here opens an object before knowing what it is: an O_PATH descriptor runs no driver and waits for no FIFO's
 * other end. That matters more in Node than elsewhere: four blocked opens stop every file operation of the process.
 */
import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Node does not name it; the value is the same on x86-64 and arm64. */
export const O_PATH = 0o10000000;
const OPEN_DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const CHUNK_BYTES = 64 * 1024;

/** A path that leads through a symbolic link, has a forbidden component, or names an object of the wrong kind. */
export class UnsafePathError extends Error {
  readonly path: string;

  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`${path}: ${reason}`, options);
    this.name = 'UnsafePathError';
    this.path = path;
  }
}

/** The code of a failed system call (`ENOENT`, ...), or undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The path of an open file, or of one component in an open directory. Valid in this process while it is open. */
export function pathOfHandle(handle: { readonly fd: number }, component?: string): string {
  return component === undefined ? `/proc/self/fd/${handle.fd}` : `/proc/self/fd/${handle.fd}/${component}`;
}

/** Splits a relative path; refuses everything that could leave the directory it is relative to. */
export function splitRelativePath(relPath: string): string[] {
  const components = relPath.split('/');
  for (const component of components) {
    if (component === '' || component === '.' || component === '..' || component.includes('\0')) {
      throw new UnsafePathError(relPath, 'is not a plain relative path');
    }
  }
  return components;
}

/** Opens a directory as an anchor for walks. Symbolic links are followed: only for paths that we or the administrator own. */
export function openTrustedDirectory(path: string): Promise<FileHandle> {
  return open(path, O_PATH | constants.O_DIRECTORY);
}

/** Opens a directory by one component, never through a link. `shownPath` is for the error only. */
export async function openDirectoryAt(parent: FileHandle, name: string, shownPath: string): Promise<FileHandle> {
  try {
    return await open(pathOfHandle(parent, name), OPEN_DIRECTORY);
  } catch (error) {
    throw explain(error, shownPath);
  }
}

/**
 * Opens `relPath` below `rootDir` without following any symbolic link below it (`rootDir` itself is trusted).
 * `flags` are those of open(2); O_NOFOLLOW and O_NONBLOCK are added.
 *
 * @throws UnsafePathError where a component is a link, or a directory is expected and something else is there;
 *   otherwise the system's error, with the path as the caller wrote it.
 */
export async function openBeneath(rootDir: string, relPath: string, flags: number, mode = 0o600): Promise<FileHandle> {
  const components = splitRelativePath(relPath);
  const shownPath = join(rootDir, relPath);
  const last = components.pop() ?? '';
  const directory = await walk(rootDir, components);
  try {
    return await openLast(directory, last, flags, mode, shownPath);
  } finally {
    await directory.close();
  }
}

/**
 * Makes `relPath` and its missing parents below `rootDir`. Each directory that is made gets exactly `mode`, whatever
 * the umask; one that is there keeps its own. Never through a symbolic link.
 *
 * @returns an O_PATH handle on the last directory, to be closed by the caller.
 */
export async function mkdirBeneath(rootDir: string, relPath: string, mode: number): Promise<FileHandle> {
  let directory = await openTrustedDirectory(rootDir);
  let shownPath = rootDir;
  for (const component of splitRelativePath(relPath)) {
    shownPath = join(shownPath, component);
    const parent = directory;
    try {
      directory = await mkdirAt(parent, component, mode, shownPath);
    } finally {
      await parent.close();
    }
  }
  return directory;
}

/** One step of `mkdirBeneath`. */
export async function mkdirAt(parent: FileHandle, name: string, mode: number, shownPath: string): Promise<FileHandle> {
  let made = true;
  try {
    await mkdir(pathOfHandle(parent, name), { mode });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw explain(error, shownPath);
    made = false;
  }
  const directory = await openDirectoryAt(parent, name, shownPath);
  if (!made) return directory;
  try {
    await chmod(pathOfHandle(directory), mode);
    return directory;
  } catch (error) {
    await directory.close();
    throw explain(error, shownPath);
  }
}

export interface RegularFileRules {
  /** Refuses a file that someone else owns. */
  readonly uid?: number;
  /** Refuses a file with a second name: a hard link may be another's file under a name that we trust. */
  readonly singleLink?: boolean;
}

/**
 * Opens an existing regular file for reading, below a trusted directory, through no link. A FIFO, a device or a
 * socket is refused without being opened.
 *
 * @throws UnsafePathError, or the system's error (`ENOENT`, ...).
 */
export async function openRegularBeneath(
  rootDir: string,
  relPath: string,
  rules: RegularFileRules = {},
): Promise<FileHandle> {
  const shownPath = join(rootDir, relPath);
  return reopenRegular(await openBeneath(rootDir, relPath, O_PATH), shownPath, rules);
}

/** The same by one component of an open directory. */
export async function openRegularAt(
  directory: FileHandle,
  name: string,
  shownPath: string,
  rules: RegularFileRules = {},
): Promise<FileHandle> {
  return reopenRegular(await openLast(directory, name, O_PATH, 0, shownPath), shownPath, rules);
}

export interface ReadOptions {
  readonly maxBytes: number;
  /** Of a longer file, keep the end instead of the beginning. */
  readonly tail?: boolean;
  /** Follows symbolic links. Only for paths that the administrator controls, such as /etc/resolv.conf. */
  readonly followLinks?: boolean;
}

/**
 * Reads at most `maxBytes` of a regular file. The path's last component must not be a symbolic link, unless
 * `followLinks` is set. `truncated` says that the file has more than what is returned.
 *
 * @throws UnsafePathError for a link, FIFO, device, socket or directory; otherwise the system's error.
 */
export async function readRegularFile(
  path: string,
  options: ReadOptions,
): Promise<{ data: Buffer; truncated: boolean }> {
  const found = await open(path, options.followLinks ? O_PATH : O_PATH | constants.O_NOFOLLOW);
  const file = await reopenRegular(found, path, {});
  try {
    return await readAtMost(file, options.maxBytes, options.tail ?? false);
  } finally {
    await file.close();
  }
}

/** Reads at most `maxBytes` from the beginning or (`tail`) the end of an open regular file. */
export async function readAtMost(
  file: FileHandle,
  maxBytes: number,
  tail = false,
): Promise<{ data: Buffer; truncated: boolean }> {
  const start = tail ? Math.max(0, (await file.stat()).size - maxBytes) : 0;
  const chunks: Buffer[] = [];
  let length = 0;
  // One byte more than wanted tells a file of just that size from a longer one; /proc files have no size to ask for.
  while (length <= maxBytes) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, maxBytes + 1 - length));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, start + length);
    if (bytesRead === 0) break;
    chunks.push(chunk.subarray(0, bytesRead));
    length += bytesRead;
  }
  const data = Buffer.concat(chunks, length);
  return { data: data.subarray(0, maxBytes), truncated: start > 0 || length > maxBytes };
}

/**
 * Replaces a file as a whole: readers see the old or the new content, never a part. With `fsync` the new content has
 * reached the disk when this returns, the directory entry included.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: { readonly mode: number; readonly fsync?: boolean },
): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.tmp`);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(temporary, flags, 0o600);
  try {
    try {
      await file.writeFile(data);
      await file.chmod(options.mode);
      if (options.fsync) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch((unlinkError: unknown) => {
      if (errorCode(unlinkError) !== 'ENOENT') throw new AggregateError([error, unlinkError], `write ${path}`);
    });
    throw error;
  }
  if (options.fsync) await syncDirectory(directory);
}

/** Makes the names in a directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function walk(rootDir: string, components: readonly string[]): Promise<FileHandle> {
  let directory = await openTrustedDirectory(rootDir);
  let shownPath = rootDir;
  for (const component of components) {
    shownPath = join(shownPath, component);
    const parent = directory;
    try {
      directory = await openDirectoryAt(parent, component, shownPath);
    } finally {
      await parent.close();
    }
  }
  return directory;
}

async function openLast(
  directory: FileHandle,
  name: string,
  flags: number,
  mode: number,
  shownPath: string,
): Promise<FileHandle> {
  const wanted = flags | constants.O_NOFOLLOW | (flags & O_PATH ? 0 : constants.O_NONBLOCK);
  let file: FileHandle;
  try {
    file = await open(pathOfHandle(directory, name), wanted, mode);
  } catch (error) {
    throw explain(error, shownPath);
  }
  // With O_PATH the kernel does not refuse a link: it opens the link itself.
  if (flags & O_PATH && (await file.stat()).isSymbolicLink()) {
    await file.close();
    throw new UnsafePathError(shownPath, 'is a symbolic link');
  }
  return file;
}

/** Takes over `found` (an O_PATH handle): checks it, and opens that very object for reading. */
async function reopenRegular(found: FileHandle, shownPath: string, rules: RegularFileRules): Promise<FileHandle> {
  try {
    const stat = await found.stat();
    if (!stat.isFile()) {
      throw new UnsafePathError(shownPath, stat.isSymbolicLink() ? 'is a symbolic link' : 'is not a regular file');
    }
    if (rules.uid !== undefined && stat.uid !== rules.uid) {
      throw new UnsafePathError(shownPath, `is owned by user ${stat.uid}, not ${rules.uid}`);
    }
    if (rules.singleLink && stat.nlink !== 1) throw new UnsafePathError(shownPath, `has ${stat.nlink} names`);
    // O_NONBLOCK: a lease that a container holds on its file must not make us wait for it.
    return await open(pathOfHandle(found), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw explain(error, shownPath);
  } finally {
    await found.close();
  }
}

/** Gives a system error the path that the caller knows, and the refusal of a link its own type. */
function explain(error: unknown, shownPath: string): unknown {
  const code = errorCode(error);
  if (code === 'ELOOP') return new UnsafePathError(shownPath, 'is a symbolic link', { cause: error });
  if (code === 'ENOTDIR') return new UnsafePathError(shownPath, 'is not a directory', { cause: error });
  if (code !== undefined && error instanceof Error) {
    Object.assign(error, { path: shownPath });
    error.message = error.message.replace(/'\/proc\/self\/fd\/[^']*'/, `'${shownPath}'`);
  }
  return error;
}
