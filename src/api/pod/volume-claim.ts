import { LabelSelectorSchema, ObjectMetaSchema } from '../meta.ts';
import { atomicList, bool, coreObject, oneOf, opt, ptr, resourceList, str } from '../schema.ts';
import { TypedLocalObjectReferenceSchema, TypedObjectReferenceSchema } from './references.ts';

/** Volumes that are claimed: persistent volume claims and the template of an ephemeral one. */

export const PersistentVolumeClaimVolumeSourceSchema = coreObject('PersistentVolumeClaimVolumeSource', {
  claimName: str("Name of the claim, in the pod's namespace."),
  readOnly: opt(bool('Whether it is mounted to be read only.')),
});

export const VolumeResourceRequirementsSchema = coreObject('VolumeResourceRequirements', {
  limits: opt(resourceList('How much it may get at the most.')),
  requests: opt(resourceList('How much is needed: storage.')),
});

export const PersistentVolumeClaimSpecSchema = coreObject('PersistentVolumeClaimSpec', {
  accessModes: opt(
    atomicList(
      oneOf(['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod']),
      'How it is to be mounted; on one node every mode is the same, but ReadWriteOncePod.',
    ),
  ),
  selector: opt(LabelSelectorSchema),
  resources: opt(VolumeResourceRequirementsSchema),
  volumeName: opt(str('The volume that it is bound to, or is to be.')),
  storageClassName: ptr(str('The class that makes its volume; "" for none, absent for the default one.')),
  volumeMode: ptr(oneOf(['Block', 'Filesystem'], 'Filesystem is supported.')),
  dataSource: opt(TypedLocalObjectReferenceSchema),
  dataSourceRef: opt(TypedObjectReferenceSchema),
  volumeAttributesClassName: ptr(str('Not supported.')),
});

export const PersistentVolumeClaimTemplateSchema = coreObject('PersistentVolumeClaimTemplate', {
  metadata: opt(ObjectMetaSchema),
  spec: PersistentVolumeClaimSpecSchema,
});

export const EphemeralVolumeSourceSchema = coreObject('EphemeralVolumeSource', {
  volumeClaimTemplate: opt(PersistentVolumeClaimTemplateSchema),
});
