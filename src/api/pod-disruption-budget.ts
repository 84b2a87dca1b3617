import type { Static } from 'typebox';
import { ConditionSchema, LabelSelectorSchema, type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import {
  about,
  int32,
  int64,
  intOrString,
  list,
  mapOf,
  metaObject,
  oneOf,
  opt,
  policyObject,
  ptr,
  str,
  time,
} from './schema.ts';

export const unhealthyPodEvictionPolicies = ['AlwaysAllow', 'IfHealthyBudget'] as const;

export const PodDisruptionBudgetSpecSchema = policyObject('PodDisruptionBudgetSpec', {
  minAvailable: ptr(intOrString('How many of the selected pods, or which part of them, must stay ready.')),
  selector: ptr(about(LabelSelectorSchema, 'Which pods count; an empty one selects all of the namespace.')),
  maxUnavailable: ptr(intOrString('How many of the selected pods, or which part of them, may be missing.')),
  unhealthyPodEvictionPolicy: ptr(
    oneOf(unhealthyPodEvictionPolicies, 'Whether a pod that runs and is not ready may always be evicted.'),
  ),
});

export const PodDisruptionBudgetStatusSchema = policyObject('PodDisruptionBudgetStatus', {
  observedGeneration: opt(int64('The spec that this is about.')),
  disruptedPods: opt(mapOf(time(), 'Pods whose eviction was granted and not yet seen.')),
  disruptionsAllowed: int32('How many pods may be evicted now.'),
  currentHealthy: int32('Pods that are ready.'),
  desiredHealthy: int32('How many have to be.'),
  expectedPods: int32('How many there are.'),
  conditions: opt(
    list(
      ConditionSchema,
      { type: 'map', keys: ['type'], patchMergeKey: 'type', patchStrategy: 'merge' },
      'DisruptionAllowed: whether one more may go.',
    ),
  ),
});

export const PodDisruptionBudgetSchema = policyObject(
  'PodDisruptionBudget',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    spec: opt(PodDisruptionBudgetSpecSchema),
    status: opt(PodDisruptionBudgetStatusSchema),
  },
  { description: 'How many of the selected pods evictions must leave.' },
);

const DeleteOptionsSchema = metaObject('DeleteOptions', {
  apiVersion: opt(str()),
  kind: opt(str()),
  gracePeriodSeconds: ptr(int64()),
  preconditions: opt(metaObject('Preconditions', { uid: opt(str()), resourceVersion: opt(str()) })),
  orphanDependents: opt(ptr(str())),
  propagationPolicy: opt(str()),
  dryRun: opt(list(str(), { type: 'atomic' })),
});

/** What is sent to `pods/eviction`. Nothing of it is stored. */
export const evictionKind = {
  group: 'policy',
  version: 'v1',
  kind: 'Eviction',
  schema: policyObject('Eviction', {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    deleteOptions: opt(DeleteOptionsSchema),
  }),
};

export interface PodDisruptionBudget extends Omit<Static<typeof PodDisruptionBudgetSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}
export type PodDisruptionBudgetStatus = Static<typeof PodDisruptionBudgetStatusSchema>;
export type Eviction = Static<typeof evictionKind.schema>;
