import type { FileHandle } from 'node:fs/promises';
import { MAX_HEADER_BYTES, parseHeader } from './cri-format.ts';

const BLOCK_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

/**
 * Where the last `lines` lines of a log begin. Reads backwards from `size` in blocks, whatever the length of a line;
 * the pieces of a long line count as the one line that they are.
 *
 * @returns an offset in the file; `size` for no line at all, 0 when the file has fewer.
 */
export async function findTailStart(file: FileHandle, size: number, lines: number): Promise<number> {
  if (lines <= 0) return size;
  let found = 0;
  /** Where the line after the one in hand begins: what is returned when that one is one too many. */
  let nextLine = size;
  const isTooMany = (start: number, text: Buffer): boolean => {
    const header = parseHeader(text);
    // The last line of a file may be a piece whose end is still to come: a line all the same.
    if (header && (!header.isPartial || found === 0)) found += 1;
    if (found > lines) return true;
    nextLine = start;
    return false;
  };

  /** The first bytes of the block after the one in hand: a header may lie across the border. */
  let after: Buffer = Buffer.alloc(0);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const block = await readFully(file, start, end - start);
    const text = Buffer.concat([block, after]);
    for (let index = block.lastIndexOf(LINE_FEED); index >= 0; index = lastIndexBefore(block, index)) {
      const lineStart = start + index + 1;
      if (lineStart < size && isTooMany(lineStart, text.subarray(index + 1))) return nextLine;
    }
    if (start === 0 && isTooMany(0, text)) return nextLine;
    after = text.subarray(0, MAX_HEADER_BYTES);
    end = start;
  }
  return 0;
}

function lastIndexBefore(block: Buffer, index: number): number {
  // A negative offset would count from the end of the block.
  return index === 0 ? -1 : block.lastIndexOf(LINE_FEED, index - 1);
}

async function readFully(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const block = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(block, done, length - done, position + done);
    // Truncated meanwhile; the reader will see that, too.
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return block.subarray(0, done);
}
