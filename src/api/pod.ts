import type { Static } from 'typebox';
import { type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import type * as container from './pod/container.ts';
import type * as probe from './pod/probe.ts';
import type * as references from './pod/references.ts';
import type * as resources from './pod/resources.ts';
import type * as scheduling from './pod/scheduling.ts';
import type * as security from './pod/security-context.ts';
import type * as spec from './pod/spec.ts';
import { PodSpecSchema } from './pod/spec.ts';
import type * as status from './pod/status.ts';
import { PodStatusSchema } from './pod/status.ts';
import type * as volume from './pod/volume.ts';
import type * as claim from './pod/volume-claim.ts';
import type * as network from './pod/volume-network.ts';
import { coreObject, opt, str } from './schema.ts';

/**
 * The Pod of core/v1 as of Kubernetes 1.36: the schema, and the types of all its parts.
 *
 * The types describe a document that passed structural checking: quantities and times are strings, fields that
 * Kubernetes always writes are present.
 */

export const PodSchema = coreObject(
  'Pod',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    spec: PodSpecSchema,
    status: opt(PodStatusSchema),
  },
  { description: 'A group of containers that share network and volumes and run on one node.' },
);

/** A stored Pod also has creationTimestamp, resourceVersion and generation, a status, and all defaults. */
export interface Pod extends Omit<Static<typeof PodSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}

export type PodSpec = Static<typeof spec.PodSpecSchema>;
export type HostAlias = Static<typeof spec.HostAliasSchema>;
export type PodDNSConfig = Static<typeof spec.PodDNSConfigSchema>;
export type PodDNSConfigOption = Static<typeof spec.PodDNSConfigOptionSchema>;
export type PodReadinessGate = Static<typeof spec.PodReadinessGateSchema>;
export type PodOS = Static<typeof spec.PodOSSchema>;
export type PodResourceClaim = Static<typeof spec.PodResourceClaimSchema>;

export type PodStatus = Static<typeof status.PodStatusSchema>;
export type PodCondition = Static<typeof status.PodConditionSchema>;
export type HostIP = Static<typeof status.HostIPSchema>;
export type PodIP = Static<typeof status.PodIPSchema>;
export type ContainerStatus = Static<typeof status.ContainerStatusSchema>;
export type ContainerState = Static<typeof status.ContainerStateSchema>;
export type ContainerStateWaiting = Static<typeof status.ContainerStateWaitingSchema>;
export type ContainerStateRunning = Static<typeof status.ContainerStateRunningSchema>;
export type ContainerStateTerminated = Static<typeof status.ContainerStateTerminatedSchema>;
export type VolumeMountStatus = Static<typeof status.VolumeMountStatusSchema>;
export type VolumeStatus = Static<typeof status.VolumeStatusSchema>;
export type ImageVolumeStatus = Static<typeof status.ImageVolumeStatusSchema>;
export type ContainerUser = Static<typeof status.ContainerUserSchema>;
export type LinuxContainerUser = Static<typeof status.LinuxContainerUserSchema>;
export type ResourceStatus = Static<typeof status.ResourceStatusSchema>;
export type ResourceHealth = Static<typeof status.ResourceHealthSchema>;
export type PodResourceClaimStatus = Static<typeof status.PodResourceClaimStatusSchema>;
export type PodExtendedResourceClaimStatus = Static<typeof status.PodExtendedResourceClaimStatusSchema>;
export type ContainerExtendedResourceRequest = Static<typeof status.ContainerExtendedResourceRequestSchema>;
export type NodeAllocatableResourceClaimStatus = Static<typeof status.NodeAllocatableResourceClaimStatusSchema>;

export type Container = Static<typeof container.ContainerSchema>;
export type EphemeralContainer = Static<typeof container.EphemeralContainerSchema>;
export type ContainerPort = Static<typeof container.ContainerPortSchema>;
export type EnvVar = Static<typeof container.EnvVarSchema>;
export type EnvVarSource = Static<typeof container.EnvVarSourceSchema>;
export type EnvFromSource = Static<typeof container.EnvFromSourceSchema>;
export type ConfigMapEnvSource = Static<typeof container.ConfigMapEnvSourceSchema>;
export type SecretEnvSource = Static<typeof container.SecretEnvSourceSchema>;
export type VolumeMount = Static<typeof container.VolumeMountSchema>;
export type VolumeDevice = Static<typeof container.VolumeDeviceSchema>;
export type ContainerRestartRule = Static<typeof container.ContainerRestartRuleSchema>;
export type ContainerRestartRuleOnExitCodes = Static<typeof container.ContainerRestartRuleOnExitCodesSchema>;

export type ResourceRequirements = Static<typeof resources.ResourceRequirementsSchema>;
export type ResourceClaim = Static<typeof resources.ResourceClaimSchema>;
export type ContainerResizePolicy = Static<typeof resources.ContainerResizePolicySchema>;

export type Probe = Static<typeof probe.ProbeSchema>;
export type ExecAction = Static<typeof probe.ExecActionSchema>;
export type HTTPGetAction = Static<typeof probe.HTTPGetActionSchema>;
export type HTTPHeader = Static<typeof probe.HTTPHeaderSchema>;
export type TCPSocketAction = Static<typeof probe.TCPSocketActionSchema>;
export type GRPCAction = Static<typeof probe.GRPCActionSchema>;
export type Lifecycle = Static<typeof probe.LifecycleSchema>;
export type LifecycleHandler = Static<typeof probe.LifecycleHandlerSchema>;
export type SleepAction = Static<typeof probe.SleepActionSchema>;

export type SecurityContext = Static<typeof security.SecurityContextSchema>;
export type PodSecurityContext = Static<typeof security.PodSecurityContextSchema>;
export type Capabilities = Static<typeof security.CapabilitiesSchema>;
export type SELinuxOptions = Static<typeof security.SELinuxOptionsSchema>;
export type WindowsSecurityContextOptions = Static<typeof security.WindowsSecurityContextOptionsSchema>;
export type SeccompProfile = Static<typeof security.SeccompProfileSchema>;
export type AppArmorProfile = Static<typeof security.AppArmorProfileSchema>;
export type Sysctl = Static<typeof security.SysctlSchema>;

export type Volume = Static<typeof volume.VolumeSchema>;
export type HostPathVolumeSource = Static<typeof volume.HostPathVolumeSourceSchema>;
export type EmptyDirVolumeSource = Static<typeof volume.EmptyDirVolumeSourceSchema>;
export type SecretVolumeSource = Static<typeof volume.SecretVolumeSourceSchema>;
export type ConfigMapVolumeSource = Static<typeof volume.ConfigMapVolumeSourceSchema>;
export type DownwardAPIVolumeSource = Static<typeof volume.DownwardAPIVolumeSourceSchema>;
export type DownwardAPIVolumeFile = Static<typeof volume.DownwardAPIVolumeFileSchema>;
export type ProjectedVolumeSource = Static<typeof volume.ProjectedVolumeSourceSchema>;
export type VolumeProjection = Static<typeof volume.VolumeProjectionSchema>;
export type SecretProjection = Static<typeof volume.SecretProjectionSchema>;
export type ConfigMapProjection = Static<typeof volume.ConfigMapProjectionSchema>;
export type DownwardAPIProjection = Static<typeof volume.DownwardAPIProjectionSchema>;
export type ServiceAccountTokenProjection = Static<typeof volume.ServiceAccountTokenProjectionSchema>;
export type ClusterTrustBundleProjection = Static<typeof volume.ClusterTrustBundleProjectionSchema>;
export type PodCertificateProjection = Static<typeof volume.PodCertificateProjectionSchema>;
export type ImageVolumeSource = Static<typeof volume.ImageVolumeSourceSchema>;
export type GitRepoVolumeSource = Static<typeof volume.GitRepoVolumeSourceSchema>;

export type PersistentVolumeClaimVolumeSource = Static<typeof claim.PersistentVolumeClaimVolumeSourceSchema>;
export type EphemeralVolumeSource = Static<typeof claim.EphemeralVolumeSourceSchema>;
export type PersistentVolumeClaimTemplate = Static<typeof claim.PersistentVolumeClaimTemplateSchema>;
export type PersistentVolumeClaimSpec = Static<typeof claim.PersistentVolumeClaimSpecSchema>;
export type VolumeResourceRequirements = Static<typeof claim.VolumeResourceRequirementsSchema>;

export type NFSVolumeSource = Static<typeof network.NFSVolumeSourceSchema>;
export type ISCSIVolumeSource = Static<typeof network.ISCSIVolumeSourceSchema>;
export type FCVolumeSource = Static<typeof network.FCVolumeSourceSchema>;
export type CSIVolumeSource = Static<typeof network.CSIVolumeSourceSchema>;
export type FlexVolumeSource = Static<typeof network.FlexVolumeSourceSchema>;
export type GCEPersistentDiskVolumeSource = Static<typeof network.GCEPersistentDiskVolumeSourceSchema>;
export type AWSElasticBlockStoreVolumeSource = Static<typeof network.AWSElasticBlockStoreVolumeSourceSchema>;
export type GlusterfsVolumeSource = Static<typeof network.GlusterfsVolumeSourceSchema>;
export type RBDVolumeSource = Static<typeof network.RBDVolumeSourceSchema>;
export type CinderVolumeSource = Static<typeof network.CinderVolumeSourceSchema>;
export type CephFSVolumeSource = Static<typeof network.CephFSVolumeSourceSchema>;
export type FlockerVolumeSource = Static<typeof network.FlockerVolumeSourceSchema>;
export type AzureFileVolumeSource = Static<typeof network.AzureFileVolumeSourceSchema>;
export type AzureDiskVolumeSource = Static<typeof network.AzureDiskVolumeSourceSchema>;
export type VsphereVirtualDiskVolumeSource = Static<typeof network.VsphereVirtualDiskVolumeSourceSchema>;
export type QuobyteVolumeSource = Static<typeof network.QuobyteVolumeSourceSchema>;
export type PhotonPersistentDiskVolumeSource = Static<typeof network.PhotonPersistentDiskVolumeSourceSchema>;
export type PortworxVolumeSource = Static<typeof network.PortworxVolumeSourceSchema>;
export type ScaleIOVolumeSource = Static<typeof network.ScaleIOVolumeSourceSchema>;
export type StorageOSVolumeSource = Static<typeof network.StorageOSVolumeSourceSchema>;

export type Affinity = Static<typeof scheduling.AffinitySchema>;
export type NodeAffinity = Static<typeof scheduling.NodeAffinitySchema>;
export type NodeSelector = Static<typeof scheduling.NodeSelectorSchema>;
export type NodeSelectorTerm = Static<typeof scheduling.NodeSelectorTermSchema>;
export type NodeSelectorRequirement = Static<typeof scheduling.NodeSelectorRequirementSchema>;
export type PreferredSchedulingTerm = Static<typeof scheduling.PreferredSchedulingTermSchema>;
export type PodAffinity = Static<typeof scheduling.PodAffinitySchema>;
export type PodAntiAffinity = Static<typeof scheduling.PodAntiAffinitySchema>;
export type PodAffinityTerm = Static<typeof scheduling.PodAffinityTermSchema>;
export type WeightedPodAffinityTerm = Static<typeof scheduling.WeightedPodAffinityTermSchema>;
export type Toleration = Static<typeof scheduling.TolerationSchema>;
export type TopologySpreadConstraint = Static<typeof scheduling.TopologySpreadConstraintSchema>;
export type PodSchedulingGate = Static<typeof scheduling.PodSchedulingGateSchema>;
export type PodSchedulingGroup = Static<typeof scheduling.PodSchedulingGroupSchema>;

export type LocalObjectReference = Static<typeof references.LocalObjectReferenceSchema>;
export type TypedLocalObjectReference = Static<typeof references.TypedLocalObjectReferenceSchema>;
export type TypedObjectReference = Static<typeof references.TypedObjectReferenceSchema>;
export type ObjectFieldSelector = Static<typeof references.ObjectFieldSelectorSchema>;
export type ResourceFieldSelector = Static<typeof references.ResourceFieldSelectorSchema>;
export type ConfigMapKeySelector = Static<typeof references.ConfigMapKeySelectorSchema>;
export type SecretKeySelector = Static<typeof references.SecretKeySelectorSchema>;
export type FileKeySelector = Static<typeof references.FileKeySelectorSchema>;
export type KeyToPath = Static<typeof references.KeyToPathSchema>;
export type ObjectReference = Static<typeof references.ObjectReferenceSchema>;
