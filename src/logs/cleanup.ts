import { constants } from 'node:fs';
import { readdir, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { removeTree } from '../util/remove-tree.ts';
import { errorCode, O_PATH, openBeneath, pathOfHandle } from '../util/safe-fs.ts';
import { type LogDirectories, unlinkContainerLog, unlinkPodLogs } from './links.ts';
import { containerLogPath, type LogOwner, podLogDirectoryName } from './paths.ts';

/** Removes all logs of a pod, and the links to them. Success if there are none. */
export async function removePodLogs(directories: LogDirectories, pod: LogOwner): Promise<void> {
  await unlinkPodLogs(directories, pod);
  await removeTree(join(directories.logDirectory, podLogDirectoryName(pod)));
}

/** Removes the log of one instance of a container with its rotated files, and the link to it. */
export async function removeContainerLog(
  directories: LogDirectories,
  pod: LogOwner,
  containerName: string,
  restartCount: number,
): Promise<void> {
  await unlinkContainerLog(directories, pod, containerName, restartCount);
  const path = containerLogPath(pod, containerName, restartCount);
  try {
    const directory = await openBeneath(directories.logDirectory, dirname(path), O_PATH | constants.O_DIRECTORY);
    try {
      const log = basename(path);
      for (const name of await readdir(pathOfHandle(directory))) {
        if (name === log || name.startsWith(`${log}.`)) await unlink(pathOfHandle(directory, name));
      }
    } finally {
      await directory.close();
    }
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/**
 * The directories in /var/log/pods that have the form of a pod's: what is left of pods that nobody knows any more can
 * be found among them.
 */
export async function listPodLogDirectories(logDirectory: string): Promise<LogOwner[]> {
  let names: string[];
  try {
    names = await readdir(logDirectory);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
  return names.flatMap((directory) => {
    const [, namespace, name, uid] = /^([^_]+)_([^_]+)_([^_]+)$/.exec(directory) ?? [];
    return namespace && name && uid ? [{ namespace, name, uid }] : [];
  });
}
