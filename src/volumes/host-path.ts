import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readlink, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { HostPathVolumeSource } from '../api/pod.ts';
import { errorCode, mkdirBeneath, O_PATH, pathOfHandle } from '../util/safe-fs.ts';

type HostPathType = NonNullable<HostPathVolumeSource['type']>;

interface Expectation {
  /** As Kubernetes' messages have it. */
  readonly article: string;
  readonly isMet: (found: Stats) => boolean;
  readonly create?: (path: string) => Promise<void>;
}

const directory = { article: 'a directory', isMet: (found: Stats) => found.isDirectory() };
const file = { article: 'a file', isMet: (found: Stats) => found.isFile() };

const expectations: { readonly [type in Exclude<HostPathType, ''>]: Expectation } = {
  Directory: directory,
  DirectoryOrCreate: { ...directory, create: makeDirectories },
  File: file,
  FileOrCreate: { ...file, create: makeFile },
  Socket: { article: 'a socket file', isMet: (found) => found.isSocket() },
  CharDevice: { article: 'a character device', isMet: (found) => found.isCharacterDevice() },
  BlockDevice: { article: 'a block device', isMet: (found) => found.isBlockDevice() },
};

/**
 * Checks, and for the `...OrCreate` types makes, what a hostPath volume names. The runtime checks nothing: it makes a
 * directory of what is missing and takes whatever is there (pkg/volume/hostpath).
 *
 * Symbolic links are followed, as everywhere on the host: `/var/run/x.sock` is meant to work. But the runtime would
 * follow them once more, later. So what is returned is the path without links of the very object that was checked, and
 * a link that changes afterwards changes nothing. Without a type nothing is checked, and the path is the manifest's.
 *
 * The object is opened with O_PATH only: no driver is called and no FIFO waited for.
 *
 * @returns the path that the runtime mounts.
 */
export async function checkHostPath(source: HostPathVolumeSource): Promise<string> {
  const { path, type = '' } = source;
  if (!path.startsWith('/') || path.split('/').includes('..') || path.includes('\0')) {
    throw new Error(`invalid HostPath \`${path}\`: must be absolute and must not contain '..'`);
  }
  if (type === '') return path;
  const expectation = expectations[type];
  const found = (await openAny(path)) ?? (expectation.create && (await createAndOpen(path, expectation.create)));
  if (!found) throw new HostPathTypeError(path, expectation.article, 'it does not exist');
  try {
    const stats = await found.stat();
    if (!expectation.isMet(stats)) throw new HostPathTypeError(path, expectation.article, `it is ${kindOf(stats)}`);
    return await pathWithoutLinks(found, path, stats);
  } finally {
    await found.close();
  }
}

/** What is there is not what the manifest says. */
export class HostPathTypeError extends Error {
  constructor(path: string, article: string, instead: string) {
    super(`hostPath type check failed: ${path} is not ${article}, ${instead}`);
    this.name = 'HostPathTypeError';
  }
}

async function openAny(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, O_PATH);
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function createAndOpen(path: string, create: (path: string) => Promise<void>): Promise<FileHandle | undefined> {
  await create(path);
  return await openAny(path);
}

/** Like mkdir -p. Every directory that is made gets 0755, whatever the umask; those that are there keep theirs. */
async function makeDirectories(path: string): Promise<void> {
  const missing: string[] = [];
  let present = withoutTrailingSlash(path);
  for (; !(await exists(present)); present = dirname(present)) missing.unshift(basename(present));
  if (missing.length > 0) await (await mkdirBeneath(present, missing.join('/'), 0o755)).close();
}

/**
 * Not through a link that leads nowhere: whoever may put links into a shared directory could have files made anywhere.
 * The parent must exist, as with a kubelet.
 */
async function makeFile(path: string): Promise<void> {
  try {
    const made = await open(
      path,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      await made.chmod(0o644);
    } finally {
      await made.close();
    }
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}

/** Whether there is anything under this name, be it a link that leads nowhere. */
async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function pathWithoutLinks(found: FileHandle, path: string, stats: Stats): Promise<string> {
  const real = await readlink(pathOfHandle(found));
  const now = await stat(real).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (now?.ino === stats.ino && now.dev === stats.dev) return real;
  throw new Error(`hostPath ${path} was replaced while it was being checked`);
}

function withoutTrailingSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') || '/' : path;
}

function kindOf(stats: Stats): string {
  for (const { article, isMet } of Object.values(expectations)) {
    if (isMet(stats)) return article;
  }
  return stats.isFIFO() ? 'a FIFO' : 'something else';
}
