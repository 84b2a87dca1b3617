import { type PolicyRule, type RoleRef, rbacGroup, type Subject } from '../../api/rbac/rbac.ts';
import { clusterRoleBindingKind, clusterRoleKind, roleBindingKind, roleKind } from '../../api/rbac/rbac-kinds.ts';
import type { Store } from '../../store/store.ts';
import { type Identity, isAdmin } from '../identity.ts';
import { type Attributes, isResource } from './attributes.ts';
import { allows } from './rules.ts';

export interface Decision {
  readonly allowed: boolean;
  /** Why it is allowed; empty when it is not. */
  readonly reason: string;
}

/** Rules that somebody has, and by what. */
interface Grant {
  readonly rule: PolicyRule;
  /** `RoleBinding "x/default" of Role "y" to User "z"`. */
  readonly by: string;
}

/** All rights, which administrators have whatever the roles say. */
export const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/** Decides by the stored roles and bindings who may do what. Reads only. */
export class RbacAuthorizer {
  readonly #store: Pick<Store, 'get' | 'list'>;

  constructor(store: Pick<Store, 'get' | 'list'>) {
    this.#store = store;
  }

  decide(identity: Identity, attributes: Attributes): Decision {
    if (isAdmin(identity)) return { allowed: true, reason: '' };
    const namespace = isResource(attributes) ? attributes.namespace : '';
    for (const { rule, by } of this.#grants(identity, namespace)) {
      if (allows(rule, attributes)) return { allowed: true, reason: `RBAC: allowed by ${by}` };
    }
    return { allowed: false, reason: '' };
  }

  /** All rules that somebody has in a namespace, or with '' everywhere. */
  rulesOf(identity: Identity, namespace: string): readonly PolicyRule[] {
    if (isAdmin(identity)) return everything;
    return [...this.#grants(identity, namespace)].map(({ rule }) => rule);
  }

  /** Of the role that is referred to from a namespace, or with '' from nowhere; undefined when there is none. */
  rulesOfRole({ apiGroup, kind, name }: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    if (apiGroup !== rbacGroup) return undefined;
    if (kind === 'ClusterRole') return this.#store.get(clusterRoleKind, undefined, name)?.rules;
    return kind === 'Role' && namespace !== '' ? this.#store.get(roleKind, namespace, name)?.rules : undefined;
  }

  *#grants(identity: Identity, namespace: string): Generator<Grant> {
    for (const { metadata, subjects, roleRef } of this.#store.list(clusterRoleBindingKind).items) {
      const subject = subjects?.find((candidate) => isOf(candidate, identity, ''));
      if (!subject) continue;
      const by = `ClusterRoleBinding ${JSON.stringify(metadata.name)} ${grantText(roleRef, subject)}`;
      for (const rule of this.rulesOfRole(roleRef, '') ?? []) yield { rule, by };
    }
    if (namespace === '') return;
    for (const { metadata, subjects, roleRef } of this.#store.list(roleBindingKind, { namespace }).items) {
      const subject = subjects?.find((candidate) => isOf(candidate, identity, namespace));
      if (!subject) continue;
      const by = `RoleBinding ${JSON.stringify(`${metadata.name}/${namespace}`)} ${grantText(roleRef, subject)}`;
      for (const rule of this.rulesOfRole(roleRef, namespace) ?? []) yield { rule, by };
    }
  }
}

/** @param namespace of the binding, for accounts that name none. */
function isOf(subject: Subject, { user, groups }: Identity, namespace: string): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === user;
    case 'Group':
      return groups.includes(subject.name);
    case 'ServiceAccount': {
      const home = subject.namespace || namespace;
      return home !== '' && user === `system:serviceaccount:${home}:${subject.name}`;
    }
    default:
      return false;
  }
}

function grantText(roleRef: RoleRef, { kind, name, namespace }: Subject): string {
  const who = namespace ? `${name}/${namespace}` : name;
  return `of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${kind} ${JSON.stringify(who)}`;
}
