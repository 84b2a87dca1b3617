import type { Static } from 'typebox';
import { type ObjectMeta, ObjectMetaSchema } from './meta.ts';
import { bool, groupObject, int32, oneOf, opt, ptr, str } from './schema.ts';

export const preemptionPolicies = ['Never', 'PreemptLowerPriority'] as const;

export const PriorityClassSchema = groupObject(
  'scheduling',
  'PriorityClass',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    value: int32('The priority of pods that name the class: the higher ones end last.'),
    globalDefault: opt(bool('Whether pods that name no class are of this one.')),
    description: opt(str('What the class is for.')),
    preemptionPolicy: ptr(oneOf(preemptionPolicies, 'Stored and shown.')),
  },
  { description: 'A name for a priority of pods.' },
);

export interface PriorityClass extends Omit<Static<typeof PriorityClassSchema>, 'metadata'> {
  metadata: ObjectMeta;
}

/** The classes that are always there (pkg/apis/scheduling/v1/helpers.go). */
export const systemPriorityClasses: Readonly<Record<string, Pick<PriorityClass, 'value' | 'description'>>> = {
  'system-node-critical': {
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
  'system-cluster-critical': {
    value: 2_000_000_000,
    description:
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
};
