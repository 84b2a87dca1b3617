import t from 'tap';
import { CriLogDecoder, type DecoderOptions, fixedWidthTime, parseHeader } from '../../../src/logs/cri-format.ts';

const log = `2016-10-06T00:17:01Z stdout F first
2016-10-06T02:17:02.5+02:00 stderr F second
2016-10-06T00:17:03.000000001Z stdout P one
2016-10-06T00:17:03.000000002Z stdout P  long
2016-10-06T00:17:03.000000003Z stdout F  line
2016-10-06T00:17:04Z stdout F 
no header at all
2016-10-06T00:17:05Z stdmid F wrong stream
2016-10-06T00:17:06Z stdout X wrong tag
2016-10-06T00:17:07Z stdout F:later with more tags
2016-10-06T00:17:08Z stdout F cut o`;
const text = 'first\nsecond\none long line\n\nwith more tags\ncut o';

const decode = (options: DecoderOptions, pieceBytes: number, input = log) => {
  const decoder = new CriLogDecoder(options);
  const bytes = Buffer.from(input);
  let output = '';
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    output += decoder.decode(bytes.subarray(start, start + pieceBytes)).toString('latin1');
  }
  return output;
};

t.test('gives what the container wrote, in pieces of whatever size the file is read', async (t) => {
  for (const size of [1, 2, 3, 7, 31, 64, 127, 128, 129, 4096]) t.equal(decode({}, size), text, `pieces of ${size}`);
});

t.test('times stand in front of whole lines only, with nine decimal places', async (t) => {
  const expected = `2016-10-06T00:17:01.000000000Z first
2016-10-06T02:17:02.500000000+02:00 second
2016-10-06T00:17:03.000000001Z one long line
2016-10-06T00:17:04.000000000Z 
2016-10-06T00:17:07.000000000Z with more tags
2016-10-06T00:17:08.000000000Z cut o`;
  for (const size of [1, 5, 4096]) t.equal(decode({ timestamps: true }, size), expected, `pieces of ${size}`);
});

t.test('what is older than asked for is left out, in any time zone', async (t) => {
  const since = (time: string) => decode({ sinceMs: Date.parse(time) }, 9);
  t.equal(since('2016-10-06T00:17:02.500Z'), text.slice('first\n'.length));
  t.equal(since('2016-10-06T00:17:02.501Z'), 'one long line\n\nwith more tags\ncut o');
  t.equal(since('2016-10-06T00:17:08Z'), 'cut o');
  t.equal(since('2016-10-06T00:17:09Z'), '');
});

t.test('one of the two streams alone', async (t) => {
  t.equal(decode({ stream: 'stderr' }, 9), 'second\n');
  t.equal(decode({ stream: 'stdout' }, 9), text.replace('second\n', ''));
});

t.test('bytes that are no text pass unchanged', async (t) => {
  const bytes = Buffer.concat([Buffer.from('2016-10-06T00:17:01Z stdout F '), Buffer.from([0xff, 0, 0x1b, 0x0a])]);
  t.strictSame([...new CriLogDecoder().decode(bytes)], [0xff, 0, 0x1b, 0x0a]);
});

t.test('a line of 100 MB goes through without being held', async (t) => {
  const decoder = new CriLogDecoder();
  const piece = Buffer.alloc(65_536, 'x');
  let length = decoder.decode(Buffer.from('2016-10-06T00:17:01Z stdout F ')).length;
  for (let index = 0; index < 1600; index += 1) length += decoder.decode(piece).length;
  t.equal(length, 1600 * 65_536, 'everything came out at once');
  t.equal(decoder.decode(Buffer.from('\n2016-10-06T00:17:01Z stdout F y\n')).toString(), '\ny\n');
});

t.test('a line without a header is dropped, however long it is', async (t) => {
  const decoder = new CriLogDecoder();
  t.equal(decoder.decode(Buffer.alloc(200_000, 'x')).length, 0);
  t.equal(decoder.decode(Buffer.from('x\n2016-10-06T00:17:01Z stdout F y\n')).toString(), 'y\n');
});

t.test('a new file begins a new line', async (t) => {
  for (const cut of ['2016-10-06T00:1', '2016-10-06T00:17:01Z stdout F half']) {
    const decoder = new CriLogDecoder();
    const before = decoder.decode(Buffer.from(cut)).toString();
    decoder.startFile();
    t.equal(before + decoder.decode(Buffer.from('2016-10-06T00:17:02Z stdout F y\n')), `${cut.slice(30)}y\n`);
  }
});

t.test('headers', async (t) => {
  const header = (line: string) => parseHeader(Buffer.from(line));
  t.strictSame(header('2016-10-06T00:17:09.669794202Z stderr P:a:b x'), {
    time: '2016-10-06T00:17:09.669794202Z',
    stream: 'stderr',
    isPartial: true,
    length: 44,
  });
  for (const bad of ['', ' ', '2016-10-06 stdout F x', '2016-10-06T00:17:09Z stdout F', '2016-10-06T00:17:09Z  F x']) {
    t.equal(header(bad), undefined, JSON.stringify(bad));
  }
  t.equal(fixedWidthTime('2016-10-06T00:17:09-08:00'), '2016-10-06T00:17:09.000000000-08:00');
  t.equal(fixedWidthTime('2016-10-06T00:17:09.12Z'), '2016-10-06T00:17:09.120000000Z');
});
