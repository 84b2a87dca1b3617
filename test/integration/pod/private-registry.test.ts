import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { PrivateRegistry } from '../support/private-registry.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, shell, statusOf } from './pods.ts';

const user = { name: 'robot', password: 'c4n4ry-right' };
const wrong = { name: 'robot', password: 'c4n4ry-wrong' };

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const registry = new PrivateRegistry(runtime, [user]);
await registry.create(runtime, [
  'team/app:1',
  'team/late:1',
  'team/account:1',
  'node/app:1',
  'plugin/app:1',
  'plugin/second:1',
]);
t.teardown(() => registry.stop());
const nodeConfig = join(runtime.root.path, 'config.json');
const plugins = writePlugins(join(runtime.root.path, 'plugins'));
const daemon = await startDaemon({
  runtime,
  env: { CANARY: 'c4n4ry-env' },
  config: { dockerConfigPaths: [nodeConfig], ...plugins },
});
t.teardown(() => daemon.stop());

/** A plugin that answers for images below `plugin/` and one that fails; what the first is asked lies beside it. */
function writePlugins(directory: string) {
  mkdirSync(directory);
  const auth = { [`${registry.host}/plugin`]: { username: user.name, password: user.password } };
  const answer = {
    kind: 'CredentialProviderResponse',
    apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
    cacheKeyType: 'Registry',
    auth,
  };
  const script = `#!/bin/sh\ncat >>${directory}/asked\necho " $1 $REGION \${CANARY-}" >>${directory}/asked\necho '${JSON.stringify(answer)}'\n`;
  writeFileSync(join(directory, 'helper'), script, { mode: 0o755 });
  writeFileSync(join(directory, 'broken'), `#!/bin/sh\necho ${user.password}\nexit 3\n`, { mode: 0o755 });
  const common = {
    apiVersion: answer.apiVersion,
    matchImages: [`${registry.host}/plugin`],
    defaultCacheDuration: '1h',
  };
  const providers = [
    { name: 'broken', ...common },
    { name: 'helper', ...common, args: ['--argument'], env: [{ name: 'REGION', value: 'here' }] },
  ];
  const config = { apiVersion: 'kubelet.config.k8s.io/v1', kind: 'CredentialProviderConfig', providers };
  writeFileSync(join(directory, 'config'), JSON.stringify(config));
  return { imageCredentialProviderConfig: join(directory, 'config'), imageCredentialProviderBinDir: directory };
}

type Policy = 'Always' | 'IfNotPresent' | 'Never';
type User = typeof user;

const base64 = (text: string) => Buffer.from(text).toString('base64');
const authOf = ({ name, password }: User) => base64(`${name}:${password}`);
const dockerConfig = (location: string, who: User) => JSON.stringify({ auths: { [location]: { auth: authOf(who) } } });

async function addSecret(name: string, config: string): Promise<void> {
  const body = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': base64(config) },
  };
  await daemon.api.expectOk('POST', '/api/v1/namespaces/default/secrets', { body });
}

function create(name: string, repository: string, spec: Partial<Pod['spec']> = {}, imagePullPolicy?: Policy) {
  const container = { name: 'a', image: registry.image(repository), command: shell('') };
  return daemon.createPod(podManifest(name, [{ ...container, ...(imagePullPolicy ? { imagePullPolicy } : {}) }], spec));
}

const withSecret = (name: string) => ({ imagePullSecrets: [{ name }] });
const waiting = (pod: Pod) => statusOf(pod, 'a').state?.waiting;
const waits = (name: string, ...reasons: string[]) =>
  daemon.waitForExistingPod(name, (pod) => reasons.includes(waiting(pod)?.reason ?? ''));

async function events(name: string): Promise<string[]> {
  const { items } = await daemon.api.expectOk<{ items: Event[] }>(
    'GET',
    `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D${name}`,
  );
  return items.map(({ reason, message }) => `${reason}: ${message}`);
}

const told = (name: string, what: RegExp) =>
  waitFor(`an event ${what} of ${name}`, async () => (await events(name)).find((event) => what.test(event)));

await addSecret('right', dockerConfig(registry.host, user));
await addSecret('twin', dockerConfig(`https://${registry.host}/v2/`, user));
await addSecret('wrong', dockerConfig(registry.host, wrong));
await addSecret('elsewhere', dockerConfig('127.0.0.1', user));
await addSecret('malformed', `{"auths":{"${registry.host}":{"auth":"c4n4ry-broken"}}}`);

t.test('an image is pulled with the right secret only', async (t) => {
  await Promise.all([
    create('wrong', 'team/app:1', withSecret('wrong')),
    create('none', 'team/app:1'),
    create('elsewhere', 'team/app:1', withSecret('elsewhere')),
    create('malformed', 'team/app:1', { imagePullSecrets: [{ name: 'malformed' }, { name: 'absent' }] }),
  ]);
  for (const name of ['wrong', 'none', 'elsewhere', 'malformed']) {
    const pod = await waits(name, 'ErrImagePull', 'ImagePullBackOff');
    t.match(waiting(pod)?.message, /401 Unauthorized|no basic auth credentials|authorization failed/, name);
  }
  t.ok(await told('malformed', /^FailedToRetrieveImagePullSecret: .* secrets \(malformed, absent\); attempting/));
  t.equal(registry.pulls('team/app'), 0);
  for (const name of ['wrong', 'none', 'elsewhere', 'malformed']) await daemon.deletePod(name);

  await create('several', 'team/app:1', { imagePullSecrets: [{ name: 'wrong' }, { name: 'right' }] });
  t.match(statusOf(await daemon.waitForExistingPod('several', isReady), 'a'), {
    image: registry.image('team/app:1'),
    imageID: new RegExp(`^${registry.image('team/app')}@sha256:[0-9a-f]{64}$`),
  });
  t.ok(
    await told(
      'several',
      /^Pulled: Successfully pulled image .* in .* \(.* including waiting\). Image size: \d+ bytes\.$/,
    ),
  );
  t.equal(registry.pulls('team/app'), 1);
});

t.test('what one pod has pulled is for those who have the credential', async (t) => {
  const imageID = statusOf(await daemon.getPod('several'), 'a').imageID ?? '';
  const byDigest = imageID.slice(registry.host.length + 1);
  await daemon.restart('SIGKILL');
  await Promise.all([
    create('none', 'team/app:1'),
    create('never', 'team/app:1', {}, 'Never'),
    create('digest', byDigest, withSecret('wrong'), 'Never'),
    create('same', 'team/app:1', withSecret('right')),
    create('twin', byDigest, withSecret('twin'), 'Never'),
  ]);
  await waits('none', 'ErrImagePull', 'ImagePullBackOff');
  for (const name of ['never', 'digest']) {
    const pod = await waits(name, 'ErrImageNeverPull');
    t.match(waiting(pod)?.message, /^Container image ".*" is not present with pull policy of Never$/);
  }
  for (const name of ['same', 'twin']) {
    await daemon.waitForExistingPod(name, isReady);
    t.ok(await told(name, /^Pulled: Container image .* already present on machine and can be accessed by the pod$/));
  }
  t.equal(registry.pulls('team/app'), 1, 'nobody has pulled it again');
  for (const name of ['none', 'never', 'digest', 'same', 'twin']) await daemon.deletePod(name);
});

t.test('a pod without secrets of its own has those of its service account', async (t) => {
  const body = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'puller' }, ...withSecret('right') };
  await daemon.api.expectOk('POST', '/api/v1/namespaces/default/serviceaccounts', { body });
  await create('account', 'team/account:1', { serviceAccountName: 'puller' });
  t.match((await daemon.waitForExistingPod('account', isReady)).spec, withSecret('right'));
  await create('own', 'team/account:1', { serviceAccountName: 'puller', ...withSecret('wrong') });
  t.match((await waits('own', 'ErrImagePull', 'ImagePullBackOff')).spec, withSecret('wrong'));
  for (const name of ['account', 'own']) await daemon.deletePod(name);
});

t.test('the node’s own configuration is for every pod, and read anew', async () => {
  await create('early', 'node/app:1');
  await waits('early', 'ErrImagePull', 'ImagePullBackOff');
  await daemon.deletePod('early');
  writeFileSync(nodeConfig, dockerConfig(`${registry.host}/node`, user));
  await create('node', 'node/app:1');
  await daemon.waitForExistingPod('node', isReady);
  await daemon.deletePod('node');
});

t.test('plugins are asked for credentials, and their answers kept', async (t) => {
  const second = registry.image('plugin/second:1');
  const containers = ['plugin/app:1', 'plugin/second:1'].map((name, index) => {
    return { name: `c${index}`, image: registry.image(name), command: shell('') };
  });
  await daemon.createPod(podManifest('first', containers.slice(0, 1)));
  await daemon.waitForExistingPod('first', isReady);
  await daemon.createPod(podManifest('second', containers));
  t.equal(statusOf(await daemon.waitForExistingPod('second', isReady), 'c1').image, second);
  const asked = readFileSync(join(plugins.imageCredentialProviderBinDir, 'asked'), 'utf8');
  const request = { kind: 'CredentialProviderRequest', apiVersion: 'credentialprovider.kubelet.k8s.io/v1' };
  t.equal(asked, `${JSON.stringify({ ...request, image: registry.image('plugin/app') })} --argument here \n`);
  t.match(daemon.log(), /"plugin":"broken","exitCode":3.*a credential plugin has failed/);
  for (const name of ['first', 'second']) await daemon.deletePod(name);
});

t.test('a registry that is down is waited for, while images that are there start', async (t) => {
  await registry.stop();
  await create('late', 'team/late:1', withSecret('right'));
  const failed = await waits('late', 'ErrImagePull', 'ImagePullBackOff');
  t.match(waiting(failed)?.message, /connection refused/);
  await create('offline', 'team/app:1', withSecret('right'));
  await daemon.waitForExistingPod('offline', isReady);
  await waits('late', 'ImagePullBackOff');
  t.ok(await told('late', /^BackOff: Back-off pulling image/));
  await registry.start();
  await daemon.waitForExistingPod('late', isReady, { timeoutMs: 60_000 });
  for (const name of ['late', 'offline', 'several']) await daemon.deletePod(name);
});

t.test('no credential is shown anywhere, nor on the disk as it is', async (t) => {
  const canary = new RegExp(
    [user, wrong]
      .flatMap((who) => [who.password, authOf(who)])
      .concat('c4n4ry')
      .join('|'),
  );
  const { text } = await daemon.api.request('GET', '/api/v1/events');
  t.match(text, /ErrImagePull/, 'there is something to look through');
  t.notMatch(text, canary);
  t.notMatch(daemon.log(), canary);
  t.notMatch((await daemon.api.request('GET', '/metrics')).text, canary);
  t.notMatch((await daemon.api.request('GET', '/api/v1/pods')).text, canary);
  for (const entry of readdirSync(daemon.root.path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    if (canary.test(readFileSync(path, 'latin1'))) t.fail(path);
  }
});
