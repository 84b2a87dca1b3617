import type { KindDefinition } from '../api/kind.ts';
import { persistentVolumeClaimKind, persistentVolumeKind } from '../api/kinds.ts';
import type { KubeObject } from '../api/meta.ts';
import type { PersistentVolume } from '../api/persistent-volume.ts';
import type { PersistentVolumeClaim } from '../api/persistent-volume-claim.ts';

/** What binding writes; a file says nothing of it. */
const WRITTEN_ANNOTATIONS = /^(pv|volume(\.beta)?)\.kubernetes\.io\//;

/**
 * Keeps of the stored object what the daemon itself has written into it: status, finalizers, and what a claim and a volume
 * are bound to. In place on next, which is as a file asks for. PURE.
 */
export function keepWrittenParts(kind: KindDefinition<KubeObject>, next: KubeObject, current: KubeObject): void {
  kind.prepareForUpdate(next, current);
  if (current.metadata.finalizers) next.metadata.finalizers = current.metadata.finalizers;
  if (kind.kind === persistentVolumeClaimKind.kind) keepBoundVolume(next, current as PersistentVolumeClaim);
  else if (kind.kind === persistentVolumeKind.kind)
    keepBoundClaim(next as PersistentVolume, current as PersistentVolume);
  else return;
  for (const [name, value] of Object.entries(current.metadata.annotations ?? {})) {
    if (WRITTEN_ANNOTATIONS.test(name)) next.metadata.annotations = { [name]: value, ...next.metadata.annotations };
  }
}

function keepBoundVolume(next: KubeObject, { spec }: PersistentVolumeClaim): void {
  const { volumeName, storageClassName } = spec;
  const written = {
    ...(volumeName === undefined ? {} : { volumeName }),
    ...(storageClassName === undefined ? {} : { storageClassName }),
  };
  const claim = next as PersistentVolumeClaim;
  claim.spec = { ...written, ...claim.spec };
}

function keepBoundClaim(next: PersistentVolume, { spec: { claimRef } }: PersistentVolume): void {
  if (!claimRef) return;
  const wanted = next.spec.claimRef ?? claimRef;
  if (wanted.namespace !== claimRef.namespace || wanted.name !== claimRef.name) return;
  next.spec = { ...next.spec, claimRef: { ...claimRef, ...wanted } };
}
