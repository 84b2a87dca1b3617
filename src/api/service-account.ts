import type { Static } from 'typebox';
import { type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import { LocalObjectReferenceSchema, ObjectReferenceSchema } from './pod/references.ts';
import { atomicList, bool, coreObject, list, opt, ptr, str } from './schema.ts';

export const ServiceAccountSchema = coreObject(
  'ServiceAccount',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    secrets: opt(
      list(ObjectReferenceSchema, { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge' }),
    ),
    imagePullSecrets: opt(
      atomicList(LocalObjectReferenceSchema, 'Secrets for pulling images of pods that name none themselves.'),
    ),
    automountServiceAccountToken: ptr(
      bool('False: pods of this account get no token mounted, unless they ask for it.'),
    ),
  },
  { description: 'Who a pod is to the API.' },
);

export interface ServiceAccount extends Omit<Static<typeof ServiceAccountSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}
