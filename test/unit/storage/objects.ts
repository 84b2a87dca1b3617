import type { PersistentVolume } from '../../../src/api/persistent-volume.ts';
import type { PersistentVolumeClaim } from '../../../src/api/persistent-volume-claim.ts';
import { LOCAL_PROVISIONER, type StorageClass } from '../../../src/api/storage-class.ts';

/** A claim that asks for 1Gi of the class `fast`, with changes. */
export function claim(
  spec: Partial<PersistentVolumeClaim['spec']> = {},
  others: { metadata?: object; status?: PersistentVolumeClaim['status'] } = {},
): PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'claim', namespace: 'default', uid: 'c1', ...others.metadata },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: 'fast',
      volumeMode: 'Filesystem',
      ...spec,
    },
    status: others.status ?? { phase: 'Pending' },
  };
}

/** A volume of 1Gi of the class `fast`, with changes. */
export function volume(
  name: string,
  spec: Partial<PersistentVolume['spec']> = {},
  others: { metadata?: object; status?: PersistentVolume['status'] } = {},
): PersistentVolume {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, uid: `uid-${name}`, ...others.metadata },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      hostPath: { path: '/data' },
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: 'fast',
      volumeMode: 'Filesystem',
      ...spec,
    },
    status: others.status ?? { phase: 'Available' },
  };
}

export function storageClass(name: string, fields: Partial<StorageClass> = {}): StorageClass {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name, uid: `uid-${name}` },
    provisioner: LOCAL_PROVISIONER,
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'Immediate',
    ...fields,
  };
}

/** What reserves a volume for `claim()`. */
export const reserved = { namespace: 'default', name: 'claim', uid: 'c1' };
