import { DecodeError } from './decode-error.ts';

/** Protobuf's wire types, as far as Kubernetes' messages have them. */
export const wireTypes = { varint: 0, bytes: 2 } as const;

const maxVarintBytes = 10;

/**
 * Reads protobuf's wire format, and never beyond its end: a length that promises more than there is, is refused before
 * anything is set aside for it.
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Number and wire type of the field that follows. @throws DecodeError */
  tag(): { id: number; wireType: number } {
    const tag = this.varint();
    if (tag > 0xffff_ffffn || tag < 8n) throw new DecodeError('a field has no valid number');
    return { id: Number(tag >> 3n), wireType: Number(tag & 7n) };
  }

  /** The 64 bits of a varint, without sign. @throws DecodeError */
  varint(): bigint {
    let low = 0;
    // 28 bits are quick and enough for nearly all tags, lengths and numbers.
    for (let i = 0; i < 4; i++) {
      const byte = this.#byte();
      low |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let i = 4; i < maxVarintBytes; i++) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) {
        if (value > 0xffff_ffff_ffff_ffffn) break;
        return value;
      }
    }
    throw new DecodeError('a number is longer than 64 bits');
  }

  /** A part of the input, not a copy. @throws DecodeError */
  bytes(): Uint8Array {
    const length = this.varint();
    if (length > BigInt(this.#bytes.length - this.#at)) throw new DecodeError('the body ends inside a field');
    const start = this.#at;
    this.#at += Number(length);
    return this.#bytes.subarray(start, this.#at);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new DecodeError('the body ends inside a number');
    this.#at += 1;
    return byte;
  }
}
