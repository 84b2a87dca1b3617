import type { PersistentVolume } from '../api/persistent-volume.ts';
import type { PersistentVolumeClaim } from '../api/persistent-volume-claim.ts';
import type { NodeSelector } from '../api/pod.ts';
import { compareQuantity } from '../api/quantity.ts';
import { matchesLabelSelector } from '../api/selectors.ts';

/** PURE. Which volume fits which claim (pkg/controller/volume/persistentvolume and component-helpers/storage/volume). */

export type NodeMatcher = (selector: NodeSelector) => boolean;

/** Whether the volume is reserved for this very claim, or for one of its name that may still come. */
export function isReservedFor({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const { claimRef } = spec;
  if (!claimRef || claimRef.name !== metadata.name || claimRef.namespace !== metadata.namespace) return false;
  return !claimRef.uid || claimRef.uid === metadata.uid;
}

/** Why a volume cannot be the one of a claim that names it; undefined when it can. */
export function mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  const { spec } = volume;
  if (volume.metadata.deletionTimestamp) return 'the volume is being deleted';
  if (compareQuantity(spec.capacity?.storage ?? '0', requested(claim)) < 0) return 'requested PV is too small';
  if ((spec.storageClassName ?? '') !== (claim.spec.storageClassName ?? '')) return 'storageClassName does not match';
  if ((spec.volumeMode ?? 'Filesystem') !== (claim.spec.volumeMode ?? 'Filesystem')) return 'incompatible volumeMode';
  if (!hasAccessModes(volume, claim)) return 'incompatible accessMode';
  return undefined;
}

/**
 * The volume for a claim: one that is reserved for it, else the smallest of those that are free and fit.
 *
 * @param isDelayed only what is reserved: the claim waits for its first pod.
 */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  matchesNode: NodeMatcher,
  isDelayed: boolean,
): PersistentVolume | undefined {
  const fits = (volume: PersistentVolume) => {
    const selector = volume.spec.nodeAffinity?.required;
    return mismatch(volume, claim) === undefined && (!selector || matchesNode(selector));
  };
  const reserved = volumes.find((volume) => isReservedFor(volume, claim) && fits(volume));
  if (reserved || isDelayed) return reserved;
  const free = volumes.filter(
    (volume) =>
      !volume.spec.claimRef &&
      matchesLabelSelector(claim.spec.selector ?? {}, volume.metadata.labels ?? {}) &&
      fits(volume),
  );
  return free.reduce<PersistentVolume | undefined>(
    (best, volume) => (best && compareQuantity(storageOf(best), storageOf(volume)) <= 0 ? best : volume),
    undefined,
  );
}

/** How much a claim asks for. */
export function requested({ spec }: PersistentVolumeClaim): string {
  return spec.resources?.requests?.storage ?? '0';
}

function storageOf({ spec }: PersistentVolume): string {
  return spec.capacity?.storage ?? '0';
}

function hasAccessModes({ spec }: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  return (claim.spec.accessModes ?? []).every((mode) => spec.accessModes?.includes(mode));
}
