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
} from '../schema.ts';
import { ResourceRequirementsSchema } from './resources.ts';

/** What the daemon reports of a pod. */

export const PodConditionSchema = coreObject('PodCondition', {
  type: str(),
  observedGeneration: opt(int64()),
  status: oneOf(['True', 'False', 'Unknown']),
  lastProbeTime: opt(time()),
  lastTransitionTime: opt(time()),
  reason: opt(str()),
  message: opt(str()),
});

export const HostIPSchema = coreObject('HostIP', {
  ip: str(),
});

export const PodIPSchema = coreObject('PodIP', {
  ip: str(),
});

export const ContainerStateWaitingSchema = coreObject('ContainerStateWaiting', {
  reason: opt(str()),
  message: opt(str()),
});

export const ContainerStateRunningSchema = coreObject('ContainerStateRunning', {
  startedAt: opt(time()),
});

export const ContainerStateTerminatedSchema = coreObject('ContainerStateTerminated', {
  exitCode: int32(),
  signal: opt(int32()),
  reason: opt(str()),
  message: opt(str()),
  startedAt: opt(time()),
  finishedAt: opt(time()),
  containerID: opt(str()),
});

export const ContainerStateSchema = coreObject('ContainerState', {
  waiting: opt(ContainerStateWaitingSchema),
  running: opt(ContainerStateRunningSchema),
  terminated: opt(ContainerStateTerminatedSchema),
});

export const ImageVolumeStatusSchema = coreObject('ImageVolumeStatus', {
  imageRef: opt(str()),
});

export const VolumeStatusSchema = coreObject('VolumeStatus', {
  image: opt(ImageVolumeStatusSchema),
});

export const VolumeMountStatusSchema = coreObject('VolumeMountStatus', {
  name: str(),
  mountPath: str(),
  readOnly: opt(bool()),
  recursiveReadOnly: ptr(oneOf(['Disabled', 'IfPossible', 'Enabled'])),
  volumeStatus: opt(VolumeStatusSchema),
});

export const LinuxContainerUserSchema = coreObject('LinuxContainerUser', {
  uid: int64(),
  gid: int64(),
  supplementalGroups: opt(atomicList(int64())),
});

export const ContainerUserSchema = coreObject('ContainerUser', {
  linux: opt(LinuxContainerUserSchema),
});

export const ResourceHealthSchema = coreObject('ResourceHealth', {
  resourceID: str(),
  health: opt(str()),
  message: ptr(str()),
});

export const ResourceStatusSchema = coreObject('ResourceStatus', {
  name: str(),
  resources: opt(list(ResourceHealthSchema, { type: 'map', keys: ['resourceID'] })),
});

export const ContainerStatusSchema = coreObject('ContainerStatus', {
  name: str(),
  state: opt(ContainerStateSchema),
  lastState: opt(about(ContainerStateSchema, 'How the previous instance ended.')),
  ready: bool(),
  restartCount: int32(),
  image: str(),
  imageID: str(),
  containerID: opt(str()),
  started: ptr(bool('Whether the startup probe has succeeded.')),
  allocatedResources: opt(resourceList()),
  resources: opt(ResourceRequirementsSchema),
  volumeMounts: opt(
    list(VolumeMountStatusSchema, {
      type: 'map',
      keys: ['mountPath'],
      patchMergeKey: 'mountPath',
      patchStrategy: 'merge',
    }),
  ),
  user: opt(ContainerUserSchema),
  allocatedResourcesStatus: opt(
    list(ResourceStatusSchema, { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge' }),
  ),
  stopSignal: ptr(str()),
});

export const PodResourceClaimStatusSchema = coreObject('PodResourceClaimStatus', {
  name: str(),
  resourceClaimName: ptr(str()),
});

export const ContainerExtendedResourceRequestSchema = coreObject('ContainerExtendedResourceRequest', {
  containerName: str(),
  resourceName: str(),
  requestName: str(),
});

export const PodExtendedResourceClaimStatusSchema = coreObject('PodExtendedResourceClaimStatus', {
  requestMappings: atomicList(ContainerExtendedResourceRequestSchema),
  resourceClaimName: str(),
});

export const NodeAllocatableResourceClaimStatusSchema = coreObject('NodeAllocatableResourceClaimStatus', {
  resourceClaimName: str(),
  containers: opt(list(str(), { type: 'set' })),
  resources: resourceList(),
});

export const PodStatusSchema = coreObject(
  'PodStatus',
  {
    observedGeneration: opt(int64('The metadata.generation that this status is about.')),
    phase: opt(
      oneOf(
        ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'],
        'Pending, Running, Succeeded, Failed or Unknown.',
      ),
    ),
    conditions: opt(
      list(
        PodConditionSchema,
        { type: 'map', keys: ['type'], patchMergeKey: 'type', patchStrategy: 'merge' },
        "Steps of the pod's life.",
      ),
    ),
    message: opt(str()),
    reason: opt(str()),
    nominatedNodeName: opt(str()),
    hostIP: opt(str()),
    hostIPs: opt(list(HostIPSchema, { type: 'atomic', patchMergeKey: 'ip', patchStrategy: 'merge' })),
    podIP: opt(str()),
    podIPs: opt(list(PodIPSchema, { type: 'map', keys: ['ip'], patchMergeKey: 'ip', patchStrategy: 'merge' })),
    startTime: opt(time('When the daemon first saw the pod.')),
    initContainerStatuses: opt(atomicList(ContainerStatusSchema)),
    containerStatuses: opt(atomicList(ContainerStatusSchema)),
    qosClass: opt(
      oneOf(['Guaranteed', 'Burstable', 'BestEffort'], 'Quality of service, computed from requests and limits.'),
    ),
    ephemeralContainerStatuses: opt(atomicList(ContainerStatusSchema)),
    resize: opt(str()),
    resourceClaimStatuses: opt(
      list(PodResourceClaimStatusSchema, {
        type: 'map',
        keys: ['name'],
        patchMergeKey: 'name',
        patchStrategy: 'merge,retainKeys',
      }),
    ),
    extendedResourceClaimStatus: opt(PodExtendedResourceClaimStatusSchema),
    allocatedResources: opt(resourceList()),
    resources: opt(ResourceRequirementsSchema),
    nodeAllocatableResourceClaimStatuses: opt(atomicList(NodeAllocatableResourceClaimStatusSchema)),
  },
  { description: 'What the pod is, as observed.' },
);
