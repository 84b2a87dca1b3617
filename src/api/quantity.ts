/**
 * Resource quantities ("100m", "1.5Gi", "12e6"), exact, with the rules of k8s.io/apimachinery: no more than nine
 * decimal places (finer values round up), three ways to write the exponent, and a canonical form for each.
 */

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Quantity {
  /** The amount in units of 10^-9, the finest that Kubernetes keeps. */
  readonly nanos: bigint;
  /** How the quantity was written, which is how it is written again. */
  readonly format: QuantityFormat;
}

const formatProblem = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const numericProblem = 'unable to parse numeric part of quantity';
const suffixProblem = "unable to parse quantity's suffix";

/** As lenient as Kubernetes' scanner, which takes digits on either side of the point, or none at all, as zero. */
const pattern = /^([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)$/;

const nano = 1_000_000_000n;
const maxInt64 = 2n ** 63n - 1n;

/** Longer texts and larger exponents only serve to burn time. */
const maxDigits = 128;
const maxExponent = 64;

const decimalExponents: ReadonlyMap<string, number> = new Map([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);

const binarySuffixes: readonly string[] = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

/** Thrown for a text that is no quantity; the message is the one Kubernetes gives. */
export class QuantityError extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = 'QuantityError';
  }
}

/** Parses a quantity. Throws QuantityError. */
export function parseQuantity(text: string): Quantity {
  const match = text === '' ? null : pattern.exec(text);
  if (!match) throw new QuantityError(formatProblem);
  const [, sign = '', whole = '', fraction = '', suffix = ''] = match;
  const { base, exponent, format } = interpretSuffix(suffix);
  if (whole.length + fraction.length > maxDigits || exponent > maxExponent) throw new QuantityError(numericProblem);

  const digits = BigInt(`0${whole}${fraction}`);
  let magnitude: bigint;
  if (base === 2) {
    magnitude = divideUp((digits << BigInt(exponent)) * nano, 10n ** BigInt(fraction.length));
    if (magnitude > maxInt64 * nano) magnitude = maxInt64 * nano;
  } else {
    magnitude = scaleToNanos(digits, exponent - fraction.length);
  }
  // Below one, powers of 1024 say nothing: shown in decimal, as Kubernetes does.
  const shownAs = base === 2 && magnitude > 0n && magnitude < nano ? 'DecimalSI' : format;
  return { nanos: sign === '-' ? -magnitude : magnitude, format: shownAs };
}

export function isQuantity(value: unknown): value is string {
  return typeof value === 'string' && quantityProblem(value) === undefined;
}

/** What is wrong with the text as a quantity, in Kubernetes' words; undefined when nothing is. */
export function quantityProblem(text: string): string | undefined {
  try {
    parseQuantity(text);
    return undefined;
  } catch (error) {
    if (error instanceof QuantityError) return error.message;
    throw error;
  }
}

/** The canonical text: "0.5" becomes "500m", "1024Mi" becomes "1Gi". */
export function formatQuantity(quantity: Quantity): string {
  const { nanos, format } = quantity;
  if (nanos === 0n) return '0';
  if (format === 'BinarySI' && nanos % nano === 0n) {
    const value = nanos / nano;
    if (value <= -1024n || value >= 1024n) return formatBinary(value);
  }
  return formatDecimal(nanos, format === 'DecimalExponent');
}

/** Parses and formats again: the form in which objects are stored. Throws QuantityError. */
export function canonicalQuantity(text: string): string {
  return formatQuantity(parseQuantity(text));
}

/** Negative, zero or positive, as a is less than, equal to or greater than b. */
export function compareQuantity(a: string | Quantity, b: string | Quantity): number {
  const left = toQuantity(a).nanos;
  const right = toQuantity(b).nanos;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The sum, in the format of a unless that is zero. */
export function addQuantity(a: string | Quantity, b: string | Quantity): Quantity {
  const left = toQuantity(a);
  const right = toQuantity(b);
  return { nanos: left.nanos + right.nanos, format: left.nanos === 0n ? right.format : left.format };
}

/** The difference a - b, in the format of a unless that is zero. */
export function subtractQuantity(a: string | Quantity, b: string | Quantity): Quantity {
  const right = toQuantity(b);
  return addQuantity(a, { nanos: -right.nanos, format: right.format });
}

/** A number of CPUs in thousandths, rounded up. */
export function cpuMilli(value: string | Quantity): number {
  return Number(divideAwayFromZero(toQuantity(value).nanos, 1_000_000n));
}

/** A number of bytes, or of anything whole, rounded up and at most 2^63-1. */
export function quantityBytes(value: string | Quantity): bigint {
  const whole = divideAwayFromZero(toQuantity(value).nanos, nano);
  return whole > maxInt64 ? maxInt64 : whole < -maxInt64 ? -maxInt64 : whole;
}

/** As quantityBytes, as a number: exact up to 2^53. */
export function quantityNumber(value: string | Quantity): number {
  return Number(quantityBytes(value));
}

function toQuantity(value: string | Quantity): Quantity {
  return typeof value === 'string' ? parseQuantity(value) : value;
}

function interpretSuffix(suffix: string): { base: 2 | 10; exponent: number; format: QuantityFormat } {
  const decimal = decimalExponents.get(suffix);
  if (decimal !== undefined) return { base: 10, exponent: decimal, format: 'DecimalSI' };
  const binary = binarySuffixes.indexOf(suffix);
  if (binary > 0) return { base: 2, exponent: binary * 10, format: 'BinarySI' };
  if (/^[eE][-+]?[0-9]+$/.test(suffix)) {
    return { base: 10, exponent: Number(suffix.slice(1)), format: 'DecimalExponent' };
  }
  throw new QuantityError(suffixProblem);
}

/** digits * 10^exponent in units of 10^-9, rounded up. */
function scaleToNanos(digits: bigint, exponent: number): bigint {
  const shift = exponent + 9;
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  if (digits === 0n) return 0n;
  // Anything above zero counts as one at least; a divisor beyond the number of digits need not be computed.
  return -shift > maxDigits ? 1n : divideUp(digits, 10n ** BigInt(-shift));
}

function divideUp(value: bigint, divisor: bigint): bigint {
  return (value + divisor - 1n) / divisor;
}

function divideAwayFromZero(value: bigint, divisor: bigint): bigint {
  return value < 0n ? -divideUp(-value, divisor) : divideUp(value, divisor);
}

function formatBinary(value: bigint): string {
  let rest = value;
  let power = 0;
  while (rest % 1024n === 0n && power < binarySuffixes.length - 1) {
    rest /= 1024n;
    power++;
  }
  return `${rest}${binarySuffixes[power]}`;
}

function formatDecimal(nanos: bigint, asExponent: boolean): string {
  let rest = nanos;
  let exponent = -9;
  const largest = asExponent ? Number.POSITIVE_INFINITY : 18;
  while (rest % 1000n === 0n && exponent < largest) {
    rest /= 1000n;
    exponent += 3;
  }
  if (asExponent) return exponent === 0 ? `${rest}` : `${rest}e${exponent}`;
  for (const [suffix, power] of decimalExponents) if (power === exponent) return `${rest}${suffix}`;
  throw new RangeError(`no suffix for 10^${exponent}`);
}
