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
  type: str('What it is about: Ready, ContainersReady, Initialized, PodScheduled and the like.'),
  observedGeneration: opt(int64('The spec that this is about.')),
  status: oneOf(['True', 'False', 'Unknown'], 'True, False or Unknown.'),
  lastProbeTime: opt(time('Not used here.')),
  lastTransitionTime: opt(time('When the status changed last.')),
  reason: opt(str('Why, as one word.')),
  message: opt(str('Why, for people.')),
});

export const HostIPSchema = coreObject('HostIP', {
  ip: str('The address.'),
});

export const PodIPSchema = coreObject('PodIP', {
  ip: str('The address.'),
});

export const ContainerStateWaitingSchema = coreObject('ContainerStateWaiting', {
  reason: opt(str('Why it does not run: ContainerCreating, ImagePullBackOff, CrashLoopBackOff and the like.')),
  message: opt(str('Why, for people.')),
});

export const ContainerStateRunningSchema = coreObject('ContainerStateRunning', {
  startedAt: opt(time('When it was started.')),
});

export const ContainerStateTerminatedSchema = coreObject('ContainerStateTerminated', {
  exitCode: int32('Of its process.'),
  signal: opt(int32('That ended it.')),
  reason: opt(str('Completed, Error, OOMKilled and the like.')),
  message: opt(str('What it left as its last words.')),
  startedAt: opt(time('When it was started.')),
  finishedAt: opt(time('When it ended.')),
  containerID: opt(str('Runtime and id of the container.')),
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
  name: str('Of the container in the spec.'),
  state: opt(ContainerStateSchema),
  lastState: opt(about(ContainerStateSchema, 'How the previous instance ended.')),
  ready: bool('Whether it passes its readiness probe.'),
  restartCount: int32('How often it was started again.'),
  image: str('The image that it runs.'),
  imageID: str('Digest of that image.'),
  containerID: opt(str('Runtime and id of the container.')),
  started: ptr(bool('Whether the startup probe has succeeded.')),
  allocatedResources: opt(resourceList('What it was granted.')),
  resources: opt(ResourceRequirementsSchema),
  volumeMounts: opt(
    list(
      VolumeMountStatusSchema,
      {
        type: 'map',
        keys: ['mountPath'],
        patchMergeKey: 'mountPath',
        patchStrategy: 'merge',
      },
      'What is mounted where.',
    ),
  ),
  user: opt(ContainerUserSchema),
  allocatedResourcesStatus: opt(
    list(ResourceStatusSchema, { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge' }),
  ),
  stopSignal: ptr(str('What stops it.')),
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
    message: opt(str('Why it is so, for people.')),
    reason: opt(str('Why it is so, as one word: Evicted and the like.')),
    nominatedNodeName: opt(str('Not used here.')),
    hostIP: opt(str('Address of the node.')),
    hostIPs: opt(
      list(HostIPSchema, { type: 'atomic', patchMergeKey: 'ip', patchStrategy: 'merge' }, 'Addresses of the node.'),
    ),
    podIP: opt(str('Its address.')),
    podIPs: opt(
      list(
        PodIPSchema,
        { type: 'map', keys: ['ip'], patchMergeKey: 'ip', patchStrategy: 'merge' },
        'Its addresses, one of each family.',
      ),
    ),
    startTime: opt(time('When the daemon first saw the pod.')),
    initContainerStatuses: opt(atomicList(ContainerStatusSchema, 'Of the init containers.')),
    containerStatuses: opt(atomicList(ContainerStatusSchema, 'Of the containers.')),
    qosClass: opt(
      oneOf(['Guaranteed', 'Burstable', 'BestEffort'], 'Quality of service, computed from requests and limits.'),
    ),
    ephemeralContainerStatuses: opt(atomicList(ContainerStatusSchema, 'Of the ephemeral containers.')),
    resize: opt(str('Of older versions: see the conditions.')),
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
