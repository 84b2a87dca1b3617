import { createHash } from 'node:crypto';
import { constants, createDeflate, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { HEADER_DICTIONARY, HEADER_DICTIONARY_ID } from '../../../src/spdy/dictionary.ts';
import { HeaderDecoder, HeaderEncoder } from '../../../src/spdy/header-block.ts';

/** As kubectl 1.36 sends them for `exec -i`: one compressed stream over all four. */
const recorded = [
  ['78f9e3c6a7c26260606004a7b392a2d4c45c6851c29a5a54945f04000000ffff', 'error'],
  ['c22e555c92929907000000ffff', 'stdin'],
  ['c22ac5565c92925f5a02000000ffff', 'stdout'],
  ['c229975a5404000000ffff', 'stderr'],
] as const;

t.test('the dictionary is the one of SPDY/3', async (t) => {
  let [a, b] = [1, 0];
  for (const byte of HEADER_DICTIONARY) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  t.equal(HEADER_DICTIONARY.length, 1423);
  t.equal(b * 65_536 + a, HEADER_DICTIONARY_ID);
});

t.test('what kubectl sends is understood, block after block', async (t) => {
  const decoder = new HeaderDecoder();
  for (const [block, name] of recorded) {
    t.same([...decoder.decode(Buffer.from(block, 'hex'))], [['streamtype', name]]);
  }
});

t.test('what we write, zlib reads as one stream', async (t) => {
  const encoder = new HeaderEncoder();
  const decoder = new HeaderDecoder();
  const entries = fc.array(fc.tuple(fc.stringMatching(/^[a-z]{1,20}$/), fc.string({ maxLength: 200 })), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(entries, (list) => {
      const headers = new Map(list);
      t.strictSame([...decoder.decode(encoder.encode(headers))], [...headers]);
    }),
    { numRuns: 50 },
  );
});

t.test('blocks of other compressors are understood, past the window of 32 KiB too', async (t) => {
  const deflate = createDeflate({ dictionary: HEADER_DICTIONARY, level: 9 });
  const compress = (plain: Buffer): Promise<Buffer> =>
    new Promise((resolve) => {
      const parts: Buffer[] = [];
      const collect = (part: Buffer) => parts.push(part);
      deflate.on('data', collect);
      deflate.write(plain);
      deflate.flush(constants.Z_SYNC_FLUSH, () => {
        deflate.off('data', collect);
        resolve(Buffer.concat(parts));
      });
    });
  const decoder = new HeaderDecoder();
  for (let index = 0; index < 200; index += 1) {
    const value = createHash('sha512')
      .update(String(index % 90))
      .digest('base64')
      .repeat(4);
    const block = await compress(plainBlock([['requestid', value]]));
    t.equal(decoder.decode(block).get('requestid'), value);
  }
});

t.test('hostile blocks are refused', async (t) => {
  const packed = (plain: Buffer) =>
    deflateSync(plain, { dictionary: HEADER_DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH });
  const number = (value: number) => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]);
  const cases: [string, Buffer][] = [
    ['a bomb', packed(Buffer.alloc(100_000_000))],
    ['too many headers', packed(plainBlock(Array.from({ length: 33 }, (_, index) => [`h${index}`, ''])))],
    ['a length beyond the block', packed(Buffer.concat([number(1), number(0xffffffff)]))],
    ['a count beyond all', packed(number(0xffffffff))],
    ['nothing', Buffer.alloc(0)],
    ['no zlib', Buffer.from('GET / HTTP/1.1\r\n')],
    ['another dictionary', deflateSync('x', { dictionary: Buffer.from('other') })],
    ['garbage in it', Buffer.concat([packed(Buffer.alloc(0)).subarray(0, 6), Buffer.from('ffffffff', 'hex')])],
  ];
  for (const [name, block] of cases) {
    const began = performance.now();
    t.throws(() => new HeaderDecoder().decode(block), { name: 'SpdyError' }, name);
    t.ok(performance.now() - began < 1000, name);
  }
});

function plainBlock(headers: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.alloc(4 + value.length, 0);
    bytes.writeUInt32BE(value.length);
    bytes.write(value, 4);
    return bytes;
  };
  const count = Buffer.alloc(4);
  count.writeUInt32BE(headers.length);
  return Buffer.concat([count, ...headers.flatMap(([name, value]) => [text(name), text(value)])]);
}
