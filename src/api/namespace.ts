import type { Static } from 'typebox';
import { type ObjectMeta, ObjectMetaSchema } from './meta.ts';
import { atomicList, coreObject, list, oneOf, opt, str, time } from './schema.ts';

export const NamespaceSpecSchema = coreObject('NamespaceSpec', {
  finalizers: opt(atomicList(str())),
});

export const NamespaceConditionSchema = coreObject('NamespaceCondition', {
  type: str(),
  status: oneOf(['True', 'False', 'Unknown']),
  lastTransitionTime: opt(time()),
  reason: opt(str()),
  message: opt(str()),
});

export const NamespaceStatusSchema = coreObject('NamespaceStatus', {
  phase: opt(oneOf(['Active', 'Terminating'])),
  conditions: opt(
    list(NamespaceConditionSchema, { type: 'map', keys: ['type'], patchMergeKey: 'type', patchStrategy: 'merge' }),
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
