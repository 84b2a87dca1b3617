import { ageText } from './duration-text.ts';
import { type FieldError, FieldErrors, forbidden, invalid, notSupported, required } from './field-error.ts';
import { checkDnsSubdomain, checkQualifiedName } from './formats.ts';
import type { KindDefinition } from './kind.ts';
import { addProblems, validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';
import { isSameValue } from './persistent-volume-kind.ts';
import { isDefaultClass, LOCAL_PROVISIONER, type StorageClass, StorageClassSchema } from './storage-class.ts';

const later = 'not supported by mini-kubelet yet';
const maxParameters = 512;
const maxParametersBytes = 256 * 1024;

/** The kind StorageClass of storage.k8s.io/v1. */
export const storageClassKind: KindDefinition<StorageClass> = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  listKind: 'StorageClassList',
  plural: 'storageclasses',
  singular: 'storageclass',
  shortNames: ['sc'],
  categories: [],
  namespaced: false,
  schema: StorageClassSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [],
  prepareForCreate: () => {},
  prepareForUpdate: () => {},
  prepareForStatusUpdate: () => {},
  applyDefaults: (storageClass) => {
    storageClass.reclaimPolicy ??= 'Delete';
    storageClass.volumeBindingMode ??= 'Immediate';
  },
  validateCreate: (storageClass) => {
    const rules = { namespaced: false, checkName: checkDnsSubdomain };
    const errors = [...validateObjectMeta(storageClass.metadata, rules), ...validateFields(storageClass)];
    return errors.length > 0 ? errors : validateSupport(storageClass);
  },
  validateUpdate: (next, current) => [
    ...validateObjectMetaUpdate(next.metadata, current.metadata),
    ...(['parameters', 'provisioner', 'reclaimPolicy'] as const)
      .filter((field) => !isSameValue(next[field], current[field]))
      .map((field) => forbidden(field, `updates to ${field} are forbidden.`)),
    ...(next.volumeBindingMode === current.volumeBindingMode
      ? []
      : [invalid('volumeBindingMode', next.volumeBindingMode, 'field is immutable')]),
    ...validateSupport(next),
  ],
  validateStatusUpdate: () => [],
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'Name of the class.', priority: 0 },
    { name: 'Provisioner', type: 'string', format: '', description: 'Who makes the volumes.', priority: 0 },
    { name: 'ReclaimPolicy', type: 'string', format: '', description: 'Of the volumes that are made.', priority: 0 },
    { name: 'VolumeBindingMode', type: 'string', format: '', description: 'When a volume is made.', priority: 0 },
    { name: 'AllowVolumeExpansion', type: 'string', format: '', description: 'Not supported.', priority: 0 },
    { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
  ],
  row: (storageClass, now) => [
    `${storageClass.metadata.name}${isDefaultClass(storageClass) ? ' (default)' : ''}`,
    storageClass.provisioner,
    storageClass.reclaimPolicy ?? 'Delete',
    storageClass.volumeBindingMode ?? '<unset>',
    String(storageClass.allowVolumeExpansion ?? false),
    ageText(storageClass.metadata.creationTimestamp, now),
  ],
  selectableFields: ({ metadata }) => ({ 'metadata.name': metadata.name }),
};

/** ValidateStorageClass in pkg/apis/storage/validation. */
function validateFields(storageClass: StorageClass): FieldError[] {
  const errors = new FieldErrors();
  const { provisioner, parameters = {} } = storageClass;
  if (provisioner === '') errors.push(required('provisioner', ''));
  else addProblems(errors, 'provisioner', provisioner, checkQualifiedName(provisioner.toLowerCase()));
  const entries = Object.entries(parameters);
  if (entries.length > maxParameters) errors.push(invalid('parameters', entries.length, 'too many parameters'));
  if (entries.some(([key]) => key === '')) errors.push(invalid('parameters', '', 'field can not be empty.'));
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (bytes > maxParametersBytes) errors.push(invalid('parameters', bytes, 'parameters are too large'));
  const choices = [
    ['reclaimPolicy', ['Delete', 'Retain']],
    ['volumeBindingMode', ['Immediate', 'WaitForFirstConsumer']],
  ] as const;
  for (const [field, values] of choices) {
    const value: string = storageClass[field] ?? values[0];
    if (!values.some((known) => known === value)) errors.push(notSupported(field, value, values));
  }
  return errors.list;
}

/** Of the daemon's own provisioner; what others make of their fields is their business. */
function validateSupport(storageClass: StorageClass): FieldError[] {
  if (storageClass.provisioner !== LOCAL_PROVISIONER) return [];
  const { parameters = {}, mountOptions, allowedTopologies, allowVolumeExpansion } = storageClass;
  return [
    ...Object.keys(parameters).map((key) => forbidden(`parameters[${key}]`, `${LOCAL_PROVISIONER} has no parameters`)),
    ...(mountOptions?.length ? [forbidden('mountOptions', later)] : []),
    ...(allowedTopologies?.length ? [forbidden('allowedTopologies', later)] : []),
    ...(allowVolumeExpansion ? [forbidden('allowVolumeExpansion', later)] : []),
  ];
}
