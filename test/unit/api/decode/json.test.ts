import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { DecodeError } from '../../../../src/api/decode/decode-error.ts';
import { parseJson } from '../../../../src/api/decode/json.ts';

function refusal(text: string): string {
  try {
    parseJson(text);
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
  return 'accepted';
}

t.test('any JSON that V8 writes is read as V8 reads it, but for the digits that V8 loses', async (t) => {
  const rounded = (_: string, value: unknown) => (typeof value === 'bigint' ? Number(value) : value);
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.equal(JSON.stringify(parseJson(text).value, rounded), JSON.stringify(JSON.parse(text)));
    }),
  );
  t.pass();
});

t.test('integers keep every digit up to 64 bits', async (t) => {
  const { value } = parseJson(
    '[9007199254740991, 9007199254740993, 9223372036854775807, -9223372036854775808, 18446744073709551615, 18446744073709551616, 1e3, -0, 1.5]',
  );
  t.strictSame(value, [
    9007199254740991,
    9007199254740993n,
    9223372036854775807n,
    -9223372036854775808n,
    18446744073709551615n,
    2 ** 64,
    1000,
    0,
    1.5,
  ]);
  t.type((parseJson(`[${'9'.repeat(300)}]`).value as unknown[])[0], 'number');
});

t.test('duplicate keys are named by their path, once each, and the last one wins', async (t) => {
  const { value, duplicates } = parseJson(
    '{"metadata":{"name":"a","name":"b","name":"c"},"spec":{"containers":[{},{"image":"x","image":"y"}]},"spec":{}}',
  );
  t.strictSame(duplicates, [
    'duplicate field "metadata.name"',
    'duplicate field "spec.containers[1].image"',
    'duplicate field "spec"',
  ]);
  t.strictSame(value, { metadata: { name: 'c' }, spec: {} });
  const many = `{${Array.from({ length: 300 }, (_, i) => `"k${i}":1,"k${i}":2`).join(',')}}`;
  t.equal(parseJson(many).duplicates.length, 100, 'at most 100, as in Kubernetes');
});

t.test('names of prototype members are ordinary keys', async (t) => {
  const { value, duplicates } = parseJson(
    '{"__proto__":{"privileged":true},"constructor":{"prototype":{"privileged":true}},"toString":1,"hasOwnProperty":2}',
  );
  t.strictSame(Object.keys(value as object), ['__proto__', 'constructor', 'toString', 'hasOwnProperty']);
  t.equal(Object.getPrototypeOf(value), Object.prototype);
  t.equal(({} as { privileged?: unknown }).privileged, undefined);
  t.strictSame(duplicates, []);
  t.strictSame(parseJson('{"__proto__":1,"__proto__":2}').duplicates, ['duplicate field "__proto__"']);
});

t.test('an unpaired surrogate becomes the replacement character, as in Go', async (t) => {
  t.strictSame(parseJson('["\\ud83d\\ude00", "\\ud800x"]').value, ['😀', '\uFFFDx']);
});

t.test('every syntax error has its line and column', async (t) => {
  const table: [string, string][] = [
    ['', 'line 1, column 1: the document is empty'],
    [' \n', 'line 2, column 1: the document is empty'],
    ['{"a": 1}\n x', 'line 2, column 2: unexpected data after the end of the document'],
    ['{}{}', 'line 1, column 3: unexpected data after the end of the document'],
    ['{\n  "a": 1,\n}', 'line 3, column 1: expected a property name in double quotes'],
    ['{\r\n  a: 1}', 'line 2, column 3: expected a property name in double quotes'],
    ['{"a" 1}', "line 1, column 6: expected ':' after a property name"],
    ['{"a": 1 "b": 2}', "line 1, column 9: expected ',' or '}' after a property value"],
    ['[1 2]', "line 1, column 4: expected ',' or ']' after a list element"],
    ['[1,]', 'line 1, column 4: expected a value'],
    ['[01]', "line 1, column 3: expected ',' or ']' after a list element"],
    ['[+1]', 'line 1, column 2: expected a value'],
    ['[.5]', 'line 1, column 2: expected a value'],
    ['[NaN]', 'line 1, column 2: expected a value'],
    ['[1e999]', 'line 1, column 2: the number is out of range'],
    ['[tru]', 'line 1, column 2: expected a value'],
    ['{"a":', 'line 1, column 6: the document ends where a value is expected'],
    ['["a', 'line 1, column 4: the document ends inside a string'],
    ['["a\tb"]', 'line 1, column 4: a control character inside a string must be escaped'],
    ['["\\x"]', 'line 1, column 3: unknown escape sequence in a string'],
    ['["\\u12g4"]', 'line 1, column 3: expected four hexadecimal digits after \\u'],
    ['// no\n{}', 'line 1, column 1: expected a value'],
    ['\uFEFF{}', 'line 1, column 1: expected a value'],
    ['['.repeat(1001), 'line 1, column 1001: nested deeper than 1000 levels'],
  ];
  for (const [text, message] of table) t.equal(refusal(text), message, JSON.stringify(text.slice(0, 30)));
  t.equal(refusal('['.repeat(1000) + ']'.repeat(1000)), 'accepted', 'depth 1000 is allowed');
});
