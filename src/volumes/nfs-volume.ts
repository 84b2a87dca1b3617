import { access, realpath } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { nfsMountOptions } from '../api/nfs.ts';
import type { NFSVolumeSource } from '../api/pod.ts';
import { run } from '../util/exec.ts';
import { readMounts } from '../util/mounts.ts';
import { mkdirBeneath } from '../util/safe-fs.ts';
import type { MountPlace } from './local-volume.ts';
import { NFS_VOLUMES, OWN_DIRECTORY_MODE } from './pod-directory.ts';

/** Where util-linux looks for the program that mounts NFS. */
const HELPERS = ['/sbin/mount.nfs', '/usr/sbin/mount.nfs', '/sbin/fs.d/mount.nfs', '/sbin/fs/mount.nfs'];
/** A server that does not answer keeps a program in the kernel for minutes. */
const MOUNT_TIMEOUT_MS = 60_000;
/** A server that is well answers at once. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Mounts a directory of an NFS server for a pod, by the host's mount(8), or finds it mounted. Nothing here touches what is
 * mounted: a server that is gone would hold the daemon.
 *
 * @returns the path of the mount. @throws ExecError with what mount(8) says; Error where the host cannot mount NFS.
 */
export async function mountNfsVolume(
  source: NFSVolumeSource,
  mountOptions: readonly string[],
  { volumesDir, name }: MountPlace,
  signal?: AbortSignal,
): Promise<string> {
  const target = join(await realpath(volumesDir), NFS_VOLUMES, name);
  if (await isMountPoint(target)) return target;
  if (!(await hasHelper())) {
    throw new Error('mount.nfs is missing on this host: it is in the package nfs-common or nfs-utils');
  }
  await (await mkdirBeneath(volumesDir, join(NFS_VOLUMES, name), OWN_DIRECTORY_MODE)).close();
  await run('mount', nfsMountArguments(source, mountOptions, target), {
    timeoutMs: MOUNT_TIMEOUT_MS,
    // mount(8) waits for mount.nfs(8).
    withChildren: true,
    ...(signal ? { signal } : {}),
  });
  if (!(await isMountPoint(target))) throw new Error('mount(8) has succeeded, and nothing is mounted');
  return target;
}

/** PURE. How mount(8) is called. Whatever is in the fields stays one argument, and the source is never taken for a path. */
export function nfsMountArguments(
  { server, path, readOnly }: NFSVolumeSource,
  mountOptions: readonly string[],
  target: string,
): string[] {
  const wanted = nfsMountOptions(mountOptions);
  // The volume is tried again with a back-off: then the reason is told at once, instead of after two minutes.
  const hasRetry = wanted.some((option) => option.startsWith('retry='));
  const options = [...wanted, ...(hasRetry ? [] : ['retry=0']), ...(readOnly ? ['ro'] : [])];
  const host = isIPv6(server) ? `[${server}]` : server;
  return ['--no-canonicalize', '-t', 'nfs', '-o', options.join(','), '--', `${host}:${path}`, target];
}

/**
 * Asks a mounted server for a sign of life, in a program of its own, which can be killed.
 *
 * @throws ExecError when there is none.
 */
export async function checkNfsAnswers(path: string, signal?: AbortSignal): Promise<void> {
  await run('stat', ['--file-system', '--', path], { timeoutMs: ANSWER_TIMEOUT_MS, ...(signal ? { signal } : {}) });
}

/** The path has no symbolic links, as those in the table of mounts. */
async function isMountPoint(path: string): Promise<boolean> {
  return (await readMounts()).some(({ mountPoint }) => mountPoint === path);
}

async function hasHelper(): Promise<boolean> {
  const found = await Promise.allSettled(HELPERS.map((path) => access(path)));
  return found.some(({ status }) => status === 'fulfilled');
}
