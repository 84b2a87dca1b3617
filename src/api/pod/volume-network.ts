import { atomicList, bool, coreObject, int32, oneOf, opt, ptr, str, stringMap } from '../schema.ts';
import { LocalObjectReferenceSchema } from './references.ts';

/** Volume sources that attach storage from elsewhere: network file systems, block devices, cloud disks, drivers. */

export const NFSVolumeSourceSchema = coreObject('NFSVolumeSource', {
  server: str(),
  path: str(),
  readOnly: opt(bool()),
});

export const ISCSIVolumeSourceSchema = coreObject('ISCSIVolumeSource', {
  targetPortal: str(),
  iqn: str(),
  lun: int32(),
  iscsiInterface: opt(str()),
  fsType: opt(str()),
  readOnly: opt(bool()),
  portals: opt(atomicList(str())),
  chapAuthDiscovery: opt(bool()),
  chapAuthSession: opt(bool()),
  secretRef: opt(LocalObjectReferenceSchema),
  initiatorName: ptr(str()),
});

export const FCVolumeSourceSchema = coreObject('FCVolumeSource', {
  targetWWNs: opt(atomicList(str())),
  lun: ptr(int32()),
  fsType: opt(str()),
  readOnly: opt(bool()),
  wwids: opt(atomicList(str())),
});

export const CSIVolumeSourceSchema = coreObject('CSIVolumeSource', {
  driver: str(),
  readOnly: ptr(bool()),
  fsType: ptr(str()),
  volumeAttributes: opt(stringMap()),
  nodePublishSecretRef: opt(LocalObjectReferenceSchema),
});

export const FlexVolumeSourceSchema = coreObject('FlexVolumeSource', {
  driver: str(),
  fsType: opt(str()),
  secretRef: opt(LocalObjectReferenceSchema),
  readOnly: opt(bool()),
  options: opt(stringMap()),
});

export const GCEPersistentDiskVolumeSourceSchema = coreObject('GCEPersistentDiskVolumeSource', {
  pdName: str(),
  fsType: opt(str()),
  partition: opt(int32()),
  readOnly: opt(bool()),
});

export const AWSElasticBlockStoreVolumeSourceSchema = coreObject('AWSElasticBlockStoreVolumeSource', {
  volumeID: str(),
  fsType: opt(str()),
  partition: opt(int32()),
  readOnly: opt(bool()),
});

export const GlusterfsVolumeSourceSchema = coreObject('GlusterfsVolumeSource', {
  endpoints: str(),
  path: str(),
  readOnly: opt(bool()),
});

export const RBDVolumeSourceSchema = coreObject('RBDVolumeSource', {
  monitors: atomicList(str()),
  image: str(),
  fsType: opt(str()),
  pool: opt(str()),
  user: opt(str()),
  keyring: opt(str()),
  secretRef: opt(LocalObjectReferenceSchema),
  readOnly: opt(bool()),
});

export const CinderVolumeSourceSchema = coreObject('CinderVolumeSource', {
  volumeID: str(),
  fsType: opt(str()),
  readOnly: opt(bool()),
  secretRef: opt(LocalObjectReferenceSchema),
});

export const CephFSVolumeSourceSchema = coreObject('CephFSVolumeSource', {
  monitors: atomicList(str()),
  path: opt(str()),
  user: opt(str()),
  secretFile: opt(str()),
  secretRef: opt(LocalObjectReferenceSchema),
  readOnly: opt(bool()),
});

export const FlockerVolumeSourceSchema = coreObject('FlockerVolumeSource', {
  datasetName: opt(str()),
  datasetUUID: opt(str()),
});

export const AzureFileVolumeSourceSchema = coreObject('AzureFileVolumeSource', {
  secretName: str(),
  shareName: str(),
  readOnly: opt(bool()),
});

export const AzureDiskVolumeSourceSchema = coreObject('AzureDiskVolumeSource', {
  diskName: str(),
  diskURI: str(),
  cachingMode: ptr(oneOf(['None', 'ReadOnly', 'ReadWrite'])),
  fsType: ptr(str()),
  readOnly: ptr(bool()),
  kind: ptr(oneOf(['Shared', 'Dedicated', 'Managed'])),
});

export const VsphereVirtualDiskVolumeSourceSchema = coreObject('VsphereVirtualDiskVolumeSource', {
  volumePath: str(),
  fsType: opt(str()),
  storagePolicyName: opt(str()),
  storagePolicyID: opt(str()),
});

export const QuobyteVolumeSourceSchema = coreObject('QuobyteVolumeSource', {
  registry: str(),
  volume: str(),
  readOnly: opt(bool()),
  user: opt(str()),
  group: opt(str()),
  tenant: opt(str()),
});

export const PhotonPersistentDiskVolumeSourceSchema = coreObject('PhotonPersistentDiskVolumeSource', {
  pdID: str(),
  fsType: opt(str()),
});

export const PortworxVolumeSourceSchema = coreObject('PortworxVolumeSource', {
  volumeID: str(),
  fsType: opt(str()),
  readOnly: opt(bool()),
});

export const ScaleIOVolumeSourceSchema = coreObject('ScaleIOVolumeSource', {
  gateway: str(),
  system: str(),
  secretRef: opt(LocalObjectReferenceSchema),
  sslEnabled: opt(bool()),
  protectionDomain: opt(str()),
  storagePool: opt(str()),
  storageMode: opt(str()),
  volumeName: opt(str()),
  fsType: opt(str()),
  readOnly: opt(bool()),
});

export const StorageOSVolumeSourceSchema = coreObject('StorageOSVolumeSource', {
  volumeName: opt(str()),
  volumeNamespace: opt(str()),
  fsType: opt(str()),
  readOnly: opt(bool()),
  secretRef: opt(LocalObjectReferenceSchema),
});
