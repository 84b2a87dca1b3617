import type { Static } from 'typebox';
import { type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import { LocalObjectReferenceSchema, ObjectReferenceSchema } from './pod/references.ts';
import type { Pod } from './pod.ts';
import { atomicList, bool, coreObject, list, opt, ptr, str } from './schema.ts';

export const ServiceAccountSchema = coreObject(
  'ServiceAccount',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    secrets: opt(
      list(
        ObjectReferenceSchema,
        { type: 'map', keys: ['name'], patchMergeKey: 'name', patchStrategy: 'merge' },
        'Not used: ask for a token.',
      ),
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

/**
 * Gives a new pod what its account has for it (plugin/pkg/admission/serviceaccount of Kubernetes): the Secrets for pulling
 * images, unless it names some itself. In place.
 */
export function applyServiceAccount(pod: Pod, account: ServiceAccount | undefined): void {
  if (pod.spec.imagePullSecrets?.length || !account?.imagePullSecrets?.length) return;
  pod.spec.imagePullSecrets = account.imagePullSecrets.map(({ name }) => ({ name: name ?? '' }));
}
