import { badRequest } from '../api/status-error.ts';

/** 0 for a resourceVersion that is not given. @throws StatusError BadRequest when it is no number that we ever gave. */
export function parseResourceVersion(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    const shown = JSON.stringify(text.slice(0, 100));
    throw badRequest(`resourceVersion: Invalid value: ${shown}: must be an unsigned integer`);
  }
  return value;
}
