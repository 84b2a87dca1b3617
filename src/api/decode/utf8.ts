import { isUtf8 } from 'node:buffer';
import { DecodeError } from './decode-error.ts';

/**
 * Bytes to text. Invalid UTF-8 is refused with its place instead of replaced, because a replaced name would be
 * another object's name. A byte order mark stays in the text.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  let line = 1;
  for (let start = 0; start <= bytes.length; line += 1) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline;
    const one = bytes.subarray(start, end);
    if (!isUtf8(one)) throw new DecodeError('invalid UTF-8', line, validPrefix(one) + 1);
    start = end + 1;
  }
  throw new DecodeError('invalid UTF-8', line, 1);
}

/** Characters (UTF-16 units) before the first invalid byte. */
function validPrefix(line: Uint8Array): number {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(line);
  const reencoded = new TextEncoder().encode(text);
  let same = 0;
  while (same < line.length && line[same] === reencoded[same]) same += 1;
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(reencoded.subarray(0, same)).replace(/\uFFFD+$/, '')
    .length;
}
