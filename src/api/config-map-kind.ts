import { type ConfigMap, ConfigMapSchema } from './config-map.ts';
import { base64Bytes, validateDataKeys, validateDataSize, validateImmutableData } from './data-keys.ts';
import { ageText } from './duration-text.ts';
import { type FieldError, FieldErrors, invalid } from './field-error.ts';
import { checkDnsSubdomain } from './formats.ts';
import type { KindDefinition } from './kind.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';

/** The kind ConfigMap of core/v1. */
export const configMapKind: KindDefinition<ConfigMap> = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  listKind: 'ConfigMapList',
  plural: 'configmaps',
  singular: 'configmap',
  shortNames: ['cm'],
  categories: [],
  namespaced: true,
  schema: ConfigMapSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [],
  prepareForCreate: () => {},
  prepareForUpdate: () => {},
  prepareForStatusUpdate: () => {},
  applyDefaults: () => {},
  validateCreate,
  validateUpdate: (next, current) => {
    const errors = new FieldErrors();
    for (const error of validateObjectMetaUpdate(next.metadata, current.metadata)) errors.push(error);
    validateImmutableData(next, current, ['data', 'binaryData'], errors);
    return [...errors.list, ...validateCreate(next)];
  },
  validateStatusUpdate: () => [],
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'Name of the ConfigMap.', priority: 0 },
    { name: 'Data', type: 'string', format: '', description: 'How many names it has values for.', priority: 0 },
    { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
  ],
  row: ({ metadata, data, binaryData }, now) => [
    metadata.name,
    Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
    ageText(metadata.creationTimestamp, now),
  ],
  selectableFields: ({ metadata }) => ({
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
  }),
};

/** ValidateConfigMap in pkg/apis/core/validation. */
function validateCreate({ metadata, data = {}, binaryData = {} }: ConfigMap): FieldError[] {
  const errors = new FieldErrors();
  for (const error of validateObjectMeta(metadata, { namespaced: true, checkName: checkDnsSubdomain })) {
    errors.push(error);
  }
  validateDataKeys(data, 'data', errors);
  for (const key of Object.keys(data)) {
    if (Object.hasOwn(binaryData, key)) {
      errors.push(invalid(`data[${key}]`, key, 'duplicate of key present in binaryData'));
    }
  }
  validateDataKeys(binaryData, 'binaryData', errors);
  const textBytes = Object.values(data).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const binaryBytes = Object.values(binaryData).reduce((sum, text) => sum + base64Bytes(text), 0);
  validateDataSize(textBytes + binaryBytes, '', errors);
  return errors.list;
}
