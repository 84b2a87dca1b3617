import type { Static } from 'typebox';
import { type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import { bool, bytes, coreObject, mapOf, opt, ptr, str, stringMap } from './schema.ts';

export const SecretSchema = coreObject(
  'Secret',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    immutable: ptr(bool('True: neither the data nor this field can be changed any more.')),
    data: opt(mapOf(bytes(), 'Bytes by name, as base64. A name may have letters, digits, `-`, `_` and `.`.')),
    stringData: opt(stringMap('Texts by name, to write only: they are merged into `data` and win over it.')),
    type: opt(str('What the data is for; `Opaque` unless given. It cannot be changed.')),
  },
  { description: 'Data that only those may see who need it; 1 MiB at most. It is encrypted on the disk.' },
);

export interface Secret extends Omit<Static<typeof SecretSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}
