import { pino } from 'pino';
import t from 'tap';
import { CredentialPlugin } from '../../../src/images/credential-plugin.ts';
import { ExecError, type RunOptions } from '../../../src/util/exec.ts';

const apiVersion = 'credentialprovider.kubelet.k8s.io/v1';
const PASSWORD = 'c4n4ry';

type Answer = Record<string, unknown>;

const good: Answer = {
  kind: 'CredentialProviderResponse',
  apiVersion,
  cacheKeyType: 'Image',
  cacheDuration: '10s',
  auth: { 'registry.test': { username: 'u', password: PASSWORD } },
};
const logins = [{ location: 'registry.test', username: 'u', password: PASSWORD }];

/** A plugin whose program gives the answers of a test. */
function setUp(answer: () => Promise<string>) {
  const world = { nowMs: 0, asked: [] as string[], options: [] as RunOptions[], logged: [] as string[] };
  const plugin = new CredentialPlugin({
    provider: {
      name: 'helper',
      program: '/plugins/helper',
      matchImages: ['*.test', 'other.example/team'],
      defaultCacheDurationMs: 60_000,
      apiVersion,
      args: ['--fast'],
      env: { REGION: 'here' },
    },
    clock: { now: () => world.nowMs, monotonicMs: () => world.nowMs },
    logger: pino({}, { write: (line: string) => void world.logged.push(line) }),
    run: async (file, args, options) => {
      world.asked.push([file, ...args, options.input].join(' '));
      world.options.push(options);
      return { stdout: await answer() };
    },
  });
  return { plugin, world };
}

const answering = (change: Answer = {}) => setUp(async () => JSON.stringify({ ...good, ...change }));

t.test('the program is asked with what a kubelet would say, for the images that it is for', async (t) => {
  const { plugin, world } = answering();
  t.same(await plugin.logins('elsewhere.example/app'), []);
  t.same(await plugin.logins('other.example/app'), []);
  t.same(world.asked, []);
  t.same(await plugin.logins('registry.test/team/app'), logins);
  const request = { kind: 'CredentialProviderRequest', apiVersion, image: 'registry.test/team/app' };
  t.same(world.asked, [`/plugins/helper --fast ${JSON.stringify(request)}`]);
  t.match(world.options, [{ env: { REGION: 'here' }, timeoutMs: 60_000, withChildren: true }]);
});

t.test('an answer holds for what it says, and for as long', async (t) => {
  const cases: [change: Answer, sameImage: number, sameRegistry: number, otherRegistry: number, later: number][] = [
    [{}, 1, 2, 3, 4],
    [{ cacheKeyType: 'Registry' }, 1, 1, 2, 3],
    [{ cacheKeyType: 'Global' }, 1, 1, 1, 2],
    [{ cacheKeyType: 'Global', cacheDuration: '0s' }, 2, 3, 4, 5],
    [{ cacheKeyType: 'Global', cacheDuration: null }, 1, 1, 1, 1],
  ];
  for (const [change, ...expected] of cases) {
    const { plugin, world } = answering(change);
    const counts: number[] = [];
    const ask = async (repository: string) => {
      await plugin.logins(repository);
      counts.push(world.asked.length);
    };
    await plugin.logins('a.test/one');
    await ask('a.test/one');
    await ask('a.test/two');
    await ask('b.test/one');
    world.nowMs += 10_000;
    await ask('a.test/one');
    t.same(counts, expected, JSON.stringify(change));
  }
});

t.test('who asks while it is being asked waits for the same answer', async (t) => {
  const { plugin, world } = answering({ cacheDuration: '0s' });
  t.same(await Promise.all([plugin.logins('a.test/one'), plugin.logins('a.test/one')]), [logins, logins]);
  t.equal(world.asked.length, 1);
});

t.test('a program that fails or answers nonsense gives nothing, and nothing of it is told', async (t) => {
  const cause = new Error(`everything that it wrote: ${PASSWORD}`);
  const cases: [answer: () => Promise<string>, told: RegExp][] = [
    [() => Promise.reject(new ExecError('helper', [], 3, 'no network', cause)), /"exitCode":3,"stderr":"no network"/],
    [() => Promise.reject(new ExecError('helper', [], undefined, '', cause)), /a credential plugin has failed/],
    [async () => `{"password":"${PASSWORD}"`, /it is no JSON object/],
    [async () => '', /it is no JSON object/],
    [async () => JSON.stringify({ ...good, apiVersion: 'v1' }), /its apiVersion is not/],
    [async () => JSON.stringify({ ...good, kind: PASSWORD }), /its kind is not/],
    [async () => JSON.stringify({ ...good, cacheKeyType: PASSWORD }), /its cacheKeyType is not/],
    [async () => JSON.stringify({ ...good, cacheDuration: 'long' }), /its cacheDuration is no duration/],
    [async () => JSON.stringify({ ...good, auth: [PASSWORD] }), /its auth is no map/],
    [async () => JSON.stringify({ ...good, auth: { a: PASSWORD } }), /an entry of its auth is no map/],
    [async () => JSON.stringify({ ...good, auth: { a: { password: [PASSWORD] } } }), /must be texts/],
  ];
  for (const [answer, told] of cases) {
    const { plugin, world } = setUp(answer);
    t.same(await plugin.logins('registry.test/app'), []);
    t.match(world.logged.join(), told);
    t.notMatch(world.logged.join(), PASSWORD);
  }
});

t.test('a plugin may know nothing', async (t) => {
  t.same(await answering({ auth: null }).plugin.logins('registry.test/app'), []);
});
