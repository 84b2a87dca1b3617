import * as fieldError from '../../api/field-error.ts';
import { invalid } from '../../api/status-error.ts';
import type { FieldValidation } from '../../api/structural.ts';
import { booleanParameter, isGiven, listParameter, type Query, stringParameter } from './query.ts';

/** What create, update and patch have in common. */
export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  /** The name of the tool that writes. */
  readonly fieldManager: string;
}

export interface ApplyOptions extends WriteOptions {
  /** Takes fields from other managers. */
  readonly force: boolean;
}

const maxManagerLength = 128;

/**
 * @param kind of the options in error texts: CreateOptions, UpdateOptions, PatchOptions.
 * @param userAgent names the tool when the query does not.
 * @throws StatusError 422.
 */
export function parseWriteOptions(query: Query, kind: string, userAgent: string | undefined): WriteOptions {
  const force =
    kind === 'PatchOptions' && isGiven(query, 'force')
      ? [fieldError.forbidden('force', 'may not be specified for non-apply patch')]
      : [];
  const fieldManager = stringParameter(query, 'fieldManager') ?? managerOfAgent(userAgent);
  return { ...parseOptions(query, kind, force), fieldManager };
}

/** @throws StatusError 400, 422. */
export function parseApplyOptions(query: Query): ApplyOptions {
  const fieldManager = stringParameter(query, 'fieldManager');
  const force = booleanParameter(query, 'force');
  const missing =
    fieldManager === undefined ? [fieldError.required('fieldManager', 'is required for apply patch')] : [];
  return { ...parseOptions(query, 'PatchOptions', missing), fieldManager: fieldManager ?? '', force };
}

function parseOptions(
  query: Query,
  kind: string,
  further: readonly fieldError.FieldError[],
): Pick<WriteOptions, 'dryRun' | 'fieldValidation'> {
  const fieldValidation = stringParameter(query, 'fieldValidation') ?? 'Warn';
  const errors = [...checkDryRun(listParameter(query, 'dryRun')), ...further, ...checkFieldManager(query)];
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

function checkFieldManager(query: Query): fieldError.FieldError[] {
  const manager = stringParameter(query, 'fieldManager') ?? '';
  if (manager.length > maxManagerLength) return [fieldError.tooLong('fieldManager', maxManagerLength)];
  return /^\P{C}*$/u.test(manager)
    ? []
    : [fieldError.invalid('fieldManager', manager, 'should only contain printable characters')];
}

/** `kubectl` of `kubectl/v1.36.0 (linux/amd64) kubernetes/1234567`. */
function managerOfAgent(userAgent = ''): string {
  const [product = ''] = userAgent.split('/', 1);
  return product.replaceAll(/\p{C}/gu, '').slice(0, maxManagerLength) || 'unknown';
}

function isFieldValidation(text: string): text is FieldValidation {
  return text === 'Ignore' || text === 'Warn' || text === 'Strict';
}
