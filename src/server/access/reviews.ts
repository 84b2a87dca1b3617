import { type FieldError, invalid as invalidField } from '../../api/field-error.ts';
import type { PolicyRule } from '../../api/rbac/rbac.ts';
import type { SelfSubjectAccessReview, SubjectAccessReviewSpec } from '../../api/reviews.ts';
import type { Identity } from '../identity.ts';
import type { Attributes } from './attributes.ts';

/** What reviews ask, and how it is answered. PURE. Of k8s.io/kubernetes' pkg/apis/authorization and pkg/registry. */

type AccessSpec = SelfSubjectAccessReview['spec'];

/** What is to be judged. The review is valid. */
export function reviewedAttributes({ resourceAttributes, nonResourceAttributes }: AccessSpec): Attributes {
  if (!resourceAttributes) {
    return { verb: nonResourceAttributes?.verb ?? '', path: nonResourceAttributes?.path ?? '' };
  }
  const { verb = '', group = '', resource = '', subresource = '', namespace = '', name = '' } = resourceAttributes;
  return { verb, group, resource, subresource, namespace, name };
}

/** Whom somebody else's review is about, as it says. */
export function reviewedIdentity({ user = '', groups = [], uid, extra }: SubjectAccessReviewSpec): Identity {
  return { user, groups, ...(uid === undefined ? {} : { uid }), ...(extra === undefined ? {} : { extra }) };
}

export function validateAccessSpec({ resourceAttributes, nonResourceAttributes }: AccessSpec): FieldError[] {
  if (resourceAttributes && nonResourceAttributes) {
    const why = 'cannot be specified in combination with resourceAttributes';
    return [invalidField('spec.nonResourceAttributes', nonResourceAttributes, why)];
  }
  if (resourceAttributes || nonResourceAttributes) return [];
  const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
  return [invalidField('spec.resourceAttributes', null, why)];
}

/** @param namespace of a LocalSubjectAccessReview. */
export function validateSubjectSpec(spec: SubjectAccessReviewSpec, namespace: string | undefined): FieldError[] {
  const { user = '', groups = [], resourceAttributes, nonResourceAttributes } = spec;
  const errors = validateAccessSpec(spec);
  if (user === '' && groups.length === 0) {
    errors.push(invalidField('spec.user', user, 'at least one of user or group must be specified'));
  }
  if (namespace === undefined) return errors;
  if (resourceAttributes && resourceAttributes.namespace !== namespace) {
    const given = resourceAttributes.namespace ?? '';
    errors.push(invalidField('spec.resourceAttributes.namespace', given, 'must match metadata.namespace'));
  }
  if (nonResourceAttributes) {
    errors.push(
      invalidField('spec.nonResourceAttributes', nonResourceAttributes, 'disallowed on this kind of request'),
    );
  }
  return errors;
}

/** The status of a SelfSubjectRulesReview. */
export function rulesStatus(rules: readonly PolicyRule[]): object {
  const resourceRules = rules.filter(({ resources }) => resources?.length);
  const nonResourceRules = rules.filter(({ nonResourceURLs }) => nonResourceURLs?.length);
  return {
    resourceRules: resourceRules.map(({ verbs, apiGroups, resources, resourceNames }) => ({
      verbs,
      apiGroups,
      resources,
      ...(resourceNames?.length ? { resourceNames } : {}),
    })),
    nonResourceRules: nonResourceRules.map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: false,
  };
}

export function userInfo({ user, uid, groups, extra }: Identity): object {
  return {
    username: user,
    ...(uid === undefined ? {} : { uid }),
    groups,
    ...(extra === undefined ? {} : { extra }),
  };
}
