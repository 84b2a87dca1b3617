import fc from 'fast-check';
import t from 'tap';
import {
  addQuantity,
  canonicalQuantity,
  compareQuantity,
  cpuMilli,
  formatQuantity,
  isQuantity,
  parseQuantity,
  quantityBytes,
  quantityNumber,
  quantityProblem,
  subtractQuantity,
} from '../../../src/api/quantity.ts';

t.test('a quantity is stored in its shortest form without fractions', async (t) => {
  const table: Record<string, string> = {
    '0': '0',
    '0.0': '0',
    '-0': '0',
    '1': '1',
    '+1': '1',
    '01': '1',
    '0.5': '500m',
    '.5': '500m',
    '1.': '1',
    '1.5': '1500m',
    '1500m': '1500m',
    '1000m': '1',
    '1000': '1k',
    '1024': '1024',
    '100000': '100k',
    '1.5Gi': '1536Mi',
    '1024Mi': '1Gi',
    '1048576Ki': '1Gi',
    '1025Mi': '1025Mi',
    '0.5Ki': '512',
    '1023Ki': '1023Ki',
    '0.1Ki': '102400m',
    '12e6': '12e6',
    '1E3': '1e3',
    '1e5': '100e3',
    '1e0': '1',
    '1E': '1E',
    '1k': '1k',
    '0.1m': '100u',
    '0.0000000001': '1n',
    '-1.5': '-1500m',
    '-1Gi': '-1Gi',
    '1000E': '1000E',
    '9999999Ei': '9223372036854775807',
  };
  for (const [text, canonical] of Object.entries(table)) t.equal(canonicalQuantity(text), canonical, text);
});

t.test('a text that is no quantity is refused in Kubernetes’ words', async (t) => {
  const format = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  const table: Record<string, string> = {
    '': format,
    abc: format,
    '1Gb': format,
    '1.2.3': format,
    '1 Gi': format,
    '１': format,
    '1ki': "unable to parse quantity's suffix",
    '1K': "unable to parse quantity's suffix",
    '1e': "unable to parse quantity's suffix",
    '1e-': "unable to parse quantity's suffix",
    '1mi': "unable to parse quantity's suffix",
  };
  for (const [text, problem] of Object.entries(table)) t.equal(quantityProblem(text), problem, JSON.stringify(text));
  t.notOk(isQuantity(5));
  t.ok(isQuantity('5'));
});

t.test('huge exponents and endless digits are refused, not computed', async (t) => {
  for (const text of ['1e999999999', `1${'0'.repeat(100_000)}`, `0.${'0'.repeat(100_000)}1`]) {
    t.equal(quantityProblem(text), 'unable to parse numeric part of quantity');
  }
  t.equal(canonicalQuantity('1e-999999999'), '1e-9', 'a tiny amount is still more than nothing');
});

t.test('amounts round away from zero to what is asked for', async (t) => {
  t.equal(cpuMilli('100m'), 100);
  t.equal(cpuMilli('0.0001'), 1);
  t.equal(cpuMilli('2'), 2000);
  t.equal(cpuMilli('-0.0001'), -1);
  t.equal(quantityBytes('1Ki'), 1024n);
  t.equal(quantityBytes('1m'), 1n);
  t.equal(quantityBytes('16Ei'), 2n ** 63n - 1n);
  t.equal(quantityNumber('1.5Gi'), 1.5 * 2 ** 30);
});

t.test('quantities compare and add across formats', async (t) => {
  t.equal(compareQuantity('1', '1000m'), 0);
  t.equal(compareQuantity('1Gi', '1G'), 1);
  t.equal(compareQuantity('-1', '0'), -1);
  t.equal(formatQuantity(addQuantity('1Gi', '512Mi')), '1536Mi');
  t.equal(formatQuantity(addQuantity('0', '1Gi')), '1Gi');
  t.equal(formatQuantity(subtractQuantity('1', '100m')), '900m');
});

t.test('the canonical form means the same and is its own canonical form', async () => {
  const suffixes = ['', 'n', 'u', 'm', 'k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'e3', 'E-2', 'e+1'];
  const quantity = fc
    .tuple(fc.integer({ min: -100_000, max: 100_000 }), fc.nat(999), fc.constantFrom(...suffixes))
    .map(([whole, fraction, suffix]) => `${whole}.${fraction}${suffix}`);
  fc.assert(
    fc.property(quantity, (text) => {
      const canonical = canonicalQuantity(text);
      return compareQuantity(text, canonical) === 0 && canonicalQuantity(canonical) === canonical;
    }),
  );
});

t.test('any text is either a quantity or a refusal, never a crash', async () => {
  const alphabet = fc.constantFrom(...'0123456789+-.eEinumkKMGTP x');
  fc.assert(
    fc.property(fc.string({ unit: alphabet, maxLength: 12 }), (text) => {
      const problem = quantityProblem(text);
      return problem !== undefined || parseQuantity(formatQuantity(parseQuantity(text))).nanos !== undefined;
    }),
  );
});
