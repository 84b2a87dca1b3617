import type { Static } from 'typebox';
import { type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import { PersistentVolumeClaimSpecSchema } from './pod/volume-claim.ts';
import { atomicList, coreObject, list, mapOf, oneOf, opt, ptr, resourceList, str, time } from './schema.ts';

export const PersistentVolumeClaimConditionSchema = coreObject('PersistentVolumeClaimCondition', {
  type: str('What it is about.'),
  status: str('True, False or Unknown.'),
  lastProbeTime: opt(time('When it was last looked at.')),
  lastTransitionTime: opt(time('When the status changed last.')),
  reason: opt(str('Why, as one word.')),
  message: opt(str('Why, for people.')),
});

export const ModifyVolumeStatusSchema = coreObject('ModifyVolumeStatus', {
  targetVolumeAttributesClassName: opt(str()),
  status: str(),
});

export const PersistentVolumeClaimStatusSchema = coreObject('PersistentVolumeClaimStatus', {
  phase: opt(oneOf(['Pending', 'Bound', 'Lost'], 'Whether it has a volume.')),
  accessModes: opt(atomicList(str(), 'Of its volume.')),
  capacity: opt(resourceList('Of the volume that it is bound to.')),
  conditions: opt(
    list(
      PersistentVolumeClaimConditionSchema,
      {
        type: 'map',
        keys: ['type'],
        patchMergeKey: 'type',
        patchStrategy: 'merge',
      },
      'What happens to it.',
    ),
  ),
  allocatedResources: opt(resourceList('What was granted while it is resized.')),
  allocatedResourceStatuses: opt(mapOf(str(), 'How far a resize is.')),
  currentVolumeAttributesClassName: ptr(str('Not used here.')),
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
