import type { Static } from 'typebox';
import { type ObjectMeta, ObjectMetaSchema } from './meta.ts';
import { atomicList, coreObject, list, oneOf, opt, str, time } from './schema.ts';

export const NamespaceSpecSchema = coreObject('NamespaceSpec', {
  finalizers: opt(atomicList(str(), 'What must be done before it can go.')),
});

export const NamespaceConditionSchema = coreObject('NamespaceCondition', {
  type: str('What it is about.'),
  status: oneOf(['True', 'False', 'Unknown'], 'True, False or Unknown.'),
  lastTransitionTime: opt(time('When the status changed last.')),
  reason: opt(str('Why, as one word.')),
  message: opt(str('Why, for people.')),
});

export const NamespaceStatusSchema = coreObject('NamespaceStatus', {
  phase: opt(oneOf(['Active', 'Terminating'], 'Active, or Terminating while what is in it goes.')),
  conditions: opt(
    list(
      NamespaceConditionSchema,
      { type: 'map', keys: ['type'], patchMergeKey: 'type', patchStrategy: 'merge' },
      'What keeps it.',
    ),
  ),
});

export const NamespaceSchema = coreObject(
  'Namespace',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    spec: opt(NamespaceSpecSchema),
    status: opt(NamespaceStatusSchema),
  },
  { description: 'A scope for names.' },
);

export interface Namespace extends Omit<Static<typeof NamespaceSchema>, 'metadata'> {
  metadata: ObjectMeta;
}
export type NamespaceCondition = Static<typeof NamespaceConditionSchema>;
export type NamespaceSpec = Static<typeof NamespaceSpecSchema>;
export type NamespaceStatus = Static<typeof NamespaceStatusSchema>;
