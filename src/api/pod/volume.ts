import { LabelSelectorSchema } from '../meta.ts';
import {
  about,
  atomicList,
  bool,
  coreObject,
  int32,
  int64,
  oneOf,
  opt,
  ptr,
  quantity,
  str,
  stringMap,
} from '../schema.ts';
import { KeyToPathSchema, ObjectFieldSelectorSchema, ResourceFieldSelectorSchema } from './references.ts';
import { EphemeralVolumeSourceSchema, PersistentVolumeClaimVolumeSourceSchema } from './volume-claim.ts';
import {
  AWSElasticBlockStoreVolumeSourceSchema,
  AzureDiskVolumeSourceSchema,
  AzureFileVolumeSourceSchema,
  CephFSVolumeSourceSchema,
  CinderVolumeSourceSchema,
  CSIVolumeSourceSchema,
  FCVolumeSourceSchema,
  FlexVolumeSourceSchema,
  FlockerVolumeSourceSchema,
  GCEPersistentDiskVolumeSourceSchema,
  GlusterfsVolumeSourceSchema,
  ISCSIVolumeSourceSchema,
  NFSVolumeSourceSchema,
  PhotonPersistentDiskVolumeSourceSchema,
  PortworxVolumeSourceSchema,
  QuobyteVolumeSourceSchema,
  RBDVolumeSourceSchema,
  ScaleIOVolumeSourceSchema,
  StorageOSVolumeSourceSchema,
  VsphereVirtualDiskVolumeSourceSchema,
} from './volume-network.ts';

/** Volumes of a pod: the sources that a node provides by itself, and the list of all sources. */

export const HostPathVolumeSourceSchema = coreObject('HostPathVolumeSource', {
  path: str('Path on the host.'),
  type: ptr(
    oneOf(
      ['', 'DirectoryOrCreate', 'Directory', 'FileOrCreate', 'File', 'Socket', 'CharDevice', 'BlockDevice'],
      'What must be, or is made, at the path. Default: no check.',
    ),
  ),
});

export const EmptyDirVolumeSourceSchema = coreObject('EmptyDirVolumeSource', {
  medium: opt(str("Empty for the node's disk, Memory for tmpfs.")),
  sizeLimit: opt(quantity('The most that the volume may hold.')),
});

export const GitRepoVolumeSourceSchema = coreObject('GitRepoVolumeSource', {
  repository: str(),
  revision: opt(str()),
  directory: opt(str()),
});

export const SecretVolumeSourceSchema = coreObject('SecretVolumeSource', {
  secretName: opt(str('Name of the Secret.')),
  items: opt(atomicList(KeyToPathSchema, 'Which of its values, and where; none: all.')),
  defaultMode: ptr(int32('Mode of the files. Default: 0644.')),
  optional: ptr(bool('Whether it may be missing.')),
});

export const DownwardAPIVolumeFileSchema = coreObject('DownwardAPIVolumeFile', {
  path: str('The file, relative to the volume.'),
  fieldRef: opt(ObjectFieldSelectorSchema),
  resourceFieldRef: opt(ResourceFieldSelectorSchema),
  mode: ptr(int32('Its mode.')),
});

export const DownwardAPIVolumeSourceSchema = coreObject('DownwardAPIVolumeSource', {
  items: opt(atomicList(DownwardAPIVolumeFileSchema, 'What is told in which file.')),
  defaultMode: ptr(int32('Mode of the files. Default: 0644.')),
});

export const ConfigMapVolumeSourceSchema = coreObject('ConfigMapVolumeSource', {
  name: opt(str('Name of the ConfigMap.')),
  items: opt(atomicList(KeyToPathSchema, 'Which of its values, and where; none: all.')),
  defaultMode: ptr(int32('Mode of the files. Default: 0644.')),
  optional: ptr(bool('Whether it may be missing.')),
});

export const SecretProjectionSchema = coreObject('SecretProjection', {
  name: opt(str('Name of the Secret.')),
  items: opt(atomicList(KeyToPathSchema, 'Which of its values, and where; none: all.')),
  optional: ptr(bool('Whether it may be missing.')),
});

export const DownwardAPIProjectionSchema = coreObject('DownwardAPIProjection', {
  items: opt(atomicList(DownwardAPIVolumeFileSchema, 'What is told in which file.')),
});

export const ConfigMapProjectionSchema = coreObject('ConfigMapProjection', {
  name: opt(str('Name of the ConfigMap.')),
  items: opt(atomicList(KeyToPathSchema, 'Which of its values, and where; none: all.')),
  optional: ptr(bool('Whether it may be missing.')),
});

export const ServiceAccountTokenProjectionSchema = coreObject('ServiceAccountTokenProjection', {
  audience: opt(str('Whom the token is for. Default: the API.')),
  expirationSeconds: ptr(int64('How long it is valid; it is renewed before. Default: an hour.')),
  path: str('Its file, relative to the volume.'),
});

export const ClusterTrustBundleProjectionSchema = coreObject('ClusterTrustBundleProjection', {
  name: ptr(str()),
  signerName: ptr(str()),
  labelSelector: opt(LabelSelectorSchema),
  optional: ptr(bool()),
  path: str(),
});

export const PodCertificateProjectionSchema = coreObject('PodCertificateProjection', {
  signerName: opt(str()),
  keyType: opt(str()),
  maxExpirationSeconds: ptr(int32()),
  credentialBundlePath: opt(str()),
  keyPath: opt(str()),
  certificateChainPath: opt(str()),
  userAnnotations: opt(stringMap()),
});

export const VolumeProjectionSchema = coreObject('VolumeProjection', {
  secret: opt(SecretProjectionSchema),
  downwardAPI: opt(DownwardAPIProjectionSchema),
  configMap: opt(ConfigMapProjectionSchema),
  serviceAccountToken: opt(ServiceAccountTokenProjectionSchema),
  clusterTrustBundle: opt(ClusterTrustBundleProjectionSchema),
  podCertificate: opt(PodCertificateProjectionSchema),
});

export const ProjectedVolumeSourceSchema = coreObject('ProjectedVolumeSource', {
  sources: atomicList(VolumeProjectionSchema, 'What is put together in the volume.'),
  defaultMode: ptr(int32('Mode of the files. Default: 0644.')),
});

export const ImageVolumeSourceSchema = coreObject('ImageVolumeSource', {
  reference: opt(str()),
  pullPolicy: opt(oneOf(['Always', 'Never', 'IfNotPresent'])),
});

export const VolumeSchema = coreObject(
  'Volume',
  {
    name: str('Name of the volume, unique in the pod: a DNS label.'),
    hostPath: opt(about(HostPathVolumeSourceSchema, 'A file or directory of the host.')),
    emptyDir: opt(
      about(EmptyDirVolumeSourceSchema, 'A directory that is empty at first and lives as long as the pod.'),
    ),
    gcePersistentDisk: opt(GCEPersistentDiskVolumeSourceSchema),
    awsElasticBlockStore: opt(AWSElasticBlockStoreVolumeSourceSchema),
    gitRepo: opt(GitRepoVolumeSourceSchema),
    secret: opt(about(SecretVolumeSourceSchema, 'Files made from a Secret.')),
    nfs: opt(about(NFSVolumeSourceSchema, 'A directory of an NFS server.')),
    iscsi: opt(ISCSIVolumeSourceSchema),
    glusterfs: opt(GlusterfsVolumeSourceSchema),
    persistentVolumeClaim: opt(about(PersistentVolumeClaimVolumeSourceSchema, 'A claimed persistent volume.')),
    rbd: opt(RBDVolumeSourceSchema),
    flexVolume: opt(FlexVolumeSourceSchema),
    cinder: opt(CinderVolumeSourceSchema),
    cephfs: opt(CephFSVolumeSourceSchema),
    flocker: opt(FlockerVolumeSourceSchema),
    downwardAPI: opt(about(DownwardAPIVolumeSourceSchema, 'Files made from fields of the pod.')),
    fc: opt(FCVolumeSourceSchema),
    azureFile: opt(AzureFileVolumeSourceSchema),
    configMap: opt(about(ConfigMapVolumeSourceSchema, 'Files made from a ConfigMap.')),
    vsphereVolume: opt(VsphereVirtualDiskVolumeSourceSchema),
    quobyte: opt(QuobyteVolumeSourceSchema),
    azureDisk: opt(AzureDiskVolumeSourceSchema),
    photonPersistentDisk: opt(PhotonPersistentDiskVolumeSourceSchema),
    projected: opt(about(ProjectedVolumeSourceSchema, 'Several sources in one directory.')),
    portworxVolume: opt(PortworxVolumeSourceSchema),
    scaleIO: opt(ScaleIOVolumeSourceSchema),
    storageos: opt(StorageOSVolumeSourceSchema),
    csi: opt(about(CSIVolumeSourceSchema, 'A volume of a CSI driver.')),
    ephemeral: opt(about(EphemeralVolumeSourceSchema, 'A claim that lives as long as the pod.')),
    image: opt(about(ImageVolumeSourceSchema, 'The files of an image.')),
  },
  { description: 'A named volume of a pod; exactly one source.' },
);
