import { ageText } from './duration-text.ts';
import { type FieldError, FieldErrors, forbidden } from './field-error.ts';
import { checkDnsSubdomain } from './formats.ts';
import type { KindDefinition, TableColumn } from './kind.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';
import {
  CLAIM_PROTECTION,
  type PersistentVolumeClaim,
  PersistentVolumeClaimSchema,
} from './persistent-volume-claim.ts';
import { isSameValue, shortAccessModes } from './persistent-volume-kind.ts';
import { validateClaimSpec } from './pod-validation/claims.ts';

const later = 'not supported by mini-kubelet yet';

/** The kind PersistentVolumeClaim of core/v1. */
export const persistentVolumeClaimKind: KindDefinition<PersistentVolumeClaim> = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  listKind: 'PersistentVolumeClaimList',
  plural: 'persistentvolumeclaims',
  singular: 'persistentvolumeclaim',
  shortNames: ['pvc'],
  categories: [],
  namespaced: true,
  schema: PersistentVolumeClaimSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [{ name: 'status', kind: 'PersistentVolumeClaim', verbs: ['get', 'patch', 'update'] }],
  prepareForCreate: (claim) => {
    claim.status = { phase: 'Pending' };
    const { finalizers = [] } = claim.metadata;
    if (!finalizers.includes(CLAIM_PROTECTION)) claim.metadata.finalizers = [...finalizers, CLAIM_PROTECTION];
  },
  prepareForUpdate: (next, current) => {
    next.status = structuredClone(current.status);
  },
  prepareForStatusUpdate: (next, current) => {
    next.spec = structuredClone(current.spec);
  },
  applyDefaults: ({ spec }) => {
    spec.volumeMode ??= 'Filesystem';
  },
  validateCreate: (claim) => {
    const errors = new FieldErrors();
    const rules = { namespaced: true, checkName: checkDnsSubdomain };
    for (const error of validateObjectMeta(claim.metadata, rules)) errors.push(error);
    validateClaimSpec(claim.spec, 'spec', errors);
    return errors.list.length > 0 ? errors.list : validateSupport(claim);
  },
  validateUpdate: (next, current) => [
    ...validateObjectMetaUpdate(next.metadata, current.metadata),
    ...validateSpecUpdate(next, current),
  ],
  validateStatusUpdate: (next, current) => validateObjectMetaUpdate(next.metadata, current.metadata),
  columns: [
    column('Name', 'Name of the claim.', 'name'),
    column('Status', 'Pending, Bound, Lost or Terminating.'),
    column('Volume', 'The volume that it is bound to.'),
    column('Capacity', 'Of that volume.'),
    column('Access Modes', 'Of that volume.'),
    column('StorageClass', 'The class that it asks for.'),
    column('VolumeAttributesClass', 'Not supported.'),
    column('Age', 'Time since it was created.'),
    { ...column('VolumeMode', 'Filesystem.'), priority: 1 },
  ],
  row: ({ metadata, spec, status }, now) => [
    metadata.name,
    metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''),
    spec.volumeName ?? '',
    spec.volumeName ? (status?.capacity?.storage ?? '0') : '',
    spec.volumeName ? shortAccessModes(status?.accessModes ?? []) : '',
    spec.storageClassName ?? '',
    spec.volumeAttributesClassName ?? '<unset>',
    ageText(metadata.creationTimestamp, now),
    spec.volumeMode ?? '<unset>',
  ],
  selectableFields: ({ metadata }) => ({
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    name: metadata.name,
  }),
};

function column(name: string, description: string, format = ''): TableColumn {
  return { name, type: 'string', format, description, priority: 0 };
}

/** What Kubernetes allows and this daemon would have to ignore. */
function validateSupport({ spec }: PersistentVolumeClaim): FieldError[] {
  return [
    ...(spec.volumeMode === 'Block' ? [forbidden('spec.volumeMode', `${later}: only Filesystem`)] : []),
    ...(['dataSource', 'dataSourceRef', 'volumeAttributesClassName'] as const)
      .filter((field) => spec[field] !== undefined && spec[field] !== '')
      .map((field) => forbidden(`spec.${field}`, later)),
  ];
}

/**
 * ValidatePersistentVolumeClaimUpdate of Kubernetes, and its PersistentVolumeClaimResize admission: a claim may be given its
 * volume and its class once; nothing here can grow a volume.
 */
function validateSpecUpdate(next: PersistentVolumeClaim, current: PersistentVolumeClaim): FieldError[] {
  const allowed = structuredClone(current.spec);
  if (!current.spec.volumeName && next.spec.volumeName) allowed.volumeName = next.spec.volumeName;
  if (current.spec.storageClassName === undefined && next.spec.storageClassName !== undefined) {
    allowed.storageClassName = next.spec.storageClassName;
  }
  if (isSameValue(next.spec, allowed)) return [];
  const resized = { ...allowed, ...(next.spec.resources ? { resources: next.spec.resources } : {}) };
  if (isSameValue(next.spec, resized)) {
    return [forbidden('spec.resources', `${later}: a volume keeps the size that it was claimed with`)];
  }
  const detail =
    'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';
  return [forbidden('spec', detail)];
}
