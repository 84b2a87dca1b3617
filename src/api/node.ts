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
  key: str('What pods must tolerate.'),
  value: opt(str('Its value.')),
  effect: oneOf(['NoSchedule', 'PreferNoSchedule', 'NoExecute'], 'NoSchedule, PreferNoSchedule or NoExecute.'),
  timeAdded: opt(time('When it was put there.')),
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
  podCIDR: opt(str('Addresses for its pods.')),
  podCIDRs: opt(list(str(), { type: 'set', patchStrategy: 'merge' }, 'The same, for each family.')),
  providerID: opt(str('Its name in a cloud.')),
  unschedulable: opt(bool('No new pods.')),
  taints: opt(atomicList(TaintSchema, 'Pods that do not tolerate these are refused.')),
  configSource: opt(NodeConfigSourceSchema),
  externalID: opt(str('Of older versions.')),
});

export const NodeConditionSchema = coreObject('NodeCondition', {
  type: str('Ready, MemoryPressure, DiskPressure, PIDPressure.'),
  status: oneOf(['True', 'False', 'Unknown'], 'True, False or Unknown.'),
  lastHeartbeatTime: opt(time('When it was last told.')),
  lastTransitionTime: opt(time('When the status changed last.')),
  reason: opt(str('Why, as one word.')),
  message: opt(str('Why, for people.')),
});

export const NodeAddressSchema = coreObject('NodeAddress', {
  type: oneOf(
    ['Hostname', 'InternalIP', 'ExternalIP', 'InternalDNS', 'ExternalDNS'],
    'InternalIP, Hostname and the like.',
  ),
  address: str('The address or name.'),
});

export const DaemonEndpointSchema = coreObject('DaemonEndpoint', {
  Port: int32('Port of the daemon.'),
});

export const NodeDaemonEndpointsSchema = coreObject('NodeDaemonEndpoints', {
  kubeletEndpoint: opt(DaemonEndpointSchema),
});

export const NodeSwapStatusSchema = coreObject('NodeSwapStatus', {
  capacity: ptr(int64()),
});

export const NodeSystemInfoSchema = coreObject('NodeSystemInfo', {
  machineID: str('Of /etc/machine-id.'),
  systemUUID: str('Of the firmware.'),
  bootID: str('Of this run of the kernel.'),
  kernelVersion: str('As uname -r tells it.'),
  osImage: str('Name of the distribution.'),
  containerRuntimeVersion: str('Name and version of the runtime.'),
  kubeletVersion: str('The version whose behaviour is followed.'),
  kubeProxyVersion: str('Of older versions.'),
  operatingSystem: str('linux.'),
  architecture: str('Of the machine.'),
  swap: opt(NodeSwapStatusSchema),
});

export const ContainerImageSchema = coreObject('ContainerImage', {
  names: atomicList(str(), 'By which it is known.'),
  sizeBytes: opt(int64('How large it is.')),
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
  phase: opt(str('Of older versions.')),
  conditions: opt(
    list(
      NodeConditionSchema,
      { type: 'map', keys: ['type'], patchMergeKey: 'type', patchStrategy: 'merge' },
      'Whether it is ready, and what it is short of.',
    ),
  ),
  addresses: opt(
    list(
      NodeAddressSchema,
      { type: 'map', keys: ['type'], patchMergeKey: 'type', patchStrategy: 'merge' },
      'Where it can be reached.',
    ),
  ),
  daemonEndpoints: opt(NodeDaemonEndpointsSchema),
  nodeInfo: opt(NodeSystemInfoSchema),
  images: opt(atomicList(ContainerImageSchema, 'Images that it has.')),
  volumesInUse: opt(atomicList(str(), 'Not used here.')),
  volumesAttached: opt(atomicList(AttachedVolumeSchema, 'Not used here.')),
  config: opt(NodeConfigStatusSchema),
  runtimeHandlers: opt(atomicList(NodeRuntimeHandlerSchema, 'What the runtime can, by handler.')),
  features: opt(NodeFeaturesSchema),
  declaredFeatures: opt(atomicList(str(), 'Not used here.')),
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
