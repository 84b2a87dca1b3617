import t from 'tap';
import { DecodeError } from '../../../../src/api/decode/decode-error.ts';
import { parseYaml } from '../../../../src/api/decode/yaml.ts';

/*
 * The answers are those of kubectl 1.32 (`kubectl label --local -f ... -o json`) for `v: <text>`; integers beyond
 * 2^53, which kubectl prints rounded or not depending on the sign bit, are exact here.
 */
const values: [string, unknown][] = [
  ...rows(['yes', 'Yes', 'YES', 'on', 'On', 'ON', 'y', 'Y', 'true', 'True', 'TRUE'], true),
  ...rows(['no', 'No', 'NO', 'off', 'Off', 'OFF', 'n', 'N', 'false', 'False', 'FALSE'], false),
  ...rows(['~', 'null', 'Null', 'NULL', '', '# comment', '&anchor', '!!null ""'], null),
  ...same(['yEs', 'tRUE', 'nULL', '0xG', '0x', '0b12', '0b', '_1', '+', '.', '..', '1e', '1e400', '-1e400', '.e3']),
  ...same(['12:30:45', '1:30', '190:20:30.15', '2001-01-01', '2001-01-01T00:00:00Z', '2001-12-14 21:59:43.10 -5']),
  ...same(['inf', 'nan', 'NaN', 'Infinity', '1.2.3', 'v1', '100m', '1Gi', '=', '<<', '._5', '0x10000000000000000']),
  ...same(['a%b', 'a#b', '-a', '?a', ':a', 'a:b', 'http://x/y', '\\a', 'é', '😀', 'a ,b']),
  ...rows(['0755', '0o755', '0O755', '+0755'], 493),
  ...rows(['0400', '0o400', '0x100', '0b100000000'], 256),
  ['0', 0],
  ['00', 0],
  ['-0', 0],
  ['0.0', 0],
  ['-0755', -493],
  ['08', 8],
  ['09', 9],
  ['0789', 789],
  ['0x1F', 31],
  ['0X1f', 31],
  ['-0x1F', -31],
  ['0b11', 3],
  ['0B11', 3],
  ['-0b11', -3],
  ['1_000', 1000],
  ['1__0', 10],
  ['1_', 1],
  ['0x_1F', 31],
  ['0_7', 7],
  ['1_000.5', 1000.5],
  ['1e3', 1000],
  ['1E3', 1000],
  ['1e-3', 0.001],
  ['1.', 1],
  ['1.0', 1],
  ['.5', 0.5],
  ['-.5', -0.5],
  ['.5_0', 0.5],
  ['.1e3', 100],
  ['1e-400', 0],
  ['+1', 1],
  ['0.30000000000000004', 0.30000000000000004],
  ['9007199254740993', 9007199254740993n],
  ['9223372036854775807', 9223372036854775807n],
  ['-9223372036854775808', -9223372036854775808n],
  ['18446744073709551615', 18446744073709551615n],
  ['18446744073709551616', 2 ** 64],
  ['0xffffffffffffffff', 18446744073709551615n],
  ['!!str 1', '1'],
  ['!!str yes', 'yes'],
  ['!!int "1"', 1],
  ['!!float 1', 1],
  ['!!float "1.5"', 1.5],
  ['!!bool "yes"', true],
  ['!!binary aGVsbG8=', 'hello'],
  ['!!binary /w==', '\uFFFD'],
  ['!!timestamp 2001-01-01', '2001-01-01'],
  ['!custom 1', '1'],
  ['!!unknown 1', '1'],
  ['! 1', '1'],
  ['!<tag:yaml.org,2002:int> "7"', 7],
  ['!custom [1, 2]', [1, 2]],
  ['!!str [1]', [1]],
  ['!!set {a, b}', { a: null, b: null }],
  ['"\\u0000"', '\0'],
  ['"\\x41\\u00e9\\U0001F600"', 'Aé😀'],
  ["'it''s'", "it's"],
  ["'0755'", '0755'],
  ['"yes"', 'yes'],
  ['a #c', 'a'],
  ['[a: b, c]', [{ a: 'b' }, 'c']],
  ['{a, b: c}', { a: null, b: 'c' }],
  ['{a:1}', { 'a:1': null }],
  ['{"a":1}', { a: 1 }],
  ['[a, ]', ['a']],
  ['[a::b]', ['a::b']],
];

/** Keys, for `v: {<text>: x}`. */
const keys: [string, string][] = [
  ['1', '1'],
  ['yes', 'true'],
  ['n', 'false'],
  ['0x10', '16'],
  ['1_000', '1000'],
  ['9007199254740993', '9007199254740993'],
  ['1.5', '1.5'],
  ['0.1', '0.1'],
  ['1e3', '1000'],
  ['1e6', '1e+06'],
  ['1000000', '1000000'],
  ['3.14159265358', '3.1415927'],
  ['1234567.5', '1.2345675e+06'],
  ['1e-5', '1e-05'],
  ['1e20', '1e+20'],
  ['.inf', '.inf'],
  ['""', ''],
  ['"yes"', 'yes'],
  ['2001-01-01', '2001-01-01'],
  ['http://x/y', 'http://x/y'],
];

const refused: [string, string][] = [
  ['.inf', 'line 1, column 4: .inf has no place in JSON'],
  ['-.inf', 'line 1, column 4: .inf has no place in JSON'],
  ['.nan', 'line 1, column 4: .nan has no place in JSON'],
  ['{~: x}', 'line 1, column 5: null cannot be a key'],
  ['{null: x}', 'line 1, column 5: null cannot be a key'],
  ['{[a]: x}', 'line 1, column 5: a list or a map cannot be a key'],
  ['{{a: b}: x}', 'line 1, column 5: a list or a map cannot be a key'],
  ['!!int foo', 'line 1, column 10: the value does not fit its tag !!int'],
  ['!!int 1.0', 'line 1, column 10: the value does not fit its tag !!int'],
  ['!!bool foo', 'line 1, column 11: the value does not fit its tag !!bool'],
  ['!!null x', 'line 1, column 11: the value does not fit its tag !!null'],
  ['!!float x', 'line 1, column 12: the value does not fit its tag !!float'],
  ['!!timestamp x', 'line 1, column 16: the value does not fit its tag !!timestamp'],
  ['!!binary "!!"', 'line 1, column 14: !!binary holds invalid base64 data'],
  ['*x', 'line 1, column 5: the alias refers to an unknown anchor'],
  ['{<<: 1}', 'line 1, column 5: << needs a map or a list of maps'],
  ['{<<: [1]}', 'line 1, column 5: << needs a map or a list of maps'],
];

/** Syntax errors: the parser's words are its own, so only that they are refused is asserted. */
const malformed = [
  '-',
  '- a',
  'a: b',
  'a:',
  '? a',
  '@a',
  '`a',
  '%a',
  '[,]',
  '[a,,b]',
  '[1]]',
  '{a: 1}}',
  '[a #b]',
  '>a',
  '"\\q"',
  '!foo!bar x',
];

function rows(texts: string[], value: unknown): [string, unknown][] {
  return texts.map((text) => [text, value]);
}

function same(texts: string[]): [string, unknown][] {
  return texts.map((text) => [text, text]);
}

function read(text: string): unknown {
  try {
    const [document] = parseYaml(text);
    return (document?.value as { v: unknown } | undefined)?.v;
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
}

t.test('a scalar is read as kubectl reads it', async (t) => {
  for (const [text, value] of values) t.strictSame(read(`v: ${text}\n`), value, `v: ${text}`);
});

t.test('a key is named as kubectl names it', async (t) => {
  for (const [text, name] of keys) t.strictSame(read(`v: {${text}: x}\n`), { [name]: 'x' }, `{${text}: x}`);
});

t.test('what kubectl refuses is refused, with its place', async (t) => {
  for (const [text, message] of refused) t.match(read(`v: ${text}\n`), { message }, `v: ${text}`);
  for (const text of malformed) {
    const error = read(`v: ${text}\n`);
    t.type(error, DecodeError, `v: ${text}`);
    t.ok((error as DecodeError).line, `v: ${text} has a line`);
  }
});
