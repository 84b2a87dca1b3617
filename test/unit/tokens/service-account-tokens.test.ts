import { createHmac, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { namespaceKind, podKind, serviceAccountKind } from '../../../src/api/kinds.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { Store } from '../../../src/store/store.ts';
import { API_AUDIENCE, ServiceAccountTokens } from '../../../src/tokens/service-account-tokens.ts';
import { openTokenSigner, TokenSigner } from '../../../src/tokens/token-signer.ts';
import { logger } from '../sources/support.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signer = new TokenSigner(keys.privateKey);

function world(t: Test) {
  let now = start;
  const clock = { now: () => now, monotonicMs: () => 0 };
  const store = new Store({ path: `${t.testdir()}/store.db`, logger, clock, bootId: 'b' });
  store.open();
  t.teardown(() => store.close());
  store.create(namespaceKind, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ns', uid: 'n' } });
  const addAccount = (name: string, uid: string) =>
    store.create(serviceAccountKind, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name, namespace: 'ns', uid },
    });
  addAccount('robot', 'sa-1');
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'ns', uid: 'pod-1' },
    spec: { serviceAccountName: 'robot', containers: [{ name: 'c', image: 'x' }] },
  };
  store.create(podKind, pod);
  const tokens = new ServiceAccountTokens({ signer, store, clock });
  const pass = (seconds: number) => {
    now += seconds * 1000;
  };
  return { tokens, store, pod, pass, addAccount };
}

function claimsOf(token: string) {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

t.test('a token is a JWT as Kubernetes writes it, and anybody with the public key can check it', async (t) => {
  const { tokens } = world(t);
  const issued = tokens.issue('ns', 'robot', {
    audiences: [],
    expirationSeconds: 600,
    boundTo: { kind: 'Pod', name: 'web', uid: 'pod-1' },
  });
  const { token = '' } = issued ?? {};
  t.equal(issued?.expiresAtMs, start + 600_000);
  t.match(claimsOf(token), {
    iss: API_AUDIENCE,
    sub: 'system:serviceaccount:ns:robot',
    aud: [API_AUDIENCE],
    iat: start / 1000,
    nbf: start / 1000,
    exp: start / 1000 + 600,
    'kubernetes.io': {
      namespace: 'ns',
      serviceaccount: { name: 'robot', uid: 'sa-1' },
      pod: { name: 'web', uid: 'pod-1' },
    },
  });
  const [header = '', payload = '', signature = ''] = token.split('.');
  t.match(JSON.parse(Buffer.from(header, 'base64url').toString()), { alg: 'ES256', typ: 'JWT' });
  const key = { key: createPublicKey(keys.privateKey), dsaEncoding: 'ieee-p1363' } as const;
  t.ok(verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')));
  t.same(tokens.identify(token), {
    user: 'system:serviceaccount:ns:robot',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
    uid: 'sa-1',
  });
  t.equal(tokens.issue('ns', 'nobody', { audiences: [], expirationSeconds: 600 }), undefined);
});

t.test('a token ends with its time, its account, and what it is bound to', async (t) => {
  const { tokens, store, pass, addAccount } = world(t);
  const make = (audiences: string[] = []) =>
    tokens.issue('ns', 'robot', {
      audiences,
      expirationSeconds: 600,
      boundTo: { kind: 'Pod', name: 'web', uid: 'pod-1' },
    })?.token ?? '';
  const token = make();
  t.ok(tokens.identify(token));
  t.notOk(tokens.identify(make(['vault'])), 'it is for somebody else');
  t.ok(tokens.identify(make(['vault', API_AUDIENCE])));
  pass(599);
  t.ok(tokens.identify(token));
  pass(1);
  t.notOk(tokens.identify(token), 'its time is over');

  const bound = make();
  const pod = store.delete(podKind, 'ns', 'web');
  t.notOk(tokens.identify(bound), 'its pod is gone');
  store.create(podKind, { ...pod, metadata: { ...pod.metadata, uid: 'pod-2' } });
  t.notOk(tokens.identify(bound), 'another pod of the name is no heir');
  const free = tokens.issue('ns', 'robot', { audiences: [], expirationSeconds: 600 })?.token ?? '';
  store.delete(serviceAccountKind, 'ns', 'robot');
  t.notOk(tokens.identify(free), 'its account is gone');
  addAccount('robot', 'sa-2');
  t.notOk(tokens.identify(free), 'another account of the name is no heir');
});

t.test('forgeries are refused', async (t) => {
  const { tokens } = world(t);
  const token = tokens.issue('ns', 'robot', { audiences: [], expirationSeconds: 600 })?.token ?? '';
  const [header = '', payload = '', signature = ''] = token.split('.');
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const other = new TokenSigner(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
  const none = encode({ alg: 'none', typ: 'JWT' });
  const hmac = encode({ alg: 'HS256', typ: 'JWT' });
  const pem = createPublicKey(keys.privateKey).export({ type: 'spki', format: 'pem' });
  const changed = encode({ ...claimsOf(token), sub: 'system:serviceaccount:ns:admin' });
  const bytes = Buffer.from(signature, 'base64url');
  const zero = Buffer.alloc(64).toString('base64url');
  const forgeries: Record<string, string> = {
    empty: '',
    dots: '..',
    'no signature': `${header}.${payload}.`,
    'a signature of zeros': `${header}.${payload}.${zero}`,
    'a short signature': `${header}.${payload}.${bytes.subarray(0, 32).toString('base64url')}`,
    'alg none': `${none}.${payload}.`,
    'the public key as a shared secret': `${hmac}.${payload}.${createHmac('sha256', pem).update(`${hmac}.${payload}`).digest('base64url')}`,
    'other claims': `${header}.${changed}.${signature}`,
    'another key': other.sign(claimsOf(token)),
    'a fourth part': `${token}.x`,
    'much too long': `${header}.${'A'.repeat(100_000)}.${signature}`,
  };
  for (const [what, forgery] of Object.entries(forgeries)) t.equal(tokens.identify(forgery), undefined, what);
  t.ok(tokens.identify(token));
});

t.test('the token in a volume stays until four fifths of its life, and is then another', async (t) => {
  const { tokens, pod, pass, store, addAccount } = world(t);
  const wish = { audience: '', expirationSeconds: 1000 };
  const first = tokens.ofPod(pod, wish);
  t.match(claimsOf(first ?? '')['kubernetes.io'].pod, { name: 'web', uid: 'pod-1' });
  t.equal(tokens.dueAtMs('pod-1'), start + 800_000);
  t.equal(tokens.dueAtMs('pod-2'), undefined);
  pass(799);
  t.equal(tokens.ofPod(pod, wish), first);
  const other = tokens.ofPod(pod, { ...wish, audience: 'vault' });
  t.same(claimsOf(other ?? '').aud, ['vault']);
  pass(1);
  const second = tokens.ofPod(pod, wish);
  t.not(second, first);
  t.equal(tokens.dueAtMs('pod-1'), start + 1_599_000);
  store.delete(serviceAccountKind, 'ns', 'robot');
  t.equal(tokens.ofPod(pod, wish), undefined);
  addAccount('robot', 'sa-2');
  t.equal(claimsOf(tokens.ofPod(pod, wish) ?? '')['kubernetes.io'].serviceaccount.uid, 'sa-2');
  t.equal(tokens.dueAtMs('pod-1') === undefined, false);
  const year = 365 * 24 * 3600;
  tokens.ofPod({ ...pod, metadata: { ...pod.metadata, uid: 'pod-3' } }, { audience: '', expirationSeconds: year });
  t.equal(tokens.dueAtMs('pod-3'), start + 800_000 + 24 * 3_600_000, 'once a day at least');
});

t.test('the key is made once, for root alone', async (t) => {
  const path = join(t.testdir({}), 'pki/sa.key');
  const claims = { iss: 'i', sub: 's', aud: ['a'], exp: 2, iat: 0, nbf: 0 };
  const token = openTokenSigner(path).sign(claims);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.match(openTokenSigner(path).verify(token, 1000), claims);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  t.throws(() => openTokenSigner(path), { message: /no key of the curve P-256/ });
  t.ok(readFileSync(path).length > 0, 'and it is left as it was');
});
