import type { Static } from 'typebox';
import { type ObjectMeta, ObjectMetaSchema } from './meta.ts';
import {
  about,
  atomicList,
  bool,
  coreObject,
  int32,
  int64,
  list,
  oneOf,
  opt,
  ptr,
  resourceList,
  str,
  time,
} from './schema.ts';

export const TaintSchema = coreObject('Taint', {
  key: str(),
  value: opt(str()),
  effect: oneOf(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
  timeAdded: opt(time()),
});

export const ConfigMapNodeConfigSourceSchema = coreObject('ConfigMapNodeConfigSource', {
  namespace: str(),
  name: str(),
  uid: opt(str()),
  resourceVersion: opt(str()),
  kubeletConfigKey: str(),
});

export const NodeConfigSourceSchema = coreObject('NodeConfigSource', {
  configMap: opt(ConfigMapNodeConfigSourceSchema),
});

export const NodeSpecSchema = coreObject('NodeSpec', {
  podCIDR: opt(str()),
  podCIDRs: opt(list(str(), { type: 'set', patchStrategy: 'merge' })),
  providerID: opt(str()),
  unschedulable: opt(bool('No new pods.')),
  taints: opt(atomicList(TaintSchema, 'Pods that do not tolerate these are refused.')),
  configSource: opt(NodeConfigSourceSchema),
  externalID: opt(str()),
});

export const NodeConditionSchema = coreObject('NodeCondition', {
  type: str(),
  status: oneOf(['True', 'False', 'Unknown']),
  lastHeartbeatTime: opt(time()),
  lastTransitionTime: opt(time()),
  reason: opt(str()),
  message: opt(str()),
});

export const NodeAddressSchema = coreObject('NodeAddress', {
  type: oneOf(['Hostname', 'InternalIP', 'ExternalIP', 'InternalDNS', 'ExternalDNS']),
  address: str(),
});

export const DaemonEndpointSchema = coreObject('DaemonEndpoint', {
  Port: int32(),
});

export const NodeDaemonEndpointsSchema = coreObject('NodeDaemonEndpoints', {
  kubeletEndpoint: opt(DaemonEndpointSchema),
});

export const NodeSwapStatusSchema = coreObject('NodeSwapStatus', {
  capacity: ptr(int64()),
});

export const NodeSystemInfoSchema = coreObject('NodeSystemInfo', {
  machineID: str(),
  systemUUID: str(),
  bootID: str(),
  kernelVersion: str(),
  osImage: str(),
  containerRuntimeVersion: str(),
  kubeletVersion: str(),
  kubeProxyVersion: str(),
  operatingSystem: str(),
  architecture: str(),
  swap: opt(NodeSwapStatusSchema),
});

export const ContainerImageSchema = coreObject('ContainerImage', {
  names: atomicList(str()),
  sizeBytes: opt(int64()),
});

export const AttachedVolumeSchema = coreObject('AttachedVolume', {
  name: str(),
  devicePath: str(),
});

export const NodeConfigStatusSchema = coreObject('NodeConfigStatus', {
  assigned: opt(NodeConfigSourceSchema),
  active: opt(NodeConfigSourceSchema),
  lastKnownGood: opt(NodeConfigSourceSchema),
  error: opt(str()),
});

export const NodeRuntimeHandlerFeaturesSchema = coreObject('NodeRuntimeHandlerFeatures', {
  recursiveReadOnlyMounts: ptr(bool()),
  userNamespaces: ptr(bool()),
});

export const NodeRuntimeHandlerSchema = coreObject('NodeRuntimeHandler', {
  name: str(),
  features: opt(NodeRuntimeHandlerFeaturesSchema),
});

export const NodeFeaturesSchema = coreObject('NodeFeatures', {
  supplementalGroupsPolicy: ptr(bool()),
});

export const NodeStatusSchema = coreObject('NodeStatus', {
  capacity: opt(resourceList('All resources of the node.')),
  allocatable: opt(resourceList('Resources that pods may request.')),
  phase: opt(str()),
  conditions: opt(
    list(NodeConditionSchema, { type: 'map', keys: ['type'], patchMergeKey: 'type', patchStrategy: 'merge' }),
  ),
  addresses: opt(
    list(NodeAddressSchema, { type: 'map', keys: ['type'], patchMergeKey: 'type', patchStrategy: 'merge' }),
  ),
  daemonEndpoints: opt(NodeDaemonEndpointsSchema),
  nodeInfo: opt(NodeSystemInfoSchema),
  images: opt(atomicList(ContainerImageSchema)),
  volumesInUse: opt(atomicList(str())),
  volumesAttached: opt(atomicList(AttachedVolumeSchema)),
  config: opt(NodeConfigStatusSchema),
  runtimeHandlers: opt(atomicList(NodeRuntimeHandlerSchema)),
  features: opt(NodeFeaturesSchema),
  declaredFeatures: opt(atomicList(str())),
});

export const NodeSchema = coreObject(
  'Node',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    spec: opt(about(NodeSpecSchema, 'Settings of the node.')),
    status: opt(NodeStatusSchema),
  },
  { description: 'The machine that the daemon runs on.' },
);

export type AttachedVolume = Static<typeof AttachedVolumeSchema>;
export type ConfigMapNodeConfigSource = Static<typeof ConfigMapNodeConfigSourceSchema>;
export type ContainerImage = Static<typeof ContainerImageSchema>;
export type DaemonEndpoint = Static<typeof DaemonEndpointSchema>;
export interface Node extends Omit<Static<typeof NodeSchema>, 'metadata'> {
  metadata: ObjectMeta;
}
export type NodeAddress = Static<typeof NodeAddressSchema>;
export type NodeCondition = Static<typeof NodeConditionSchema>;
export type NodeConfigSource = Static<typeof NodeConfigSourceSchema>;
export type NodeConfigStatus = Static<typeof NodeConfigStatusSchema>;
export type NodeDaemonEndpoints = Static<typeof NodeDaemonEndpointsSchema>;
export type NodeFeatures = Static<typeof NodeFeaturesSchema>;
export type NodeRuntimeHandler = Static<typeof NodeRuntimeHandlerSchema>;
export type NodeRuntimeHandlerFeatures = Static<typeof NodeRuntimeHandlerFeaturesSchema>;
export type NodeSpec = Static<typeof NodeSpecSchema>;
export type NodeStatus = Static<typeof NodeStatusSchema>;
export type NodeSwapStatus = Static<typeof NodeSwapStatusSchema>;
export type NodeSystemInfo = Static<typeof NodeSystemInfoSchema>;
export type Taint = Static<typeof TaintSchema>;
