import {
  about,
  atomicList,
  atomicMap,
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
} from '../schema.ts';
import { ContainerSchema, EphemeralContainerSchema } from './container.ts';
import { LocalObjectReferenceSchema } from './references.ts';
import { ResourceRequirementsSchema } from './resources.ts';
import {
  AffinitySchema,
  PodSchedulingGateSchema,
  PodSchedulingGroupSchema,
  TolerationSchema,
  TopologySpreadConstraintSchema,
} from './scheduling.ts';
import { PodSecurityContextSchema } from './security-context.ts';
import { VolumeSchema } from './volume.ts';

export const HostAliasSchema = coreObject('HostAlias', {
  ip: str('The address.'),
  hostnames: opt(atomicList(str(), 'Its names.')),
});

export const PodDNSConfigOptionSchema = coreObject('PodDNSConfigOption', {
  name: opt(str('The option.')),
  value: ptr(str('Its value.')),
});

export const PodDNSConfigSchema = coreObject('PodDNSConfig', {
  nameservers: opt(atomicList(str(), 'Addresses of name servers.')),
  searches: opt(atomicList(str(), 'Domains that names are looked for in.')),
  options: opt(atomicList(PodDNSConfigOptionSchema, 'Options of the resolver.')),
});

export const PodReadinessGateSchema = coreObject('PodReadinessGate', {
  conditionType: str('The condition that must be True for the pod to be Ready.'),
});

export const PodOSSchema = coreObject('PodOS', {
  name: oneOf(['linux', 'windows']),
});

export const PodResourceClaimSchema = coreObject('PodResourceClaim', {
  name: str(),
  resourceClaimName: ptr(str()),
  resourceClaimTemplateName: ptr(str()),
});

export const PodSpecSchema = coreObject(
  'PodSpec',
  {
    volumes: opt(
      list(
        VolumeSchema,
        { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge,retainKeys' },
        'Volumes that the containers of this pod can mount.',
      ),
    ),
    initContainers: opt(
      list(
        ContainerSchema,
        { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge' },
        'Run one after the other, each to success, before the containers start.',
      ),
    ),
    containers: list(
      ContainerSchema,
      { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge' },
      'The containers that run together; at least one. The list cannot change after creation.',
    ),
    ephemeralContainers: opt(
      list(
        EphemeralContainerSchema,
        { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge' },
        'Debugging containers, added to a running pod by the ephemeralcontainers subresource only.',
      ),
    ),
    restartPolicy: opt(
      oneOf(['Always', 'OnFailure', 'Never'], 'Whether containers that exit are started again. Default: Always.'),
    ),
    terminationGracePeriodSeconds: ptr(int64('Time from the stop signal until a container is killed. Default: 30.')),
    activeDeadlineSeconds: ptr(int64('The pod fails when it has been active for longer than this.')),
    dnsPolicy: opt(
      oneOf(
        ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'],
        'Where the resolv.conf of the containers comes from. Default: ClusterFirst.',
      ),
    ),
    nodeSelector: opt(atomicMap(str(), 'Labels that the node must have.')),
    serviceAccountName: opt(str('The account whose token the containers get.')),
    serviceAccount: opt(str('Old name of serviceAccountName.')),
    automountServiceAccountToken: ptr(bool("Whether the account's token is mounted into the containers.")),
    nodeName: opt(str('The node that the pod runs on.')),
    hostNetwork: opt(bool('Use the network namespace of the host.')),
    hostPID: opt(bool('Use the process namespace of the host.')),
    hostIPC: opt(bool('Use the IPC namespace of the host.')),
    shareProcessNamespace: ptr(bool('One process namespace for all containers of the pod.')),
    securityContext: opt(
      about(PodSecurityContextSchema, "Security settings for all containers; a container's own settings win."),
    ),
    imagePullSecrets: opt(
      list(
        LocalObjectReferenceSchema,
        { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge' },
        'Secrets with registry credentials for the images of this pod.',
      ),
    ),
    hostname: opt(str('Hostname of the pod. Default: the name of the pod.')),
    subdomain: opt(str('With it the full name of the pod is hostname.subdomain.namespace.svc.domain.')),
    affinity: opt(about(AffinitySchema, 'Rules by which nodes are chosen.')),
    schedulerName: opt(str('The scheduler that places the pod. Default: default-scheduler.')),
    tolerations: opt(atomicList(TolerationSchema, 'Taints that the pod accepts.')),
    hostAliases: opt(
      list(
        HostAliasSchema,
        { type: 'map', keys: ['ip'], patchMergeKey: 'ip', patchStrategy: 'merge' },
        'Entries added to the /etc/hosts file of the containers.',
      ),
    ),
    priorityClassName: opt(
      str('Name of the priority class: system-node-critical, system-cluster-critical, or a defined one.'),
    ),
    priority: ptr(int32('The value of the priority class.')),
    dnsConfig: opt(about(PodDNSConfigSchema, 'Name servers, search domains and options added to those of dnsPolicy.')),
    readinessGates: opt(
      atomicList(
        PodReadinessGateSchema,
        'Conditions that must be True, besides ready containers, for the pod to be Ready.',
      ),
    ),
    runtimeClassName: ptr(str('The runtime class, which names the handler of the container runtime.')),
    enableServiceLinks: ptr(
      bool('Whether services are told to the containers by environment variables. Default: true.'),
    ),
    preemptionPolicy: ptr(
      oneOf(['PreemptLowerPriority', 'Never'], 'Whether the pod may displace pods of lower priority.'),
    ),
    overhead: opt(resourceList('Resources that the runtime class itself needs.')),
    topologySpreadConstraints: opt(
      list(
        TopologySpreadConstraintSchema,
        {
          type: 'map',
          keys: ['topologyKey', 'whenUnsatisfiable'],
          patchMergeKey: 'topologyKey',
          patchStrategy: 'merge',
        },
        'How pods are spread over parts of a cluster.',
      ),
    ),
    setHostnameAsFQDN: ptr(bool('The full name of the pod becomes its hostname.')),
    os: opt(about(PodOSSchema, 'The operating system of the containers.')),
    hostUsers: ptr(bool('False gives the pod a user namespace of its own. Default: true.')),
    schedulingGates: opt(
      list(
        PodSchedulingGateSchema,
        { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge' },
        'The pod is not scheduled while this list has entries.',
      ),
    ),
    resourceClaims: opt(
      list(
        PodResourceClaimSchema,
        { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge,retainKeys' },
        'Claims for devices, to be used by containers.',
      ),
    ),
    resources: opt(about(ResourceRequirementsSchema, 'Requests and limits of the pod as a whole.')),
    hostnameOverride: ptr(str('Hostname of the pod, taken as it is.')),
    schedulingGroup: opt(about(PodSchedulingGroupSchema, 'The group that the pod is scheduled with.')),
  },
  { description: 'What the pod should be.' },
);
