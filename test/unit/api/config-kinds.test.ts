import t from 'tap';
import type { ConfigMap } from '../../../src/api/config-map.ts';
import { formatFieldError } from '../../../src/api/field-error.ts';
import type { KindDefinition } from '../../../src/api/kind.ts';
import { configMapKind, secretKind, serviceAccountKind } from '../../../src/api/kinds.ts';
import type { KubeObject } from '../../../src/api/meta.ts';
import type { Secret } from '../../../src/api/secret.ts';
import type { ServiceAccount } from '../../../src/api/service-account.ts';
import { checkStructure } from '../../../src/api/structural.ts';
import { shown } from './pod-fixture.ts';

const now = Date.parse('2026-01-01T01:00:00Z');
const metadata = { name: 'x', namespace: 'default', uid: '1', creationTimestamp: '2026-01-01T00:00:00Z' };
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** As the server reads a document. */
function read<T extends KubeObject>(kind: KindDefinition<T>, fields: object): T {
  const { object, errors } = checkStructure<T>(kind, { metadata, ...fields }, { fieldValidation: 'Strict' });
  if (errors.length > 0) throw new Error(errors.map((error) => error.message).join('\n'));
  kind.applyDefaults(object);
  return object;
}

const configMap = (fields: object = {}): ConfigMap => read(configMapKind, fields);
const secret = (fields: object = {}): Secret => read(secretKind, fields);

t.test('ConfigMaps: names of the data, size, table', async (t) => {
  const good = configMap({ data: { 'a.b_c-1': 'x' }, binaryData: { bin: base64('\0') } });
  t.same(shown(configMapKind.validateCreate(good)), []);
  t.same(configMapKind.row(good, now), ['x', 2, '60m']);
  t.same(configMapKind.row(configMap(), now), ['x', 0, '60m']);
  for (const key of ['', '/', 'a/b', '..', '.', '..a', 'a b', 'é', 'a'.repeat(254), '\0']) {
    const [first = ''] = shown(configMapKind.validateCreate(configMap({ data: { [key]: '' } })));
    t.equal(first, `FieldValueInvalid data[${key}]`, JSON.stringify(key));
    const [binary = ''] = shown(configMapKind.validateCreate(configMap({ binaryData: { [key]: '' } })));
    t.equal(binary, `FieldValueInvalid binaryData[${key}]`, JSON.stringify(key));
  }
  t.same(shown(configMapKind.validateCreate(configMap({ data: { a: '' }, binaryData: { a: '' } }))), [
    'FieldValueInvalid data[a]',
  ]);
  const half = 'x'.repeat(512 * 1024);
  t.same(shown(configMapKind.validateCreate(configMap({ data: { a: half }, binaryData: { b: base64(half) } }))), []);
  const above = configMap({ data: { a: `${half}x` }, binaryData: { b: base64(half) } });
  t.same(shown(configMapKind.validateCreate(above)), ['FieldValueTooLong ']);
});

t.test('an immutable ConfigMap or Secret keeps its data, and stays immutable', async (t) => {
  const current = configMap({ data: { a: '1', b: '2' }, immutable: true });
  t.same(shown(configMapKind.validateUpdate(configMap({ data: { b: '2', a: '1' }, immutable: true }), current)), []);
  t.same(
    shown(
      configMapKind.validateUpdate(configMap({ data: { a: '1' }, binaryData: { b: '' }, immutable: false }), current),
    ),
    ['FieldValueForbidden binaryData', 'FieldValueForbidden data', 'FieldValueForbidden immutable'],
  );
  const free = configMap({ data: { a: '1' } });
  t.same(shown(configMapKind.validateUpdate(current, free)), [], 'it can be made so later');
  const fixed = secret({ data: { a: base64('1') }, immutable: true });
  t.same(shown(secretKind.validateUpdate(secret({ stringData: { a: '1' }, immutable: true }), fixed)), []);
  t.same(shown(secretKind.validateUpdate(secret({ stringData: { a: '2' } }), fixed)), [
    'FieldValueForbidden data',
    'FieldValueForbidden immutable',
  ]);
});

t.test('Secrets: defaults, texts become data, the type stays', async (t) => {
  const made = secret({ data: { a: base64('old'), b: 'Yg==' }, stringData: { a: 'new', __proto__x: 'y' } });
  t.equal(made.type, 'Opaque');
  t.same({ ...made.data }, { a: base64('new'), b: 'Yg==', __proto__x: base64('y') });
  t.notOk('stringData' in made);
  t.same(secretKind.row(made, now), ['x', 'Opaque', 3, '60m']);
  t.equal(secretKind.selectableFields(made).type, 'Opaque');

  const tls = secret({ type: 'kubernetes.io/tls', data: { 'tls.crt': '', 'tls.key': '' } });
  const next = checkStructure<Secret>(
    secretKind,
    { metadata, data: { 'tls.crt': '', 'tls.key': '' } },
    { fieldValidation: 'Strict' },
  ).object;
  secretKind.prepareForUpdate(next, tls);
  secretKind.applyDefaults(next);
  t.equal(next.type, 'kubernetes.io/tls', 'an update that names no type means the same one');
  t.same(shown(secretKind.validateUpdate(secret({ type: 'Opaque' }), tls)), ['FieldValueInvalid type']);
  const big = { data: { a: base64('x'.repeat(1024 * 1024 + 1)) } };
  t.same(shown(secretKind.validateCreate(secret(big))), ['FieldValueTooLong data']);
});

t.test('Secrets of the known types have what their readers need', async (t) => {
  const errorsOf = (type: string, stringData: object = {}, annotations: object = {}) =>
    shown(secretKind.validateCreate(secret({ type, stringData, metadata: { ...metadata, annotations } })));
  t.same(errorsOf('my/type'), []);
  t.same(errorsOf('kubernetes.io/tls'), ['FieldValueRequired data[tls.crt]', 'FieldValueRequired data[tls.key]']);
  t.same(errorsOf('kubernetes.io/basic-auth'), [
    'FieldValueRequired data[password]',
    'FieldValueRequired data[username]',
  ]);
  t.same(errorsOf('kubernetes.io/basic-auth', { password: '' }), []);
  t.same(errorsOf('kubernetes.io/ssh-auth', { 'ssh-privatekey': '' }), ['FieldValueRequired data[ssh-privatekey]']);
  t.same(errorsOf('kubernetes.io/ssh-auth', { 'ssh-privatekey': 'x' }), []);
  const account = 'kubernetes.io/service-account.name';
  t.same(errorsOf('kubernetes.io/service-account-token'), [`FieldValueRequired metadata.annotations[${account}]`]);
  t.same(errorsOf('kubernetes.io/service-account-token', {}, { [account]: 'default' }), []);
  for (const [type, key] of [
    ['kubernetes.io/dockercfg', '.dockercfg'],
    ['kubernetes.io/dockerconfigjson', '.dockerconfigjson'],
  ] as const) {
    t.same(errorsOf(type), [`FieldValueRequired data[${key}]`]);
    t.same(errorsOf(type, { [key]: '{"auths":{}}' }), []);
    t.same(errorsOf(type, { [key]: 'canary{' }), [`FieldValueInvalid data[${key}]`]);
  }
});

t.test('what is wrong with a Secret is told without a word of it', async (t) => {
  const canary = 'canary-7f3a91';
  const wrong = [
    secret({ type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': `{${canary}` } }),
    secret({ stringData: { 'a/b': canary } }),
    secret({ type: 'kubernetes.io/tls', stringData: { a: canary } }),
  ];
  for (const object of wrong) {
    const text = secretKind.validateCreate(object).map(formatFieldError).join();
    t.not(text, '');
    t.notMatch(text, canary);
    t.notMatch(text, base64(canary));
  }
  for (const data of [{ a: `${canary}!` }, { a: { canary } }, { a: [canary] }, { a: 'abc' }, canary]) {
    const { errors } = checkStructure(secretKind, { metadata, data }, { fieldValidation: 'Strict' });
    t.not(errors.length, 0);
    t.notMatch(errors.map((error) => error.message).join(), canary);
  }
});

t.test('base64 is taken as Go takes it', async (t) => {
  t.equal(secret({ data: { a: 'YWJj\nZGVm\r\n' } }).data?.a, 'YWJjZGVm', 'line ends do not count');
  for (const text of ['YQ', 'YQ=', 'Y===', 'YW-j', 'YQ==YQ==', ' YQ==']) {
    const { errors } = checkStructure(secretKind, { metadata, data: { a: text } }, { fieldValidation: 'Strict' });
    t.match(errors, [{ field: 'data[a]', message: 'data[a]: illegal base64 data' }], text);
  }
});

t.test('ServiceAccounts', async (t) => {
  const account: ServiceAccount = read(serviceAccountKind, { automountServiceAccountToken: false });
  t.equal(account.automountServiceAccountToken, false);
  t.same(shown(serviceAccountKind.validateCreate(account)), []);
  t.same(serviceAccountKind.row(account, now), ['x', '60m']);
});
