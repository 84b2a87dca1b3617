import type { PersistentVolumeClaim } from '../api/persistent-volume-claim.ts';
import type { Pod, Volume } from '../api/pod.ts';

/** PURE. Which claims the volumes of a pod are of. */

/** Name of the claim that a volume is of, in the pod's namespace; undefined for other volumes. */
export function claimNameOf({ metadata }: Pod, volume: Volume): string | undefined {
  if (volume.ephemeral) return `${metadata.name}-${volume.name}`;
  return volume.persistentVolumeClaim?.claimName;
}

/** Whether any volume of the pod is of this claim. */
export function usesClaim(pod: Pod, namespace: string | undefined, name: string | undefined): boolean {
  if (pod.metadata.namespace !== namespace) return false;
  return (pod.spec.volumes ?? []).some((volume) => name !== undefined && claimNameOf(pod, volume) === name);
}

/** Whether any volume of the pod is of a claim at all. */
export function usesClaims({ spec }: Pod): boolean {
  return (spec.volumes ?? []).some(({ persistentVolumeClaim, ephemeral }) => persistentVolumeClaim ?? ephemeral);
}

/** Whether the claim was made for a pod's ephemeral volume, and lives as long as that pod. */
export function isOwnedBy({ metadata }: PersistentVolumeClaim, pod: Pod): boolean {
  return metadata.ownerReferences?.some(({ controller, uid }) => controller && uid === pod.metadata.uid) ?? false;
}
