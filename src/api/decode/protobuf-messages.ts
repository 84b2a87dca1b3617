import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';

/** The kinds that are read from protobuf: `apiVersion kind` to the message in proto/kubernetes. */
export const protobufKinds: ReadonlyMap<string, string> = new Map([
  ['v1 ConfigMap', 'kubernetes.core.v1.ConfigMap'],
  ['v1 Event', 'kubernetes.core.v1.Event'],
  ['v1 Namespace', 'kubernetes.core.v1.Namespace'],
  ['v1 Node', 'kubernetes.core.v1.Node'],
  ['v1 Pod', 'kubernetes.core.v1.Pod'],
  ['v1 Secret', 'kubernetes.core.v1.Secret'],
  ['v1 Service', 'kubernetes.core.v1.Service'],
  ['v1 ServiceAccount', 'kubernetes.core.v1.ServiceAccount'],
  ['policy/v1 Eviction', 'kubernetes.policy.v1.Eviction'],
  ['policy/v1 PodDisruptionBudget', 'kubernetes.policy.v1.PodDisruptionBudget'],
  ['coordination.k8s.io/v1 Lease', 'kubernetes.coordination.v1.Lease'],
  ['discovery.k8s.io/v1 EndpointSlice', 'kubernetes.discovery.v1.EndpointSlice'],
  ['events.k8s.io/v1 Event', 'kubernetes.events.v1.Event'],
  ['scheduling.k8s.io/v1 PriorityClass', 'kubernetes.scheduling.v1.PriorityClass'],
  ['authentication.k8s.io/v1 SelfSubjectReview', 'kubernetes.authentication.v1.SelfSubjectReview'],
  ['authentication.k8s.io/v1 TokenRequest', 'kubernetes.authentication.v1.TokenRequest'],
  ['authentication.k8s.io/v1 TokenReview', 'kubernetes.authentication.v1.TokenReview'],
  ['authorization.k8s.io/v1 LocalSubjectAccessReview', 'kubernetes.authorization.v1.LocalSubjectAccessReview'],
  ['authorization.k8s.io/v1 SelfSubjectAccessReview', 'kubernetes.authorization.v1.SelfSubjectAccessReview'],
  ['authorization.k8s.io/v1 SelfSubjectRulesReview', 'kubernetes.authorization.v1.SelfSubjectRulesReview'],
  ['authorization.k8s.io/v1 SubjectAccessReview', 'kubernetes.authorization.v1.SubjectAccessReview'],
  ['rbac.authorization.k8s.io/v1 ClusterRole', 'kubernetes.rbac.v1.ClusterRole'],
  ['rbac.authorization.k8s.io/v1 ClusterRoleBinding', 'kubernetes.rbac.v1.ClusterRoleBinding'],
  ['rbac.authorization.k8s.io/v1 Role', 'kubernetes.rbac.v1.Role'],
  ['rbac.authorization.k8s.io/v1 RoleBinding', 'kubernetes.rbac.v1.RoleBinding'],
]);

const files = [
  'meta',
  'core',
  'authentication',
  'authorization',
  'coordination',
  'discovery',
  'events',
  'policy',
  'rbac',
  'scheduling',
];

// In the one-file build the .proto files lie beside the bundle.
const protoDir = new URL(import.meta.url.endsWith('.ts') ? '../../../proto/' : './proto/', import.meta.url);

/** Descriptions of messages, read from proto/kubernetes when the first is asked for. */
export class MessageTypes {
  #root: protobuf.Root | undefined;

  /** The type with all of its fields' types resolved. */
  type(name: string): protobuf.Type {
    this.#root ??= loadRoot();
    return this.#root.lookupType(name);
  }
}

function loadRoot(): protobuf.Root {
  const root = new protobuf.Root();
  for (const file of files) {
    const text = readFileSync(new URL(`kubernetes/${file}.proto`, protoDir), 'utf8');
    protobuf.parse(text, root, { keepCase: true });
  }
  root.resolveAll();
  return root;
}
