import t from 'tap';
import { DockerConfigError, parseDockerConfig } from '../../../src/images/docker-config.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

t.test('credentials are user name and password, or both as auth', async (t) => {
  const auths = {
    'a.test': { username: 'u', password: 'p', email: 'e' },
    'b.test': { auth: base64('user:pass:word') },
    'c.test': { auth: base64('user:ä').replace(/=+$/, ''), username: 'passed over' },
    'd.test': {},
    'e.test': null,
  };
  const expected = [
    { location: 'a.test', username: 'u', password: 'p' },
    { location: 'b.test', username: 'user', password: 'pass:word' },
    { location: 'c.test', username: 'user', password: 'ä' },
    { location: 'd.test', username: '', password: '' },
    { location: 'e.test', username: '', password: '' },
  ];
  const helpers = { credsStore: 'desktop', HttpHeaders: { a: 'b' } };
  t.same(parseDockerConfig(JSON.stringify({ auths, ...helpers }), 'config.json'), expected);
  t.same(parseDockerConfig(JSON.stringify(auths), '.dockercfg'), expected);
  t.same(parseDockerConfig('{}', 'config.json'), []);
  t.same(parseDockerConfig('{"auths":null}', 'config.json'), []);
});

t.test('what is wrong is told without a word of it', async (t) => {
  const secret = 'c4n4ry';
  const cases = [
    `{"auths":{"a.test":{"password":"${secret}"`,
    secret,
    `"${secret}"`,
    `["${secret}"]`,
    `{"auths":"${secret}"}`,
    `{"auths":{"a.test":"${secret}"}}`,
    `{"auths":{"a.test":{"password":["${secret}"]}}}`,
    `{"auths":{"a.test":{"auth":"${secret}!"}}}`,
    `{"auths":{"a.test":{"auth":"${base64(secret)}"}}}`,
    `{"auths":{"a.test":{"auth":"${base64(`u:${secret}`)}="}}}`,
  ];
  for (const text of cases) {
    const error = t.throws(() => parseDockerConfig(text, 'config.json'), DockerConfigError, text) as Error;
    t.notMatch(`${error.stack}`, new RegExp(`${secret}|${base64(secret)}`));
  }
});
