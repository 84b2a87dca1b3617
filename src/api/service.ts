import type { Static } from 'typebox';
import { ConditionSchema, type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import {
  atomicList,
  atomicMap,
  bool,
  coreObject,
  int32,
  intOrString,
  list,
  oneOf,
  opt,
  ptr,
  str,
  withDefault,
} from './schema.ts';

export const serviceTypes = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'] as const;
export const sessionAffinities = ['ClientIP', 'None'] as const;
export const ipFamilies = ['IPv4', 'IPv6'] as const;
export const ipFamilyPolicies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'] as const;
export const trafficPolicies = ['Cluster', 'Local'] as const;
export const serviceProtocols = ['SCTP', 'TCP', 'UDP'] as const;

export const ServicePortSchema = coreObject('ServicePort', {
  name: opt(str('Needed where there are several ports.')),
  protocol: opt(withDefault(oneOf(serviceProtocols, 'Default: TCP.'), 'TCP')),
  appProtocol: ptr(str('What is spoken, as a hint to clients.')),
  port: int32('The port of the service.'),
  targetPort: opt(intOrString("The pods' port, by number or by the name of a container's port. Default: port.")),
  nodePort: opt(int32('Not supported.')),
});

export const ClientIPConfigSchema = coreObject('ClientIPConfig', {
  timeoutSeconds: ptr(int32('How long a client stays with its pod.')),
});

export const SessionAffinityConfigSchema = coreObject('SessionAffinityConfig', {
  clientIP: opt(ClientIPConfigSchema),
});

export const ServiceSpecSchema = coreObject('ServiceSpec', {
  ports: opt(
    list(
      ServicePortSchema,
      {
        type: 'map',
        keys: ['port', 'protocol'],
        patchMergeKey: 'port',
        patchStrategy: 'merge',
      },
      'The ports of the service.',
    ),
  ),
  selector: opt(atomicMap(str(), 'Labels of the pods that the service stands for.')),
  clusterIP: opt(str('The address of the service; None: it has none, clients ask for its pods.')),
  clusterIPs: opt(atomicList(str(), 'The addresses of the service, clusterIP first.')),
  type: opt(oneOf(serviceTypes, 'ClusterIP is supported.')),
  externalIPs: opt(atomicList(str(), 'Not supported.')),
  sessionAffinity: opt(oneOf(sessionAffinities, 'For whoever forwards connections.')),
  loadBalancerIP: opt(str('Not supported.')),
  loadBalancerSourceRanges: opt(atomicList(str(), 'Not supported.')),
  externalName: opt(str('Not supported.')),
  externalTrafficPolicy: opt(str('Not supported.')),
  healthCheckNodePort: opt(int32('Not supported.')),
  publishNotReadyAddresses: opt(bool('Pods that are not ready are told as if they were.')),
  sessionAffinityConfig: opt(SessionAffinityConfigSchema),
  ipFamilies: opt(atomicList(str(), 'IPv4 or IPv6: of its addresses and of the pods that are told.')),
  ipFamilyPolicy: ptr(oneOf(ipFamilyPolicies, 'SingleStack is supported.')),
  allocateLoadBalancerNodePorts: ptr(bool('Not supported.')),
  loadBalancerClass: ptr(str('Not supported.')),
  internalTrafficPolicy: ptr(oneOf(trafficPolicies, 'For whoever forwards connections.')),
  trafficDistribution: ptr(str('For whoever forwards connections.')),
});

export const PortStatusSchema = coreObject('PortStatus', {
  port: int32('The port of the service.'),
  protocol: str('SCTP, TCP or UDP.'),
  error: ptr(str('What is wrong with it.')),
});

export const LoadBalancerIngressSchema = coreObject('LoadBalancerIngress', {
  ip: opt(str('Its address.')),
  hostname: opt(str('Its name.')),
  ipMode: ptr(str('How the address is forwarded: VIP or Proxy.')),
  ports: opt(atomicList(PortStatusSchema, 'What is known of its ports.')),
});

export const LoadBalancerStatusSchema = coreObject('LoadBalancerStatus', {
  ingress: opt(atomicList(LoadBalancerIngressSchema, 'Where a load balancer takes connections.')),
});

export const ServiceStatusSchema = coreObject('ServiceStatus', {
  loadBalancer: opt(LoadBalancerStatusSchema),
  conditions: opt(
    list(
      ConditionSchema,
      { type: 'map', keys: ['type'], patchMergeKey: 'type', patchStrategy: 'merge' },
      'What somebody observes of the service.',
    ),
  ),
});

export const ServiceSchema = coreObject(
  'Service',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    spec: ServiceSpecSchema,
    status: opt(ServiceStatusSchema),
  },
  { description: 'A name for pods that do the same, and for their ports.' },
);

export interface Service extends Omit<Static<typeof ServiceSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}
export type ServiceSpec = Static<typeof ServiceSpecSchema>;
export type ServicePort = Static<typeof ServicePortSchema>;

/** Whether the service has an address of its own. */
export function hasClusterIP({ spec }: Pick<Service, 'spec'>): boolean {
  return spec.clusterIP !== undefined && spec.clusterIP !== '' && spec.clusterIP !== headless;
}

/** The value of `clusterIP` that means: there is none. */
export const headless = 'None';
