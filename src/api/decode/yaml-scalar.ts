import { exactInteger } from './json.ts';

/** A scalar that its explicit tag does not fit, or that JSON cannot hold. */
export class ScalarError extends Error {}

export type Scalar = string | number | bigint | boolean | null;

const words: ReadonlyMap<string, Scalar> = new Map<string, Scalar>([
  ...spellings(true, ['y', 'yes', 'on', 'true']),
  ...spellings(false, ['n', 'no', 'off', 'false']),
  ...spellings(null, ['null']),
  ['', null],
  ['~', null],
  ...spellings(Number.NaN, ['.nan']),
  ['.NaN', Number.NaN],
  ...spellings(Number.POSITIVE_INFINITY, ['.inf', '+.inf']),
  ...spellings(Number.NEGATIVE_INFINITY, ['-.inf']),
]);

/** A word in lower case, upper case, and with its first letter in upper case: no other mixture counts. */
function spellings(value: Scalar, lower: readonly string[]): [string, Scalar][] {
  return lower.flatMap((word): [string, Scalar][] => [
    [word, value],
    [word.toUpperCase(), value],
    [word.replace(/[a-z]/, (c) => c.toUpperCase()), value],
  ]);
}

/**
 * An untagged, unquoted scalar as kubectl and the API server read it: the Go library reads YAML 1.1's words and
 * numbers with Go's own number syntax. So `yes` is true, `0400` is 256, `0o400` too, `1_000` is 1000; but `12:30:45`,
 * which is a number in YAML 1.1, and a date stay strings. Numbers may be NaN or infinite: `toJsonScalar` refuses them.
 */
export function resolvePlain(text: string): Scalar {
  const word = words.get(text);
  if (word !== undefined) return word;
  const first = text.charCodeAt(0);
  const isDigit = first >= 0x30 && first <= 0x39;
  if (isDigit || first === 0x2b || first === 0x2d) return resolveNumber(text) ?? text;
  if (first === 0x2e) return resolveFraction(text) ?? text;
  return text;
}

/** Go's ParseInt with base 0, then its ParseFloat; `_` is allowed anywhere but at the start. */
function resolveNumber(text: string): number | bigint | undefined {
  const plain = text.includes('_') ? text.replaceAll('_', '') : text;
  const match = /^([-+]?)(?:0([xXoObB])([0-9a-fA-F]+)|(0[0-7]+)|([0-9]+))$/.exec(plain);
  if (match) {
    const [, sign = '', letter, prefixed, octal, decimal] = match;
    if (decimal !== undefined && !/^0[0-9]/.test(decimal)) return exactInteger(sign === '-' ? `-${decimal}` : decimal);
    const value = letter ? based(letter.toLowerCase(), prefixed ?? '') : octal ? based('o', octal) : undefined;
    if (value !== undefined) return narrow(sign === '-' ? -value : value);
  }
  if (!/^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(plain)) return undefined;
  return finite(Number(plain));
}

/** `.5`, where Go allows `_` only between digits. */
function resolveFraction(text: string): number | undefined {
  const digits = '[0-9]+(?:_[0-9]+)*';
  if (!new RegExp(`^\\.${digits}(?:[eE][-+]?${digits})?$`).test(text)) return undefined;
  return finite(Number(text.replaceAll('_', '')));
}

/** Undefined for digits that the base does not have, or a value beyond 64 bits (20 hexadecimal digits are far beyond). */
function based(letter: string, digits: string): bigint | undefined {
  const significant = digits.replace(/^0+(?=.)/, '');
  if (significant.length > 64) return undefined;
  if (letter === 'o' && !/^[0-7]+$/.test(digits)) return undefined;
  if (letter === 'b' && !/^[01]+$/.test(digits)) return undefined;
  return BigInt(`0${letter}${significant}`);
}

/** Beyond 64 bits it is not a number any more, as in Go. */
function narrow(value: bigint): number | bigint | undefined {
  if (value < -(2n ** 63n) || value >= 2n ** 64n) return undefined;
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** `1e400` is no number for Go, so it stays a string. */
function finite(value: number): number | undefined {
  if (!Number.isFinite(value)) return undefined;
  return value === 0 ? 0 : value;
}

/**
 * A scalar with an explicit tag. Tags outside `tag:yaml.org,2002:` say nothing to us: the value is a string.
 *
 * @param tag the full tag, `tag:yaml.org,2002:int`, or `!` and `!custom` as written.
 */
export function resolveTagged(tag: string, text: string): Scalar {
  const name = tag.startsWith('tag:yaml.org,2002:') ? tag.slice('tag:yaml.org,2002:'.length) : '';
  switch (name) {
    case 'null':
      return expect(name, resolvePlain(text), (v) => v === null);
    case 'bool':
      return expect(name, resolvePlain(text), (v) => typeof v === 'boolean');
    case 'int':
      if (/[.eE]/.test(text) && !/^[-+]?0[xX]/.test(text))
        throw new ScalarError('the value does not fit its tag !!int');
      return expect(name, resolvePlain(text), (v) => typeof v === 'bigint' || Number.isInteger(v));
    case 'float':
      return expect(name, resolvePlain(text), (v) => typeof v === 'number' || typeof v === 'bigint');
    case 'timestamp':
      return expect(name, text, () => /^\d{4}-\d{1,2}-\d{1,2}($|[Tt ])/.test(text));
    case 'binary':
      return fromBase64(text);
    default:
      return text;
  }
}

function expect(tag: string, value: Scalar, fits: (value: Scalar) => boolean): Scalar {
  if (!fits(value)) throw new ScalarError(`the value does not fit its tag !!${tag}`);
  return value;
}

/** Go's StdEncoding: padded, line ends allowed. What is no UTF-8 becomes U+FFFD, as when Go writes it as JSON. */
function fromBase64(text: string): string {
  const compact = text.replace(/[\r\n]/g, '');
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) {
    throw new ScalarError('!!binary holds invalid base64 data');
  }
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.from(compact, 'base64'));
}

/** @throws ScalarError for what JSON cannot hold. */
export function toJsonScalar(value: Scalar): Scalar {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new ScalarError(`${Number.isNaN(value) ? '.nan' : '.inf'} has no place in JSON`);
  }
  return typeof value === 'string' && !value.isWellFormed() ? value.toWellFormed() : value;
}

/**
 * The JSON property name for a mapping key: booleans by name (`yes:` is "true"), integers in decimal, and what is written
 * as a float the way the Go library prints it, with the precision of a float32.
 *
 * @param text the key as written.
 */
export function keyText(value: Scalar, text: string): string {
  if (value === null) throw new ScalarError('null cannot be a key');
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'number') return String(value);
  const isFloat = !Number.isSafeInteger(value) || (/[.eE]/.test(text) && !/^[-+]?0[xX]/.test(text));
  return isFloat ? goFloatText(value) : String(value);
}

/** Go's FormatFloat(value, 'g', -1, 32). */
function goFloatText(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf';
  const target = Math.fround(value);
  if (!Number.isFinite(target)) return goFloatText(target);
  let precision = 1;
  while (precision < 9 && Math.fround(Number(target.toPrecision(precision))) !== target) precision += 1;
  const shortest = Number(target.toPrecision(precision));
  const [mantissa = '', exponent = '0'] = shortest.toExponential().split('e');
  const power = Number(exponent);
  // With the shortest form Go changes to the exponent at 10^6 already.
  if (power >= -4 && power < 6) return String(shortest);
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}
