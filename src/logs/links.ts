import { chmod, lstat, mkdir, readdir, readlink, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../util/safe-fs.ts';
import { containerLogPath, type LogOwner, logLinkName, podLogDirectoryName } from './paths.ts';

export interface LogDirectories {
  /** /var/log/pods. */
  readonly logDirectory: string;
  /** /var/log/containers; empty: no links are made. */
  readonly logLinksDirectory: string;
}

/** Makes the link in /var/log/containers by which log agents find a container's log. Replaces a link of that name. */
export async function linkContainerLog(
  directories: LogDirectories,
  pod: { readonly metadata: LogOwner },
  containerName: string,
  restartCount: number,
  containerId: string,
): Promise<void> {
  if (directories.logLinksDirectory === '') return;
  const target = join(directories.logDirectory, containerLogPath(pod.metadata, containerName, restartCount));
  const link = join(directories.logLinksDirectory, logLinkName(pod.metadata, containerName, containerId));
  try {
    await symlink(target, link);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      await mkdir(directories.logLinksDirectory, { recursive: true });
      await chmod(directories.logLinksDirectory, 0o755);
    } else if (errorCode(error) === 'EEXIST') {
      if ((await linkTarget(link)) === target) return;
      await removeIfThere(link);
    } else {
      throw error;
    }
    await symlink(target, link);
  }
}

/** Removes the links to the logs of one pod. What only has such a name is left alone. */
export async function unlinkPodLogs(directories: LogDirectories, pod: LogOwner): Promise<void> {
  const logs = `${join(directories.logDirectory, podLogDirectoryName(pod))}/`;
  await removeLinks(directories, `${pod.name}_${pod.namespace}_`, (target) => target.startsWith(logs));
}

/** Removes the links to the log of one instance of a container. */
export async function unlinkContainerLog(
  directories: LogDirectories,
  pod: LogOwner,
  containerName: string,
  restartCount: number,
): Promise<void> {
  const log = join(directories.logDirectory, containerLogPath(pod, containerName, restartCount));
  await removeLinks(directories, `${pod.name}_${pod.namespace}_`, (target) => target === log);
}

/**
 * Removes the links into the log directory whose log is gone.
 *
 * @param written paths of logs that are being written, whether they are there at this moment or not.
 */
export async function removeDeadLinks(directories: LogDirectories, written: ReadonlySet<string>): Promise<void> {
  const logs = `${directories.logDirectory}/`;
  await removeLinks(
    directories,
    '',
    async (target) => target.startsWith(logs) && !written.has(target) && !(await isThere(target)),
  );
}

async function removeLinks(
  directories: LogDirectories,
  namePrefix: string,
  isWanted: (target: string) => boolean | Promise<boolean>,
): Promise<void> {
  if (directories.logLinksDirectory === '') return;
  let names: string[];
  try {
    names = await readdir(directories.logLinksDirectory);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  for (const name of names.filter((name) => name.startsWith(namePrefix))) {
    const link = join(directories.logLinksDirectory, name);
    const target = await linkTarget(link);
    if (target !== undefined && (await isWanted(target))) await removeIfThere(link);
  }
}

/** Undefined for what is no link. */
async function linkTarget(link: string): Promise<string | undefined> {
  try {
    return await readlink(link);
  } catch (error) {
    if (errorCode(error) === 'EINVAL' || errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return false;
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
