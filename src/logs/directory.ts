import { constants } from 'node:fs';
import { chmod, mkdir, readdir, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { removeTree } from '../util/remove-tree.ts';
import {
  errorCode,
  mkdirBeneath,
  O_PATH,
  openBeneath,
  openRegularAt,
  pathOfHandle,
  UnsafePathError,
} from '../util/safe-fs.ts';
import { containerLogPath, type LogOwner } from './paths.ts';

/**
 * Makes the directory of a container's logs, which not every runtime does, and clears away what is in the place of the
 * coming log but is no log: a runtime opens it whatever it is, and writes through a link.
 *
 * @param root /var/log/pods.
 * @throws UnsafePathError when a directory on the way is a link.
 */
export async function prepareContainerLog(
  root: string,
  pod: LogOwner,
  containerName: string,
  restartCount: number,
): Promise<void> {
  const path = containerLogPath(pod, containerName, restartCount);
  const isNew = (await mkdir(root, { recursive: true })) !== undefined;
  if (isNew) await chmod(root, 0o755);
  const directory = await mkdirBeneath(root, dirname(path), 0o755);
  try {
    const file = await openRegularAt(directory, basename(path), join(root, path), { uid: 0, singleLink: true });
    await file.close();
  } catch (error) {
    if (error instanceof UnsafePathError) await clearAway(pathOfHandle(directory, basename(path)));
    else if (errorCode(error) !== 'ENOENT') throw error;
  } finally {
    await directory.close();
  }
}

/**
 * The highest restart count that a container left a log of, rotated ones included; undefined when there is none.
 *
 * @param root /var/log/pods.
 */
export async function lastLoggedRun(root: string, pod: LogOwner, containerName: string): Promise<number | undefined> {
  let names: string[];
  try {
    const path = dirname(containerLogPath(pod, containerName, 0));
    const directory = await openBeneath(root, path, O_PATH | constants.O_DIRECTORY);
    try {
      names = await readdir(pathOfHandle(directory));
    } finally {
      await directory.close();
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const counts = names.flatMap((name) => /^(\d{1,9})\.log(?:$|\.)/.exec(name)?.[1] ?? []).map(Number);
  return counts.length > 0 ? Math.max(...counts) : undefined;
}

async function clearAway(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'EISDIR') throw error;
    await removeTree(path);
  }
}
