import { type ErrorSink, invalid } from '../field-error.ts';

/** Paths that must stay inside a directory. */

export function hasBacksteps(path: string): boolean {
  return path.split('/').includes('..');
}

/** No `..` between slashes. */
export function validateNoBacksteps(path: string, field: string, errors: ErrorSink): void {
  if (hasBacksteps(path)) errors.push(invalid(field, path, "must not contain '..'"));
}

/** Relative, without `..`: a subPath. */
export function validateLocalDescendingPath(path: string, field: string, errors: ErrorSink): void {
  if (path.startsWith('/')) errors.push(invalid(field, path, 'must be a relative path'));
  validateNoBacksteps(path, field, errors);
}

/** As validateLocalDescendingPath, and not beginning with `..`, which names are the daemon's own: a file of a volume. */
export function validateLocalNonReservedPath(path: string, field: string, errors: ErrorSink): void {
  validateLocalDescendingPath(path, field, errors);
  if (path.startsWith('..') && !path.startsWith('../')) {
    errors.push(invalid(field, path, "must not start with '..'"));
  }
}
