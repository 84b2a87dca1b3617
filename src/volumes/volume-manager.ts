import { constants } from 'node:fs';
import { mkdir, open, readdir, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Container, NFSVolumeSource, Pod, Volume } from '../api/pod.ts';
import type { IdMapping } from '../runtime/sandbox-config.ts';
import type { Clock } from '../util/clock.ts';
import { ExecError } from '../util/exec.ts';
import type { Logger } from '../util/log.ts';
import { isRemote, type Mount, mountsBeneath, readMounts, unmountAt } from '../util/mounts.ts';
import { MountPointError, removeTree } from '../util/remove-tree.ts';
import { errorCode, O_PATH, openBeneath, openTrustedDirectory } from '../util/safe-fs.ts';
import { hasContent } from './atomic-writer.ts';
import type { ClaimedVolume } from './claimed-volume.ts';
import { ContainerMountError, type MountedVolume, type MountedVolumes } from './container-mounts.ts';
import { mountEmptyDir } from './empty-dir.ts';
import { fsGroupOf } from './fs-group.ts';
import { checkHostPath } from './host-path.ts';
import { hugePageSizes } from './huge-pages.ts';
import { mountLocalVolume } from './local-volume.ts';
import { checkNfsAnswers, mountNfsVolume } from './nfs-volume.ts';
import { PayloadError, type PayloadFacts } from './payload.ts';
import { mountPayloadVolume, type PayloadVolume, payloadVolumeOf, payloadVolumePath } from './payload-volume.ts';
import {
  emptyDirsDirectory,
  HOSTS_FILE,
  isPodUid,
  OWN_DIRECTORY_MODE,
  pathComponent,
  podDirectory,
  SUB_PATHS,
  volumesDirectory,
} from './pod-directory.ts';
import { mountSubPath } from './sub-path.ts';
import { type EndedContainer, makeTerminationLog, readTerminationMessage } from './termination-log.ts';
import { ensureUserNamespace } from './user-namespace.ts';

export type { MountedVolumes };

export interface VolumeManagerOptions {
  /** `<state>/pods`, absolute. */
  readonly podsDir: string;
  readonly logger: Logger;
  /** As uname(2) has it: os.release(). */
  readonly kernelRelease: string;
  /** What all pods together may use: bounds a volume in memory. */
  readonly nodeAllocatableMemoryBytes: () => bigint;
  /** The memory limit of the pod's cgroup, undefined for none. */
  readonly podMemoryLimitBytes: (pod: Pod) => bigint | undefined;
  /** What the volumes of a pod are made from that show objects of the API, as it is now. */
  readonly payloadFacts: (pod: Pod) => PayloadFacts;
  /** What a volume of a claim is, as it is now. @throws Error saying what is missing. */
  readonly claimedVolume: (pod: Pod, volume: Volume) => ClaimedVolume;
  readonly clock: Clock;
}

/** Volumes that cannot be had: what is missing on the host may come, so it is worth trying again. */
export class VolumeSetUpError extends Error {
  constructor(failures: readonly { readonly volume: string; readonly error: unknown }[]) {
    const messages = failures.map(
      ({ volume, error }) =>
        `MountVolume.SetUp failed for volume "${volume}" : ${error instanceof Error ? error.message : String(error)}`,
    );
    super(messages.join('; '), { cause: failures[0]?.error });
    this.name = 'VolumeSetUpError';
  }
}

/** A volume is still in use, so nothing of its pod is removed yet. To be tried again later. */
export class VolumeBusyError extends Error {
  constructor(path: string, options?: ErrorOptions) {
    super(`${path} is in use and cannot be unmounted`, options);
    this.name = 'VolumeBusyError';
  }
}

/** A process that is just ending lets go of its mounts within this time. */
const UNMOUNT_RETRY_DELAYS_MS = [20, 80, 200];
/** So often the table of mounts is looked at again for ones that appeared meanwhile. */
const UNMOUNT_ROUNDS = 5;

/**
 * The volumes and files of pods on the host. Every method finds what it made before, also after a restart of the
 * daemon, and can be called again after a failure. Calls for one pod must come one after the other.
 */
export class VolumeManager {
  readonly #options: VolumeManagerOptions;
  #userNamespaces: Promise<unknown> = Promise.resolve();

  constructor(options: VolumeManagerOptions) {
    this.#options = options;
  }

  /**
   * Makes all volumes of a pod, side by side. Cheap when they are made already, so it is called before each start of a
   * container: a hostPath is checked anew then.
   *
   * @throws VolumeSetUpError naming every volume that failed.
   */
  async mountPod(pod: Pod, options: { readonly signal?: AbortSignal } = {}): Promise<MountedVolumes> {
    // The runtime mounts the files of images.
    const volumes = (pod.spec.volumes ?? []).filter(({ image }) => !image);
    const results = await Promise.allSettled(volumes.map((volume) => this.#mountOrKeep(pod, volume, options.signal)));
    return collect(volumes, results, options.signal);
  }

  /**
   * Brings the volumes of a running pod that show objects of the API to what these are now. What cannot be made anew stays
   * as it is.
   *
   * @throws VolumeSetUpError naming every volume that failed.
   */
  async refreshPod(pod: Pod, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const volumes = (pod.spec.volumes ?? []).filter((volume) => payloadVolumeOf(pod, volume) !== undefined);
    const results = await Promise.allSettled(volumes.map((volume) => this.#mount(pod, volume, options.signal)));
    collect(volumes, results, options.signal);
  }

  /** When something in a pod's volumes is to be made anew though nothing changes. Milliseconds since the epoch. */
  refreshDueAtMs(pod: Pod): number | undefined {
    return this.#options.payloadFacts(pod).tokensDueAtMs();
  }

  /**
   * Mounts the parts of volumes that a container's volumeMounts name by subPath; see `mountSubPath`. They stay until the
   * pod's end, and are looked at anew for every instance of the container.
   *
   * @param subPaths by the index of the volumeMount.
   * @returns what to mount instead of the volume, by the same index.
   * @throws ContainerMountError
   */
  async mountSubPaths(
    pod: Pod,
    container: Pick<Container, 'name' | 'volumeMounts'>,
    volumes: MountedVolumes,
    subPaths: ReadonlyMap<number, string>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, string>> {
    const mounted = new Map<number, string>();
    for (const [index, subPath] of subPaths) {
      const name = container.volumeMounts?.[index]?.name ?? '';
      const path = join(SUB_PATHS, pathComponent(name), pathComponent(container.name), String(index));
      // Without its volume the container is refused anyway.
      const volume = volumes.get(name);
      if (!volume) continue;
      if (volume.image !== undefined) {
        // The runtime looks for it in the image.
        mounted.set(index, subPath);
        continue;
      }
      const root = podDirectory(this.#options.podsDir, pod.metadata.uid);
      try {
        if (volume.isRemote) await checkNfsAnswers(volume.hostPath, signal);
        mounted.set(index, await mountSubPath(volume.hostPath, subPath, { root, path }, signal));
      } catch (error) {
        const what = `volumeMount ${JSON.stringify(name)} of container ${JSON.stringify(container.name)}`;
        const detail = error instanceof Error ? error.message : String(error);
        const message = `failed to prepare subPath for ${what}: ${detail}`;
        throw new ContainerMountError('CreateContainerConfigError', message, { cause: error });
      }
    }
    return mounted;
  }

  /**
   * Unmounts everything below a pod's directory, the deepest first, and removes the directory. Nothing is removed as long
   * as anything is mounted there, and no mount is only detached: its content could be deleted through it.
   *
   * @throws VolumeBusyError when a mount is in use.
   */
  async unmountPod(uid: string): Promise<void> {
    const directory = podDirectory(this.#options.podsDir, uid);
    let podsDir: string;
    try {
      // The table of mounts has no symbolic links.
      podsDir = await realpath(this.#options.podsDir);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      throw error;
    }
    for (let round = 0; ; round += 1) {
      const mounts = mountsBeneath(await readMounts(), join(podsDir, uid));
      if (mounts.length === 0) break;
      if (round === UNMOUNT_ROUNDS) throw new VolumeBusyError(mounts[0]?.mountPoint ?? directory);
      for (const mount of mounts) await this.#unmount(podsDir, mount);
    }
    try {
      await removeTree(directory);
    } catch (error) {
      if (error instanceof MountPointError) throw new VolumeBusyError(error.path, { cause: error });
      throw error;
    }
  }

  /** The pods that have a directory here, whether anyone still knows them or not. */
  async listPodUids(): Promise<string[]> {
    try {
      return (await readdir(this.#options.podsDir)).filter(isPodUid);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /**
   * Writes the hosts file that the pod's containers share, in place: they all see the new content, and their own changes
   * to it are gone, as with a kubelet.
   *
   * @returns its absolute path.
   */
  async writeHostsFile(pod: Pod, text: string): Promise<string> {
    const { podsDir } = this.#options;
    const directory = podDirectory(podsDir, pod.metadata.uid);
    await mkdir(directory, { recursive: true, mode: OWN_DIRECTORY_MODE });
    const path = join(directory, HOSTS_FILE);
    const file = await open(
      path,
      constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      0o600,
    );
    try {
      await file.writeFile(text);
      // The old end is cut off after the new beginning is there: no container ever sees an empty file.
      await file.truncate(Buffer.byteLength(text));
      await file.chmod(0o644);
    } finally {
      await file.close();
    }
    return path;
  }

  /** Which ids the pod has on the host; undefined when they are the host's own. @see ensureUserNamespace */
  async ensureUserNamespace(pod: Pod): Promise<IdMapping | undefined> {
    if (pod.spec.hostUsers !== false) return undefined;
    const next = this.#userNamespaces.then(() => ensureUserNamespace(this.#options.podsDir, pod.metadata.uid));
    // One pod's failure is not the next one's.
    this.#userNamespaces = next.catch(() => undefined);
    return await next;
  }

  /** Makes the file for the last words of a container's instance; see `makeTerminationLog`. */
  async makeTerminationLog(pod: Pod, container: Pick<Container, 'name'>, restartCount: number): Promise<string> {
    const instance = { podUid: pod.metadata.uid, containerName: container.name, restartCount };
    return await makeTerminationLog(this.#options.podsDir, instance);
  }

  /** The last words of a container that ended; see `readTerminationMessage`. What cannot be read counts as nothing. */
  async readTerminationMessage(
    pod: Pod,
    ended: Omit<EndedContainer, 'podUid'>,
    readLogTail: () => Promise<string>,
  ): Promise<string> {
    const { podsDir, logger } = this.#options;
    try {
      return await readTerminationMessage(podsDir, pod, { ...ended, podUid: pod.metadata.uid }, readLogTail);
    } catch (error) {
      logger.warn({ err: error, pod: pod.metadata.uid, container: ended.containerName }, 'no termination message');
      return '';
    }
  }

  /** A container that starts again does so with what the volume has, though its source is gone meanwhile. */
  async #mountOrKeep(pod: Pod, volume: Volume, signal: AbortSignal | undefined): Promise<MountedVolume> {
    try {
      return await this.#mount(pod, volume, signal);
    } catch (error) {
      const payloadVolume = payloadVolumeOf(pod, volume);
      if (!(error instanceof PayloadError) || !payloadVolume) throw error;
      const hostPath = payloadVolumePath(volumesDirectory(this.#options.podsDir, pod.metadata.uid), payloadVolume);
      if (!(await hasContent(hostPath))) throw error;
      this.#options.logger.warn({ err: error, pod: pod.metadata.uid, volume: volume.name }, 'a volume stays as it is');
      return { hostPath, isManaged: true, readOnly: true };
    }
  }

  async #mount(pod: Pod, volume: Volume, signal: AbortSignal | undefined): Promise<MountedVolume> {
    signal?.throwIfAborted();
    const { name, emptyDir, hostPath, nfs, persistentVolumeClaim, ephemeral, ...others } = volume;
    if (hostPath) return { hostPath: await checkHostPath(hostPath), isManaged: false };
    if (nfs) return await this.#mountNfs(pod, name, nfs, [], signal);
    if (persistentVolumeClaim || ephemeral) return await this.#mountClaimed(pod, volume, signal);
    const payloadVolume = payloadVolumeOf(pod, volume);
    if (payloadVolume) return await this.#mountPayload(pod, payloadVolume, signal);
    const [unsupported] = Object.entries(others).find(([, source]) => source !== undefined) ?? [];
    if (unsupported !== undefined) throw new Error(`volumes of type ${unsupported} are not supported`);
    const { podsDir, kernelRelease, podMemoryLimitBytes, nodeAllocatableMemoryBytes } = this.#options;
    // A volume without any source is an emptyDir.
    const source = emptyDir ?? {};
    const fsGroup = fsGroupOf(pod);
    const facts = {
      parent: emptyDirsDirectory(podsDir, pod.metadata.uid),
      podMemoryLimitBytes: podMemoryLimitBytes(pod),
      nodeAllocatableMemoryBytes: nodeAllocatableMemoryBytes(),
      hugePageSizes: hugePageSizes(pod),
      kernelRelease,
      ...(fsGroup ? { fsGroup } : {}),
    };
    return { hostPath: await mountEmptyDir(pathComponent(name), source, facts, signal), isManaged: true };
  }

  async #mountClaimed(pod: Pod, volume: Volume, signal: AbortSignal | undefined): Promise<MountedVolume> {
    const { spec, readOnly } = this.#options.claimedVolume(pod, volume);
    const volumesDir = volumesDirectory(this.#options.podsDir, pod.metadata.uid);
    const place = { volumesDir, name: pathComponent(volume.name) };
    if (spec.hostPath) return { hostPath: await checkHostPath(spec.hostPath), isManaged: false, readOnly };
    if (spec.local) {
      await mkdir(volumesDir, { recursive: true, mode: OWN_DIRECTORY_MODE });
      const fsGroup = readOnly ? undefined : fsGroupOf(pod);
      const hostPath = await mountLocalVolume(spec.local.path, place, fsGroup, signal);
      return { hostPath, isManaged: true, readOnly };
    }
    if (spec.nfs) {
      const source = readOnly ? { ...spec.nfs, readOnly } : spec.nfs;
      return await this.#mountNfs(pod, volume.name, source, spec.mountOptions ?? [], signal);
    }
    throw new Error('a persistent volume of this kind is not supported');
  }

  /** As with a kubelet the files keep their groups: they are the server's. */
  async #mountNfs(
    pod: Pod,
    name: string,
    source: NFSVolumeSource,
    mountOptions: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<MountedVolume> {
    const volumesDir = volumesDirectory(this.#options.podsDir, pod.metadata.uid);
    await mkdir(volumesDir, { recursive: true, mode: OWN_DIRECTORY_MODE });
    const place = { volumesDir, name: pathComponent(name) };
    const hostPath = await mountNfsVolume(source, mountOptions, place, signal);
    return { hostPath, isManaged: false, readOnly: source.readOnly ?? false, isRemote: true };
  }

  async #mountPayload(pod: Pod, volume: PayloadVolume, signal: AbortSignal | undefined): Promise<MountedVolume> {
    const { podsDir, kernelRelease, nodeAllocatableMemoryBytes, payloadFacts, clock } = this.#options;
    const place = {
      volumesDir: volumesDirectory(podsDir, pod.metadata.uid),
      fsGroup: fsGroupOf(pod),
      now: clock.now(),
      kernelRelease,
      nodeAllocatableMemoryBytes: nodeAllocatableMemoryBytes(),
    };
    const hostPath = await mountPayloadVolume(volume, payloadFacts(pod), place, signal);
    // Only the daemon changes what is in there.
    return { hostPath, isManaged: true, readOnly: true };
  }

  /** Unmounts by the directory above, reached through no link: a path alone could lead to another mount by now. */
  async #unmount(podsDir: string, mount: Mount): Promise<void> {
    const parentPath = relative(podsDir, dirname(mount.mountPoint));
    const parent =
      parentPath === ''
        ? await openTrustedDirectory(podsDir)
        : await openBeneath(podsDir, parentPath, O_PATH | constants.O_DIRECTORY);
    try {
      let isForced = false;
      for (const delayMs of [...UNMOUNT_RETRY_DELAYS_MS, undefined]) {
        try {
          await unmountAt(parent, basename(mount.mountPoint), isForced);
          this.#options.logger.debug({ path: mount.mountPoint }, 'unmounted');
          return;
        } catch (error) {
          if (!(await readMounts()).some(({ id }) => id === mount.id)) return;
          // It ran into its deadline: the server does not take what is still to be written.
          isForced = isRemote(mount) && error instanceof ExecError && error.exitCode === undefined;
          if (delayMs === undefined) throw new VolumeBusyError(mount.mountPoint, { cause: error });
          await sleep(delayMs);
        }
      }
    } finally {
      await parent.close();
    }
  }
}

/** @throws VolumeSetUpError naming every volume that failed. */
function collect(
  volumes: readonly Volume[],
  results: readonly PromiseSettledResult<MountedVolume>[],
  signal: AbortSignal | undefined,
): MountedVolumes {
  signal?.throwIfAborted();
  const mounted = new Map<string, MountedVolume>();
  const failures: { volume: string; error: unknown }[] = [];
  for (const [index, { name }] of volumes.entries()) {
    const result = results[index];
    if (result?.status === 'fulfilled') mounted.set(name, result.value);
    else failures.push({ volume: name, error: result?.reason });
  }
  if (failures.length > 0) throw new VolumeSetUpError(failures);
  return mounted;
}
