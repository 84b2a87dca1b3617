import { badRequest } from '../../api/status-error.ts';

/** Query parameters as they came; a repeated one has its values in a list. */
export type Query = Readonly<Record<string, string | string[] | undefined>>;

/** The first value, as Kubernetes reads parameters that are given twice. Empty means not given. */
export function stringParameter(query: Query, name: string): string | undefined {
  const value = Object.hasOwn(query, name) ? query[name] : undefined;
  const first = Array.isArray(value) ? value[0] : value;
  return first === '' ? undefined : first;
}

export function listParameter(query: Query, name: string): string[] {
  const value = Object.hasOwn(query, name) ? query[name] : undefined;
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

/** Given without a value, or with any but `false` and `0`, means true, as in Kubernetes. */
export function booleanParameter(query: Query, name: string): boolean {
  const value = listParameter(query, name)[0];
  return value !== undefined && value !== '0' && value.toLowerCase() !== 'false';
}

export function isGiven(query: Query, name: string): boolean {
  return listParameter(query, name).length > 0;
}

/** @throws StatusError BadRequest when it is no integer of 64 bits that JavaScript holds exactly. */
export function integerParameter(query: Query, name: string): number | undefined {
  const text = stringParameter(query, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^[-+]?\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw badRequest(`${name}: Invalid value: ${JSON.stringify(text.slice(0, 100))}: must be an integer`);
  }
  return value;
}
