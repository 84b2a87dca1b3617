import { type ErrorSink, type FieldError, FieldErrors, invalid, notSupported, required } from '../field-error.ts';
import { checkDnsSubdomain, checkPathSegment } from '../formats.ts';
import type { ObjectMeta } from '../meta.ts';
import {
  addProblems,
  validateLabelSelector,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from '../meta-validation.ts';
import {
  type ClusterRole,
  type PolicyRule,
  type Role,
  type RoleBinding,
  type RoleRef,
  rbacGroup,
  type Subject,
} from './rbac.ts';

/** Rules of k8s.io/kubernetes' pkg/apis/rbac/validation, and the defaults of pkg/apis/rbac/v1. */

/** Of a Role or a ClusterRole. */
type AnyRole = Pick<Role, 'rules'> & { readonly metadata: ObjectMeta };
type AnyBinding = Pick<RoleBinding, 'subjects' | 'roleRef'> & { readonly metadata: ObjectMeta };

export function validateRole(role: AnyRole, namespaced: boolean): FieldError[] {
  return [
    ...validateObjectMeta(role.metadata, { namespaced, checkName: checkPathSegment }),
    ...validateRules(role.rules, namespaced),
  ];
}

export function validateRoleUpdate(next: AnyRole, current: AnyRole, namespaced: boolean): FieldError[] {
  return [...validateObjectMetaUpdate(next.metadata, current.metadata), ...validateRules(next.rules, namespaced)];
}

export function validateAggregation({ aggregationRule }: ClusterRole): FieldError[] {
  if (!aggregationRule) return [];
  const errors = new FieldErrors();
  const { clusterRoleSelectors: selectors = [] } = aggregationRule;
  const field = 'aggregationRule.clusterRoleSelectors';
  if (selectors.length === 0) {
    errors.push(required(field, 'at least one clusterRoleSelector required if aggregationRule is non-nil'));
  }
  for (const [i, selector] of selectors.entries()) validateLabelSelector(selector, `${field}[${i}]`, errors);
  return errors.list;
}

export function validateBinding(binding: AnyBinding, namespaced: boolean): FieldError[] {
  const errors = new FieldErrors();
  for (const error of validateObjectMeta(binding.metadata, { namespaced, checkName: checkPathSegment })) {
    errors.push(error);
  }
  validateRoleRef(binding.roleRef, namespaced ? ['ClusterRole', 'Role'] : ['ClusterRole'], errors);
  validateSubjects(binding.subjects, namespaced, errors);
  return errors.list;
}

export function validateBindingUpdate(next: AnyBinding, current: AnyBinding, namespaced: boolean): FieldError[] {
  const errors = new FieldErrors();
  for (const error of validateObjectMetaUpdate(next.metadata, current.metadata)) errors.push(error);
  validateSubjects(next.subjects, namespaced, errors);
  const [a, b] = [next.roleRef, current.roleRef];
  if (a.apiGroup !== b.apiGroup || a.kind !== b.kind || a.name !== b.name) {
    errors.push(invalid('roleRef', a, 'cannot change roleRef'));
  }
  return errors.list;
}

export function defaultBinding({ roleRef, subjects = [] }: AnyBinding): void {
  roleRef.apiGroup ||= rbacGroup;
  for (const subject of subjects) {
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= rbacGroup;
  }
}

function validateRules(rules: readonly PolicyRule[], namespaced: boolean): FieldError[] {
  const errors = new FieldErrors();
  for (const [i, rule] of rules.entries()) validateRule(rule, namespaced, `rules[${i}]`, errors);
  return errors.list;
}

function validateRule(rule: PolicyRule, namespaced: boolean, path: string, errors: ErrorSink): void {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  if (verbs.length === 0) errors.push(required(`${path}.verbs`, 'verbs must contain at least one value'));
  if (nonResourceURLs.length > 0) {
    const refuse = (why: string) => errors.push(invalid(`${path}.nonResourceURLs`, nonResourceURLs, why));
    if (namespaced) refuse('namespaced rules cannot apply to non-resource URLs');
    if (apiGroups.length > 0 || resources.length > 0 || resourceNames.length > 0) {
      refuse('rules cannot apply to both regular resources and non-resource URLs');
    }
    return;
  }
  if (apiGroups.length === 0) {
    errors.push(required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  }
  if (resources.length === 0) {
    errors.push(required(`${path}.resources`, 'resource rules must supply at least one resource'));
  }
}

function validateRoleRef(roleRef: RoleRef, kinds: readonly string[], errors: ErrorSink): void {
  if (roleRef.apiGroup !== rbacGroup) {
    errors.push(notSupported('roleRef.apiGroup', roleRef.apiGroup ?? '', [rbacGroup]));
  }
  if (!kinds.includes(roleRef.kind)) errors.push(notSupported('roleRef.kind', roleRef.kind, kinds));
  if (roleRef.name === '') errors.push(required('roleRef.name'));
  else addProblems(errors, 'roleRef.name', roleRef.name, checkPathSegment(roleRef.name));
}

function validateSubjects(subjects: readonly Subject[] = [], namespaced: boolean, errors: ErrorSink): void {
  for (const [i, subject] of subjects.entries()) validateSubject(subject, namespaced, `subjects[${i}]`, errors);
}

function validateSubject(subject: Subject, namespaced: boolean, path: string, errors: ErrorSink): void {
  const { kind, apiGroup = '', name, namespace = '' } = subject;
  if (name === '') errors.push(required(`${path}.name`));
  switch (kind) {
    case 'ServiceAccount':
      if (name !== '') addProblems(errors, `${path}.name`, name, checkDnsSubdomain(name));
      if (apiGroup !== '') errors.push(notSupported(`${path}.apiGroup`, apiGroup, ['']));
      if (!namespaced && namespace === '') errors.push(required(`${path}.namespace`));
      break;
    case 'User':
    case 'Group':
      if (apiGroup !== rbacGroup) errors.push(notSupported(`${path}.apiGroup`, apiGroup, [rbacGroup]));
      break;
    default:
      errors.push(notSupported(`${path}.kind`, kind, ['Group', 'ServiceAccount', 'User']));
  }
}
