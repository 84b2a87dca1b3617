import type { Static } from 'typebox';
import { type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import { groupObject, int32, microTime, opt, ptr, str } from './schema.ts';

export const LeaseSpecSchema = groupObject('coordination', 'LeaseSpec', {
  holderIdentity: ptr(str('Who holds it.')),
  leaseDurationSeconds: ptr(int32('Without being renewed it ends after so long.')),
  acquireTime: opt(microTime('When its holder got it.')),
  renewTime: opt(microTime('When its holder renewed it last.')),
  leaseTransitions: ptr(int32('How often its holder changed.')),
  strategy: ptr(str('How its holder is chosen.')),
  preferredHolder: ptr(str('Whom its holder is to give it to.')),
});

export const LeaseSchema = groupObject(
  'coordination',
  'Lease',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    spec: opt(LeaseSpecSchema),
  },
  { description: 'Something that one of many holds for a time.' },
);

export interface Lease extends Omit<Static<typeof LeaseSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}
