import type { Static } from 'typebox';
import { LabelSelectorRequirementSchema, ObjectMetaSchema } from './meta.ts';
import { about, atomicList, bool, mapOf, metaObject, opt, reviewObject, str } from './schema.ts';

/** What is asked of identities: who am I, may I, may somebody, whose token is this. Nothing of it is stored. */

const authentication = 'authentication';
const authorization = 'authorization';

const UserInfoSchema = reviewObject(authentication, 'UserInfo', {
  username: opt(str()),
  uid: opt(str()),
  groups: opt(atomicList(str())),
  extra: opt(mapOf(atomicList(str()))),
});

const SelfSubjectReviewSchema = reviewObject(authentication, 'SelfSubjectReview', {
  apiVersion: str(),
  kind: str(),
  metadata: ObjectMetaSchema,
  status: opt(reviewObject(authentication, 'SelfSubjectReviewStatus', { userInfo: opt(UserInfoSchema) })),
});

const FieldSelectorRequirementSchema = metaObject('FieldSelectorRequirement', {
  key: str(),
  operator: str(),
  values: opt(atomicList(str())),
});

const ResourceAttributesSchema = reviewObject(authorization, 'ResourceAttributes', {
  namespace: opt(str()),
  verb: opt(str()),
  group: opt(str()),
  version: opt(str()),
  resource: opt(str()),
  subresource: opt(str()),
  name: opt(str()),
  fieldSelector: opt(
    reviewObject(authorization, 'FieldSelectorAttributes', {
      rawSelector: opt(str()),
      requirements: opt(atomicList(FieldSelectorRequirementSchema)),
    }),
  ),
  labelSelector: opt(
    reviewObject(authorization, 'LabelSelectorAttributes', {
      rawSelector: opt(str()),
      requirements: opt(atomicList(LabelSelectorRequirementSchema)),
    }),
  ),
});

const NonResourceAttributesSchema = reviewObject(authorization, 'NonResourceAttributes', {
  path: opt(str()),
  verb: opt(str()),
});

const AccessStatusSchema = reviewObject(authorization, 'SubjectAccessReviewStatus', {
  allowed: bool(),
  denied: opt(bool()),
  reason: opt(str()),
  evaluationError: opt(str()),
});

const SelfSubjectAccessReviewSchema = reviewObject(authorization, 'SelfSubjectAccessReview', {
  apiVersion: str(),
  kind: str(),
  metadata: ObjectMetaSchema,
  spec: about(
    reviewObject(authorization, 'SelfSubjectAccessReviewSpec', {
      resourceAttributes: opt(ResourceAttributesSchema),
      nonResourceAttributes: opt(NonResourceAttributesSchema),
    }),
    'Exactly one of the two: what is to be done with which objects, or with which path.',
  ),
  status: opt(AccessStatusSchema),
});

const SubjectAccessReviewSpecSchema = reviewObject(authorization, 'SubjectAccessReviewSpec', {
  resourceAttributes: opt(ResourceAttributesSchema),
  nonResourceAttributes: opt(NonResourceAttributesSchema),
  user: opt(str()),
  groups: opt(atomicList(str())),
  extra: opt(mapOf(atomicList(str()))),
  uid: opt(str()),
});

const subjectReview = {
  apiVersion: str(),
  kind: str(),
  metadata: ObjectMetaSchema,
  spec: about(SubjectAccessReviewSpecSchema, 'Who, and what is to be done with which objects, or with which path.'),
  status: opt(AccessStatusSchema),
};

const TokenReviewSchema = reviewObject(authentication, 'TokenReview', {
  apiVersion: str(),
  kind: str(),
  metadata: ObjectMetaSchema,
  spec: reviewObject(authentication, 'TokenReviewSpec', { token: opt(str()), audiences: opt(atomicList(str())) }),
  status: opt(
    reviewObject(authentication, 'TokenReviewStatus', {
      authenticated: opt(bool()),
      user: opt(UserInfoSchema),
      audiences: opt(atomicList(str())),
      error: opt(str()),
    }),
  ),
});

const RulesStatusSchema = reviewObject(authorization, 'SubjectRulesReviewStatus', {
  resourceRules: atomicList(
    reviewObject(authorization, 'ResourceRule', {
      verbs: atomicList(str()),
      apiGroups: opt(atomicList(str())),
      resources: opt(atomicList(str())),
      resourceNames: opt(atomicList(str())),
    }),
  ),
  nonResourceRules: atomicList(
    reviewObject(authorization, 'NonResourceRule', {
      verbs: atomicList(str()),
      nonResourceURLs: opt(atomicList(str())),
    }),
  ),
  incomplete: bool(),
  evaluationError: opt(str()),
});

const SelfSubjectRulesReviewSchema = reviewObject(authorization, 'SelfSubjectRulesReview', {
  apiVersion: str(),
  kind: str(),
  metadata: ObjectMetaSchema,
  spec: reviewObject(authorization, 'SelfSubjectRulesReviewSpec', { namespace: opt(str()) }),
  status: opt(RulesStatusSchema),
});

export type SelfSubjectAccessReview = Static<typeof SelfSubjectAccessReviewSchema>;
export type SelfSubjectRulesReview = Static<typeof SelfSubjectRulesReviewSchema>;
export type SubjectAccessReviewSpec = Static<typeof SubjectAccessReviewSpecSchema>;
export type TokenReview = Static<typeof TokenReviewSchema>;

const common = {
  version: 'v1',
  shortNames: [],
  categories: [],
  namespaced: false,
  verbs: ['create'],
  subresources: [],
} as const;

/** As much of a kind as discovery and the check of bodies need. */
export const reviewKinds = [
  {
    ...common,
    group: 'authentication.k8s.io',
    kind: 'SelfSubjectReview',
    plural: 'selfsubjectreviews',
    singular: 'selfsubjectreview',
    schema: SelfSubjectReviewSchema,
  },
  {
    ...common,
    group: 'authorization.k8s.io',
    kind: 'SelfSubjectAccessReview',
    plural: 'selfsubjectaccessreviews',
    singular: 'selfsubjectaccessreview',
    schema: SelfSubjectAccessReviewSchema,
  },
  {
    ...common,
    group: 'authorization.k8s.io',
    kind: 'SelfSubjectRulesReview',
    plural: 'selfsubjectrulesreviews',
    singular: 'selfsubjectrulesreview',
    schema: SelfSubjectRulesReviewSchema,
  },
  {
    ...common,
    group: 'authorization.k8s.io',
    kind: 'SubjectAccessReview',
    plural: 'subjectaccessreviews',
    singular: 'subjectaccessreview',
    schema: reviewObject(authorization, 'SubjectAccessReview', subjectReview),
  },
  {
    ...common,
    namespaced: true,
    group: 'authorization.k8s.io',
    kind: 'LocalSubjectAccessReview',
    plural: 'localsubjectaccessreviews',
    singular: 'localsubjectaccessreview',
    schema: reviewObject(authorization, 'LocalSubjectAccessReview', subjectReview),
  },
  {
    ...common,
    group: 'authentication.k8s.io',
    kind: 'TokenReview',
    plural: 'tokenreviews',
    singular: 'tokenreview',
    schema: TokenReviewSchema,
  },
] as const;

export type ReviewKind = (typeof reviewKinds)[number];
