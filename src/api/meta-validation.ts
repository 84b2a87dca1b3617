import { type ErrorSink, type FieldError, FieldErrors, forbidden, invalid, required, tooLong } from './field-error.ts';
import { asGeneratedPrefix, checkDnsLabel, checkLabelValue, checkQualifiedName, type FormatCheck } from './formats.ts';
import type { LabelSelector, ObjectMeta, OwnerReference } from './meta.ts';

/** Rules of metadata for all kinds: k8s.io/apimachinery/pkg/api/validation and pkg/apis/meta/v1/validation. */

export const negativeMessage = 'must be greater than or equal to 0';
export const immutableMessage = 'field is immutable';

const totalAnnotationsMaxBytes = 256 * 1024;

const standardFinalizers = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

export interface MetaRules {
  namespaced: boolean;
  checkName: FormatCheck;
}

/** Metadata of a new object, whose name has been generated if it has a generateName. */
export function validateObjectMeta(meta: ObjectMeta, rules: MetaRules, path = 'metadata'): FieldError[] {
  const errors = new FieldErrors();
  const { name = '', generateName = '', namespace = '' } = meta as Partial<ObjectMeta>;
  if (generateName !== '') {
    addProblems(errors, `${path}.generateName`, generateName, rules.checkName(asGeneratedPrefix(generateName)));
  }
  if (name === '') errors.push(required(`${path}.name`, 'name or generateName is required'));
  else addProblems(errors, `${path}.name`, name, rules.checkName(name));

  if (!rules.namespaced) {
    if (namespace !== '') errors.push(forbidden(`${path}.namespace`, 'not allowed on this type'));
  } else if (namespace === '') errors.push(required(`${path}.namespace`));
  else addProblems(errors, `${path}.namespace`, namespace, checkDnsLabel(namespace));

  if ((meta.generation ?? 0) < 0) errors.push(invalid(`${path}.generation`, meta.generation, negativeMessage));
  validateLabels(meta.labels, `${path}.labels`, errors);
  validateAnnotations(meta.annotations, `${path}.annotations`, errors);
  validateOwnerReferences(meta.ownerReferences ?? [], `${path}.ownerReferences`, errors);
  validateFinalizers(meta.finalizers ?? [], `${path}.finalizers`, errors);
  validateManagedFields(meta, `${path}.managedFields`, errors);
  return errors.list;
}

/** What an update may not change in the metadata of any object. */
export function validateObjectMetaUpdate(next: ObjectMeta, current: ObjectMeta, path = 'metadata'): FieldError[] {
  const errors = new FieldErrors();
  if (current.deletionTimestamp !== undefined) {
    const known = new Set(current.finalizers);
    const added = (next.finalizers ?? []).filter((finalizer) => !known.has(finalizer));
    if (added.length > 0) {
      const detail = 'no new finalizers can be added if the object is being deleted, found new finalizers';
      errors.push(forbidden(`${path}.finalizers`, `${detail} ${JSON.stringify(added)}`));
    }
  }
  if ((next.generation ?? 0) < (current.generation ?? 0)) {
    errors.push(invalid(`${path}.generation`, next.generation ?? 0, 'must not be decremented'));
  }
  for (const field of ['name', 'namespace', 'uid', 'creationTimestamp'] as const) {
    if (next[field] !== current[field]) errors.push(invalid(`${path}.${field}`, next[field], immutableMessage));
  }
  for (const field of ['deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    if (next[field] !== current[field]) errors.push(invalid(`${path}.${field}`, next[field], immutableMessage));
  }
  validateLabels(next.labels, `${path}.labels`, errors);
  validateAnnotations(next.annotations, `${path}.annotations`, errors);
  validateOwnerReferences(next.ownerReferences ?? [], `${path}.ownerReferences`, errors);
  validateManagedFields(next, `${path}.managedFields`, errors);
  return errors.list;
}

export function validateLabels(
  labels: Readonly<Record<string, string>> | undefined,
  path: string,
  errors: ErrorSink,
): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    validateLabelName(key, path, errors);
    addProblems(errors, path, value, checkLabelValue(value));
  }
}

export function validateLabelName(key: string, path: string, errors: ErrorSink): void {
  addProblems(errors, path, key, checkQualifiedName(key));
}

export function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: string,
  errors: ErrorSink,
): void {
  let totalBytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    addProblems(errors, path, key, checkQualifiedName(key.toLowerCase()));
    totalBytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (totalBytes > totalAnnotationsMaxBytes) errors.push(tooLong(path, totalAnnotationsMaxBytes));
}

export function validateLabelSelector(selector: LabelSelector | undefined, path: string, errors: ErrorSink): void {
  if (!selector) return;
  validateLabels(selector.matchLabels, `${path}.matchLabels`, errors);
  for (const [index, requirement] of (selector.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    const values = requirement.values ?? [];
    switch (requirement.operator) {
      case 'In':
      case 'NotIn':
        if (values.length === 0) {
          errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
        }
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (values.length > 0) {
          errors.push(forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        }
        break;
      default:
        errors.push(invalid(`${at}.operator`, requirement.operator, 'not a valid selector operator'));
    }
    validateLabelName(requirement.key, `${at}.key`, errors);
    for (const [valueIndex, value] of values.entries()) {
      addProblems(errors, `${at}.values[${valueIndex}]`, value, checkLabelValue(value));
    }
  }
}

/** One `Invalid value` for each problem that a format check found. */
export function addProblems(errors: ErrorSink, path: string, value: unknown, problems: readonly string[]): void {
  for (const problem of problems) errors.push(invalid(path, value, problem));
}

function validateOwnerReferences(references: readonly OwnerReference[], path: string, errors: ErrorSink): void {
  let controller: string | undefined;
  for (const reference of references) {
    const [groupOrVersion = '', version] = reference.apiVersion.split('/', 2);
    if ((version ?? groupOrVersion) === '') {
      errors.push(invalid(`${path}.apiVersion`, reference.apiVersion, 'version must not be empty'));
    }
    for (const field of ['kind', 'name', 'uid'] as const) {
      if (reference[field] === '') errors.push(invalid(`${path}.${field}`, '', 'must not be empty'));
    }
    if (reference.apiVersion === 'v1' && reference.kind === 'Event') {
      errors.push(invalid(path, reference, '/v1, Kind=Event is disallowed from being an owner'));
    }
    if (!reference.controller) continue;
    const owner = `${reference.kind}/${reference.name}`;
    if (controller !== undefined) {
      const found = `Found "true" in references for ${controller} and ${owner}`;
      errors.push(invalid(path, references, `Only one reference can have Controller set to true. ${found}`));
    }
    controller ??= owner;
  }
}

function validateFinalizers(finalizers: readonly string[], path: string, errors: ErrorSink): void {
  for (const [index, finalizer] of finalizers.entries()) {
    addProblems(errors, path, finalizer, checkQualifiedName(finalizer));
    if (!finalizer.includes('/') && !standardFinalizers.has(finalizer)) {
      const problem = 'name is neither a standard finalizer name nor is it fully qualified';
      errors.push(invalid(`${path}[${index}]`, finalizer, problem));
    }
  }
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')) {
    errors.push(invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  }
}

function validateManagedFields(meta: ObjectMeta, path: string, errors: ErrorSink): void {
  for (const [index, entry] of (meta.managedFields ?? []).entries()) {
    const at = `${path}[${index}]`;
    if (entry.operation !== 'Apply' && entry.operation !== 'Update') {
      errors.push(invalid(`${at}.operation`, entry.operation ?? '', 'must be `Apply` or `Update`'));
    }
    if ((entry.fieldsType ?? '') !== '' && entry.fieldsType !== 'FieldsV1') {
      errors.push(invalid(`${at}.fieldsType`, entry.fieldsType, 'must be `FieldsV1`'));
    }
    if ((entry.manager ?? '').length > 128) errors.push(tooLong(`${at}.manager`, 128));
  }
}
