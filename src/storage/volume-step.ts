import { type PersistentVolume, VOLUME_PROTECTION } from '../api/persistent-volume.ts';
import type { PersistentVolumeClaim } from '../api/persistent-volume-claim.ts';

/** PURE. What is to be done next for one volume. */

export type VolumePhase = NonNullable<NonNullable<PersistentVolume['status']>['phase']>;

export type VolumeStep =
  | { readonly kind: 'none' }
  | { readonly kind: 'setPhase'; readonly phase: VolumePhase }
  /** Nobody needs it any more: its content is to be removed, then itself. */
  | { readonly kind: 'reclaim' }
  /** It may go: nothing is bound to it. */
  | { readonly kind: 'release' };

/**
 * The next step of a volume (syncVolume in pkg/controller/volume/persistentvolume).
 *
 * @param claim the one that has the name of `spec.claimRef` now.
 * @param isUsed whether a pod uses a claim of that name, whichever it is: nothing is removed under its hands.
 */
export function volumeStep(
  volume: PersistentVolume,
  claim: PersistentVolumeClaim | undefined,
  isUsed: boolean,
): VolumeStep {
  const phase = phaseOf(volume, claim);
  const isGoing = volume.metadata.deletionTimestamp !== undefined;
  const isDeleted = volume.spec.persistentVolumeReclaimPolicy === 'Delete';
  if (isDeleted && (phase === 'Released' || (isGoing && phase !== 'Bound'))) {
    if (!isUsed) return { kind: 'reclaim' };
  } else if (isGoing && phase !== 'Bound' && volume.metadata.finalizers?.includes(VOLUME_PROTECTION)) {
    return { kind: 'release' };
  }
  return phase === volume.status?.phase ? { kind: 'none' } : { kind: 'setPhase', phase };
}

function phaseOf({ metadata, spec, status }: PersistentVolume, claim: PersistentVolumeClaim | undefined): VolumePhase {
  const { claimRef } = spec;
  // Reserved for a claim that is still to come, it can be had by that one only.
  if (!claimRef?.uid) return 'Available';
  if (claim?.metadata.uid !== claimRef.uid) return 'Released';
  if (claim.spec.volumeName === metadata.name) return 'Bound';
  // About to be bound.
  return status?.phase ?? 'Pending';
}
