import t from 'tap';
import * as formats from '../../../src/api/formats.ts';

const cases: Record<string, { check: (text: string) => string[]; good: string[]; bad: string[] }> = {
  'DNS labels': {
    check: formats.checkDnsLabel,
    good: ['a', '0', 'a-b', 'a--b', 'a'.repeat(63)],
    bad: ['', '-a', 'a-', 'A', 'a.b', 'a_b', 'ä', 'a\n', 'a'.repeat(64)],
  },
  'DNS subdomains': {
    check: formats.checkDnsSubdomain,
    good: ['a', 'a.b', '1.2', 'a'.repeat(253)],
    bad: ['', '.a', 'a.', 'a..b', 'a.-b', 'A', 'a\n', 'a'.repeat(254)],
  },
  'DNS names with underscores': {
    check: formats.checkDnsSubdomainWithUnderscore,
    good: ['_a', 'a_b.c', '_a._b'],
    bad: ['', '_', 'a_', '__a', 'A'],
  },
  'qualified names': {
    check: formats.checkQualifiedName,
    good: ['a', 'A_b.c-1', 'example.com/a', 'a'.repeat(63), `${'a'.repeat(253)}/b`],
    bad: ['', '/', 'a/', '/a', 'a/b/c', 'A.com/a', '-a', 'a-', 'a b', 'a'.repeat(64), `${'a'.repeat(254)}/b`],
  },
  'label values': {
    check: formats.checkLabelValue,
    good: ['', 'a', '1.2_3-x', 'a'.repeat(63)],
    bad: ['-', 'a-', 'a b', 'a/b', '\n', 'a'.repeat(64)],
  },
  'port names': {
    check: formats.checkPortName,
    good: ['a', 'http-2', '1a'],
    bad: ['', '1', 'A', 'a--b', '-a', 'a'.repeat(16)],
  },
  'variable names': {
    check: formats.checkEnvName,
    good: ['A', ' ', '1', 'a.b-c', '~'],
    bad: ['', 'A=', 'é', '\t', '\x7f'],
  },
  'config map keys': {
    check: formats.checkConfigMapKey,
    good: ['a', '.a', 'A_b-c.txt', '-'],
    bad: ['', '.', '..', '..a', 'a/b', 'a b', 'a'.repeat(254)],
  },
  'HTTP headers': { check: formats.checkHttpHeaderName, good: ['X-A', '1'], bad: ['', 'X_A', 'X A', 'X:'] },
  addresses: {
    check: formats.checkIp,
    good: ['1.2.3.4', '0.0.0.0', '::', '::1', '2001:db8::ffff', 'FE80::1'],
    bad: [
      '',
      '1.2.3',
      '1.2.3.4.5',
      '01.2.3.4',
      '1.2.3.256',
      '::ffff:1.2.3.4',
      '::ffff:102:304',
      'fe80::1%eth0',
      'a',
      '1.2.3.4/8',
    ],
  },
};

for (const [what, { check, good, bad }] of Object.entries(cases)) {
  t.test(what, async (t) => {
    for (const text of good) t.same(check(text), [], JSON.stringify(text));
    for (const text of bad) t.not(check(text).length, 0, JSON.stringify(text.slice(0, 80)));
  });
}

t.test('texts of any length are checked soon', async (t) => {
  const start = performance.now();
  for (const { check } of Object.values(cases)) {
    for (const part of ['a', 'a.', 'a-', '_a.', '1.', ':', '.', '-', '/']) check(`${part.repeat(200_000)}!`);
  }
  t.ok(performance.now() - start < 10_000);
});

t.test('numbers', async (t) => {
  t.same([1, 65535].flatMap(formats.checkPortNumber), []);
  t.equal([0, 65536, -1].flatMap(formats.checkPortNumber).length, 3);
  t.same([0, 2 ** 31 - 1].flatMap(formats.checkId), []);
  t.equal([-1, 2 ** 31].flatMap(formats.checkId).length, 2);
});
