import { LabelSelectorSchema, ObjectMetaSchema } from '../meta.ts';
import { atomicList, bool, coreObject, oneOf, opt, ptr, resourceList, str } from '../schema.ts';
import { TypedLocalObjectReferenceSchema, TypedObjectReferenceSchema } from './references.ts';

/** Volumes that are claimed: persistent volume claims and the template of an ephemeral one. */

export const PersistentVolumeClaimVolumeSourceSchema = coreObject('PersistentVolumeClaimVolumeSource', {
  claimName: str(),
  readOnly: opt(bool()),
});

export const VolumeResourceRequirementsSchema = coreObject('VolumeResourceRequirements', {
  limits: opt(resourceList()),
  requests: opt(resourceList()),
});

export const PersistentVolumeClaimSpecSchema = coreObject('PersistentVolumeClaimSpec', {
  accessModes: opt(atomicList(oneOf(['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod']))),
  selector: opt(LabelSelectorSchema),
  resources: opt(VolumeResourceRequirementsSchema),
  volumeName: opt(str()),
  storageClassName: ptr(str()),
  volumeMode: ptr(oneOf(['Block', 'Filesystem'])),
  dataSource: opt(TypedLocalObjectReferenceSchema),
  dataSourceRef: opt(TypedObjectReferenceSchema),
  volumeAttributesClassName: ptr(str()),
});

export const PersistentVolumeClaimTemplateSchema = coreObject('PersistentVolumeClaimTemplate', {
  metadata: opt(ObjectMetaSchema),
  spec: PersistentVolumeClaimSpecSchema,
});

export const EphemeralVolumeSourceSchema = coreObject('EphemeralVolumeSource', {
  volumeClaimTemplate: opt(PersistentVolumeClaimTemplateSchema),
});
