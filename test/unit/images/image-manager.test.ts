import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { Secret } from '../../../src/api/secret.ts';
import type { VerificationSettings } from '../../../src/images/image-access.ts';
import { ImageError } from '../../../src/images/image-error.ts';
import { ImageManager, type ImageManagerOptions } from '../../../src/images/image-manager.ts';
import { ImagePuller } from '../../../src/images/image-puller.ts';
import { PullCredentials } from '../../../src/images/pull-credentials.ts';
import { PullRecords } from '../../../src/images/pull-records.ts';
import { RuntimeError } from '../../../src/runtime/runtime-error.ts';
import { podWith } from '../pod/fixtures.ts';

const PRIVATE = 'registry.test/team/app:1';
const PRIVATE_ID = idOf(PRIVATE);
const PASSWORD = 'c4n4ry-password';

function idOf(image: string): string {
  return `sha256:${createHash('sha256').update(image).digest('hex')}`;
}

/** A runtime and the registry behind it. */
class FakeRuntime {
  /** Ids by name: what is on the node. */
  readonly local = new Map<string, string>();
  /** Who may pull a name: `user:password`, or anyone. */
  readonly wanted = new Map<string, string | undefined>([[PRIVATE, `u:${PASSWORD}`]]);
  readonly pulls: string[] = [];
  failure: RuntimeError | undefined;
  /** Called when the image is there, and before the pull is over. */
  onPulled: () => void = () => {};

  async imageStatus(image: string) {
    const id = this.local.get(image) ?? [...this.local.values()].find((known) => known === image);
    return id === undefined
      ? undefined
      : { id, repoTags: [], repoDigests: [], size: '7', uid: null, username: '', pinned: false };
  }

  async pullImage(image: string, auth: { username?: string; password?: string } | undefined): Promise<string> {
    const shown = auth && `${auth.username}:${auth.password}`;
    this.pulls.push(`${image} ${shown ?? 'anonymous'}`);
    if (this.failure) throw this.failure;
    const wanted = this.wanted.get(image);
    if (!this.wanted.has(image)) throw new RuntimeError('PullImage', 'NOT_FOUND', `${image}: not found`);
    if (wanted !== undefined && wanted !== shown) {
      throw new RuntimeError('PullImage', 'UNKNOWN', `401 Unauthorized for ${auth?.password}`);
    }
    const id = idOf(image);
    this.local.set(image, id);
    this.onPulled();
    return id;
  }
}

interface World {
  readonly directory: string;
  readonly runtime: FakeRuntime;
  readonly clock: { ms: number; now(): number; monotonicMs(): number };
  readonly secrets: Map<string, Secret>;
  readonly events: string[];
  readonly logged: string[];
}

function newWorld(t: Test): World {
  const clock = { ms: 1_700_000_000_000, now: () => clock.ms, monotonicMs: () => clock.ms };
  return {
    directory: t.testdir({}),
    runtime: new FakeRuntime(),
    clock,
    secrets: new Map(),
    events: [],
    logged: [],
  };
}

/** A daemon that starts in the world as it is. */
function startManager(world: World, verification: Partial<VerificationSettings> = {}): ImageManager {
  const { runtime, clock, directory, events } = world;
  const logger = pino({ level: 'trace' }, { write: (line: string) => void world.logged.push(line) });
  const records = new PullRecords({
    directory: join(directory, 'image_manager'),
    clock,
    logger,
    imageId: async (image) => (await runtime.imageStatus(image))?.id,
  });
  records.load();
  const client = runtime as unknown as ImageManagerOptions['client'];
  return new ImageManager({
    client,
    clock,
    records,
    verification: { policy: 'NeverVerifyPreloadedImages', allowlist: [], ...verification },
    credentials: new PullCredentials({
      dockerConfigPaths: [join(directory, 'missing.json'), join(directory, 'config.json')],
      plugins: [],
      logger,
      secret: (namespace, name) => world.secrets.get(`${namespace}/${name}`),
      onMissingSecrets: (_pod, names) => events.push(`missing ${names}`),
    }),
    puller: new ImagePuller({ client: runtime, clock, maxParallelPulls: 5, pullsPerSecond: 0, burst: 1 }),
    onUse: () => {},
    onEvent: (_pod, _container, _type, reason, message) => events.push(`${reason}: ${message}`),
  });
}

interface Wanted {
  image?: string;
  policy?: 'Always' | 'IfNotPresent' | 'Never';
  secrets?: string[];
  signal?: AbortSignal;
}

/** The id of the image, or the reason why there is none. */
async function ensure(manager: ImageManager, wanted: Wanted = {}): Promise<string> {
  const { image = PRIVATE, policy = 'IfNotPresent', secrets = [] } = wanted;
  const pod = podWith({ imagePullSecrets: secrets.map((name) => ({ name })) });
  const container = { name: 'a', image, imagePullPolicy: policy };
  try {
    return (await manager.ensureImage(pod, container, {}, wanted.signal ?? new AbortController().signal)).id;
  } catch (error) {
    if (error instanceof ImageError) return error.reason;
    throw error;
  }
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

function addSecret(world: World, name: string, password = PASSWORD, uid = name): void {
  const auths = { 'registry.test': { username: 'u', password } };
  world.secrets.set(`default/${name}`, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'default', name, uid },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': base64(JSON.stringify({ auths })) },
  } as Secret);
}

/** Everything that a daemon shows or keeps of its work. */
function shownBy({ directory, events, logged }: World): string {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return [
    ...events,
    ...logged,
    ...files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8')),
  ].join();
}

t.test('an image is pulled with the pod’s secrets in their order, and without any where there are none', async (t) => {
  const world = newWorld(t);
  const manager = startManager(world);
  addSecret(world, 'wrong', 'x1x2x3');
  addSecret(world, 'right');
  t.equal(await ensure(manager, { secrets: ['absent', 'wrong', 'right'] }), PRIVATE_ID);
  t.same(world.runtime.pulls, [`${PRIVATE} u:x1x2x3`, `${PRIVATE} u:${PASSWORD}`]);
  t.ok(world.events.includes('missing absent'));
  world.runtime.wanted.set('public.test/app:1', undefined);
  t.equal(await ensure(manager, { image: 'public.test/app:1', secrets: ['right'] }), idOf('public.test/app:1'));
  t.equal(world.runtime.pulls.at(-1), 'public.test/app:1 anonymous');
});

t.test('no secret is shown by a pull that fails, nor kept', async (t) => {
  const world = newWorld(t);
  const manager = startManager(world);
  addSecret(world, 'wrong', 'wr0ng-password');
  addSecret(world, 'broken');
  const broken = world.secrets.get('default/broken');
  if (broken) broken.data = { '.dockerconfigjson': base64('{"auths":{"registry.test":{"auth":"br0ken-password"}}}') };
  writeFileSync(join(world.directory, 'config.json'), '{"auths":{"registry.test":{"password":"n0de-password"}');
  t.equal(await ensure(manager, { secrets: ['broken', 'wrong'] }), 'ErrImagePull');
  t.ok(world.events.includes('missing broken'));
  t.ok(world.events.includes(`Failed: Failed to pull image "${PRIVATE}": 401 Unauthorized for <redacted>`));
  t.match(world.logged.join(), /a Docker configuration is passed over: it is no JSON/);
  t.equal(await ensure(manager, { image: 'registry.test/team/app', secrets: ['broken', 'wrong'] }), 'ErrImagePull');
  writeFileSync(join(world.directory, 'config.json'), '{}');
  t.notMatch(shownBy(world), /password/);
});

t.test('a private image is for those who have its credential, whoever has pulled it', async (t) => {
  const world = newWorld(t);
  const manager = startManager(world);
  for (const name of ['first', 'twin']) addSecret(world, name);
  addSecret(world, 'other', 'another');
  t.equal(await ensure(manager, { secrets: ['first'] }), PRIVATE_ID);
  const mayUse = async (manager: ImageManager) => {
    t.equal(await ensure(manager), 'ErrImagePull', 'without a secret');
    t.equal(await ensure(manager, { policy: 'Never' }), 'ErrImageNeverPull');
    t.equal(await ensure(manager, { image: PRIVATE_ID, policy: 'Never' }), 'ErrImageNeverPull', 'by its id');
    t.equal(await ensure(manager, { secrets: ['other'], policy: 'Never' }), 'ErrImageNeverPull', 'with another one');
    world.runtime.pulls.length = 0;
    t.equal(await ensure(manager, { secrets: ['first'] }), PRIVATE_ID);
    t.equal(await ensure(manager, { secrets: ['other', 'twin'], policy: 'Never' }), PRIVATE_ID, 'the same word');
    t.same(world.runtime.pulls, [], 'nobody is asked');
  };
  await mayUse(manager);
  world.clock.ms += 1_000_000;
  await mayUse(startManager(world));

  addSecret(world, 'first', 'changed');
  t.equal(await ensure(manager, { secrets: ['first'], policy: 'Never' }), PRIVATE_ID, 'the same secret');
  addSecret(world, 'first', 'changed again', 'made anew');
  t.equal(await ensure(manager, { secrets: ['first'], policy: 'Never' }), 'ErrImageNeverPull', 'another of that name');
  t.notMatch(shownBy(world), new RegExp(PASSWORD));
});

t.test('what was pulled with the node’s credential, or with none, is for all', async (t) => {
  const world = newWorld(t);
  const manager = startManager(world);
  const auths = { 'registry.test': { auth: base64(`u:${PASSWORD}`) } };
  writeFileSync(join(world.directory, 'config.json'), JSON.stringify({ auths }));
  t.equal(await ensure(manager), PRIVATE_ID);
  world.runtime.wanted.set('public.test/app:1', undefined);
  t.equal(await ensure(manager, { image: 'public.test/app:1' }), idOf('public.test/app:1'));
  writeFileSync(join(world.directory, 'config.json'), '{}');
  t.equal(await ensure(manager, { policy: 'Never' }), PRIVATE_ID);
  t.equal(await ensure(manager, { image: 'public.test/app:1', policy: 'Never' }), idOf('public.test/app:1'));
});

t.test('an image that was there is for all, also while somebody pulls its name again', async (t) => {
  const world = newWorld(t);
  const manager = startManager(world);
  addSecret(world, 'right');
  world.runtime.local.set(PRIVATE, 'sha256:preloaded');
  t.equal(await ensure(manager, { policy: 'Never' }), 'sha256:preloaded');
  world.runtime.failure = new RuntimeError('PullImage', 'UNKNOWN', 'no such host');
  t.equal(await ensure(manager, { policy: 'Always', secrets: ['right'] }), 'ErrImagePull');
  t.equal(await ensure(manager, { policy: 'Never' }), 'sha256:preloaded', 'after a pull that failed');
  world.runtime.failure = new RuntimeError('PullImage', 'UNAVAILABLE', 'gone');
  world.clock.ms += 1_000_000;
  await t.rejects(ensure(manager, { policy: 'Always', secrets: ['right'] }), RuntimeError);
  t.equal(await ensure(startManager(world), { policy: 'Never' }), 'sha256:preloaded', 'after one of that nobody knows');
});

t.test(
  'a daemon that is killed between the pull and its record still knows that it has pulled the image',
  async (t) => {
    const world = newWorld(t);
    addSecret(world, 'right');
    const killed = new Error('killed');
    world.runtime.onPulled = () => {
      throw killed;
    };
    await t.rejects(ensure(startManager(world), { secrets: ['right'] }), killed);
    t.equal(world.runtime.local.get(PRIVATE), PRIVATE_ID, 'the image is there');
    world.runtime.onPulled = () => {};
    const next = () => {
      world.clock.ms += 1_000_000;
      return startManager(world);
    };
    t.equal(await ensure(next(), { policy: 'Never' }), 'ErrImageNeverPull');
    t.equal(await ensure(next(), { image: PRIVATE_ID, policy: 'Never' }), 'ErrImageNeverPull', 'by its id');
    t.equal(await ensure(next()), 'ErrImagePull');
    t.equal(await ensure(next(), { policy: 'Never' }), 'ErrImageNeverPull', 'also after a pull that failed');
    t.equal(await ensure(next(), { secrets: ['right'] }), PRIVATE_ID);
    t.equal(await ensure(next(), { secrets: ['right'], policy: 'Never' }), PRIVATE_ID);
  },
);

t.test('a pull that is given up while it waits for its turn ends at once', async (t) => {
  const world = newWorld(t);
  const manager = startManager(world);
  const held = Promise.withResolvers<string>();
  world.runtime.pullImage = () => held.promise;
  const pulls = [...Array(5).keys()].map((index) => ensure(manager, { image: `other.test/app:${index}` }));
  const control = new AbortController();
  const waiting = ensure(manager, { image: 'other.test/late', signal: control.signal });
  await new Promise((resolve) => setImmediate(resolve));
  control.abort(new Error('given up'));
  await t.rejects(waiting, { message: 'given up' });
  held.reject(new RuntimeError('PullImage', 'UNKNOWN', 'no such host'));
  t.same(await Promise.all(pulls), Array(5).fill('ErrImagePull'));
});

t.test('nobody slips in while an image is being pulled', async (t) => {
  const world = newWorld(t);
  const manager = startManager(world);
  addSecret(world, 'right');
  const others: Promise<string>[] = [];
  world.runtime.onPulled = () => {
    others.push(ensure(manager, { policy: 'Never' }), ensure(manager, { image: PRIVATE_ID, policy: 'Never' }));
  };
  t.equal(await ensure(manager, { secrets: ['right'] }), PRIVATE_ID);
  t.same(await Promise.all(others), ['ErrImageNeverPull', 'ErrImageNeverPull']);
});

t.test('a record that cannot be read counts for nothing but that there was a pull', async (t) => {
  const world = newWorld(t);
  addSecret(world, 'right');
  await ensure(startManager(world), { secrets: ['right'] });
  const pulled = join(world.directory, 'image_manager/pulled');
  for (const name of readdirSync(pulled)) writeFileSync(join(pulled, name), '{');
  mkdirSync(join(world.directory, 'image_manager/pulling'), { recursive: true });
  t.equal(await ensure(startManager(world), { secrets: ['right'], policy: 'Never' }), 'ErrImageNeverPull');
  t.equal(await ensure(startManager(world), { secrets: ['right'] }), PRIVATE_ID);
  t.equal(await ensure(startManager(world), { secrets: ['right'], policy: 'Never' }), PRIVATE_ID);
});

t.test('the policy says which images are looked at', async (t) => {
  const cases: [Partial<VerificationSettings>, pulled: string, preloaded: string][] = [
    [{ policy: 'NeverVerify' }, 'used', 'used'],
    [{ policy: 'NeverVerifyPreloadedImages' }, 'refused', 'used'],
    [{ policy: 'AlwaysVerify' }, 'refused', 'refused'],
    [{ policy: 'NeverVerifyAllowlistedImages' }, 'refused', 'refused'],
    [{ policy: 'NeverVerifyAllowlistedImages', allowlist: ['registry.test/team/*'] }, 'used', 'refused'],
    [{ policy: 'NeverVerifyAllowlistedImages', allowlist: ['registry.test/team/app'] }, 'used', 'refused'],
    [{ policy: 'NeverVerifyAllowlistedImages', allowlist: ['registry.test/team/ap'] }, 'refused', 'refused'],
    [{ policy: 'NeverVerifyAllowlistedImages', allowlist: ['docker.io/library/*'] }, 'refused', 'used'],
  ];
  for (const [verification, pulled, preloaded] of cases) {
    const world = newWorld(t);
    addSecret(world, 'right');
    await ensure(startManager(world), { secrets: ['right'] });
    world.runtime.local.set('preloaded', 'sha256:preloaded');
    const manager = startManager(world, verification);
    const verdict = async (image: string) =>
      (await ensure(manager, { image, policy: 'Never' })) === 'ErrImageNeverPull' ? 'refused' : 'used';
    t.equal(await verdict(PRIVATE), pulled, JSON.stringify(verification));
    t.equal(await verdict('preloaded'), preloaded, JSON.stringify(verification));
  }
});

t.test('what the runtime says of a failed pull becomes the reason', async (t) => {
  const cases: [details: string, reason: string, message: string][] = [
    ['no such host', 'ErrImagePull', 'no such host'],
    [
      'RegistryUnavailable: connection refused',
      'RegistryUnavailable',
      'image pull failed for other.test/app because the registry is unavailable: connection refused',
    ],
    [
      'SignatureValidationFailed: no signature',
      'SignatureValidationFailed',
      'image pull failed for other.test/app because the signature validation failed: no signature',
    ],
  ];
  for (const [details, reason, message] of cases) {
    const world = newWorld(t);
    const manager = startManager(world);
    world.runtime.failure = new RuntimeError('PullImage', 'UNKNOWN', details);
    t.equal(await ensure(manager, { image: 'other.test/app' }), reason);
    t.ok(world.events.includes(`Error: ${reason}`) || world.events.includes(`Failed: Error: ${reason}`));
    const held = await manager
      .ensureImage(podWith({}), { name: 'a', image: 'other.test/app' }, {}, new AbortController().signal)
      .catch((error: unknown) => error);
    t.match(held, {
      reason: 'ImagePullBackOff',
      message: `Back-off pulling image "other.test/app": ${reason}: ${message}`,
    });
  }
});
