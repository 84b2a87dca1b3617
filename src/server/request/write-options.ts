import * as fieldError from '../../api/field-error.ts';
import { invalid } from '../../api/status-error.ts';
import type { FieldValidation } from '../../api/structural.ts';
import { listParameter, type Query, stringParameter } from './query.ts';

/** What create, update and patch have in common. */
export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
}

/**
 * @param kind of the options in error texts: CreateOptions, UpdateOptions, PatchOptions.
 * @throws StatusError 422.
 */
export function parseWriteOptions(query: Query, kind: string): WriteOptions {
  const fieldValidation = stringParameter(query, 'fieldValidation') ?? 'Warn';
  const errors = [...checkDryRun(listParameter(query, 'dryRun')), ...checkFieldManager(query)];
  if (!isFieldValidation(fieldValidation)) {
    errors.push(fieldError.notSupported('fieldValidation', fieldValidation, ['', 'Ignore', 'Strict', 'Warn']));
  }
  if (errors.length > 0 || !isFieldValidation(fieldValidation)) {
    throw invalid({ group: 'meta.k8s.io', kind }, '', errors);
  }
  return { dryRun: listParameter(query, 'dryRun').length > 0, fieldValidation };
}

export function checkDryRun(values: readonly string[]): fieldError.FieldError[] {
  return values.filter((value) => value !== 'All').map((value) => fieldError.notSupported('dryRun', value, ['All']));
}

/** The name of the tool that writes is accepted and checked, though nothing is kept of it. */
function checkFieldManager(query: Query): fieldError.FieldError[] {
  const manager = stringParameter(query, 'fieldManager') ?? '';
  if (manager.length > 128) return [fieldError.tooLong('fieldManager', 128)];
  return /^\P{C}*$/u.test(manager)
    ? []
    : [fieldError.invalid('fieldManager', manager, 'should only contain printable characters')];
}

function isFieldValidation(text: string): text is FieldValidation {
  return text === 'Ignore' || text === 'Warn' || text === 'Strict';
}
