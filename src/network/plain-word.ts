/** A value of a manifest would break the line structure of a generated file. Validation refuses it long before. */
export class NotPlainError extends Error {
  constructor(what: string, value: string) {
    super(`${what} ${JSON.stringify(value)} has a blank or a control character`);
    this.name = 'NotPlainError';
  }
}

/**
 * PURE. Returns a word that goes into /etc/hosts or resolv.conf. Validation has refused blanks and control characters
 * already; this is the last look before they could become a line of their own.
 *
 * @throws NotPlainError
 */
export function plainWord(what: string, value: string): string {
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if (code <= 0x20 || code === 0x7f) throw new NotPlainError(what, value);
  }
  return value;
}
