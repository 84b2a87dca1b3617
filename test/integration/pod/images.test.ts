import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { TestRegistry } from '../support/registry.ts';
import { waitFor } from '../support/wait.ts';
import { DEMO_IMAGE, isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const registry = new TestRegistry([
  'app:1',
  'always:1',
  'late:1',
  'moved:1',
  'stalled:1',
  'plain:latest',
  'unused:1',
  'secret/app:1',
  'registry.test/app:1',
]);
const hostile = ['registry.test.evil.test', 'evil-registry.test', 'sub.registry.test', 'registry.test:5000'];
await registry.start(runtime, hostile);
t.teardown(() => registry.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

type Policy = 'Always' | 'IfNotPresent' | 'Never';

const manifest = (name: string, image: string, imagePullPolicy?: Policy) =>
  podManifest(name, [{ name: 'a', image, command: shell(''), ...(imagePullPolicy ? { imagePullPolicy } : {}) }]);

const waitingReason = (pod: Pod, container = 'a') => statusOf(pod, container).state?.waiting?.reason;

async function events(name: string): Promise<string[]> {
  const { items } = await daemon.api.expectOk<{ items: Event[] }>(
    'GET',
    `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D${name}`,
  );
  return items.map(({ reason, message }) => `${reason}: ${message}`);
}

const told = (name: string, what: RegExp) =>
  waitFor(`an event ${what} of ${name}`, async () => (await events(name)).find((event) => what.test(event)));

t.test('an image that may not be pulled must be there', async (t) => {
  await daemon.createPod(manifest('never', registry.image('app:1'), 'Never'));
  const pod = await daemon.waitForExistingPod('never', (seen) => waitingReason(seen) === 'ErrImageNeverPull');
  t.match(statusOf(pod, 'a'), {
    ready: false,
    restartCount: 0,
    state: { waiting: { message: /"registry\.test\/app:1" is not present with pull policy of Never/ } },
  });
  t.equal(pod.status?.phase, 'Pending');
  t.ok(await told('never', /^ErrImageNeverPull: /));
  t.equal(registry.requests.length, 0, 'nobody was asked');
  await daemon.createPod(manifest('present', DEMO_IMAGE, 'Never'));
  await daemon.waitForExistingPod('present', isReady);
  for (const name of ['never', 'present']) await daemon.deletePod(name);
});

t.test('an image is pulled once by its tag, and used by its digest without asking again', async (t) => {
  await daemon.createPod(manifest('tag', registry.image('app:1')));
  const byTag = statusOf(await daemon.waitForExistingPod('tag', isReady), 'a');
  t.equal(registry.pulls('app'), 1);
  t.match(byTag, { image: 'registry.test/app:1', imageID: /^registry\.test\/app@sha256:[0-9a-f]{64}$/ });
  t.ok(await told('tag', /^Pulling: Pulling image "registry\.test\/app:1"/));
  t.ok(await told('tag', /^Pulled: Successfully pulled image .* in .* Image size: \d+ bytes/));

  await daemon.createPod(manifest('digest', byTag.imageID ?? ''));
  const byDigest = statusOf(await daemon.waitForExistingPod('digest', isReady), 'a');
  t.equal(byDigest.imageID, byTag.imageID);
  t.ok(await told('digest', /^Pulled: Container image .* already present on machine and can be accessed by the pod$/));
  t.equal(registry.pulls('app'), 1, 'no second pull');
  for (const name of ['tag', 'digest']) await daemon.deletePod(name);
});

t.test('a tag that comes to mean another image reaches no container that was resolved before', async (t) => {
  const tag = registry.image('moved:1');
  await daemon.createPod(podManifest('moved', [{ name: 'a', image: tag, command: shell('') }]));
  const before = statusOf(await daemon.waitForExistingPod('moved', isReady), 'a');
  await runtime.ctr('images', 'tag', '--force', DEMO_IMAGE, tag);
  const idOf = async (image: string) => (await runtime.cri.call('ImageStatus', { image: { image } })).image?.id;
  const other = await idOf(DEMO_IMAGE);
  await waitFor('the tag to mean the other image', async () => (await idOf(tag)) === other);
  t.not(other, await idOf(before.imageID ?? ''));
  // Read anew from the runtime by a daemon that knows nothing.
  await daemon.restart();
  const after = statusOf(await daemon.waitForExistingPod('moved', isReady), 'a');
  t.strictSame([after.imageID, after.containerID, after.restartCount], [before.imageID, before.containerID, 0]);
  const { status } = await runtime.cri.call('ContainerStatus', {
    containerId: (after.containerID ?? '').replace('containerd://', ''),
  });
  t.equal(status?.imageRef, before.imageID);
  await daemon.deletePod('moved');
});

t.test('an image is pulled by its digest alone', async (t) => {
  await daemon.createPod(manifest('first', registry.image('plain')));
  const { imageID = '' } = statusOf(await daemon.waitForExistingPod('first', isReady), 'a');
  t.equal((await daemon.getPod('first')).spec.containers[0]?.imagePullPolicy, 'Always', 'the newest is looked for');
  await daemon.deletePod('first');
  await runtime.ctr('images', 'remove', '--sync', ...(await imagesOf('plain')));
  await waitFor('the image to be gone', async () => {
    const { image } = await runtime.cri.call('ImageStatus', { image: { image: imageID } });
    return !image;
  });
  await daemon.createPod(manifest('second', imageID));
  t.equal(statusOf(await daemon.waitForExistingPod('second', isReady), 'a').imageID, imageID);
  await daemon.deletePod('second');
});

/** All names that containerd has for a repository's images. */
async function imagesOf(repository: string): Promise<string[]> {
  const names = (await runtime.ctr('images', 'list', '--quiet')).trim().split('\n');
  const ours = names.filter((name) => name.startsWith(registry.image(repository)));
  const { image } = await runtime.cri.call('ImageStatus', { image: { image: registry.image(repository) } });
  return [...ours, image?.id ?? ''];
}

t.test('with Always the registry is asked at each start of a container', async (t) => {
  const command = shell('[ -e /count/n ] || { touch /count/n; exit 1; }');
  await daemon.createPod(
    podManifest(
      'always',
      [
        {
          name: 'a',
          image: registry.image('always:1'),
          imagePullPolicy: 'Always',
          command,
          volumeMounts: [{ name: 'count', mountPath: '/count' }],
        },
      ],
      { volumes: [{ name: 'count', emptyDir: {} }] },
    ),
  );
  await daemon.waitForExistingPod('always', (pod) => isReady(pod) && statusOf(pod, 'a').restartCount === 1);
  t.equal(registry.pulls('always'), 2);
  await daemon.deletePod('always');
});

t.test('an image that cannot be had is told, waited for ever longer, and used as soon as it comes', async (t) => {
  registry.fail('late', { kind: 'status', status: 503 });
  const reasons: string[] = [];
  const watched = (async () => {
    const path = '/api/v1/namespaces/default/pods?watch=true&fieldSelector=metadata.name%3Dlate';
    for await (const { object } of daemon.api.watch<Pod>(path, AbortSignal.timeout(40_000))) {
      if (!object.status?.containerStatuses) continue;
      const reason = waitingReason(object) ?? 'none';
      if (reasons.at(-1) !== reason) reasons.push(reason);
      if (isReady(object)) return;
    }
  })();
  await daemon.createPod(manifest('late', registry.image('late:1')));
  const failed = await daemon.waitForExistingPod('late', (pod) => waitingReason(pod) === 'ErrImagePull');
  t.match(statusOf(failed, 'a').state?.waiting?.message, /registry\.test\/late:1.*503/s);
  const held = await daemon.waitForExistingPod('late', (pod) => waitingReason(pod) === 'ImagePullBackOff');
  t.match(statusOf(held, 'a').state?.waiting?.message, /Back-off pulling image "registry\.test\/late:1"/);
  t.ok(await told('late', /^Failed: Failed to pull image/));
  t.ok(await told('late', /^BackOff: Back-off pulling image/));

  await daemon.createPod(manifest('other', DEMO_IMAGE));
  await daemon.waitForExistingPod('other', isReady, { timeoutMs: 10_000 });
  t.pass('another pod starts meanwhile');
  const asked = registry.pulls('late');
  registry.fail('late', undefined);
  await watched;
  t.equal(registry.pulls('late'), asked + 1, 'it was asked for once after the wait, and not before');
  t.strictSame(
    reasons.filter((reason) => reason !== 'ContainerCreating'),
    ['ErrImagePull', 'ImagePullBackOff', 'none'],
  );
  for (const name of ['late', 'other']) await daemon.deletePod(name);
});

t.test('a pull that stands still holds up neither other pods nor the rest of its own', async (t) => {
  registry.fail('stalled', { kind: 'stall' });
  await daemon.createPod(
    podManifest('stalled', [
      { name: 'a', command: shell('echo hello') },
      { name: 'b', image: registry.image('stalled:1') },
    ]),
  );
  await waitFor('the pull', () => registry.pulls('stalled') === 1);
  await daemon.createPod(manifest('beside', DEMO_IMAGE));
  await daemon.waitForExistingPod('beside', isReady, { timeoutMs: 10_000 });
  const pod = await daemon.waitForExistingPod('stalled', (seen) => statusOf(seen, 'a').ready, { timeoutMs: 10_000 });
  t.match(pod.status, { phase: 'Pending', podIP: /^10\./ });
  t.equal(waitingReason(pod, 'b'), 'ContainerCreating');
  t.equal(await daemon.containerLog('stalled', 'a'), 'hello\n');
  await daemon.api.expectOk('DELETE', podPath('stalled'));
  await daemon.waitForPod('stalled', (seen) => seen === undefined, { timeoutMs: 10_000 });
  t.pass('it is deleted at once');
  await daemon.deletePod('beside');
});

t.test('a name that can be no image is told as such', async (t) => {
  await daemon.createPod(manifest('nonsense', 'Not/An:Image:'));
  const pod = await daemon.waitForExistingPod('nonsense', (seen) => waitingReason(seen) === 'InvalidImageName');
  t.match(statusOf(pod, 'a').state?.waiting?.message, /couldn't parse image name "Not\/An:Image:"/);
  t.ok(await told('nonsense', /^InspectFailed: /));
  await daemon.deletePod('nonsense');
});

t.test('another image by PATCH, in the place of one that cannot be had, is used at once', async (t) => {
  await daemon.createPod(manifest('mended', registry.image('app:none')));
  await daemon.waitForExistingPod('mended', (pod) => waitingReason(pod) === 'ImagePullBackOff');
  await daemon.api.expectOk('PATCH', podPath('mended'), {
    body: { spec: { containers: [{ name: 'a', image: DEMO_IMAGE }] } },
    contentType: 'application/strategic-merge-patch+json',
  });
  const pod = await daemon.waitForExistingPod('mended', isReady, { timeoutMs: 5000 });
  t.match(statusOf(pod, 'a'), { restartCount: 0, image: DEMO_IMAGE });
  await daemon.deletePod('mended');
});

t.test('another image by PATCH restarts that container, and nothing else', async (t) => {
  const command = shell('cat /etc/demo-version || echo 1');
  await daemon.createPod(
    podManifest('update', [
      { name: 'a', command },
      { name: 'b', command },
    ]),
  );
  const before = await daemon.waitForExistingPod('update', isReady);
  await daemon.api.expectOk('PATCH', podPath('update'), {
    body: { spec: { containers: [{ name: 'a', image: 'mini-kubelet.local/demo:2' }] } },
    contentType: 'application/strategic-merge-patch+json',
  });
  const after = await daemon.waitForExistingPod(
    'update',
    (pod) => isReady(pod) && statusOf(pod, 'a').restartCount === 1,
  );
  const [old, now] = [statusOf(before, 'a'), statusOf(after, 'a')];
  t.not(now.imageID, old.imageID);
  t.not(now.containerID, old.containerID);
  t.match(now, { image: 'mini-kubelet.local/demo:2', lastState: { terminated: { containerID: old.containerID } } });
  t.match(after.status, { podIP: before.status?.podIP, observedGeneration: 2 });
  t.strictSame(statusOf(after, 'b'), statusOf(before, 'b'), 'the other container goes on');
  await waitFor('its word', async () => (await daemon.containerLog('update', 'a')) === '2\n');
  await daemon.deletePod('update');
});

t.test('credentials are shown to the registry that they are for, and to none that looks like it', async (t) => {
  registry.protect('secret/app', 'robot', 'password');
  const auths = {
    'registry.test': { username: 'robot', password: 'password' },
    'https://someone:else@registry.test/secret': { username: 'robot', password: 'password' },
  };
  const data = { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') };
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'robot' },
    type: 'kubernetes.io/dockerconfigjson',
    data,
  };
  await daemon.api.expectOk('POST', '/api/v1/namespaces/default/secrets', { body: secret });
  const names = [...hostile.map((host) => `${host}/app:1`), 'evil-registry.test/registry.test/app:1'];
  const containers = names.map((image, index) => ({ name: `c${index}`, image, command: shell('') }));
  const imagePullSecrets = [{ name: 'robot' }];
  await daemon.createPod(podManifest('hostile', containers, { imagePullSecrets }));
  await daemon.waitForExistingPod('hostile', isReady);
  t.same(registry.shown, []);
  const good = { name: 'a', image: registry.image('secret/app:1'), command: shell('') };
  await daemon.createPod(podManifest('robot', [good], { imagePullSecrets }));
  await daemon.waitForExistingPod('robot', isReady);
  t.not(registry.shown.length, 0);
  for (const name of ['hostile', 'robot']) await daemon.deletePod(name);
});

t.test('on a full disk images go that were pulled and are not used, and no others', async (t) => {
  await daemon.createPod(manifest('unused', registry.image('unused:1')));
  const { imageID = '' } = statusOf(await daemon.waitForExistingPod('unused', isReady), 'a');
  await daemon.createPod(manifest('used', registry.image('app:1')));
  await daemon.waitForExistingPod('used', isReady);
  await daemon.deletePod('unused');
  // Every disk is fuller than that.
  daemon.writeConfig({ imageGCHighThresholdPercent: 1, imageGCLowThresholdPercent: 0, imageMinimumGCAge: '0s' });
  await daemon.restart();
  const isThere = async (image: string) => (await runtime.cri.call('ImageStatus', { image: { image } })).image !== null;
  await waitFor('the unused image to be gone', async () => !(await isThere(registry.image('unused:1'))));
  t.notOk(await isThere(imageID));
  t.ok(await isThere(registry.image('app:1')), 'it is used');
  t.ok(await isThere('mini-kubelet.local/demo:2'), 'it was imported');
  t.ok(
    await waitFor('the event', async () =>
      (await events(daemon.root.name)).find((event) => /^FreeDiskSpaceFailed: /.test(event)),
    ),
  );
  await daemon.deletePod('used');
});
