/**
 * PURE. A text as it may go to a terminal. Control characters, which can move its cursor, set its title or paste into it, are
 * shown as in JSON; tabs and ends of lines stay.
 */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
