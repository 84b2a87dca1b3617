import * as fieldError from '../../api/field-error.ts';
import { badRequest, invalid } from '../../api/status-error.ts';
import { integerParameter, listParameter, type Query, stringParameter } from './query.ts';
import { checkDryRun } from './write-options.ts';

/** metav1.DeleteOptions, as far as they apply to one node: nothing depends on pods here, so propagation changes nothing. */
export interface DeleteOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly dryRun: boolean;
}

/**
 * Out of the query, or out of the body when there is one, as Kubernetes has it.
 *
 * @param body the decoded body; undefined without one.
 * @throws StatusError 400, 422.
 */
export function parseDeleteOptions(query: Query, body: unknown): DeleteOptions {
  const raw = body === undefined ? fromQuery(query) : fromBody(body);
  const errors = checkDryRun(raw.dryRun);
  if (!['Orphan', 'Background', 'Foreground', undefined].includes(raw.propagationPolicy)) {
    const supported = ['Background', 'Foreground', 'Orphan', ''];
    errors.push(fieldError.notSupported('propagationPolicy', raw.propagationPolicy, supported));
  }
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  const { gracePeriodSeconds, uid, resourceVersion } = raw;
  return { gracePeriodSeconds, uid, resourceVersion, dryRun: raw.dryRun.length > 0 };
}

interface RawOptions {
  gracePeriodSeconds: number | undefined;
  propagationPolicy: string | undefined;
  uid: string | undefined;
  resourceVersion: string | undefined;
  dryRun: string[];
}

function fromQuery(query: Query): RawOptions {
  return {
    gracePeriodSeconds: integerParameter(query, 'gracePeriodSeconds'),
    propagationPolicy: stringParameter(query, 'propagationPolicy'),
    uid: undefined,
    resourceVersion: undefined,
    dryRun: listParameter(query, 'dryRun'),
  };
}

function fromBody(body: unknown): RawOptions {
  const options = objectOf(body, 'the body') ?? {};
  const kind = text(options, 'kind');
  if (kind !== undefined && kind !== 'DeleteOptions') {
    throw badRequest(`the body of a deletion is a DeleteOptions, not a ${kind}`);
  }
  const preconditions = objectOf(options.preconditions, 'preconditions') ?? {};
  return {
    gracePeriodSeconds: integer(options, 'gracePeriodSeconds'),
    propagationPolicy: text(options, 'propagationPolicy'),
    uid: text(preconditions, 'uid'),
    resourceVersion: text(preconditions, 'resourceVersion'),
    dryRun: texts(options, 'dryRun'),
  };
}

function objectOf(value: unknown, name: string): Record<string, unknown> | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw badRequest(`DeleteOptions: ${name} must be an object`);
  return value as Record<string, unknown>;
}

function member(options: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(options, key) ? (options[key] ?? undefined) : undefined;
}

function text(options: Record<string, unknown>, key: string): string | undefined {
  const value = member(options, key);
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string') throw badRequest(`DeleteOptions: ${key} must be a string`);
  return value;
}

function integer(options: Record<string, unknown>, key: string): number | undefined {
  const value = member(options, key);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw badRequest(`DeleteOptions: ${key} must be an integer`);
  }
  return value;
}

function texts(options: Record<string, unknown>, key: string): string[] {
  const value = member(options, key);
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string')) {
    throw badRequest(`DeleteOptions: ${key} must be a list of strings`);
  }
  return value;
}
