import { isDeepStrictEqual } from 'node:util';
import { ageText } from './duration-text.ts';
import {
  type ErrorSink,
  type FieldError,
  FieldErrors,
  forbidden,
  invalid,
  notSupported,
  required,
} from './field-error.ts';
import { checkDnsSubdomain } from './formats.ts';
import type { KindDefinition, TableColumn } from './kind.ts';
import { addProblems, validateObjectMeta, validateObjectMetaUpdate } from './meta-validation.ts';
import { validateNfsAddress, validateNfsMountOptions } from './nfs.ts';
import {
  otherVolumeSources,
  type PersistentVolume,
  PersistentVolumeSchema,
  type PersistentVolumeSpec,
  VOLUME_PROTECTION,
} from './persistent-volume.ts';
import { validateAccessModes } from './pod-validation/claims.ts';
import { hasBacksteps, validateNoBacksteps } from './pod-validation/paths.ts';
import { validateResourceQuantity } from './pod-validation/resources.ts';
import { validateNodeSelector } from './pod-validation/scheduling.ts';
import { parseQuantity } from './quantity.ts';

const later = 'not supported by mini-kubelet yet';
const sources = ['hostPath', 'local', 'nfs', ...otherVolumeSources] as const;

/** The kind PersistentVolume of core/v1. */
export const persistentVolumeKind: KindDefinition<PersistentVolume> = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  listKind: 'PersistentVolumeList',
  plural: 'persistentvolumes',
  singular: 'persistentvolume',
  shortNames: ['pv'],
  categories: [],
  namespaced: false,
  schema: PersistentVolumeSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [{ name: 'status', kind: 'PersistentVolume', verbs: ['get', 'patch', 'update'] }],
  prepareForCreate: (volume) => {
    volume.status = { phase: 'Pending' };
    const { finalizers = [] } = volume.metadata;
    if (!finalizers.includes(VOLUME_PROTECTION)) volume.metadata.finalizers = [...finalizers, VOLUME_PROTECTION];
  },
  prepareForUpdate: (next, current) => {
    next.status = structuredClone(current.status);
  },
  prepareForStatusUpdate: (next, current) => {
    next.spec = structuredClone(current.spec);
  },
  applyDefaults: ({ spec }) => {
    spec.persistentVolumeReclaimPolicy ??= 'Retain';
    spec.volumeMode ??= 'Filesystem';
    if (spec.hostPath) spec.hostPath.type ??= '';
  },
  validateCreate,
  validateUpdate: (next, current) => {
    const errors = new FieldErrors();
    for (const error of validateObjectMetaUpdate(next.metadata, current.metadata)) errors.push(error);
    for (const error of validateCreate(next)) errors.push(error);
    if (!isSameValue(sourceOf(next.spec), sourceOf(current.spec))) {
      errors.push(forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'));
    }
    if (next.spec.volumeMode !== current.spec.volumeMode) {
      errors.push(invalid('spec.volumeMode', next.spec.volumeMode, 'field is immutable'));
    }
    if (current.spec.nodeAffinity && !isSameValue(next.spec.nodeAffinity, current.spec.nodeAffinity)) {
      errors.push(invalid('spec.nodeAffinity', next.spec.nodeAffinity, 'field is immutable'));
    }
    return errors.list;
  },
  validateStatusUpdate: (next, current) => validateObjectMetaUpdate(next.metadata, current.metadata),
  columns: [
    column('Name', 'Name of the volume.', 'name'),
    column('Capacity', 'How much it is said to hold.'),
    column('Access Modes', 'How it may be used.'),
    column('Reclaim Policy', 'What becomes of it when its claim is gone.'),
    column('Status', 'Available, Bound, Released, Failed or Terminating.'),
    column('Claim', 'Namespace and name of its claim.'),
    column('StorageClass', 'Its class.'),
    column('VolumeAttributesClass', 'Not supported.'),
    column('Reason', 'Why it is as it is.'),
    column('Age', 'Time since it was created.'),
    { ...column('VolumeMode', 'Filesystem.'), priority: 1 },
  ],
  row: ({ metadata, spec, status }, now) => [
    metadata.name,
    spec.capacity?.storage ?? '0',
    shortAccessModes(spec.accessModes ?? []),
    spec.persistentVolumeReclaimPolicy ?? '',
    metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''),
    spec.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : '',
    spec.storageClassName ?? '',
    spec.volumeAttributesClassName ?? '<unset>',
    status?.reason ?? '',
    ageText(metadata.creationTimestamp, now),
    spec.volumeMode ?? '<unset>',
  ],
  selectableFields: ({ metadata }) => ({ 'metadata.name': metadata.name, name: metadata.name }),
};

function column(name: string, description: string, format = ''): TableColumn {
  return { name, type: 'string', format, description, priority: 0 };
}

const modeNames = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
] as const;

/** As kubectl shows access modes: `RWO,ROX`. */
export function shortAccessModes(modes: readonly string[]): string {
  return modeNames.flatMap(([mode, short]) => (modes.includes(mode) ? [short] : [])).join(',');
}

/** Maps of a decoded body have no prototype, and undefined members are none. */
export function isSameValue(a: unknown, b: unknown): boolean {
  const plain = (value: unknown) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
  return isDeepStrictEqual(plain(a), plain(b));
}

function sourceOf(spec: PersistentVolumeSpec): unknown {
  return Object.fromEntries(sources.map((name) => [name, spec[name]]));
}

/** ValidatePersistentVolume in pkg/apis/core/validation, then what this daemon cannot do. */
function validateCreate(volume: PersistentVolume): FieldError[] {
  const errors = new FieldErrors();
  for (const error of validateObjectMeta(volume.metadata, { namespaced: false, checkName: checkDnsSubdomain })) {
    errors.push(error);
  }
  const { spec } = volume;
  validateAccessModes(spec.accessModes ?? [], 'spec.accessModes', errors);
  validateCapacity(spec.capacity ?? {}, errors);
  validateSource(spec, errors);
  if (spec.nodeAffinity) {
    const { required: selector } = spec.nodeAffinity;
    if (!selector) errors.push(required('spec.nodeAffinity.required', 'must specify required node constraints'));
    else validateNodeSelector(selector, 'spec.nodeAffinity.required', errors);
  }
  const policy: string = spec.persistentVolumeReclaimPolicy ?? 'Retain';
  const policies = ['Delete', 'Recycle', 'Retain'];
  if (!policies.includes(policy)) {
    errors.push(notSupported('spec.persistentVolumeReclaimPolicy', policy, policies));
  }
  if (spec.hostPath && spec.hostPath.path.replace(/\/+$/, '') === '' && policy === 'Recycle') {
    const detail = "may not be 'recycle' for a hostPath mount of '/'";
    errors.push(forbidden('spec.persistentVolumeReclaimPolicy', detail));
  }
  for (const field of ['storageClassName', 'volumeAttributesClassName'] as const) {
    const name = spec[field];
    if (name) addProblems(errors, `spec.${field}`, name, checkDnsSubdomain(name));
  }
  const mode: string = spec.volumeMode ?? 'Filesystem';
  const modes = ['Block', 'Filesystem'];
  if (!modes.includes(mode)) errors.push(notSupported('spec.volumeMode', mode, modes));
  return errors.list.length > 0 ? errors.list : validateSupport(spec);
}

function validateCapacity(capacity: Readonly<Record<string, string>>, errors: ErrorSink): void {
  const path = 'spec.capacity';
  const names = Object.keys(capacity);
  if (names.length === 0) errors.push(required(path));
  else if (names.length > 1 || names[0] !== 'storage') errors.push(notSupported(path, capacity, ['storage']));
  for (const [name, value] of Object.entries(capacity)) {
    validateResourceQuantity(name, value, `${path}[${name}]`, errors);
    if (parseQuantity(value).nanos <= 0n) {
      errors.push(invalid(`${path}[${name}]`, value, 'must be greater than zero'));
    }
  }
}

function validateSource(spec: PersistentVolumeSpec, errors: ErrorSink): void {
  const [first, ...more] = sources.filter((name) => spec[name] !== undefined);
  if (first === undefined) errors.push(required('spec', 'must specify a volume type'));
  for (const name of more) errors.push(forbidden(`spec.${name}`, 'may not specify more than 1 volume type'));
  const { hostPath, local, nfs } = spec;
  if (hostPath) {
    if (hostPath.path === '') errors.push(required('spec.hostPath.path'));
    else validateNoBacksteps(hostPath.path, 'spec.hostPath.path', errors);
  }
  if (local) {
    if (local.path === '') errors.push(required('spec.local.path'));
    else if (hasBacksteps(local.path)) validateNoBacksteps(local.path, 'spec.local.path', errors);
    if (!spec.nodeAffinity) errors.push(required('spec.nodeAffinity', 'Local volume requires node affinity'));
  }
  if (nfs) {
    if (nfs.server === '') errors.push(required('spec.nfs.server'));
    if (nfs.path === '') errors.push(required('spec.nfs.path'));
    if (!nfs.path.startsWith('/')) errors.push(invalid('spec.nfs.path', nfs.path, 'must be an absolute path'));
  }
}

function validateSupport(spec: PersistentVolumeSpec): FieldError[] {
  const errors = new FieldErrors();
  for (const name of otherVolumeSources) if (spec[name]) errors.push(forbidden(`spec.${name}`, later));
  if (spec.volumeMode === 'Block') errors.push(forbidden('spec.volumeMode', `${later}: only Filesystem`));
  if (spec.volumeAttributesClassName) errors.push(forbidden('spec.volumeAttributesClassName', later));
  if (spec.persistentVolumeReclaimPolicy === 'Recycle') {
    errors.push(forbidden('spec.persistentVolumeReclaimPolicy', `${later}: Retain or Delete`));
  }
  const { mountOptions = [] } = spec;
  if (spec.nfs) {
    validateNfsAddress(spec.nfs, 'spec.nfs', errors);
    validateNfsMountOptions(mountOptions, 'spec.mountOptions', errors);
  } else if (mountOptions.length > 0) errors.push(forbidden('spec.mountOptions', 'only volumes of nfs have options'));
  for (const name of ['hostPath', 'local'] as const) {
    const path = spec[name]?.path;
    if (path === undefined) continue;
    if (!path.startsWith('/')) errors.push(invalid(`spec.${name}.path`, path, 'must be an absolute path'));
    if (path.includes('\0')) errors.push(invalid(`spec.${name}.path`, path, 'must not contain a NUL character'));
  }
  if (spec.local?.fsType) errors.push(forbidden('spec.local.fsType', `${later}: the path must be a directory`));
  return errors.list;
}
