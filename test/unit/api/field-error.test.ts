import t from 'tap';
import {
  causeOf,
  duplicate,
  type FieldError,
  FieldErrors,
  forbidden,
  formatFieldError,
  invalid,
  notFound,
  notSupported,
  required,
  tooLong,
  tooMany,
} from '../../../src/api/field-error.ts';

t.test('errors read as Kubernetes prints them', async (t) => {
  const table: [FieldError, string][] = [
    [required('spec.containers'), 'spec.containers: Required value'],
    [required('a.b', 'name or generateName is required'), 'a.b: Required value: name or generateName is required'],
    [invalid('a', 'x"y', 'must be z'), 'a: Invalid value: "x\\"y": must be z'],
    [invalid('a', -1, 'must be positive'), 'a: Invalid value: -1: must be positive'],
    [invalid('a', ['b'], 'too long'), 'a: Invalid value: ["b"]: too long'],
    [invalid('a', undefined, 'gone'), 'a: Invalid value: null: gone'],
    [notSupported('a', 'C', ['A', 'B']), 'a: Unsupported value: "C": supported values: "A", "B"'],
    [forbidden('a', 'no'), 'a: Forbidden: no'],
    [duplicate('a', 'x'), 'a: Duplicate value: "x"'],
    [notFound('a', 'x'), 'a: Not found: "x"'],
    [tooLong('a', 63), 'a: Too long: may not be more than 63 bytes'],
    [tooMany('a', 3, 2), 'a: Too many: 3: must have at most 2 items'],
    [forbidden('', 'whole'), '<nil>: Forbidden: whole'],
  ];
  for (const [error, text] of table) t.equal(formatFieldError(error), text);
});

t.test('a cause has reason, message and field', async (t) => {
  t.same(causeOf(invalid('spec.x', 1, 'must be 2')), {
    reason: 'FieldValueInvalid',
    message: 'Invalid value: 1: must be 2',
    field: 'spec.x',
  });
});

t.test('a long value is cut, and a circular thought never printed', async (t) => {
  const text = formatFieldError(invalid('a', 'x'.repeat(10_000), 'bad'));
  t.ok(text.length < 1200, `${text.length}`);
  t.match(formatFieldError(invalid('a', 2n ** 63n, 'bad')), '9223372036854775808');
});

t.test('errors are collected up to a bound', async (t) => {
  const errors = new FieldErrors();
  for (let i = 0; i < 5000; i++) errors.push(required(`a[${i}]`));
  t.equal(errors.list.length, FieldErrors.max);
});
