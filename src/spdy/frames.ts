import { SpdyError } from './spdy-error.ts';

/** Frames of SPDY/3.1: eight bytes of header and what belongs to it. PURE. */

export const FRAME = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

export const FLAG_FIN = 0x01;

/** Why a stream was reset. */
export const RESET = { protocolError: 1, refused: 3, cancel: 5, internalError: 6 } as const;

const version = 3;
const headerBytes = 8;
const maxId = 0x7fffffff;
const maxDataBytes = 0xffffff;
/** Of what is not data. The largest that a Kubernetes client sends, SYN_STREAM, has some 150 bytes. */
const maxControlBytes = 16 * 1024;

export interface FrameHandler {
  /** Data of a stream as it comes in: a large frame in several pieces, `isFin` with the last one. */
  onData(streamId: number, piece: Buffer, isFin: boolean): void;
  onControl(type: number, flags: number, body: Buffer): void;
}

/** The bytes before the payload. @param length below 16 MiB, see `dataPieces`. */
export function dataHeader(streamId: number, length: number, isFin: boolean): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt32BE(((isFin ? FLAG_FIN : 0) << 24) | length, 4);
  return header;
}

/** Cuts a payload into what fits one frame each. */
export function dataPieces(payload: Buffer): Buffer[] {
  if (payload.length <= maxDataBytes) return [payload];
  const count = Math.ceil(payload.length / maxDataBytes);
  return Array.from({ length: count }, (_, index) =>
    payload.subarray(index * maxDataBytes, (index + 1) * maxDataBytes),
  );
}

export function controlFrame(type: number, flags: number, ...body: readonly (number | Buffer)[]): Buffer {
  const parts = body.map((part) => {
    if (typeof part !== 'number') return part;
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32BE(part);
    return bytes;
  });
  const header = Buffer.allocUnsafe(headerBytes);
  header.writeUInt16BE(0x8000 | version, 0);
  header.writeUInt16BE(type, 2);
  header.writeUInt32BE(((flags << 24) | parts.reduce((sum, { length }) => sum + length, 0)) >>> 0, 4);
  return Buffer.concat([header, ...parts]);
}

/** Cuts what comes in into frames, however it was cut on its way. Holds back no more than one control frame. */
export class FrameParser {
  readonly #handler: FrameHandler;
  /** The beginning of a header or of a control frame. */
  #held: Buffer = Buffer.alloc(0);
  /** Of the data frame that is coming in; -1 outside of one. */
  #remaining = -1;
  #streamId = 0;
  #isFin = false;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** @throws SpdyError. */
  push(chunk: Buffer): void {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = rest.subarray(0, 0);
    while (rest.length > 0) {
      const used = this.#remaining >= 0 ? this.#takeData(rest) : this.#takeFrame(rest);
      if (used === 0) {
        // A copy: the piece must not keep the whole chunk in memory.
        this.#held = Buffer.from(rest);
        return;
      }
      rest = rest.subarray(used);
    }
  }

  /** Takes a header, and a control frame's body with it. @returns 0 when more bytes are needed. */
  #takeFrame(bytes: Buffer): number {
    if (bytes.length < headerBytes) return 0;
    const first = bytes.readUInt32BE(0);
    const flags = bytes[4] ?? 0;
    const length = bytes.readUIntBE(5, 3);
    if ((first & 0x80000000) === 0) {
      this.#streamId = first & maxId;
      this.#isFin = (flags & FLAG_FIN) !== 0;
      this.#remaining = length;
      if (length === 0) this.#takeData(bytes.subarray(0, 0));
      return headerBytes;
    }
    if (((first >>> 16) & 0x7fff) !== version) throw new SpdyError('a frame of another version');
    if (length > maxControlBytes) throw new SpdyError(`a control frame of ${length} bytes is too large`);
    if (bytes.length < headerBytes + length) return 0;
    this.#handler.onControl(first & 0xffff, flags, bytes.subarray(headerBytes, headerBytes + length));
    return headerBytes + length;
  }

  #takeData(bytes: Buffer): number {
    const piece = bytes.subarray(0, this.#remaining);
    this.#remaining -= piece.length;
    const isLast = this.#remaining === 0;
    if (isLast) this.#remaining = -1;
    this.#handler.onData(this.#streamId, piece, isLast && this.#isFin);
    return piece.length;
  }
}
