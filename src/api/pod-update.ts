import { isDeepStrictEqual } from 'node:util';
import { duplicate, type ErrorSink, type FieldError, FieldErrors, forbidden, invalid } from './field-error.ts';
import { checkIp, rangeMessage } from './formats.ts';
import { immutableMessage, validateObjectMetaUpdate } from './meta-validation.ts';
import type { Container, Pod, PodSpec } from './pod.ts';
import { plain } from './pod-prepare.ts';
import { validateAnnotationsUpdate } from './pod-validation/annotations.ts';
import { type PodValidationOptions, validatePod } from './pod-validation.ts';

/** What may change in a pod that exists: nearly nothing (ValidatePodUpdate of Kubernetes 1.36). */

const maxInt32 = 2 ** 31 - 1;

const updatableFields = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
];

const containerLists = ['containers', 'initContainers', 'ephemeralContainers'] as const;

/** All reasons to refuse a change. Besides Kubernetes' own error, every changed field is named by one. */
export function validatePodUpdate(next: Pod, current: Pod, options: PodValidationOptions): FieldError[] {
  const errors = new FieldErrors();
  for (const error of validateObjectMetaUpdate(next.metadata, current.metadata)) errors.push(error);
  validatePod(next, options, errors);
  validateAnnotationsUpdate(next, current, 'metadata.annotations', errors);

  for (const list of ['containers', 'initContainers'] as const) {
    if ((next.spec[list]?.length ?? 0) !== (current.spec[list]?.length ?? 0)) {
      errors.push(forbidden(`spec.${list}`, 'pod updates may not add or remove containers'));
      return errors.list;
    }
  }
  validateDeadline(next.spec, current.spec, errors);
  validateTolerations(next.spec, current.spec, errors);
  validateSchedulingGates(next.spec, current.spec, errors);

  const changed = immutableChanges(next.spec, current.spec);
  if (changed.length > 0) {
    const fields = updatableFields.join(',');
    errors.push(forbidden('spec', `pod updates may not change fields other than ${fields}`));
    for (const path of changed) errors.push(forbidden(path, immutableMessage));
  }
  return errors.list;
}

/** The status that a client writes: well-formed addresses, nothing else of the object. */
export function validatePodStatusUpdate(next: Pod, current: Pod): FieldError[] {
  const errors = new FieldErrors();
  for (const error of validateObjectMetaUpdate(next.metadata, current.metadata)) errors.push(error);
  if (next.spec.nodeName !== current.spec.nodeName) {
    errors.push(forbidden('status.nodeName', 'may not be changed directly'));
  }
  for (const list of ['podIPs', 'hostIPs'] as const) {
    const seen = new Set<string>();
    for (const [index, { ip }] of (next.status?.[list] ?? []).entries()) {
      const at = `status.${list}[${index}]`;
      for (const problem of checkIp(ip)) errors.push(invalid(at, ip, problem));
      if (seen.has(ip)) errors.push(duplicate(at, { ip }));
      seen.add(ip);
    }
  }
  return errors.list;
}

/** A deadline may come, or come nearer. */
function validateDeadline(next: PodSpec, current: PodSpec, errors: ErrorSink): void {
  const path = 'spec.activeDeadlineSeconds';
  const [after, before] = [next.activeDeadlineSeconds, current.activeDeadlineSeconds];
  if (after === undefined) {
    if (before !== undefined) {
      errors.push(invalid(path, undefined, 'must not update from a positive integer to nil value'));
    }
  } else if (after < 0 || after > maxInt32) {
    errors.push(invalid(path, after, rangeMessage(0, maxInt32)));
  } else if (before !== undefined && before < after) {
    errors.push(invalid(path, after, 'must be less than or equal to previous value'));
  }
}

/** Tolerations may be added, and last longer or shorter. */
function validateTolerations(next: PodSpec, current: PodSpec, errors: ErrorSink): void {
  const keyOf = ({ tolerationSeconds: _, ...rest }: NonNullable<PodSpec['tolerations']>[number]) =>
    JSON.stringify([rest.key ?? '', rest.operator ?? '', rest.value ?? '', rest.effect ?? '']);
  const kept = new Set((next.tolerations ?? []).map(keyOf));
  if ((current.tolerations ?? []).every((toleration) => kept.has(keyOf(toleration)))) return;
  const detail = 'existing toleration can not be modified except its tolerationSeconds';
  errors.push(forbidden('spec.tolerations', detail));
}

/** Gates may only go. */
function validateSchedulingGates(next: PodSpec, current: PodSpec, errors: ErrorSink): void {
  const known = new Set((current.schedulingGates ?? []).map(({ name }) => name));
  for (const [index, { name }] of (next.schedulingGates ?? []).entries()) {
    if (known.has(name)) continue;
    const detail = `only deletion is allowed, but found new scheduling gate '${name}'`;
    errors.push(forbidden(`spec.schedulingGates[${index}].name`, detail));
  }
}

/** Paths of the fields that differ and may not: fields of the spec, and fields of each container. */
function immutableChanges(next: PodSpec, current: PodSpec): string[] {
  const changed: string[] = [];
  const after: Record<string, unknown> = { ...next };
  const before: Record<string, unknown> = { ...current };
  for (const field of ['tolerations', 'schedulingGates', 'activeDeadlineSeconds']) {
    delete after[field];
    delete before[field];
  }
  if ((current.terminationGracePeriodSeconds ?? 0) < 0 && next.terminationGracePeriodSeconds === 1) {
    after.terminationGracePeriodSeconds = before.terminationGracePeriodSeconds;
  }
  for (const list of containerLists) {
    const [nextList = [], currentList = []]: (Container[] | undefined)[] = [next[list], current[list]];
    if (nextList.length !== currentList.length) continue;
    for (const [index, container] of nextList.entries()) {
      const image = list === 'ephemeralContainers' ? {} : { image: '' };
      const paths = differences({ ...container, ...image }, { ...currentList[index], ...image });
      changed.push(...paths.map((field) => `spec.${list}[${index}].${field}`));
    }
    delete after[list];
    delete before[list];
  }
  changed.push(...differences(after, before).map((field) => `spec.${field}`));
  return changed;
}

/** Names of the fields in which the objects differ. Empty lists and maps count as absent. */
function differences(a: Record<string, unknown>, b: Record<string, unknown>): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
    (field) => !isDeepStrictEqual(normalized(a[field]), normalized(b[field])),
  );
}

function normalized(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.keys(value).length === 0 && Array.isArray(value) ? undefined : plain(value);
}
