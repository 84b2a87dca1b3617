import { ageText } from './duration-text.ts';
import type { Cell, KindDefinition, TableColumn } from './kind.ts';
import { validateObjectMetaUpdate } from './meta-validation.ts';
import { headless, type Service, ServiceSchema } from './service.ts';
import { validateServiceCreate, validateServiceUpdate } from './service-validation.ts';

const columns: readonly TableColumn[] = [
  { name: 'Name', type: 'string', format: 'name', description: 'Name of the service.', priority: 0 },
  { name: 'Type', type: 'string', format: '', description: 'Who can reach it.', priority: 0 },
  { name: 'Cluster-IP', type: 'string', format: '', description: 'Its address.', priority: 0 },
  { name: 'External-IP', type: 'string', format: '', description: 'Its address from outside.', priority: 0 },
  { name: 'Port(s)', type: 'string', format: '', description: 'Its ports.', priority: 0 },
  { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
  { name: 'Selector', type: 'string', format: '', description: 'Labels of its pods.', priority: 1 },
];

/** How long a client's connections stay with one pod, where they do (pkg/apis/core/v1/defaults.go). */
const DEFAULT_AFFINITY_SECONDS = 10_800;

/** The kind Service of core/v1. Nothing here forwards to its pods: see docs/api.md. */
export const serviceKind: KindDefinition<Service> = {
  group: '',
  version: 'v1',
  kind: 'Service',
  listKind: 'ServiceList',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  schema: ServiceSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [{ name: 'status', kind: 'Service', verbs: ['get', 'patch', 'update'] }],
  prepareForCreate: (service) => {
    service.status = { loadBalancer: {} };
    normalizeClusterIPs(service);
  },
  prepareForUpdate: (next, current) => {
    next.status = structuredClone(current.status);
    // What the daemon has given stays, so that the manifest that made the service is no change.
    if (!next.spec.clusterIP && !next.spec.clusterIPs?.length) {
      if (current.spec.clusterIP !== undefined) next.spec.clusterIP = current.spec.clusterIP;
      if (current.spec.clusterIPs !== undefined) next.spec.clusterIPs = [...current.spec.clusterIPs];
    }
    normalizeClusterIPs(next);
    if (current.spec.ipFamilies !== undefined) next.spec.ipFamilies ??= [...current.spec.ipFamilies];
    if (current.spec.ipFamilyPolicy !== undefined) next.spec.ipFamilyPolicy ??= current.spec.ipFamilyPolicy;
  },
  prepareForStatusUpdate: (next, current) => {
    next.spec = structuredClone(current.spec);
  },
  applyDefaults: ({ spec }) => {
    spec.sessionAffinity ??= 'None';
    if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
    if (spec.sessionAffinity === 'ClientIP') {
      spec.sessionAffinityConfig ??= {};
      spec.sessionAffinityConfig.clientIP ??= {};
      spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= DEFAULT_AFFINITY_SECONDS;
    }
    spec.type ??= 'ClusterIP';
    if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster';
    for (const port of spec.ports ?? []) {
      port.protocol ??= 'TCP';
      if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port;
    }
  },
  validateCreate: validateServiceCreate,
  validateUpdate: validateServiceUpdate,
  validateStatusUpdate: (next, current) => validateObjectMetaUpdate(next.metadata, current.metadata),
  columns,
  row,
  selectableFields: ({ metadata, spec }) => ({
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'spec.clusterIP': spec.clusterIP ?? '',
    'spec.type': spec.type ?? '',
  }),
};

/** The two fields say the same, the older one only the first address. */
function normalizeClusterIPs({ spec }: Service): void {
  if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
}

function row({ metadata, spec }: Service, now: number): Cell[] {
  const ports = (spec.ports ?? []).map(({ port, protocol }) => `${port}/${protocol}`);
  const selector = Object.entries(spec.selector ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [
    metadata.name,
    spec.type ?? '',
    spec.clusterIP || headless,
    '<none>',
    ports.join(',') || '<none>',
    ageText(metadata.creationTimestamp, now),
    selector.map(([key, value]) => `${key}=${value}`).join(',') || '<none>',
  ];
}
