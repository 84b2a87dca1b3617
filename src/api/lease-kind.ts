import { ageText } from './duration-text.ts';
import { type FieldError, FieldErrors, invalid } from './field-error.ts';
import { checkDnsSubdomain } from './formats.ts';
import type { KindDefinition } from './kind.ts';
import { type Lease, LeaseSchema } from './lease.ts';
import { negativeMessage, validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';

/** The kind Lease of coordination.k8s.io/v1. The daemon renews that of its node; others elect their leaders by it. */
export const leaseKind: KindDefinition<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  listKind: 'LeaseList',
  plural: 'leases',
  singular: 'lease',
  shortNames: [],
  categories: [],
  namespaced: true,
  schema: LeaseSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [],
  prepareForCreate: () => {},
  prepareForUpdate: () => {},
  prepareForStatusUpdate: () => {},
  applyDefaults: () => {},
  validateCreate: validateLease,
  validateUpdate: (next, current) => [
    ...validateObjectMetaUpdate(next.metadata, current.metadata),
    ...validateLease(next),
  ],
  validateStatusUpdate: () => [],
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'Name of the lease.', priority: 0 },
    { name: 'Holder', type: 'string', format: '', description: 'Who holds it.', priority: 0 },
    { name: 'Age', type: 'string', format: '', description: 'Time since it was created.', priority: 0 },
  ],
  row: ({ metadata, spec }, now) => [
    metadata.name,
    spec?.holderIdentity ?? '',
    ageText(metadata.creationTimestamp, now),
  ],
  selectableFields: ({ metadata }) => ({
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
  }),
};

/** ValidateLease in pkg/apis/coordination/validation. */
function validateLease({ metadata, spec }: Lease): FieldError[] {
  const errors = new FieldErrors();
  for (const error of validateObjectMeta(metadata, { namespaced: true, checkName: checkDnsSubdomain })) {
    errors.push(error);
  }
  const { leaseDurationSeconds: duration, leaseTransitions: transitions } = spec ?? {};
  if (duration !== undefined && duration <= 0) {
    errors.push(invalid('spec.leaseDurationSeconds', duration, 'must be greater than 0'));
  }
  if (transitions !== undefined && transitions < 0) {
    errors.push(invalid('spec.leaseTransitions', transitions, negativeMessage));
  }
  return errors.list;
}
