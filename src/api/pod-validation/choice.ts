import { type ErrorSink, notSupported, required } from '../field-error.ts';

/** A value out of a list, which must be there. */
export function validateChoice(
  value: string | undefined,
  supported: readonly string[],
  path: string,
  errors: ErrorSink,
): void {
  if (!value) errors.push(required(path));
  else if (!supported.includes(value)) errors.push(notSupported(path, value, supported));
}
