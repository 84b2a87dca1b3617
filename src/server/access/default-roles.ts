import { type PolicyRule, rbacGroup, type Subject } from '../../api/rbac/rbac.ts';
import { adminGroup } from '../pki/pki.ts';
import { everything } from './rbac.ts';

/**
 * The ClusterRoles and ClusterRoleBindings that Kubernetes has from the start, as far as they mean something on one node
 * (k8s.io/kubernetes' plugin/pkg/auth/authorizer/rbac/bootstrappolicy).
 */

export interface DefaultRole {
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  /** Becomes part of these: `edit` for `rbac.authorization.k8s.io/aggregate-to-edit: "true"`. */
  readonly aggregateTo?: readonly string[];
  /** True: made of all roles that say so. */
  readonly isAggregated?: boolean;
}

export interface DefaultBinding {
  readonly role: string;
  readonly subjects: readonly Subject[];
}

const readVerbs = ['get', 'list', 'watch'];
const writeVerbs = ['create', 'delete', 'deletecollection', 'patch', 'update'];

const on = (apiGroup: string, verbs: string[], ...resources: string[]): PolicyRule => ({
  verbs,
  apiGroups: [apiGroup],
  resources,
});
const paths = (...nonResourceURLs: string[]): PolicyRule => ({ verbs: ['get'], nonResourceURLs });

const view: readonly PolicyRule[] = [
  on('', readVerbs, 'configmaps', 'endpoints', 'persistentvolumeclaims', 'persistentvolumeclaims/status', 'pods'),
  on('', readVerbs, 'serviceaccounts', 'services', 'services/status'),
  on('', readVerbs, 'events', 'limitranges', 'namespaces/status', 'pods/log', 'pods/status', 'resourcequotas'),
  on('', readVerbs, 'namespaces', 'resourcequotas/status'),
  on('discovery.k8s.io', readVerbs, 'endpointslices'),
  on('policy', readVerbs, 'poddisruptionbudgets', 'poddisruptionbudgets/status'),
  on('networking.k8s.io', readVerbs, 'ingresses', 'networkpolicies'),
  on('', readVerbs, 'replicationcontrollers'),
  on('apps', readVerbs, 'daemonsets', 'deployments', 'replicasets', 'statefulsets'),
  on('batch', readVerbs, 'cronjobs', 'jobs'),
];

const edit: readonly PolicyRule[] = [
  on('', readVerbs, 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'),
  on('', ['impersonate'], 'serviceaccounts'),
  on('', writeVerbs, 'pods', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy'),
  on('', ['create'], 'pods/eviction', 'serviceaccounts/token'),
  on('', writeVerbs, 'configmaps', 'events', 'persistentvolumeclaims', 'secrets', 'serviceaccounts', 'services'),
  on('', writeVerbs, 'services/proxy'),
  on('policy', writeVerbs, 'poddisruptionbudgets'),
  on('networking.k8s.io', writeVerbs, 'networkpolicies'),
  on('coordination.k8s.io', [...writeVerbs, ...readVerbs], 'leases'),
];

export const defaultRoles: readonly DefaultRole[] = [
  { name: 'cluster-admin', rules: everything },
  { name: 'admin', rules: [], isAggregated: true },
  { name: 'edit', rules: [], isAggregated: true, aggregateTo: ['admin'] },
  { name: 'view', rules: [], isAggregated: true, aggregateTo: ['edit'] },
  {
    name: 'system:aggregate-to-admin',
    aggregateTo: ['admin'],
    rules: [
      on('authorization.k8s.io', ['create'], 'localsubjectaccessreviews'),
      on(rbacGroup, [...writeVerbs, ...readVerbs], 'rolebindings', 'roles'),
    ],
  },
  { name: 'system:aggregate-to-edit', aggregateTo: ['edit'], rules: edit },
  { name: 'system:aggregate-to-view', aggregateTo: ['view'], rules: view },
  // In a cluster this one comes with metrics-server.
  {
    name: 'system:aggregated-metrics-reader',
    aggregateTo: ['admin', 'edit', 'view'],
    rules: [on('metrics.k8s.io', readVerbs, 'nodes', 'pods')],
  },
  {
    name: 'system:auth-delegator',
    rules: [
      on('authentication.k8s.io', ['create'], 'tokenreviews'),
      on('authorization.k8s.io', ['create'], 'subjectaccessreviews'),
    ],
  },
  {
    name: 'system:basic-user',
    rules: [
      on('authorization.k8s.io', ['create'], 'selfsubjectaccessreviews', 'selfsubjectrulesreviews'),
      on('authentication.k8s.io', ['create'], 'selfsubjectreviews'),
    ],
  },
  {
    name: 'system:discovery',
    rules: [
      paths('/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*', '/version', '/version/'),
      paths('/healthz', '/livez', '/readyz'),
    ],
  },
  {
    name: 'system:kubelet-api-admin',
    rules: [
      on('', readVerbs, 'nodes'),
      on('', ['proxy'], 'nodes'),
      {
        verbs: ['*'],
        apiGroups: [''],
        resources: ['checkpoint', 'configz', 'healthz', 'log', 'metrics', 'pods', 'proxy', 'stats'].map(
          (subresource) => `nodes/${subresource}`,
        ),
      },
    ],
  },
  {
    name: 'system:monitoring',
    rules: [
      paths('/healthz', '/healthz/*', '/livez', '/livez/*', '/readyz', '/readyz/*', '/metrics', '/metrics/*'),
      on('', ['get'], 'nodes/healthz', 'nodes/metrics', 'nodes/stats'),
    ],
  },
  { name: 'system:public-info-viewer', rules: [paths('/healthz', '/livez', '/readyz', '/version', '/version/')] },
];

const group = (name: string): Subject => ({ kind: 'Group', apiGroup: rbacGroup, name });

export const defaultBindings: readonly DefaultBinding[] = [
  { role: 'cluster-admin', subjects: [group(adminGroup)] },
  { role: 'system:basic-user', subjects: [group('system:authenticated')] },
  { role: 'system:discovery', subjects: [group('system:authenticated')] },
  { role: 'system:monitoring', subjects: [group('system:monitoring')] },
  { role: 'system:public-info-viewer', subjects: [group('system:authenticated')] },
];
