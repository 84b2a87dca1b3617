import { ageText } from './duration-text.ts';
import { type FieldError, forbidden } from './field-error.ts';
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
  validateCreate: (account) => [
    ...validateObjectMeta(account.metadata, { namespaced: true, checkName: checkDnsSubdomain }),
    ...validateSupport(account),
  ],
  validateUpdate: (next, current) => [
    ...validateObjectMetaUpdate(next.metadata, current.metadata),
    ...validateSupport(next),
  ],
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

/** What pods of the account would have to get from it, and do not. */
function validateSupport({ automountServiceAccountToken }: ServiceAccount): FieldError[] {
  const later = 'not supported by mini-kubelet yet';
  return automountServiceAccountToken ? [forbidden('automountServiceAccountToken', later)] : [];
}
