import t from 'tap';
import { type LoginsOf, matchingCredentials } from '../../../src/images/keyring.ts';

const login = (location: string, username = location) => ({ location, username, password: 'p' });
const node = (...locations: string[]): LoginsOf => ({ source: undefined, logins: locations.map((at) => login(at)) });
const users = (all: readonly LoginsOf[], repository: string) =>
  matchingCredentials(all, repository).map(({ username }) => username);

t.test('a credential is for its registry, and for nothing that only looks like it', async (t) => {
  const cases: [repository: string, location: string, isFor: boolean][] = [
    ['registry.test/app', 'registry.test', true],
    ['registry.test/app', 'https://registry.test', true],
    ['registry.test/app', 'http://registry.test/', true],
    ['registry.test/app', 'https://registry.test/v1/', true],
    ['registry.test/app', 'registry.test/v2/', true],
    ['registry.test/app', 'https://someone:secret@registry.test', true],
    ['registry.test/app', 'registry.test?x#y', true],
    ['registry.test.evil.test/app', 'registry.test', false],
    ['evil.test/registry.test', 'registry.test', false],
    ['evil-registry.test/app', 'registry.test', false],
    ['registry.testing/app', 'registry.test', false],
    ['sub.registry.test/app', 'registry.test', false],
    ['registry.test/app', 'registry.test@evil.test', false],
    ['evil.test/app', 'registry.test@evil.test', true],
    ['registry.test:5000/app', 'registry.test', false],
    ['registry.test/app', 'registry.test:5000', false],
    ['registry.test:443/app', 'registry.test', false],
    ['registry.test:5000/app', 'registry.test:5000', true],
    ['registry.test:50001/app', 'registry.test:5000', false],
    ['127.0.0.1:5000/app', 'https://127.0.0.1:5000', true],
    ['[::1]:5000/app', 'https://[::1]:5000', true],
    ['[::1]:5000/app', '[::2]:5000', false],
    ['registry.test/team/app', 'registry.test/team', true],
    ['registry.test/teamwork/app', 'registry.test/team', true],
    ['registry.test/other/app', 'registry.test/team', false],
    ['registry.test/team/app', 'https://registry.test/v2/team', true],
    ['registry.test/team', 'registry.test/%74eam', true],
    ['sub.registry.test/app', '*.registry.test', true],
    ['a.sub.registry.test/app', '*.registry.test', false],
    ['registry.test/app', '*.registry.test', false],
    ['eu-1.registry.test/app', 'eu-*.registry.test', true],
    ['us-1.registry.test/app', 'eu-*.registry.test', false],
    ['sub.registry.test:5000/app', '*.registry.test', false],
    ['sub.registry.test:5000/app', '*.registry.test:5000', true],
    ['sub.registry.test/app', '*.registry.test/app', true],
    ['evil.test/sub.registry.test', '*.*.test', false],
    ['registry.test/app', '*', false],
    ['localhost/app', '*', true],
    ['docker.io/library/app', 'https://index.docker.io/v1/', true],
    ['docker.io/library/app', 'docker.io', true],
    ['registry.test/docker.io/app', 'https://index.docker.io/v1/', false],
    ['registry.test/app', 'ftp://registry.test', false],
    ['registry.test/app', 'registry.test:port', false],
    ['registry.test/app', 'registry .test', false],
    ['registry.test/app', 'registry.test/%zz', false],
    ['registry.test/app', 'registry.test\n', false],
    ['registry.test/app', '', false],
  ];
  for (const [repository, location, isFor] of cases) {
    t.equal(users([node(location)], repository).length, isFor ? 1 : 0, `${location} for ${repository}`);
  }
});

t.test('what is for a longer path is tried first, then in the order of the places', async (t) => {
  const all = [
    node('registry.test', '*.test'),
    { source: undefined, logins: [login('https://registry.test/team', 'team'), login('registry.test', 'second')] },
  ];
  t.same(users(all, 'registry.test/team/app'), ['team', 'registry.test', 'second', '*.test']);
  t.same(users(all, 'registry.test/app'), ['registry.test', 'second', '*.test']);
});

t.test('a credential tells where it is from', async (t) => {
  const source = { namespace: 'a', name: 'b', uid: 'c' };
  t.same(matchingCredentials([{ source, logins: [login('registry.test', 'u')] }], 'registry.test/app'), [
    { username: 'u', password: 'p', source },
  ]);
});

t.test('a pattern that fits in many ways takes no time', async (t) => {
  const started = performance.now();
  t.same(users([node(`${'*a'.repeat(1000)}b`)], `${'a'.repeat(4000)}/app`), []);
  t.ok(performance.now() - started < 10_000);
});
