import type { Static } from 'typebox';
import { type NamespacedObjectMeta, ObjectMetaSchema } from './meta.ts';
import { bool, bytes, coreObject, mapOf, opt, ptr, str, stringMap } from './schema.ts';

export const ConfigMapSchema = coreObject(
  'ConfigMap',
  {
    apiVersion: str(),
    kind: str(),
    metadata: ObjectMetaSchema,
    immutable: ptr(bool('True: neither the data nor this field can be changed any more.')),
    data: opt(stringMap('Texts by name. A name may have letters, digits, `-`, `_` and `.`.')),
    binaryData: opt(mapOf(bytes(), 'Bytes by name, as base64. No name may also be in `data`.')),
  },
  { description: 'Settings that pods take as environment variables or files; 1 MiB at most. Not for secrets.' },
);

export interface ConfigMap extends Omit<Static<typeof ConfigMapSchema>, 'metadata'> {
  metadata: NamespacedObjectMeta;
}
