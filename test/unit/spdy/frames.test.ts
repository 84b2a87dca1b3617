import fc from 'fast-check';
import t from 'tap';
import { controlFrame, dataHeader, dataPieces, FRAME, FrameParser } from '../../../src/spdy/frames.ts';

/** Parses the bytes in the given pieces; data of one stream that follows itself is joined. */
function parse(pieces: readonly Buffer[]): string[] {
  const events: string[] = [];
  let data = '';
  const parser = new FrameParser({
    onData: (id, piece, isFin) => {
      data += piece.toString('latin1');
      if (isFin) {
        events.push(`${id} ${data} fin`);
        data = '';
      }
    },
    onControl: (type, flags, body) => void events.push(`control ${type} ${flags} ${body.toString('hex')}`),
  });
  for (const piece of pieces) parser.push(piece);
  return events;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % bytes.length))].sort((a, b) => a - b);
  return [...sorted, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : sorted[index - 1], end));
}

t.test('frames of kubectl are cut where they end', async (t) => {
  const syn = '800300010000002a0000000100000000000078f9e3c6a7c26260606004a7b392a2d4c45c6851c29a5a54945f04000000ffff';
  const hello = '000000030000000568656c6c6f';
  const fin = '0000000301000000';
  t.same(parse([Buffer.from(syn + hello + fin, 'hex')]), [
    `control ${FRAME.synStream} 0 ${syn.slice(16)}`,
    '3 hello fin',
  ]);
});

t.test('it does not matter how frames are cut on their way', async () => {
  const frame = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => {
      const payload = Buffer.from(bytes);
      return Buffer.concat([dataHeader(7, payload.length, true), payload]);
    }),
    fc
      .tuple(fc.constantFrom(...Object.values(FRAME)), fc.uint8Array({ maxLength: 100 }))
      .map(([type, bytes]) => controlFrame(type, 0, Buffer.from(bytes))),
  );
  fc.assert(
    fc.property(
      fc.array(frame, { minLength: 1, maxLength: 10 }),
      fc.array(fc.nat({ max: 5_000 }), { maxLength: 30 }),
      (frames, places) => {
        const bytes = Buffer.concat(frames);
        t.strictSame(parse(cut(bytes, places)), parse([bytes]));
        t.equal(parse([bytes]).length, frames.length);
      },
    ),
    { numRuns: 200 },
  );
});

t.test('data is given on as it comes, however large its frame', async (t) => {
  const seen: [number, boolean][] = [];
  const parser = new FrameParser({
    onData: (_id, piece, isFin) => void seen.push([piece.length, isFin]),
    onControl: () => {},
  });
  parser.push(dataHeader(1, 10_000_000, true));
  for (let sent = 0; sent < 10_000_000; sent += 100_000) parser.push(Buffer.alloc(100_000));
  t.equal(seen.length, 100);
  t.same(seen.filter(([, isFin]) => isFin).length, 1);
  t.same(
    dataPieces(Buffer.alloc(40_000_000)).map(({ length }) => length),
    [16_777_215, 16_777_215, 6_445_570],
  );
});

t.test('hostile frames are refused', async (t) => {
  for (const [name, bytes] of [
    ['a control frame of 16 MB', '80030001' + '00ffffff'],
    ['another version', '80020001' + '00000000'],
    ['HTTP', Buffer.from('\xff\xffT / HTTP/1.1\r\n\r\n', 'latin1').toString('hex')],
  ] as const) {
    t.throws(() => parse([Buffer.from(bytes, 'hex')]), { name: 'SpdyError' }, name);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      try {
        parse([Buffer.from(bytes)]);
      } catch (error) {
        t.match(error, { name: 'SpdyError' });
      }
    }),
  );
});
