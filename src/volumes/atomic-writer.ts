import { randomInt } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, readdir, readlink, rename, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree } from '../util/remove-tree.ts';
import { errorCode, O_PATH, openDirectoryAt, pathOfHandle, readAtMost, UnsafePathError } from '../util/safe-fs.ts';
import type { Payload, PayloadFile } from './payload.ts';

const CURRENT = '..data';
const NEXT = '..data_tmp';
/** `..2026_01_02_03_04_05.1234567890`: a whole content at one time. */
const TIMESTAMPED = /^\.\.\d{4}(?:_\d\d){5}\.\d+$/;
const DIRECTORY_MODE = 0o755;
const PERMISSIONS = 0o7777;
const WRITE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface AtomicWriteOptions {
  /** Names the content. Milliseconds since the epoch. */
  readonly now: number;
  /** Done to the directory with the new content before anybody sees it: what gives it to a group. */
  readonly prepare?: (directory: string) => Promise<unknown>;
  /** What `prepare` makes of a file's mode, so that an unchanged content is known for such. */
  readonly modeOf?: (mode: number) => number;
}

/**
 * Brings the files of a volume to a payload, all at once for whoever reads them (pkg/volume/util/atomic_writer.go):
 *
 *     <volume>/..2026_01_02_03_04_05.1234567890/a, .../b/c     the content
 *             /..data  ->  ..2026_01_02_03_04_05.1234567890     what is renamed to change it
 *             /a  ->  ..data/a                                  what containers open
 *             /b  ->  ..data/b
 *
 * A content that is there already is left as it is. Killed at any line, the old content or the new one is there whole,
 * and the next call goes on. Nothing that somebody put into the volume is followed: links and other strange things are
 * replaced, and a `..data` that leads elsewhere is not read.
 *
 * @param volume an existing directory, in a place that only the daemon can change.
 * @returns whether anything changed.
 */
export async function writeAtomically(volume: string, payload: Payload, options: AtomicWriteOptions): Promise<boolean> {
  const directory = await open(volume, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const current = await currentContent(directory);
    const isSame = current !== undefined && (await hasPayload(directory, current, volume, payload, options));
    const content = isSame ? current : await publish(directory, volume, payload, options);
    const changed = await showFiles(directory, volume, payload, content);
    return !isSame || changed;
  } finally {
    await directory.close();
  }
}

/** Whether a content was ever published in the volume, and is still there. */
export async function hasContent(volume: string): Promise<boolean> {
  try {
    const directory = await open(volume, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const current = await currentContent(directory);
      if (current === undefined) return false;
      await (await openDirectoryAt(directory, current, volume)).close();
      return true;
    } finally {
      await directory.close();
    }
  } catch (error) {
    if (error instanceof UnsafePathError || errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** The name that `..data` leads to; undefined when that is none of ours. */
async function currentContent(directory: FileHandle): Promise<string | undefined> {
  try {
    const target = await readlink(pathOfHandle(directory, CURRENT));
    return TIMESTAMPED.test(target) ? target : undefined;
  } catch (error) {
    // Nothing there, or something that is no link.
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'EINVAL') return undefined;
    throw error;
  }
}

/** Whether the published content is the payload: the same files, bytes, modes and owners, and nothing else. */
async function hasPayload(
  directory: FileHandle,
  content: string,
  volume: string,
  payload: Payload,
  { modeOf = (mode) => mode }: AtomicWriteOptions,
): Promise<boolean> {
  const wanted = new Map(payload);
  const visit = async (parent: FileHandle, name: string, prefix: string): Promise<boolean> => {
    const found = await openDirectoryAt(parent, name, join(volume, prefix));
    try {
      for (const entry of await readdir(pathOfHandle(found), { withFileTypes: true })) {
        const path = `${prefix}${entry.name}`;
        const file = wanted.get(path);
        if (entry.isDirectory() ? !(await visit(found, entry.name, `${path}/`)) : !file) return false;
        if (file && !(await isFile(found, entry.name, file, modeOf))) return false;
        wanted.delete(path);
      }
      return true;
    } finally {
      await found.close();
    }
  };
  try {
    return (await visit(directory, content, '')) && wanted.size === 0;
  } catch (error) {
    // It was tampered with: made anew.
    if (error instanceof UnsafePathError || errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function isFile(
  parent: FileHandle,
  name: string,
  { data, mode, uid = 0 }: PayloadFile,
  modeOf: (mode: number) => number,
): Promise<boolean> {
  const found = await open(pathOfHandle(parent, name), O_PATH | constants.O_NOFOLLOW);
  try {
    const stats = await found.stat();
    if (!stats.isFile() || stats.size !== data.length || stats.uid !== uid) return false;
    if ((stats.mode & PERMISSIONS) !== modeOf(mode)) return false;
    const file = await open(pathOfHandle(found), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return Buffer.compare((await readAtMost(file, data.length)).data, data) === 0;
    } finally {
      await file.close();
    }
  } finally {
    await found.close();
  }
}

/** Writes a new content beside the old one and lets `..data` lead to it. @returns its name. */
async function publish(
  directory: FileHandle,
  volume: string,
  payload: Payload,
  { now, prepare }: AtomicWriteOptions,
): Promise<string> {
  const content = `..${new Date(now).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '_')}.${randomInt(2 ** 47)}`;
  await makeDirectory(pathOfHandle(directory, content));
  const made = await openDirectoryAt(directory, content, volume);
  try {
    for (const [path, file] of payload) await writeNew(made, path, file);
  } finally {
    await made.close();
  }
  await prepare?.(join(volume, content));
  await removeEntry(directory, volume, NEXT);
  await symlink(content, pathOfHandle(directory, NEXT));
  try {
    await rename(pathOfHandle(directory, NEXT), pathOfHandle(directory, CURRENT));
  } catch (error) {
    // Somebody made a directory of it: nothing can be renamed onto that.
    if (errorCode(error) !== 'EISDIR' && errorCode(error) !== 'ENOTEMPTY') throw error;
    await removeEntry(directory, volume, CURRENT);
    await rename(pathOfHandle(directory, NEXT), pathOfHandle(directory, CURRENT));
  }
  return content;
}

/** A file in a directory that nobody knows of yet, with the directories on its way. */
async function writeNew(root: FileHandle, path: string, { data, mode, uid }: PayloadFile): Promise<void> {
  const parents = path.split('/').slice(0, -1);
  for (let depth = 1; depth <= parents.length; depth++) {
    await makeDirectory(pathOfHandle(root, parents.slice(0, depth).join('/')));
  }
  const file = await open(pathOfHandle(root, path), WRITE_NEW, 0o600);
  try {
    await file.writeFile(data);
    if (uid !== undefined) await file.chown(uid, -1);
    await file.chmod(mode);
  } finally {
    await file.close();
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return;
    throw error;
  }
  await chmod(path, DIRECTORY_MODE);
}

/** Makes the names that containers open lead to the content, and removes all that is not of it. */
async function showFiles(directory: FileHandle, volume: string, payload: Payload, content: string): Promise<boolean> {
  let changed = false;
  const wanted = new Map(
    [...payload.keys()].map((path) => path.split('/')[0] ?? '').map((name) => [name, join(CURRENT, name)]),
  );
  const entries = await readdir(pathOfHandle(directory), { withFileTypes: true });
  for (const { name } of entries) {
    if (name === CURRENT || name === content) continue;
    const target = wanted.get(name);
    if (target !== undefined && (await linkAt(directory, name)) === target) {
      wanted.delete(name);
      continue;
    }
    if (target === undefined && name.startsWith('..') && !TIMESTAMPED.test(name) && name !== NEXT) continue;
    await removeEntry(directory, volume, name);
    changed = true;
  }
  for (const [name, target] of wanted) {
    await symlink(target, pathOfHandle(directory, name));
    changed = true;
  }
  return changed;
}

async function linkAt(directory: FileHandle, name: string): Promise<string | undefined> {
  try {
    return await readlink(pathOfHandle(directory, name));
  } catch (error) {
    if (errorCode(error) === 'EINVAL' || errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A link is removed itself; of a directory everything in it, through no link and no mount. */
async function removeEntry(directory: FileHandle, volume: string, name: string): Promise<void> {
  try {
    await unlink(pathOfHandle(directory, name));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    if (errorCode(error) !== 'EISDIR' && errorCode(error) !== 'EPERM') throw error;
    await removeTree(join(volume, name));
  }
}
