import { type ErrorSink, forbidden, tooLong } from './field-error.ts';
import { checkConfigMapKey } from './formats.ts';
import { addProblems } from './meta-validation.ts';

/** What ConfigMaps and Secrets have in common: named data, small, and fixed once it is said to be. */

/** MaxSecretSize of Kubernetes, for both kinds. */
export const maxDataBytes = 1024 * 1024;

type DataMap = Readonly<Record<string, string>>;

/** The keys may become file names and variables. */
export function validateDataKeys(data: DataMap | undefined, path: string, errors: ErrorSink): void {
  for (const key of Object.keys(data ?? {})) addProblems(errors, `${path}[${key}]`, key, checkConfigMapKey(key));
}

/** @param path where the error is reported when there are more than 1 MiB. */
export function validateDataSize(totalBytes: number, path: string, errors: ErrorSink): void {
  if (totalBytes > maxDataBytes) errors.push(tooLong(path, maxDataBytes));
}

/** Bytes that base64 text stands for; the text is valid. */
export function base64Bytes(text: string): number {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return (text.length / 4) * 3 - padding;
}

interface Fixable {
  readonly immutable?: boolean | undefined;
}

/** What was declared immutable stays as it is, and stays immutable: only another object can have other data. */
export function validateImmutableData<T extends Fixable>(
  next: T,
  current: T,
  fields: readonly (keyof T & string)[],
  errors: ErrorSink,
): void {
  if (!current.immutable) return;
  const detail = 'field is immutable when `immutable` is set';
  if (!next.immutable) errors.push(forbidden('immutable', detail));
  for (const field of fields) {
    if (!isSameData(next[field] as DataMap | undefined, current[field] as DataMap | undefined)) {
      errors.push(forbidden(field, detail));
    }
  }
}

/** Whatever the order of the keys and the prototypes of the maps. */
function isSameData(a: DataMap = {}, b: DataMap = {}): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}
