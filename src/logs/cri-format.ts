/**
 * The log format of CRI: one line for each line, or piece of a long line, that a container wrote.
 *
 *     2016-10-06T00:17:09.669794202Z stdout P a piece of a long line
 *     2016-10-06T00:17:09.669794203Z stdout F its end, or a whole line
 */

/** A time of 35 characters, `stderr`, a tag with room for more of them, and three blanks. */
export const MAX_HEADER_BYTES = 128;

export interface LineHeader {
  /** As the runtime wrote it: RFC 3339, up to nine decimal places, in any time zone. */
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  /** The message goes on in the next line. */
  readonly isPartial: boolean;
  /** Where the message begins, counted from the start of the line. */
  readonly length: number;
}

const HEADER =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([PF])(?::[^ \n]*)? /;

/** PURE. Reads a line's header from its first bytes (more may follow). Undefined when it is none. */
export function parseHeader(start: Buffer): LineHeader | undefined {
  const match = HEADER.exec(start.toString('latin1', 0, MAX_HEADER_BYTES));
  const [all, time, stream, tag] = match ?? [];
  if (all === undefined || time === undefined) return undefined;
  return { time, stream: stream === 'stderr' ? 'stderr' : 'stdout', isPartial: tag === 'P', length: all.length };
}

/** PURE. The same time with nine decimal places, as Kubernetes shows it. */
export function fixedWidthTime(time: string): string {
  const [, seconds = '', fraction = '', zone = ''] = /^([^.Z+]+?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(time) ?? [];
  return `${seconds}.${fraction.padEnd(9, '0')}${zone}`;
}

export interface DecoderOptions {
  /** Put each line's time in front of it. */
  readonly timestamps?: boolean;
  /** Leave out what is older; milliseconds since the epoch. */
  readonly sinceMs?: number;
  /** Leave out what the container wrote to the other one. */
  readonly stream?: LineHeader['stream'];
}

const LINE_FEED = 0x0a;
const NEW_LINE = Buffer.from('\n');

/**
 * Turns a log file's bytes, in pieces of any size, into what the container wrote. Holds no more than one line's header
 * back, so a line of any length costs no memory. A line that is not in the format is left out.
 */
export class CriLogDecoder {
  readonly #timestamps: boolean;
  readonly #sinceMs: number | undefined;
  readonly #stream: LineHeader['stream'] | undefined;
  /** The beginning of a line whose header is not complete yet. */
  #pending: Buffer = Buffer.alloc(0);
  #state: 'header' | 'full' | 'partial' | 'skipped' = 'header';
  /** The last message that went out has no end yet, so the next one gets no time. */
  #inMessage = false;

  constructor(options: DecoderOptions = {}) {
    this.#timestamps = options.timestamps ?? false;
    this.#sinceMs = options.sinceMs;
    this.#stream = options.stream;
  }

  decode(chunk: Buffer): Buffer {
    const output: Buffer[] = [];
    let rest = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    this.#pending = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#state === 'header') {
        const headerLength = this.#enterLine(rest, output);
        if (headerLength === undefined) {
          this.#pending = Buffer.from(rest);
          break;
        }
        rest = rest.subarray(headerLength);
        if (rest.length === 0) break;
      }
      const end = rest.indexOf(LINE_FEED);
      const body = end < 0 ? rest : rest.subarray(0, end);
      if (this.#state !== 'skipped') output.push(body);
      if (end < 0) break;
      if (this.#state === 'full') output.push(NEW_LINE);
      if (this.#state !== 'skipped') this.#inMessage = this.#state === 'partial';
      this.#state = 'header';
      rest = rest.subarray(end + 1);
    }
    return Buffer.concat(output);
  }

  /** The next bytes come from another file: a line that was cut off does not go on there. */
  startFile(): void {
    this.#pending = Buffer.alloc(0);
    this.#state = 'header';
  }

  /** How many bytes to drop to come to the message; undefined when the header may still be incomplete. */
  #enterLine(line: Buffer, output: Buffer[]): number | undefined {
    const header = parseHeader(line);
    if (!header) {
      if (line.length < MAX_HEADER_BYTES && !line.includes(LINE_FEED)) return undefined;
      this.#state = 'skipped';
      return 0;
    }
    const isTooOld = this.#sinceMs !== undefined && !(Date.parse(header.time) >= this.#sinceMs);
    if (isTooOld || (this.#stream !== undefined && header.stream !== this.#stream)) {
      this.#state = 'skipped';
      return header.length;
    }
    this.#state = header.isPartial ? 'partial' : 'full';
    if (this.#timestamps && !this.#inMessage) output.push(Buffer.from(`${fixedWidthTime(header.time)} `));
    return header.length;
  }
}
