import type { Static } from 'typebox';
import { LabelSelectorSchema, type NamespacedObjectMeta, type ObjectMeta, ObjectMetaSchema } from '../meta.ts';
import { atomicList, opt, rbacObject, str } from '../schema.ts';

/** The objects of rbac.authorization.k8s.io/v1: what may be done, and by whom. */

export const rbacGroup = 'rbac.authorization.k8s.io';

export const PolicyRuleSchema = rbacObject('PolicyRule', {
  verbs: atomicList(str(), 'What may be done: get, list, watch, create, ...; * is everything.'),
  apiGroups: opt(atomicList(str(), 'Groups of the resources; "" is the core group, * every one.')),
  resources: opt(
    atomicList(str(), 'Plural names; a subresource is pods/log, */scale is that of every resource, * everything.'),
  ),
  resourceNames: opt(atomicList(str(), 'Names of the objects that it is limited to; none: all of them.')),
  nonResourceURLs: opt(atomicList(str(), 'Paths of the server that are no objects; a * may end them.')),
});

export const SubjectSchema = rbacObject(
  'Subject',
  {
    kind: str('User, Group or ServiceAccount.'),
    apiGroup: opt(str('"" for a ServiceAccount, rbac.authorization.k8s.io for the others.')),
    name: str('Name of the user, group or account.'),
    namespace: opt(str('Of a ServiceAccount.')),
  },
  { atomic: true },
);

export const RoleRefSchema = rbacObject(
  'RoleRef',
  { apiGroup: str('rbac.authorization.k8s.io.'), kind: str('Role or ClusterRole.'), name: str('Name of the role.') },
  { atomic: true, description: 'The role that is given. It cannot be changed: delete the binding and make another.' },
);

export const AggregationRuleSchema = rbacObject('AggregationRule', {
  clusterRoleSelectors: opt(atomicList(LabelSelectorSchema, 'Whose rules are taken: of all that one of them selects.')),
});

const rules = atomicList(PolicyRuleSchema, 'What may be done: each of them allows more.');
const subjects = opt(atomicList(SubjectSchema, 'Who gets the role.'));
const head = { apiVersion: str(), kind: str(), metadata: ObjectMetaSchema };

export const RoleSchema = rbacObject('Role', { ...head, rules }, { description: 'Rights within its namespace.' });

export const ClusterRoleSchema = rbacObject(
  'ClusterRole',
  { ...head, rules, aggregationRule: opt(AggregationRuleSchema) },
  { description: 'Rights everywhere, or, given by a RoleBinding, within the namespace of that one.' },
);

export const RoleBindingSchema = rbacObject(
  'RoleBinding',
  { ...head, subjects, roleRef: RoleRefSchema },
  { description: 'Gives a role to users, groups and service accounts within its namespace.' },
);

export const ClusterRoleBindingSchema = rbacObject(
  'ClusterRoleBinding',
  { ...head, subjects, roleRef: RoleRefSchema },
  { description: 'Gives a ClusterRole to users, groups and service accounts everywhere.' },
);

export type PolicyRule = Static<typeof PolicyRuleSchema>;
export type Subject = Static<typeof SubjectSchema>;
export type RoleRef = Static<typeof RoleRefSchema>;

export interface Role extends Omit<Static<typeof RoleSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}
export interface ClusterRole extends Omit<Static<typeof ClusterRoleSchema>, 'metadata'> {
  metadata: ObjectMeta;
}
export interface RoleBinding extends Omit<Static<typeof RoleBindingSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}
export interface ClusterRoleBinding extends Omit<Static<typeof ClusterRoleBindingSchema>, 'metadata'> {
  metadata: ObjectMeta;
}
