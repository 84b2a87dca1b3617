import { join } from 'node:path';
import type { CgroupManager } from '../cgroups/cgroup-manager.ts';
import { listPodLogDirectories, removePodLogs } from '../logs/cleanup.ts';
import { type LogDirectories, linkContainerLog, removeDeadLinks } from '../logs/links.ts';
import { containerLogPath } from '../logs/paths.ts';
import type { CriClient } from '../runtime/cri-client.ts';
import { parsePodIdentity } from '../runtime/labels.ts';
import type { PodCache } from '../runtime/pod-cache.ts';
import type { Logger } from '../util/log.ts';
import type { VolumeManager } from '../volumes/volume-manager.ts';

export interface OrphansOptions {
  readonly client: Pick<CriClient, 'listPodSandboxes' | 'listContainers'>;
  readonly cache: Pick<PodCache, 'relist' | 'podUids' | 'runningContainers'>;
  readonly volumes: Pick<VolumeManager, 'listPodUids' | 'unmountPod'>;
  readonly cgroups: Pick<CgroupManager, 'listPodUids' | 'removePod'>;
  readonly logs: LogDirectories;
  readonly logger: Logger;
  /** Whether a pod with this UID is stored. */
  hasPod(uid: string): boolean;
}

/**
 * Removes what is left of pods that nobody knows any more, such as after a crash between two steps: logs, cgroups,
 * directories and mounts, and links to logs that are gone; makes those that are missing. A pod that cannot be cleaned up is logged and tried again
 * the next time.
 *
 * A pod counts as one of ours by its directory or cgroup, which go last: the logs of a pod that never had either may be
 * another kubelet's. What the runtime has of a pod keeps it, whoever made it: a daemon that lost its store takes
 * nothing from the containers of its former life.
 */
export class Orphans {
  readonly #options: OrphansOptions;
  #removing: Promise<void> | undefined;

  constructor(options: OrphansOptions) {
    this.#options = options;
  }

  /** Calls while one is under way share it. */
  async remove(): Promise<void> {
    this.#removing ??= this.#remove().finally(() => {
      this.#removing = undefined;
    });
    await this.#removing;
  }

  async #remove(): Promise<void> {
    const { volumes, cgroups, cache, logs } = this.#options;
    await cache.relist();
    const uids = new Set([...(await volumes.listPodUids()), ...(await cgroups.listPodUids())]);
    const unknown = [...uids].filter((uid) => !this.#isKnown(uid));
    if (unknown.length > 0) {
      const inRuntime = await this.#uidsInRuntime();
      for (const uid of unknown) if (!inRuntime.has(uid) && !this.#isKnown(uid)) await this.#removePod(uid);
    }
    const running = cache.runningContainers();
    // A daemon that was killed right after it started a container has not linked its log.
    for (const { pod, containerName, restartCount, id } of running) {
      await linkContainerLog(logs, { metadata: pod }, containerName, restartCount, id);
    }
    // Between a log's rotation and its opening anew its link leads nowhere for a moment.
    const written = running.map(({ pod, containerName, restartCount }) =>
      join(logs.logDirectory, containerLogPath(pod, containerName, restartCount)),
    );
    await removeDeadLinks(logs, new Set(written));
  }

  #isKnown(uid: string): boolean {
    return this.#options.hasPod(uid) || this.#options.cache.podUids().has(uid);
  }

  async #uidsInRuntime(): Promise<ReadonlySet<string>> {
    const { client } = this.#options;
    const lists = await Promise.all([client.listPodSandboxes({}), client.listContainers({})]);
    return new Set(lists.flat().map(({ labels }) => parsePodIdentity(labels)?.uid ?? ''));
  }

  async #removePod(uid: string): Promise<void> {
    const { volumes, cgroups, logs, logger } = this.#options;
    try {
      for (const owner of await listPodLogDirectories(logs.logDirectory)) {
        if (owner.uid === uid) await removePodLogs(logs, owner);
      }
      await cgroups.removePod(uid);
      await volumes.unmountPod(uid);
      logger.info({ podUid: uid }, 'removed what was left of a pod that is gone');
    } catch (error) {
      logger.warn({ err: error, podUid: uid }, 'could not remove what is left of a pod that is gone');
    }
  }
}
