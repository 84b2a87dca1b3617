import { ageText } from './duration-text.ts';
import type { FieldError } from './field-error.ts';
import { checkDnsLabel } from './formats.ts';
import type { KindDefinition } from './kind.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';
import { type Namespace, NamespaceSchema } from './namespace.ts';
import { validateSecurityLabels } from './pod-security/policy.ts';

const nameLabel = 'kubernetes.io/metadata.name';

/** The kind Namespace: a scope for names. */
export const namespaceKind: KindDefinition<Namespace> = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  listKind: 'NamespaceList',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  categories: [],
  namespaced: false,
  schema: NamespaceSchema,
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [],
  prepareForCreate: (namespace) => {
    namespace.status = { phase: 'Active' };
    namespace.spec = { finalizers: ['kubernetes'] };
  },
  prepareForUpdate: (next, current) => {
    next.spec = structuredClone(current.spec);
    next.status = structuredClone(current.status);
  },
  prepareForStatusUpdate: (next, current) => {
    next.spec = structuredClone(current.spec);
  },
  applyDefaults: ({ metadata }) => {
    if (!metadata.name) return;
    metadata.labels ??= {};
    metadata.labels[nameLabel] = metadata.name;
  },
  validateCreate: ({ metadata }) => [
    ...validateObjectMeta(metadata, { namespaced: false, checkName: checkDnsLabel }),
    ...validateSecurityLabels(metadata.labels),
  ],
  validateUpdate: (next, current) => [
    ...validateObjectMetaUpdate(next.metadata, current.metadata),
    ...newSecurityErrors(next, current),
  ],
  validateStatusUpdate: (next, current) => validateObjectMetaUpdate(next.metadata, current.metadata),
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'Name of the namespace.', priority: 0 },
    { name: 'Status', type: 'string', format: '', description: 'Active or Terminating.', priority: 0 },
    { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
  ],
  row: ({ metadata, status }, now) => [metadata.name, status?.phase ?? '', ageText(metadata.creationTimestamp, now)],
  selectableFields: ({ metadata, status }) => ({
    'metadata.name': metadata.name,
    name: metadata.name,
    'status.phase': status?.phase ?? '',
  }),
};

/** What was wrong before stands in nobody's way. */
function newSecurityErrors(next: Namespace, current: Namespace): FieldError[] {
  const errors = validateSecurityLabels(next.metadata.labels);
  const known = validateSecurityLabels(current.metadata.labels);
  return JSON.stringify(errors) === JSON.stringify(known) ? [] : errors;
}
