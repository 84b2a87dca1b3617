import { ageText } from './duration-text.ts';
import type { KubeObject } from './meta.ts';
import type { ReadKind } from './metrics-kinds.ts';

/**
 * Kinds of controllers that this daemon has not. Clients that go through everything there may be
 * (`kubectl apply --prune`) look for them, and give up where they are not known: so they are known, and there are none. PURE.
 */
export const absentKinds: readonly ReadKind<KubeObject>[] = [
  absent('', 'ReplicationController', 'replicationcontrollers', ['rc']),
  absent('apps', 'DaemonSet', 'daemonsets', ['ds']),
  absent('apps', 'Deployment', 'deployments', ['deploy']),
  absent('apps', 'ReplicaSet', 'replicasets', ['rs']),
  absent('apps', 'StatefulSet', 'statefulsets', ['sts']),
  absent('batch', 'CronJob', 'cronjobs', ['cj']),
  absent('batch', 'Job', 'jobs', []),
  absent('networking.k8s.io', 'Ingress', 'ingresses', ['ing']),
];

function absent(group: string, kind: string, plural: string, shortNames: readonly string[]): ReadKind<KubeObject> {
  return {
    group,
    version: 'v1',
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    shortNames,
    categories: [],
    namespaced: true,
    verbs: ['get', 'list'],
    subresources: [],
    columns: [
      { name: 'Name', type: 'string', format: 'name', description: 'Name of the object.', priority: 0 },
      { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
    ],
    row: ({ metadata }, now) => [metadata.name, ageText(metadata.creationTimestamp, now)],
    selectableFields: ({ metadata }) => ({
      'metadata.name': metadata.name,
      'metadata.namespace': metadata.namespace ?? '',
    }),
  };
}
