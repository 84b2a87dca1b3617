import { ageText } from '../duration-text.ts';
import type { Cell, KindDefinition, TableColumn } from '../kind.ts';
import type { KubeObject } from '../meta.ts';
import {
  type ClusterRole,
  type ClusterRoleBinding,
  ClusterRoleBindingSchema,
  ClusterRoleSchema,
  type Role,
  type RoleBinding,
  RoleBindingSchema,
  RoleSchema,
  rbacGroup,
  type Subject,
} from './rbac.ts';
import {
  defaultBinding,
  validateAggregation,
  validateBinding,
  validateBindingUpdate,
  validateRole,
  validateRoleUpdate,
} from './rbac-validation.ts';

/** The kinds of rbac.authorization.k8s.io/v1. */

const common = {
  group: rbacGroup,
  version: 'v1',
  shortNames: [],
  categories: [],
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [],
  prepareForCreate: () => {},
  prepareForUpdate: () => {},
  prepareForStatusUpdate: () => {},
  validateStatusUpdate: () => [],
} as const satisfies Partial<KindDefinition<KubeObject>>;

const nameColumn: TableColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name of the object.',
  priority: 0,
};

const roles = {
  ...common,
  applyDefaults: () => {},
  columns: [
    nameColumn,
    { name: 'Created At', type: 'date', format: '', description: 'When it was created.', priority: 0 },
  ],
  row: ({ metadata }: KubeObject): Cell[] => [metadata.name, metadata.creationTimestamp ?? ''],
} as const;

const bindings = {
  ...common,
  applyDefaults: defaultBinding,
  columns: [
    nameColumn,
    { name: 'Role', type: 'string', format: '', description: 'Kind and name of the role.', priority: 0 },
    { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
    { name: 'Users', type: 'string', format: '', description: 'Users who get the role.', priority: 1 },
    { name: 'Groups', type: 'string', format: '', description: 'Groups that get the role.', priority: 1 },
    { name: 'ServiceAccounts', type: 'string', format: '', description: 'Accounts that get the role.', priority: 1 },
  ],
  row: ({ metadata, roleRef, subjects = [] }: RoleBinding | ClusterRoleBinding, now: number): Cell[] => {
    const named = (kind: string, name: (subject: Subject) => string) =>
      subjects
        .filter((subject) => subject.kind === kind)
        .map(name)
        .join(', ');
    return [
      metadata.name,
      `${roleRef.kind}/${roleRef.name}`,
      ageText(metadata.creationTimestamp, now),
      named('User', ({ name }) => name),
      named('Group', ({ name }) => name),
      named('ServiceAccount', ({ namespace = '', name }) => `${namespace}/${name}`),
    ];
  },
} as const;

const namesOf = ({ metadata }: KubeObject) => ({ 'metadata.name': metadata.name });
const namespacedNamesOf = ({ metadata }: Role | RoleBinding) => ({
  'metadata.name': metadata.name,
  'metadata.namespace': metadata.namespace,
});

export const roleKind: KindDefinition<Role> = {
  ...roles,
  kind: 'Role',
  listKind: 'RoleList',
  plural: 'roles',
  singular: 'role',
  namespaced: true,
  schema: RoleSchema,
  validateCreate: (role) => validateRole(role, true),
  validateUpdate: (next, current) => validateRoleUpdate(next, current, true),
  selectableFields: namespacedNamesOf,
};

export const clusterRoleKind: KindDefinition<ClusterRole> = {
  ...roles,
  kind: 'ClusterRole',
  listKind: 'ClusterRoleList',
  plural: 'clusterroles',
  singular: 'clusterrole',
  namespaced: false,
  schema: ClusterRoleSchema,
  validateCreate: (role) => [...validateRole(role, false), ...validateAggregation(role)],
  validateUpdate: (next, current) => [...validateRoleUpdate(next, current, false), ...validateAggregation(next)],
  selectableFields: namesOf,
};

export const roleBindingKind: KindDefinition<RoleBinding> = {
  ...bindings,
  kind: 'RoleBinding',
  listKind: 'RoleBindingList',
  plural: 'rolebindings',
  singular: 'rolebinding',
  namespaced: true,
  schema: RoleBindingSchema,
  validateCreate: (binding) => validateBinding(binding, true),
  validateUpdate: (next, current) => validateBindingUpdate(next, current, true),
  selectableFields: namespacedNamesOf,
};

export const clusterRoleBindingKind: KindDefinition<ClusterRoleBinding> = {
  ...bindings,
  kind: 'ClusterRoleBinding',
  listKind: 'ClusterRoleBindingList',
  plural: 'clusterrolebindings',
  singular: 'clusterrolebinding',
  namespaced: false,
  schema: ClusterRoleBindingSchema,
  validateCreate: (binding) => validateBinding(binding, false),
  validateUpdate: (next, current) => validateBindingUpdate(next, current, false),
  selectableFields: namesOf,
};
