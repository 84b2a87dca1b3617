import { type ErrorSink, forbidden, invalid, notSupported, required } from '../field-error.ts';
import { checkDnsLabel, checkDnsSubdomain } from '../formats.ts';
import { addProblems, validateAnnotations, validateLabelSelector, validateLabels } from '../meta-validation.ts';
import type {
  PersistentVolumeClaimSpec,
  PersistentVolumeClaimTemplate,
  TypedLocalObjectReference,
  TypedObjectReference,
} from '../pod.ts';
import { parseQuantity } from '../quantity.ts';
import { validateResourceQuantity } from './resources.ts';

/** Claims that come into being with the pod. */

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

export function validateClaimTemplate(template: PersistentVolumeClaimTemplate, path: string, errors: ErrorSink): void {
  const { annotations, labels, ...others } = template.metadata ?? {};
  validateAnnotations(annotations, `${path}.metadata.annotations`, errors);
  validateLabels(labels, `${path}.metadata.labels`, errors);
  for (const field of Object.keys(others)) {
    const shown = field === 'uid' ? 'uID' : field;
    errors.push(forbidden(`${path}.metadata.${shown}`, 'cannot be set'));
  }
  validateClaimSpec(template.spec, `${path}.spec`, errors);
}

export function validateClaimSpec(spec: PersistentVolumeClaimSpec, path: string, errors: ErrorSink): void {
  validateAccessModes(spec.accessModes ?? [], `${path}.accessModes`, errors);
  validateLabelSelector(spec.selector, `${path}.selector`, errors);

  const storagePath = `${path}.resources[storage]`;
  const storage = spec.resources?.requests?.storage;
  if (storage === undefined) errors.push(required(storagePath));
  else if (parseQuantity(storage).nanos <= 0n) {
    errors.push(invalid(storagePath, storage, 'must be greater than zero'));
  } else validateResourceQuantity('storage', storage, storagePath, errors);

  for (const field of ['storageClassName', 'volumeAttributesClassName'] as const) {
    const name = spec[field];
    if (name) addProblems(errors, `${path}.${field}`, name, checkDnsSubdomain(name));
  }
  const volumeMode: string | undefined = spec.volumeMode;
  const modes = ['Block', 'Filesystem'];
  if (volumeMode !== undefined && !modes.includes(volumeMode)) {
    errors.push(notSupported(`${path}.volumeMode`, volumeMode, modes));
  }
  validateDataSources(spec, path, errors);
}

export function validateAccessModes(modes: readonly string[], path: string, errors: ErrorSink): void {
  if (modes.length === 0) errors.push(required(path, 'at least 1 access mode is required'));
  for (const mode of modes) {
    if (!accessModes.includes(mode)) errors.push(notSupported(path, mode, accessModes));
  }
  const known = modes.filter((mode) => accessModes.includes(mode));
  if (known.includes('ReadWriteOncePod') && known.some((mode) => mode !== 'ReadWriteOncePod')) {
    errors.push(forbidden(path, 'may not use ReadWriteOncePod with other access modes'));
  }
}

function validateDataSources(spec: PersistentVolumeClaimSpec, path: string, errors: ErrorSink): void {
  const { dataSource, dataSourceRef } = spec;
  if (dataSource) validateDataSource(dataSource, `${path}.dataSource`, errors);
  if (dataSourceRef) {
    validateDataSource(dataSourceRef, `${path}.dataSourceRef`, errors);
    const { namespace } = dataSourceRef;
    if (namespace) addProblems(errors, `${path}.dataSourceRef.namespace`, namespace, checkDnsLabel(namespace));
  }
  if (!dataSource || !dataSourceRef) return;
  if (dataSourceRef.namespace) {
    const detail = 'may not be specified when dataSourceRef.namespace is specified';
    errors.push(invalid(path, `${path}.dataSource`, detail));
  } else if ((['apiGroup', 'kind', 'name'] as const).some((field) => dataSource[field] !== dataSourceRef[field])) {
    errors.push(invalid(path, `${path}.dataSource`, 'must match dataSourceRef'));
  }
}

function validateDataSource(
  source: TypedLocalObjectReference | TypedObjectReference,
  path: string,
  errors: ErrorSink,
): void {
  if (source.name === '') errors.push(required(`${path}.name`));
  if (source.kind === '') errors.push(required(`${path}.kind`));
  if (source.apiGroup) addProblems(errors, `${path}.apiGroup`, source.apiGroup, checkDnsSubdomain(source.apiGroup));
  else if (source.kind !== 'PersistentVolumeClaim') {
    const detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    errors.push(invalid(path, source.kind, detail));
  }
}
