import type { CgroupManager } from '../cgroups/cgroup-manager.ts';
import type { Logger } from '../util/log.ts';
import type { VolumeManager } from '../volumes/volume-manager.ts';

/**
 * Removes directories, mounts and cgroups of pods that neither the store nor the runtime knows: what a crash between two
 * steps left. A pod that cannot be cleaned up is logged and left for the next start.
 */
export async function removeOrphans(
  volumes: VolumeManager,
  cgroups: CgroupManager,
  isKnown: (podUid: string) => boolean,
  logger: Logger,
): Promise<void> {
  const uids = new Set([...(await volumes.listPodUids()), ...(await cgroups.listPodUids())]);
  for (const uid of uids) {
    if (isKnown(uid)) continue;
    try {
      await volumes.unmountPod(uid);
      await cgroups.removePod(uid);
      logger.info({ podUid: uid }, 'removed what was left of a pod that is gone');
    } catch (error) {
      logger.warn({ err: error, podUid: uid }, 'could not remove what is left of a pod that is gone');
    }
  }
}
