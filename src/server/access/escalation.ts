import type { KubeObject } from '../../api/meta.ts';
import {
  type ClusterRole,
  type ClusterRoleBinding,
  type PolicyRule,
  type Role,
  type RoleBinding,
  rbacGroup,
} from '../../api/rbac/rbac.ts';
import { forbidden, notFound, type StatusError } from '../../api/status-error.ts';
import { type Identity, isAdmin } from '../identity.ts';
import type { ResourceAttributes } from './attributes.ts';
import { everything, type RbacAuthorizer } from './rbac.ts';
import { missingRules, ruleText } from './rules.ts';

/** Nobody gives what they have not: rules of k8s.io/kubernetes' pkg/registry/rbac. */

/** Whether somebody may write a role or a binding as it is. @throws StatusError Forbidden, NotFound. */
export function checkGrant(authorizer: RbacAuthorizer, identity: Identity | undefined, object: KubeObject): void {
  switch (object.kind) {
    case 'Role':
      checkRole(authorizer, identity, object as Role, 'roles');
      break;
    case 'ClusterRole':
      checkRole(authorizer, identity, object as ClusterRole, 'clusterroles');
      break;
    case 'RoleBinding':
      checkBinding(authorizer, identity, object as RoleBinding, 'rolebindings');
      break;
    case 'ClusterRoleBinding':
      checkBinding(authorizer, identity, object as ClusterRoleBinding, 'clusterrolebindings');
      break;
    default:
      throw new Error(`${object.kind} grants nothing`);
  }
}

/**
 * Whether somebody may write a role as it is: who has all of its rules there, and who may `escalate` it.
 *
 * @throws StatusError Forbidden.
 */
function checkRole(
  authorizer: RbacAuthorizer,
  identity: Identity | undefined,
  role: Role | ClusterRole,
  plural: 'roles' | 'clusterroles',
): void {
  const { namespace = '', name } = role.metadata;
  if (identity && mayAnyway(authorizer, identity, 'escalate', plural, namespace, name)) return;
  // Whatever is labelled for it later becomes part of an aggregated role.
  const isAggregated = 'aggregationRule' in role && role.aggregationRule !== undefined;
  const wanted = isAggregated ? everything : role.rules;
  checkHeld(authorizer, identity, wanted, namespace, { plural, name });
}

/**
 * Whether somebody may give a role to others: who has all of its rules there, and who may `bind` it.
 *
 * @throws StatusError Forbidden, NotFound for a role that is not there.
 */
function checkBinding(
  authorizer: RbacAuthorizer,
  identity: Identity | undefined,
  binding: RoleBinding | ClusterRoleBinding,
  plural: 'rolebindings' | 'clusterrolebindings',
): void {
  const { namespace = '', name } = binding.metadata;
  const { roleRef } = binding;
  const rolePlural = roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  if (identity && mayAnyway(authorizer, identity, 'bind', rolePlural, namespace, roleRef.name)) return;
  const wanted = authorizer.rulesOfRole(roleRef, namespace);
  if (!wanted) throw notFound({ group: rbacGroup, plural: rolePlural }, roleRef.name);
  checkHeld(authorizer, identity, wanted, namespace, { plural, name });
}

function mayAnyway(
  authorizer: RbacAuthorizer,
  identity: Identity,
  verb: 'bind' | 'escalate',
  resource: string,
  namespace: string,
  name: string,
): boolean {
  const attributes: ResourceAttributes = { verb, group: rbacGroup, resource, subresource: '', namespace, name };
  return isAdmin(identity) || authorizer.decide(identity, attributes).allowed;
}

function checkHeld(
  authorizer: RbacAuthorizer,
  identity: Identity | undefined,
  wanted: readonly PolicyRule[],
  namespace: string,
  about: { plural: string; name: string },
): void {
  const held = identity ? authorizer.rulesOf(identity, namespace) : [];
  const who = `user ${JSON.stringify(identity?.user ?? '')} (groups=${JSON.stringify(identity?.groups ?? [])})`;
  let missing: readonly PolicyRule[];
  try {
    missing = missingRules(held, wanted);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw refused(about, `${who} cannot grant so many permissions at once: ${error.message}`);
  }
  if (missing.length === 0) return;
  const shown = missing.map(ruleText).join('\n').slice(0, 2_000);
  throw refused(about, `${who} is attempting to grant RBAC permissions not currently held:\n${shown}`);
}

function refused({ plural, name }: { plural: string; name: string }, why: string): StatusError {
  const details = { name, group: rbacGroup, kind: plural };
  return forbidden(`${plural}.${rbacGroup} ${JSON.stringify(name)} is forbidden: ${why}`, details);
}
