import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { bindMountAt, mountIdOf, unmountAt } from '../util/mounts.ts';
import { errorCode, mkdirAt, mkdirBeneath, O_PATH, openBeneath, openDirectoryAt } from '../util/safe-fs.ts';
import { applyFsGroup, type FsGroup } from './fs-group.ts';
import { LOCAL_VOLUMES, OWN_DIRECTORY_MODE } from './pod-directory.ts';

/** Where a volume is mounted for one pod. */
export interface MountPlace {
  /** Absolute path of the directory that has the pod's volumes; only the daemon can reach it. */
  readonly volumesDir: string;
  /** Name of the volume: one component of a path. */
  readonly name: string;
}

/**
 * Mounts a directory of the host for a pod, or finds it mounted; then what is mounted stays, whatever is at the path now.
 *
 * No component of the path may be a symbolic link, other than with a kubelet: a directory above may belong to another
 * volume, whose pods could lead this one anywhere. What is mounted below the directory does not come along.
 *
 * With a group the directory is mounted under another name at first, so that it only shows in its place when all that
 * is in it has its group.
 *
 * @returns the path of the mount. @throws UnsafePathError; otherwise the system's error.
 */
export async function mountLocalVolume(
  path: string,
  place: MountPlace,
  fsGroup: FsGroup | undefined,
  signal?: AbortSignal,
): Promise<string> {
  const { volumesDir, name } = place;
  const parent = await mkdirBeneath(volumesDir, LOCAL_VOLUMES, OWN_DIRECTORY_MODE);
  try {
    const hostPath = join(volumesDir, LOCAL_VOLUMES, name);
    if (await isMounted(parent, name)) return hostPath;
    const source = await openSource(path);
    try {
      if (!fsGroup) await mountOn(source, parent, name, signal);
      else await mountWithGroup(source, parent, { name, directory: join(volumesDir, LOCAL_VOLUMES) }, fsGroup, signal);
    } finally {
      await source.close();
    }
    return hostPath;
  } finally {
    await parent.close();
  }
}

async function mountWithGroup(
  source: FileHandle,
  parent: FileHandle,
  { name, directory }: { readonly name: string; readonly directory: string },
  fsGroup: FsGroup,
  signal: AbortSignal | undefined,
): Promise<void> {
  // No volume has such a name.
  const unfinished = `.${name}.new`;
  // Of a daemon that was killed meanwhile.
  if (await isMounted(parent, unfinished)) await unmountAt(parent, unfinished);
  await mountOn(source, parent, unfinished, signal);
  await applyFsGroup(join(directory, unfinished), fsGroup, signal);
  await mountOn(source, parent, name, signal);
  await unmountAt(parent, unfinished);
}

async function mountOn(source: FileHandle, parent: FileHandle, name: string, signal?: AbortSignal): Promise<void> {
  await (await mkdirAt(parent, name, OWN_DIRECTORY_MODE, name)).close();
  await bindMountAt(source, parent, name, signal);
}

/** Whether something is mounted on the component, which may be missing. */
export async function isMounted(parent: FileHandle, name: string): Promise<boolean> {
  let directory: FileHandle;
  try {
    directory = await openDirectoryAt(parent, name, name);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
  try {
    return mountIdOf(directory) !== mountIdOf(parent);
  } finally {
    await directory.close();
  }
}

async function openSource(path: string): Promise<FileHandle> {
  const components = path.split('/').filter((component) => component !== '');
  const flags = O_PATH | constants.O_DIRECTORY;
  return components.length === 0 ? await open('/', flags) : await openBeneath('/', components.join('/'), flags);
}
