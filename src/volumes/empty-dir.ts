import { constants } from 'node:fs';
import { chmod, type FileHandle, lstat, mkdir, open, rename, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { EmptyDirVolumeSource } from '../api/pod.ts';
import { quantityBytes } from '../api/quantity.ts';
import { mountIdOf, mountMemory } from '../util/mounts.ts';
import { errorCode, O_PATH, openDirectoryAt, pathOfHandle, UnsafePathError } from '../util/safe-fs.ts';
import { applyFsGroup, type FsGroup, fsGroupMode } from './fs-group.ts';
import { hugetlbfsOptions, isHugePages, pageBytes } from './huge-pages.ts';
import { OWN_DIRECTORY_MODE } from './pod-directory.ts';

/** Any user of any container may write. */
const VOLUME_MODE = 0o777;
/** Of statfs(2). */
const MAGIC = { tmpfs: 0x01021994, hugetlbfs: 0x958458f6 };

export interface EmptyDirFacts {
  /** Absolute path of the directory that has the pod's emptyDir volumes. */
  readonly parent: string;
  /** Bounds a volume in memory: the limit of the pod's cgroup, undefined for none. */
  readonly podMemoryLimitBytes: bigint | undefined;
  readonly nodeAllocatableMemoryBytes: bigint;
  /** Of the huge pages that the pod asks for, in bytes. */
  readonly hugePageSizes: readonly bigint[];
  /** As uname(2) has it, such as `6.1.0-18-amd64`. */
  readonly kernelRelease: string;
  /** The group that the volume is made for. What is in it later has the group from it. */
  readonly fsGroup?: FsGroup;
}

/**
 * Makes an emptyDir volume, or finds it made. Its content survives restarts of containers and of the daemon.
 *
 * @returns its absolute path.
 */
export async function mountEmptyDir(
  name: string,
  source: EmptyDirVolumeSource,
  facts: EmptyDirFacts,
  signal?: AbortSignal,
): Promise<string> {
  const path = join(facts.parent, name);
  const { medium = '' } = source;
  if (medium !== '' && medium !== 'Memory' && !isHugePages(medium)) {
    throw new Error(`emptyDir medium ${JSON.stringify(medium)} is not supported`);
  }
  const pages = isHugePages(medium) ? pageBytes(medium, facts.hugePageSizes) : undefined;
  await ensureDirectory(facts.parent, name, facts.fsGroup);
  if (medium === 'Memory') await ensureMounted('tmpfs', facts.parent, name, tmpfsOptions(source, facts), signal);
  if (pages !== undefined) {
    const options = hugetlbfsOptions(pages, source.sizeLimit, facts.fsGroup);
    await ensureMounted('hugetlbfs', facts.parent, name, options, signal);
  }
  return path;
}

/**
 * PURE. The size of a volume in memory: the least of its own limit, the pod's, and what the node has for pods, of those
 * that are known (calculateEmptyDirMemorySize in pkg/volume/emptydir). Undefined leaves it to the kernel.
 */
export function memoryVolumeBytes(
  source: EmptyDirVolumeSource,
  facts: Pick<EmptyDirFacts, 'podMemoryLimitBytes' | 'nodeAllocatableMemoryBytes'>,
): bigint | undefined {
  const sizeLimit = source.sizeLimit === undefined ? 0n : quantityBytes(source.sizeLimit);
  return [facts.nodeAllocatableMemoryBytes, facts.podMemoryLimitBytes ?? 0n, sizeLimit]
    .filter((bytes) => bytes > 0n)
    .reduce<bigint | undefined>((least, bytes) => (least === undefined || bytes < least ? bytes : least), undefined);
}

/** PURE. Mount options: what is in memory stays out of the swap where the kernel can promise it (6.3 and newer). */
export function tmpfsOptions(source: EmptyDirVolumeSource, facts: EmptyDirFacts): string[] {
  const bytes = memoryVolumeBytes(source, facts);
  const [major = 0, minor = 0] = facts.kernelRelease.split('.').map((part) => Number.parseInt(part, 10));
  const canForbidSwap = major > 6 || (major === 6 && minor >= 3);
  const { fsGroup } = facts;
  const mode = fsGroup ? fsGroupMode(VOLUME_MODE, true) : VOLUME_MODE;
  return [
    `mode=0${mode.toString(8)}`,
    ...(fsGroup ? [`gid=${fsGroup.gid}`] : []),
    ...(bytes === undefined ? [] : [`size=${bytes}`]),
    ...(canForbidSwap ? ['noswap'] : []),
  ];
}

/**
 * Under a name that no volume has, and renamed when it is as it should be: the mode is never set again, because a
 * container may have changed it, and a crash on the way must not leave it wrong for good.
 */
async function ensureDirectory(parent: string, name: string, fsGroup: FsGroup | undefined): Promise<void> {
  const path = join(parent, name);
  try {
    if (!(await lstat(path)).isDirectory()) throw new UnsafePathError(path, 'is not a directory');
    return;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  await mkdir(parent, { recursive: true, mode: OWN_DIRECTORY_MODE });
  const unfinished = join(parent, `.${name}.new`);
  try {
    await mkdir(unfinished, { mode: OWN_DIRECTORY_MODE });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  await chmod(unfinished, VOLUME_MODE);
  if (fsGroup) await applyFsGroup(unfinished, fsGroup);
  await rename(unfinished, path);
}

/** Mounts the volume's file system unless it is mounted: a second one on top would hide the pod's data. */
async function ensureMounted(
  fsType: keyof typeof MAGIC,
  parentPath: string,
  name: string,
  options: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const parent = await open(parentPath, O_PATH | constants.O_DIRECTORY);
  try {
    if (await hasMounted(fsType, parent, parentPath, name)) return;
    await mountMemory(fsType, parent, name, options, signal);
  } finally {
    await parent.close();
  }
}

async function hasMounted(
  fsType: keyof typeof MAGIC,
  parent: FileHandle,
  parentPath: string,
  name: string,
): Promise<boolean> {
  const path = join(parentPath, name);
  const directory = await openDirectoryAt(parent, name, path);
  try {
    if (mountIdOf(directory) === mountIdOf(parent)) return false;
    if ((await statfs(pathOfHandle(directory))).type === MAGIC[fsType]) return true;
    throw new Error(`${path}: something that is no ${fsType} is mounted there`);
  } finally {
    await directory.close();
  }
}
