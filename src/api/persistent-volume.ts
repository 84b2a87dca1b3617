import type { Static } from 'typebox';
import { type ObjectMeta, ObjectMetaSchema } from './meta.ts';
import { ObjectReferenceSchema } from './pod/references.ts';
import { NodeSelectorSchema } from './pod/scheduling.ts';
import { HostPathVolumeSourceSchema } from './pod/volume.ts';
import { NFSVolumeSourceSchema } from './pod/volume-network.ts';
import { anyObject, atomicList, coreObject, oneOf, opt, ptr, resourceList, str, time } from './schema.ts';

export const LocalVolumeSourceSchema = coreObject('LocalVolumeSource', {
  path: str('A directory of the host.'),
  fsType: ptr(str('Not used: the path is a directory.')),
});

export const VolumeNodeAffinitySchema = coreObject('VolumeNodeAffinity', {
  required: opt(NodeSelectorSchema),
});

/** Known by name, so that they are refused by name. */
export const otherVolumeSources = [
  'awsElasticBlockStore',
  'azureDisk',
  'azureFile',
  'cephfs',
  'cinder',
  'csi',
  'fc',
  'flexVolume',
  'flocker',
  'gcePersistentDisk',
  'glusterfs',
  'iscsi',
  'photonPersistentDisk',
  'portworxVolume',
  'quobyte',
  'rbd',
  'scaleIO',
  'storageos',
  'vsphereVolume',
] as const;

const others = Object.fromEntries(otherVolumeSources.map((name) => [name, opt(anyObject())])) as {
  [name in (typeof otherVolumeSources)[number]]: ReturnType<typeof optObject>;
};

export const PersistentVolumeSpecSchema = coreObject('PersistentVolumeSpec', {
  capacity: opt(resourceList('How much it holds: storage. Not enforced.')),
  hostPath: opt(HostPathVolumeSourceSchema),
  local: opt(LocalVolumeSourceSchema),
  nfs: opt(NFSVolumeSourceSchema),
  ...others,
  accessModes: opt(
    atomicList(oneOf(['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod']), 'How it may be mounted.'),
  ),
  claimRef: opt(ObjectReferenceSchema),
  persistentVolumeReclaimPolicy: opt(
    oneOf(['Retain', 'Recycle', 'Delete'], 'What becomes of the volume when its claim is gone. Default: Retain.'),
  ),
  storageClassName: opt(str('The class that it belongs to.')),
  mountOptions: opt(atomicList(str(), 'Options of its mount.')),
  volumeMode: ptr(oneOf(['Block', 'Filesystem'], 'Filesystem is supported.')),
  nodeAffinity: opt(VolumeNodeAffinitySchema),
  volumeAttributesClassName: ptr(str('Not supported.')),
});

export const PersistentVolumeStatusSchema = coreObject('PersistentVolumeStatus', {
  phase: opt(oneOf(['Pending', 'Available', 'Bound', 'Released', 'Failed'], 'Available, Bound, Released or Failed.')),
  message: opt(str('Why, for people.')),
  reason: opt(str('Why, as one word.')),
  lastPhaseTransitionTime: opt(time('When the phase changed last.')),
});

export const PersistentVolumeSchema = coreObject(
  'PersistentVolume',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    spec: PersistentVolumeSpecSchema,
    status: opt(PersistentVolumeStatusSchema),
  },
  { description: 'Storage that outlives pods.' },
);

export interface PersistentVolume extends Omit<Static<typeof PersistentVolumeSchema>, 'metadata'> {
  metadata: ObjectMeta;
}

export type PersistentVolumeSpec = Static<typeof PersistentVolumeSpecSchema>;
export type PersistentVolumeStatus = Static<typeof PersistentVolumeStatusSchema>;

/** Keeps a volume as long as a claim is bound to it. */
export const VOLUME_PROTECTION = 'kubernetes.io/pv-protection';

function optObject() {
  return opt(anyObject());
}
