import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import type { Node } from '../../../src/api/node.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd(), handlers: { second: 'runc' } });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const classes = '/apis/node.k8s.io/v1/runtimeclasses';
const makeClass = (name: string, handler: string, rest: object = {}) =>
  daemon.api.request('POST', classes, {
    body: { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name }, handler, ...rest },
  });
const create = (name: string, spec: Partial<Pod['spec']>) =>
  daemon.api.request('POST', '/api/v1/namespaces/default/pods', {
    body: podManifest(name, [{ name: 'a', command: shell('') }], spec),
  });
const eventsOf = async (pod: string) => {
  const { items } = await daemon.api.expectOk<{ items: Event[] }>('GET', '/api/v1/namespaces/default/events');
  return items.filter(({ involvedObject }) => involvedObject.name === pod).map(({ message }) => message ?? '');
};

t.test('classes are objects like others', async (t) => {
  t.equal((await makeClass('light', 'second')).status, 201);
  t.equal((await makeClass('missing', 'nobody')).status, 201);
  t.equal((await makeClass('heavy', 'runc', { overhead: { podFixed: { memory: '32Mi', cpu: '100m' } } })).status, 201);
  t.equal((await makeClass('huge', 'runc', { overhead: { podFixed: { memory: '900Ti' } } })).status, 201);
  t.equal((await makeClass('wrong', '../runc')).status, 422);
  const got = await daemon.kubectl(['get', 'runtimeclasses']);
  t.match(got.stdout, /light +second/);
  const applied = await daemon.kubectl(['apply', '-f', '-'], {
    input: JSON.stringify({
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: 'light' },
      handler: 'runc',
    }),
  });
  t.match(applied.stderr, /handler: Invalid value: "runc": field is immutable/);
});

t.test('the class chooses the handler', async (t) => {
  t.equal((await create('light', { runtimeClassName: 'light' })).status, 201);
  t.equal((await create('plain', {})).status, 201);
  for (const [name, handler] of [
    ['light', 'second'],
    ['plain', ''],
  ] as const) {
    const pod = await daemon.waitForExistingPod(name, isReady);
    const { items } = await runtime.cri.call('ListPodSandbox', {});
    const sandbox = items.find(({ metadata }) => metadata?.name === name);
    const { status } = await runtime.cri.call('PodSandboxStatus', { podSandboxId: sandbox?.id ?? '' });
    t.equal(status?.runtimeHandler, handler);
    const id = (statusOf(pod, 'a').containerID ?? '').replace('containerd://', '');
    t.equal(
      existsSync(join(runtime.root.path, 'runc-second/k8s.io', id)),
      handler === 'second',
      'as its handler keeps it',
    );
  }
  await t.test('also when the class is gone, for what runs', async (t) => {
    await daemon.api.expectOk('DELETE', `${classes}/light`);
    const before = await daemon.getPod('light');
    process.kill(
      runtime.containerPid((statusOf(before, 'a').containerID ?? '').replace('containerd://', '')),
      'SIGKILL',
    );
    const isAgain = (seen: Pod) => isReady(seen) && statusOf(seen, 'a').restartCount === 1;
    await daemon.waitForExistingPod('light', isAgain, { timeoutMs: 40_000 });
    t.pass();
  });
  await Promise.all(['light', 'plain'].map((name) => daemon.deletePod(name)));
});

t.test('a class that there is not', async (t) => {
  const refused = await create('none', { runtimeClassName: 'light' });
  t.equal(refused.status, 403);
  t.match(JSON.parse(refused.text), {
    message: 'pods "none" is forbidden: pod rejected: RuntimeClass "light" not found',
  });

  await t.test('in a static pod, until it comes', async (t) => {
    const file = join(daemon.manifestsDir, 'static.json');
    const manifest = podManifest('static', [{ name: 'a', command: shell('') }], { runtimeClassName: 'late' });
    writeFileSync(file, JSON.stringify(manifest));
    await waitFor('the event', async () => {
      const { items } = await daemon.api.expectOk<{ items: Event[] }>('GET', '/api/v1/events');
      return items.find(({ message }) => message?.includes('RuntimeClass "late" not found'));
    });
    t.equal((await makeClass('late', 'second')).status, 201);
    const name = `static-${daemon.root.name}`;
    await daemon.waitForExistingPod(name, isReady);
    rmSync(file);
    await daemon.waitForPod(name, (pod) => pod === undefined);
  });
});

t.test('a handler that the runtime does not know', async (t) => {
  t.equal((await create('missing', { runtimeClassName: 'missing' })).status, 201);
  const message = await waitFor('the event', async () =>
    (await eventsOf('missing')).find((text) => text.includes('Failed to create pod sandbox')),
  );
  t.match(message, 'nobody');
  await daemon.deletePod('missing');
});

t.test('what a class takes counts for admission and the cgroup', async (t) => {
  const resources = { requests: { memory: '16Mi', cpu: '100m' }, limits: { memory: '16Mi', cpu: '100m' } };
  const body = podManifest('heavy', [{ name: 'a', command: shell(''), resources }], { runtimeClassName: 'heavy' });
  t.equal((await daemon.api.request('POST', '/api/v1/namespaces/default/pods', { body })).status, 201);
  const pod = await daemon.waitForExistingPod('heavy', isReady);
  t.same(pod.spec.overhead, { memory: '32Mi', cpu: '100m' });
  const group = `${daemon.cgroupRoot}/kubepods/pod${pod.metadata.uid}`;
  const files = [`/sys/fs/cgroup/memory${group}/memory.limit_in_bytes`, `/sys/fs/cgroup${group}/memory.max`];
  const limit = files.filter((file) => existsSync(file)).map((file) => Number(readFileSync(file, 'utf8')));
  t.strictSame(limit, [48 * 1024 * 1024]);
  await daemon.deletePod('heavy');

  t.equal((await create('huge', { runtimeClassName: 'huge' })).status, 201);
  const huge = await daemon.waitForExistingPod('huge', ({ status }) => status?.phase === 'Failed');
  t.match(huge.status, { reason: 'OutOfmemory' });
  const alone = await create('alone', { overhead: { memory: '1Mi' } });
  t.equal(alone.status, 403);
  t.match(alone.text, 'Pod Overhead set without corresponding RuntimeClass defined Overhead');
});

t.test('the node tells what its handlers can do', async (t) => {
  const { status } = await daemon.api.expectOk<Node>('GET', `/api/v1/nodes/${daemon.root.name}`);
  if (wantedContainerd() !== '2.1') {
    t.equal(status?.runtimeHandlers, undefined, 'containerd 1 does not say');
    return;
  }
  t.strictSame(
    status?.runtimeHandlers?.map(({ name }) => name),
    ['', 'runc', 'second'],
  );
  t.equal(status?.runtimeHandlers?.find(({ name }) => name === '')?.features?.recursiveReadOnlyMounts, true);
});
