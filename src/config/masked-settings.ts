/** What may be secret by its name. */
const SECRET_NAME = /password|secret|token|credential|authorization|(?:^|[a-z])Key$/i;
const MASK = '<masked>';

/** Settings as anybody with the right to read the configuration may see them: values that may be secret are masked. PURE. */
export function maskedSettings<T>(settings: T): T {
  return masked(settings, '') as T;
}

function masked(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return value.map((item) => masked(item, name));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item, key)]));
  }
  if (typeof value !== 'string' || value === '') return value;
  if (SECRET_NAME.test(name)) return MASK;
  // `https://user:password@host`
  return value.replace(/(:\/\/)[^/@\s]+@/g, `$1${MASK}@`);
}
