/** Input that cannot be read. `line` and `column` count from 1; the message never quotes the input, which may hold secrets. */
export class DecodeError extends Error {
  /** The problem without its place. */
  readonly reason: string;
  readonly line: number | undefined;
  readonly column: number | undefined;

  constructor(reason: string, line?: number, column?: number) {
    super(line === undefined ? reason : `line ${line}, column ${column ?? 1}: ${reason}`);
    this.name = 'DecodeError';
    this.reason = reason;
    this.line = line;
    this.column = column;
  }
}

/** The place of an offset in a text, counted from 1. A line ends with LF, CRLF or CR. */
export function placeOf(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let lineStart = 0;
  for (let i = 0; i < offset; i += 1) {
    const c = text.charCodeAt(i);
    if (c === 0x0a || (c === 0x0d && text.charCodeAt(i + 1) !== 0x0a)) {
      line += 1;
      lineStart = i + 1;
    }
  }
  return { line, column: offset - lineStart + 1 };
}

export function errorAt(text: string, offset: number, reason: string): DecodeError {
  const { line, column } = placeOf(text, offset);
  return new DecodeError(reason, line, column);
}
