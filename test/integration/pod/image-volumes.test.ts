import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import type { Container, Pod, PodSpec } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { PrivateRegistry } from '../support/private-registry.ts';
import { waitFor } from '../support/wait.ts';
import { isOver, isReady, parseFacts, podManifest, shell, statusOf } from './pods.ts';

const IMAGE = 'mini-kubelet.local/demo:2';
const robot = { name: 'robot', password: 'c4n4ry-right' };

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const registry = new PrivateRegistry(runtime, [robot]);
await registry.create(runtime, ['files/app:1', 'files/unused:1']);
t.teardown(() => registry.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const canMount = wantedContainerd() !== '1.6';
const whereMounted = { skip: !canMount && 'this runtime mounts none: they are refused' };
const whereRefused = { skip: canMount && 'this runtime mounts them' };
const reference = registry.image('files/app:1');

/** A pod whose container `a` has the files of an image at /files. */
function pod(
  name: string,
  image: { reference: string; pullPolicy?: 'Always' | 'IfNotPresent' | 'Never' },
  container: Partial<Container> = {},
  spec: Partial<PodSpec> = {},
) {
  const volumeMounts = [{ name: 'files', mountPath: '/files' }];
  return podManifest(name, [{ name: 'a', command: shell(''), volumeMounts, ...container }], {
    volumes: [{ name: 'files', image }],
    ...spec,
  });
}

const waitingFor = (reason: string) => (seen: Pod) => statusOf(seen, 'a').state?.waiting?.reason === reason;

async function events(name: string): Promise<Event[]> {
  const selector = `fieldSelector=involvedObject.name%3D${name}`;
  const path = `/api/v1/namespaces/default/events?${selector}`;
  return (await daemon.api.expectOk<{ items: Event[] }>('GET', path)).items;
}

t.test(
  'a runtime that does not know volumes of images: the pod has failed, with the reason',
  whereRefused,
  async (t) => {
    await daemon.createPod(pod('old', { reference: IMAGE }));
    const { status } = await daemon.waitForExistingPod('old', isOver);
    t.match(status, {
      phase: 'Failed',
      reason: 'PodFeatureUnsupported',
      message: /does not support volumes of images/,
    });
    t.notOk(status?.containerStatuses?.[0]?.containerID, 'no container was made');
  },
);

t.test('a container sees the files of an image, and cannot change them', whereMounted, async (t) => {
  const script = `
echo "version=$(cat /files/etc/demo-version)"
echo "own=$(cat /etc/demo-version 2>/dev/null || echo none)"
echo "write=$(touch /files/x 2>&1)"
echo "options=$(sed -n 's|^[^ ]* [^ ]* [^ ]* [^ ]* /files \\([^ ]*\\) .*|\\1|p' /proc/self/mountinfo)"
echo "facts=done"`;
  const mount = { name: 'files', mountPath: '/files', readOnly: false };
  await daemon.createPod(
    pod('files', { reference: IMAGE, pullPolicy: 'Never' }, { command: shell(script), volumeMounts: [mount] }),
  );
  await daemon.waitForExistingPod('files', isReady);
  const facts = await waitFor('what the container saw', async () => {
    const seen = parseFacts(await daemon.containerLog('files', 'a'));
    return seen.facts ? seen : undefined;
  });
  t.match(facts, { version: '2', own: 'none', write: /Read-only file system/ });
  t.match(facts.options, /^ro\b/);
  await daemon.deletePod('files');

  // This version would mount the whole image.
  const part = { name: 'files', mountPath: '/files', subPath: 'etc' };
  await daemon.createPod(pod('part', { reference: IMAGE }, { volumeMounts: [part] }));
  const { status } = await daemon.waitForExistingPod('part', isOver);
  t.match(status, { phase: 'Failed', reason: 'PodFeatureUnsupported', message: /subPath of .* only as a whole$/ });
  await daemon.deletePod('part');
});

t.test(
  'the image is got with the pod’s credentials; without them only what needs it waits',
  whereMounted,
  async (t) => {
    const other = { name: 'other', image: 'mini-kubelet.local/demo:1', command: shell('') };
    const manifest = pod('private', { reference });
    const waiting = { ...manifest, spec: { ...manifest.spec, containers: [...manifest.spec.containers, other] } };
    await daemon.createPod(waiting);
    const seen = await daemon.waitForExistingPod('private', waitingFor('ImagePullBackOff'));
    t.match(statusOf(seen, 'a').state?.waiting?.message, /Back-off pulling image ".*files\/app:1": ErrImagePull: /);
    t.match(statusOf(seen, 'a'), { image: 'mini-kubelet.local/demo:1', restartCount: 0 });
    await daemon.waitForExistingPod('private', (now) => statusOf(now, 'other').state?.running !== undefined);
    const failed = await waitFor('an event of the failed pull', async () =>
      (await events('private')).find(({ message }) => message?.startsWith(`Failed to pull image "${reference}"`)),
    );
    t.notOk(failed.involvedObject.fieldPath, 'of the pod, not of a container');
    await daemon.deletePod('private');

    const auth = Buffer.from(`${robot.name}:${robot.password}`).toString('base64');
    const config = JSON.stringify({ auths: { [registry.host]: { auth } } });
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'right' },
      type: 'kubernetes.io/dockerconfigjson',
      stringData: { '.dockerconfigjson': config },
    };
    await daemon.api.expectOk('POST', '/api/v1/namespaces/default/secrets', { body: secret });
    await daemon.createPod(pod('allowed', { reference }, {}, { imagePullSecrets: [{ name: 'right' }] }));
    await daemon.waitForExistingPod('allowed', isReady);

    await daemon.createPod(pod('thief', { reference, pullPolicy: 'Never' }));
    const thief = await daemon.waitForExistingPod('thief', waitingFor('ErrImageNeverPull'));
    t.match(statusOf(thief, 'a').state?.waiting?.message, /files\/app:1" is not present with pull policy of Never/);
    await daemon.deletePod('thief');
  },
);

t.test('an image that a volume is of is not removed as unused', whereMounted, async (t) => {
  const unused = registry.image('files/unused:1');
  await daemon.createPod(pod('unused', { reference: unused }, {}, { imagePullSecrets: [{ name: 'right' }] }));
  await daemon.waitForExistingPod('unused', isReady);
  await daemon.deletePod('unused');
  // Every disk is fuller than that.
  daemon.writeConfig({ imageGCHighThresholdPercent: 1, imageGCLowThresholdPercent: 0, imageMinimumGCAge: '0s' });
  await daemon.restart();
  const isThere = async (image: string) => (await runtime.cri.call('ImageStatus', { image: { image } })).image !== null;
  const isOfCollection = ({ reason }: Event) => reason === 'FreeDiskSpaceFailed';
  await waitFor('the end of the collection', async () => (await events(daemon.root.name)).some(isOfCollection));
  t.notOk(await isThere(unused));
  t.ok(await isThere(reference), 'it is used');
  await daemon.deletePod('allowed');
});

t.test('while the runtime is away a pod with such a volume waits for what it says', whereMounted, async (t) => {
  await runtime.kill();
  const readiness = async () => (await daemon.api.request('GET', '/readyz')).status;
  await waitFor('the daemon to see it', async () => (await readiness()) !== 200);
  await daemon.createPod(pod('early', { reference: IMAGE }));
  await runtime.start();
  const { status } = await daemon.waitForExistingPod('early', (seen) => isReady(seen) || isOver(seen));
  t.equal(status?.phase, 'Running', status?.message ?? '');
  await daemon.deletePod('early');
});
