import type { Static } from 'typebox';
import { type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import { PersistentVolumeClaimSpecSchema } from './pod/volume-claim.ts';
import { atomicList, coreObject, list, mapOf, oneOf, opt, ptr, resourceList, str, time } from './schema.ts';

export const PersistentVolumeClaimConditionSchema = coreObject('PersistentVolumeClaimCondition', {
  type: str(),
  status: str(),
  lastProbeTime: opt(time()),
  lastTransitionTime: opt(time()),
  reason: opt(str()),
  message: opt(str()),
});

export const ModifyVolumeStatusSchema = coreObject('ModifyVolumeStatus', {
  targetVolumeAttributesClassName: opt(str()),
  status: str(),
});

export const PersistentVolumeClaimStatusSchema = coreObject('PersistentVolumeClaimStatus', {
  phase: opt(oneOf(['Pending', 'Bound', 'Lost'])),
  accessModes: opt(atomicList(str())),
  capacity: opt(resourceList('Of the volume that it is bound to.')),
  conditions: opt(
    list(PersistentVolumeClaimConditionSchema, {
      type: 'map',
      keys: ['type'],
      patchMergeKey: 'type',
      patchStrategy: 'merge',
    }),
  ),
  allocatedResources: opt(resourceList()),
  allocatedResourceStatuses: opt(mapOf(str())),
  currentVolumeAttributesClassName: ptr(str()),
  modifyVolumeStatus: opt(ModifyVolumeStatusSchema),
});

export const PersistentVolumeClaimSchema = coreObject(
  'PersistentVolumeClaim',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    spec: PersistentVolumeClaimSpecSchema,
    status: opt(PersistentVolumeClaimStatusSchema),
  },
  { description: 'Asks for a volume that outlives pods.' },
);

export interface PersistentVolumeClaim extends Omit<Static<typeof PersistentVolumeClaimSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}

export type PersistentVolumeClaimStatus = Static<typeof PersistentVolumeClaimStatusSchema>;

/** Keeps a claim until no pod uses it any more. */
export const CLAIM_PROTECTION = 'kubernetes.io/pvc-protection';
