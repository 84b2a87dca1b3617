import { inflateRawSync, constants as zlib } from 'node:zlib';
import { HEADER_DICTIONARY, HEADER_DICTIONARY_ID } from './dictionary.ts';
import { SpdyError } from './spdy-error.ts';

/** Names in lower case. */
export type Headers = ReadonlyMap<string, string>;

/** A block that unpacks to more is a bomb: what Kubernetes sends is below 200 bytes. */
const maxBlockBytes = 16 * 1024;
const maxHeaders = 32;
/** Deflate refers back no further. */
const windowBytes = 32 * 1024;
const maxStoredBytes = 0xffff;
/** An empty stored block: only then does Go's reader give out what came before it. */
const syncFlush = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);

/**
 * Writes header blocks. All blocks of a connection are one zlib stream; ours only stores, which every reader unpacks,
 * and which leaves nothing to guess from a block's length (CRIME).
 */
export class HeaderEncoder {
  #hasBegun = false;

  encode(headers: Headers): Buffer {
    const block = plainBlock(headers);
    const parts: Buffer[] = this.#hasBegun ? [] : [Buffer.from([0x78, 0x01])];
    this.#hasBegun = true;
    for (let at = 0; at < block.length; at += maxStoredBytes) {
      const stored = block.subarray(at, at + maxStoredBytes);
      const header = Buffer.alloc(5);
      header.writeUInt16LE(stored.length, 1);
      header.writeUInt16LE(~stored.length & 0xffff, 3);
      parts.push(header, stored);
    }
    parts.push(syncFlush);
    return Buffer.concat(parts);
  }
}

function plainBlock(headers: Headers): Buffer {
  const parts = [uint32(headers.size)];
  for (const [name, value] of headers) {
    const [nameBytes, valueBytes] = [Buffer.from(name), Buffer.from(value)];
    parts.push(uint32(nameBytes.length), nameBytes, uint32(valueBytes.length), valueBytes);
  }
  return Buffer.concat(parts);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/**
 * Reads header blocks. Every sender ends a block on a byte's border (a "sync flush"), so all that one block needs of
 * those before it is the last 32 KiB that they unpacked to: each is unpacked by itself, at once and within its limit.
 */
export class HeaderDecoder {
  #window: Buffer | undefined;

  /** @throws SpdyError when it is no header block, or a too large one. */
  decode(block: Buffer): Headers {
    const deflated = this.#window === undefined ? this.#begin(block) : block;
    const plain = this.#inflate(deflated);
    this.#window = Buffer.concat([this.#window ?? Buffer.alloc(0), plain]).subarray(-windowBytes);
    return parseBlock(plain);
  }

  /** Takes zlib's header off the first block. */
  #begin(block: Buffer): Buffer {
    if (block.length < 2 || block.readUInt16BE(0) % 31 !== 0 || ((block[0] ?? 0) & 0x0f) !== 8) {
      throw new SpdyError('headers are not compressed as they should be');
    }
    const hasDictionary = ((block[1] ?? 0) & 0x20) !== 0;
    this.#window = hasDictionary ? HEADER_DICTIONARY : Buffer.alloc(0);
    if (!hasDictionary) return block.subarray(2);
    if (block.length < 6 || block.readUInt32BE(2) !== HEADER_DICTIONARY_ID) {
      throw new SpdyError('headers are compressed with an unknown dictionary');
    }
    return block.subarray(6);
  }

  #inflate(deflated: Buffer): Buffer {
    const dictionary = this.#window;
    try {
      return inflateRawSync(deflated, {
        finishFlush: zlib.Z_SYNC_FLUSH,
        maxOutputLength: maxBlockBytes,
        chunkSize: 1024,
        ...(dictionary === undefined || dictionary.length === 0 ? {} : { dictionary }),
      });
    } catch (error) {
      throw new SpdyError(`headers cannot be unpacked: ${error instanceof Error ? error.message : error}`);
    }
  }
}

function parseBlock(plain: Buffer): Headers {
  const headers = new Map<string, string>();
  let at = 0;
  const number = (): number => {
    if (at + 4 > plain.length) throw new SpdyError('a header block is cut off');
    at += 4;
    return plain.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > plain.length) throw new SpdyError('a header block is cut off');
    at += length;
    return plain.toString('utf8', at - length, at);
  };
  const count = number();
  if (count > maxHeaders) throw new SpdyError(`${count} headers are too many`);
  for (let index = 0; index < count; index += 1) headers.set(text().toLowerCase(), text());
  return headers;
}
