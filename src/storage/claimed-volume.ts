import { persistentVolumeClaimKind, persistentVolumeKind, podKind } from '../api/kinds.ts';
import type { Pod, Volume } from '../api/pod.ts';
import type { Store } from '../store/store.ts';
import type { ClaimedVolume } from '../volumes/claimed-volume.ts';
import { claimNameOf, isOwnedBy, usesClaim } from './claim-users.ts';

/**
 * The persistent volume that a pod's volume is of, as it is bound now.
 *
 * @throws Error saying what is missing; it may come.
 */
export function claimedVolume(store: Pick<Store, 'get' | 'findOldest'>, pod: Pod, volume: Volume): ClaimedVolume {
  const { namespace } = pod.metadata;
  const name = claimNameOf(pod, volume) ?? '';
  const shown = `persistentvolumeclaim ${JSON.stringify(name)}`;
  const claim = store.get(persistentVolumeClaimKind, namespace, name);
  if (!claim) throw new Error(`${shown} not found`);
  if (volume.ephemeral && !isOwnedBy(claim, pod)) {
    throw new Error(`${shown} was not created for the pod: pod is not owner`);
  }
  const { deletionTimestamp = '' } = claim.metadata;
  // A pod that was there before may go on, and keeps the claim.
  if (deletionTimestamp !== '' && deletionTimestamp < (pod.metadata.creationTimestamp ?? '')) {
    throw new Error(`${shown} is being deleted`);
  }
  if (claim.status?.phase === 'Lost') throw new Error(`${shown} has lost its volume ${claim.spec.volumeName}`);
  if (claim.status?.phase !== 'Bound' || !claim.spec.volumeName) throw new Error(`${shown} is not bound`);
  const found = store.get(persistentVolumeKind, undefined, claim.spec.volumeName);
  if (!found) throw new Error(`persistentvolume ${JSON.stringify(claim.spec.volumeName)} not found`);
  if (found.spec.claimRef?.uid !== claim.metadata.uid) {
    throw new Error(`persistentvolume ${JSON.stringify(found.metadata.name)} is not bound to ${shown}`);
  }
  if (claim.spec.accessModes?.includes('ReadWriteOncePod')) {
    const first = findFirstUser(store, namespace, name);
    if (first && first.metadata.uid !== pod.metadata.uid) {
      throw new Error(
        `${shown} has the ReadWriteOncePod access mode and is in use by pod ${JSON.stringify(first.metadata.name)}`,
      );
    }
  }
  return { spec: found.spec, readOnly: volume.persistentVolumeClaim?.readOnly ?? false };
}

/** Of several pods that want a claim for themselves alone, the oldest that has not ended. */
function findFirstUser(store: Pick<Store, 'findOldest'>, namespace: string, name: string): Pod | undefined {
  return store.findOldest(
    podKind,
    (pod) => pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed' && usesClaim(pod, namespace, name),
  );
}
