import { ageText } from './duration-text.ts';
import { checkDnsSubdomain } from './formats.ts';
import type { KindDefinition } from './kind.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';
import { type ServiceAccount, ServiceAccountSchema } from './service-account.ts';

/** The kind ServiceAccount of core/v1. */
export const serviceAccountKind: KindDefinition<ServiceAccount> = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  listKind: 'ServiceAccountList',
  plural: 'serviceaccounts',
  singular: 'serviceaccount',
  shortNames: ['sa'],
  categories: [],
  namespaced: true,
  schema: ServiceAccountSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [{ name: 'token', kind: 'TokenRequest', verbs: ['create'] }],
  prepareForCreate: () => {},
  prepareForUpdate: () => {},
  prepareForStatusUpdate: () => {},
  applyDefaults: () => {},
  validateCreate: ({ metadata }) => validateObjectMeta(metadata, { namespaced: true, checkName: checkDnsSubdomain }),
  validateUpdate: (next, current) => validateObjectMetaUpdate(next.metadata, current.metadata),
  validateStatusUpdate: () => [],
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'Name of the service account.', priority: 0 },
    { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
  ],
  row: ({ metadata }, now) => [metadata.name, ageText(metadata.creationTimestamp, now)],
  selectableFields: ({ metadata }) => ({
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
  }),
};
