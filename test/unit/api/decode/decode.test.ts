import t from 'tap';
import { Decoder } from '../../../../src/api/decode/decode.ts';
import { StatusError } from '../../../../src/api/status-error.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const decoder = new Decoder();
decoder.start();
t.teardown(() => decoder.stop());

async function refusal(promise: Promise<unknown>): Promise<StatusError | undefined> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  return undefined;
}

t.test('a JSON and a YAML body', async (t) => {
  const yaml = utf8('\uFEFF---\nkind: Pod\nmetadata: {name: a, name: b}\nmode: 0400\n---\n');
  t.strictSame(await decoder.decode(yaml, 'yaml'), {
    value: { kind: 'Pod', metadata: { name: 'b' }, mode: 256 },
    duplicates: ['line 3: key "name" already set in map'],
  });
  t.strictSame(await decoder.decode(utf8('{"a":1,"a":9223372036854775807}'), 'json'), {
    value: { a: 9223372036854775807n },
    duplicates: ['duplicate field "a"'],
  });
});

t.test('large bodies are read to the same values, one after the other', async (t) => {
  const text = 'x'.repeat(1024 * 1024);
  const yaml = utf8(`__proto__: {a: 1}\nbig: 9223372036854775807\na: 1\na: 2\ntext: |\n  ${text}\n`);
  const json = utf8(`{"__proto__":{"a":1},"big":9223372036854775807,"a":1,"a":2,"text":"${text}"}`);
  const results = await Promise.all([
    decoder.decode(yaml, 'yaml'),
    decoder.decode(json, 'json'),
    decoder.decode(yaml, 'yaml'),
  ]);
  for (const { value, duplicates } of results) {
    const object = value as Record<string, unknown>;
    t.strictSame(Object.keys(object), ['__proto__', 'big', 'a', 'text']);
    t.equal(Object.getPrototypeOf(object), Object.prototype);
    t.equal(object.big, 9223372036854775807n);
    t.equal(object.a, 2);
    t.equal((object.text as string).trimEnd(), text);
    t.equal(duplicates.length, 1);
  }
});

t.test('a body that is no document is a 400 with its place', async (t) => {
  const table: [string | Uint8Array, 'json' | 'yaml', string][] = [
    ['{"a": }', 'json', 'the body is not valid JSON: line 1, column 7: expected a value'],
    ['a: 1\n b: 2\n', 'yaml', 'the body is not valid YAML: line 2, column 3: '],
    ['', 'json', 'the body is not valid JSON: line 1, column 1: the document is empty'],
    ['# nothing\n', 'yaml', 'the body is empty'],
    ['a: 1\n---\n# x\nb: 1\n', 'yaml', 'the body has 2 YAML documents (the second begins in line 4): send each in a'],
    [
      Uint8Array.of(0x61, 0x3a, 0x0a, 0x20, 0x62, 0xc3, 0x28),
      'yaml',
      'not valid YAML: line 2, column 3: invalid UTF-8',
    ],
    [Uint8Array.of(0x7b, 0xef, 0xbf), 'json', 'the body is not valid JSON: line 1, column 2: invalid UTF-8'],
    [`${'#'.repeat(100_000)}\na: [`, 'yaml', 'the body is not valid YAML: line 2, column 5: '],
  ];
  for (const [body, format, message] of table) {
    const bytes = typeof body === 'string' ? utf8(body) : body;
    const error = await refusal(decoder.decode(bytes, format));
    t.match(error?.status, { code: 400, reason: 'BadRequest' });
    t.ok(error?.message.includes(message), String(error?.message));
  }
});

t.test('a body above the limit is a 413', async (t) => {
  const bytes = new Uint8Array(3 * 1024 * 1024 + 1).fill(0x20);
  const error = await refusal(decoder.decode(bytes, 'json'));
  t.match(error?.status, { code: 413, reason: 'RequestEntityTooLarge' });
});

t.test('a file has any number of documents, and all of them or none are read', async (t) => {
  const { documents, errors } = await decoder.decodeAll(utf8('a: 1\n---\n---\nb: 2\nb: 3\n'));
  t.strictSame(errors, []);
  t.strictSame(documents, [
    { value: { a: 1 }, duplicates: [], line: 1 },
    { value: { b: 3 }, duplicates: ['line 5: key "b" already set in map'], line: 4 },
  ]);
  t.strictSame((await decoder.decodeAll(utf8(''))).documents, []);
  t.strictSame(await decoder.decodeAll(utf8('a: 1\n---\nb: .nan\n')), {
    documents: [],
    errors: [{ message: 'line 3, column 4: .nan has no place in JSON', line: 3, column: 4 }],
  });
});

t.test('bodies beyond what may wait are put off', async (t) => {
  const busy = new Decoder();
  const large = utf8(`{"a":"${'x'.repeat(100_000)}"}`);
  const results = Array.from({ length: 40 }, () => busy.decode(large, 'json').catch((error) => error.status?.code));
  await busy.stop();
  const codes = await Promise.all(results);
  t.equal(codes.filter((code) => code === 429).length, 7);
  t.equal(codes.filter((code) => code === 503).length, 33);
});
