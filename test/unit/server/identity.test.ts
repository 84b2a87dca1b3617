import t from 'tap';
import { isAllowedHost, isAllowedOrigin } from '../../../src/server/http/host-check.ts';
import { authenticate, identityOfToken, isAdmin, type Peer } from '../../../src/server/identity.ts';
import { hashToken } from '../../../src/server/pki/pki.ts';
import { API_AUDIENCE } from '../../../src/tokens/service-account-tokens.ts';

const hash = hashToken('right');
const admin = { user: 'a', groups: ['system:masters'] };
const other = { user: 'b', groups: ['others'] };
const tokens = {
  identify: (token: string) =>
    token === 'of-an-account' ? { user: 'system:serviceaccount:a:b', groups: [], uid: '1' } : undefined,
};
const nobody: Peer = { transport: 'tls', certificate: undefined };

t.test('who a request is from', async (t) => {
  const cases: [string, Peer, string | undefined, boolean | undefined][] = [
    ['the unix socket is the administrator', { transport: 'unix' }, undefined, true],
    ['nothing is nobody', nobody, undefined, undefined],
    ['the right token', nobody, 'Bearer right', true],
    ['the scheme in any case', nobody, 'bearer right', true],
    ['a wrong token', nobody, 'Bearer wrong', undefined],
    ['a token and more', nobody, 'Bearer right wrong', undefined],
    ['no token', nobody, 'Bearer ', undefined],
    ['the hash is no token', nobody, `Bearer ${hash.toString('hex')}`, undefined],
    ["a service account's token", nobody, 'Bearer of-an-account', false],
    ['another scheme', nobody, 'Basic right', undefined],
    ["an administrator's certificate", { transport: 'tls', certificate: admin }, undefined, true],
    ['a certificate goes before a token', { transport: 'tls', certificate: other }, 'Bearer right', false],
  ];
  for (const [name, peer, authorization, expected] of cases) {
    const identity = authenticate(peer, authorization, (token) =>
      identityOfToken(token, { tokenHash: () => hash, tokens, identifyUserToken: () => undefined }, [API_AUDIENCE]),
    );
    t.equal(identity && isAdmin(identity), expected, name);
    if (identity) t.ok(identity.groups.includes('system:authenticated'), name);
  }
});

t.test('names under which the server may be reached', async (t) => {
  const allowed = new Set(['localhost', '127.0.0.1', '::1', 'my-host']);
  for (const host of ['localhost', 'LOCALHOST:10250', '127.0.0.1:1', '[::1]', '[::1]:10250', 'my-host:443']) {
    t.ok(isAllowedHost(host, allowed), host);
    t.ok(isAllowedOrigin(`https://${host}`, allowed), host);
  }
  for (const host of [
    undefined,
    '',
    'evil.example',
    'localhost.evil.example',
    'evil.example:10250',
    'localhost@evil.example',
    'localhost/evil',
    '::1',
    '127.0.0.1:',
    'localhost:123456',
  ]) {
    t.notOk(isAllowedHost(host, allowed), String(host));
    if (host !== undefined) t.notOk(isAllowedOrigin(`http://${host}`, allowed), host);
  }
  t.ok(isAllowedOrigin(undefined, allowed), 'no web page');
  for (const origin of ['null', '', 'file://', 'ftp://localhost', 'http://localhost http://evil']) {
    t.notOk(isAllowedOrigin(origin, allowed), origin);
  }
});
