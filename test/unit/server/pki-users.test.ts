import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import t from 'tap';
import {
  createUserToken,
  identifyUserToken,
  listUserTokens,
  revokeUserToken,
} from '../../../src/server/pki/user-tokens.ts';

const now = Date.parse('2026-01-01T00:00:00Z');
const wish = { user: 'ci', groups: ['dev', 'ops'], lifeMs: 3_600_000 };

t.test('a token is made, known, and ends with its time or when it is revoked', async (t) => {
  const directory = `${t.testdir({})}/tokens`;
  t.equal(identifyUserToken(directory, `mk_${'0'.repeat(16)}_${'0'.repeat(64)}`, now), undefined, 'there is none yet');
  t.same(listUserTokens(directory), []);
  const { token, stored } = createUserToken(directory, wish, now);
  const other = createUserToken(directory, { ...wish, user: 'other' }, now + 1000);
  t.match(token, /^mk_[0-9a-f]{16}_[0-9a-f]{64}$/);
  const file = `${directory}/${stored.id}.json`;
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.equal(statSync(directory).mode & 0o777, 0o700);
  t.notMatch(readFileSync(file, 'utf8'), token.slice(-64), 'the token itself is not kept');
  t.same(identifyUserToken(directory, token, now + 3_599_000), { user: 'ci', groups: ['dev', 'ops'] });
  t.equal(identifyUserToken(directory, token, now + 3_600_000), undefined, 'its time is over');
  t.match(
    listUserTokens(directory).map(({ user }) => user),
    ['ci', 'other'],
  );
  t.equal(revokeUserToken(directory, stored.id), true);
  t.equal(revokeUserToken(directory, stored.id), false);
  t.equal(identifyUserToken(directory, token, now), undefined);
  t.match(identifyUserToken(directory, other.token, now), { user: 'other' });
});

t.test('what is no token of ours is nobody', async (t) => {
  const directory = t.testdir({ 'aaaaaaaaaaaaaaaa.json': '{', 'secret.json': '{}' });
  const { token, stored } = createUserToken(directory, wish, now);
  const file = `${directory}/${stored.id}.json`;
  const whole = JSON.parse(readFileSync(file, 'utf8'));
  for (const forged of [
    `${token}0`,
    token.toUpperCase(),
    `${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`,
    `mk_${'a'.repeat(16)}_${'0'.repeat(64)}`,
    `mk_../../../../etc_${'0'.repeat(64)}`,
    whole.sha256,
    '',
  ]) {
    t.equal(identifyUserToken(directory, forged, now), undefined, forged);
  }
  for (const id of ['secret', '../x', '', 'A'.repeat(16)]) t.equal(revokeUserToken(directory, id), false, id);
  t.equal(listUserTokens(directory).length, 1, 'a broken file is passed over');
  for (const change of [{ sha256: 'x' }, { expires: 'never' }, { user: 7 }, { groups: 'dev' }]) {
    writeFileSync(file, JSON.stringify({ ...whole, ...change }));
    t.equal(identifyUserToken(directory, token, now), undefined, JSON.stringify(change));
  }
  rmSync(file);
  t.equal(identifyUserToken(directory, token, now), undefined);
});
