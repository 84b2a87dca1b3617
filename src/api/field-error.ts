import type { StatusCause } from './meta.ts';

/** One reason why an object is refused, as k8s.io/apimachinery's field.Error. */
export type FieldErrorType =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueDuplicate'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid'
  | 'FieldValueNotFound'
  | 'InternalError';

export interface FieldError {
  type: FieldErrorType;
  /** Path of the field, `spec.containers[0].name`; empty for the whole object. */
  field: string;
  detail: string;
  /** The value as it was; shown in the message for the types where Kubernetes shows it. */
  badValue?: unknown;
}

/** Where a validation puts what it finds. */
export interface ErrorSink {
  push(error: FieldError): unknown;
}

/**
 * Collects errors up to a number that nobody reads to the end: a document with a million mistakes costs the memory
 * of a thousand.
 */
export class FieldErrors implements ErrorSink {
  static readonly max = 1000;
  readonly list: FieldError[] = [];

  push(error: FieldError): void {
    if (this.list.length < FieldErrors.max) this.list.push(error);
  }
}

const titles: Record<FieldErrorType, string> = {
  FieldValueRequired: 'Required value',
  FieldValueInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueTooLong: 'Too long',
  FieldValueTooMany: 'Too many',
  FieldValueTypeInvalid: 'Invalid value',
  FieldValueNotFound: 'Not found',
  InternalError: 'Internal error',
};

/** The types whose message leaves the value out: there is none, it is too big, or it may be a secret. */
const valueless = new Set<FieldErrorType>([
  'FieldValueRequired',
  'FieldValueForbidden',
  'FieldValueTooLong',
  'InternalError',
]);

const maxShownValue = 1024;

export function required(field: string, detail = ''): FieldError {
  return { type: 'FieldValueRequired', field, detail };
}

export function invalid(field: string, badValue: unknown, detail: string): FieldError {
  return { type: 'FieldValueInvalid', field, detail, badValue };
}

/** The supported values are shown in the given order; Kubernetes' own lists are mostly sorted. */
export function notSupported(field: string, badValue: unknown, supported: readonly string[]): FieldError {
  const shown = supported.map((value) => JSON.stringify(value));
  const detail = shown.length === 0 ? '' : `supported values: ${shown.join(', ')}`;
  return { type: 'FieldValueNotSupported', field, detail, badValue };
}

export function forbidden(field: string, detail: string): FieldError {
  return { type: 'FieldValueForbidden', field, detail };
}

export function duplicate(field: string, badValue: unknown): FieldError {
  return { type: 'FieldValueDuplicate', field, detail: '', badValue };
}

export function tooLong(field: string, maxBytes: number): FieldError {
  return { type: 'FieldValueTooLong', field, detail: `may not be more than ${maxBytes} bytes` };
}

export function tooMany(field: string, actual: number, max: number): FieldError {
  return { type: 'FieldValueTooMany', field, detail: `must have at most ${max} items`, badValue: actual };
}

export function notFound(field: string, badValue: unknown): FieldError {
  return { type: 'FieldValueNotFound', field, detail: '', badValue };
}

/** `Invalid value: "x": must be ...`: the message of a cause, without the field. */
export function errorBody(error: FieldError): string {
  const title = titles[error.type];
  const head = valueless.has(error.type) ? title : `${title}: ${shownValue(error.badValue)}`;
  return error.detail === '' ? head : `${head}: ${error.detail}`;
}

/** `spec.containers[0].name: Required value`. */
export function formatFieldError(error: FieldError): string {
  return `${error.field === '' ? '<nil>' : error.field}: ${errorBody(error)}`;
}

/** The entry of `Status.details.causes`. */
export function causeOf(error: FieldError): StatusCause {
  const field = error.field === '' ? '<nil>' : error.field;
  return { reason: error.type, message: errorBody(error), field };
}

function shownValue(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  const text = typeof value === 'bigint' ? value.toString() : (JSON.stringify(value) ?? String(value));
  return text.length > maxShownValue ? `${text.slice(0, maxShownValue)}...` : text;
}
