import { dirname } from 'node:path';
import t from 'tap';
import type { Node } from '../../../src/api/node.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { kubectl } from '../support/kubectl.ts';
import { cgroupPathOf, readCgroup, shownContainerShares, shownShares } from './cgroup-files.ts';
import { isReady, podManifest, shell, statusOf } from './pods.ts';

const MIB = 2 ** 20;
const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const resources = (cpu: string, memory: string) => ({
  requests: { cpu, memory: '8Mi' },
  limits: { cpu: '500m', memory },
});
const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' as const }];

async function resize(pod: string, container: string, wanted: object, suite: 'sid' | 'trixie' = 'sid') {
  const patch = JSON.stringify({ spec: { containers: [{ name: container, resources: wanted }] } });
  return await kubectl(daemon.kubeconfig, ['patch', 'pod', pod, '--subresource=resize', '-p', patch], { suite });
}

const condition = (pod: Pod, type: string) => pod.status?.conditions?.find((item) => item.type === type);
const idOf = (pod: Pod, name: string) => (statusOf(pod, name).containerID ?? '').replace('containerd://', '');

function cgroups(pod: Pod, container: string) {
  const path = cgroupPathOf(runtime.containerPid(idOf(pod, container)), 'cpu');
  return { own: readCgroup(path), pod: readCgroup(dirname(path)) };
}

const has = (container: string, cpu: string, memory: string) => (pod: Pod) => {
  const { resources, allocatedResources, state } = statusOf(pod, container);
  const isSo = resources?.limits?.memory === memory && allocatedResources?.cpu === cpu && state?.running !== undefined;
  return isSo && !condition(pod, 'PodResizeInProgress') && !condition(pod, 'PodResizePending');
};

t.test('resources of containers that run', async (t) => {
  await daemon.createPod(
    podManifest('web', [
      { name: 'a', command: shell(''), resources: resources('100m', '32Mi') },
      { name: 'b', command: shell(''), resources: resources('100m', '32Mi'), resizePolicy },
    ]),
  );
  const before = await daemon.waitForExistingPod('web', isReady);

  t.match(await resize('web', 'a', resources('200m', '64Mi'), 'trixie'), { exitCode: 0 });
  const grown = await daemon.waitForExistingPod('web', has('a', '200m', '64Mi'));
  t.equal(statusOf(grown, 'a').restartCount, 0);
  t.equal(idOf(grown, 'a'), idOf(before, 'a'));
  const larger = cgroups(grown, 'a');
  t.equal(larger.own.memoryBytes, 64 * MIB);
  t.ok(shownContainerShares(204).includes(larger.own.cpuShares), `${larger.own.cpuShares} shares`);
  t.match(larger.pod, { memoryBytes: 96 * MIB, cpuShares: shownShares(307) });

  t.match(await resize('web', 'b', resources('100m', '40Mi')), { exitCode: 0 });
  const restarted = await daemon.waitForExistingPod('web', has('b', '100m', '40Mi'));
  t.equal(statusOf(restarted, 'b').restartCount, 1, 'its policy asks for a restart');
  t.equal(statusOf(restarted, 'a').restartCount, 0);
  t.equal(cgroups(restarted, 'b').own.memoryBytes, 40 * MIB);

  // A daemon that is killed at any moment makes the change all the same.
  await resize('web', 'a', resources('100m', '48Mi'));
  await daemon.kill9();
  await daemon.start();
  const shrunk = await daemon.waitForExistingPod('web', has('a', '100m', '48Mi'));
  t.equal(statusOf(shrunk, 'a').restartCount, 0);
  t.equal(cgroups(shrunk, 'a').own.memoryBytes, 48 * MIB);
  t.equal(cgroups(shrunk, 'a').pod.memoryBytes, 88 * MIB);
});

t.test('what cannot be had waits, and is told', async (t) => {
  const node = await daemon.api.expectOk<Node>('GET', `/api/v1/nodes/${daemon.root.name}`);
  const millis =
    Number(/^\d+m$/.exec(node.status?.allocatable?.cpu ?? '')?.[0].slice(0, -1) ?? 0) ||
    Number(node.status?.allocatable?.cpu) * 1000;
  const half = `${Math.floor(millis * 0.4)}m`;
  const request = (cpu: string) => ({ requests: { cpu } });
  for (const name of ['one', 'two']) {
    await daemon.createPod(podManifest(name, [{ name: 'a', command: shell(''), resources: request(half) }]));
  }
  for (const name of ['one', 'two']) await daemon.waitForExistingPod(name, isReady);

  await resize('one', 'a', request(`${millis * 2}m`));
  const pending = await daemon.waitForExistingPod('one', (pod) => condition(pod, 'PodResizePending') !== undefined);
  t.match(condition(pending, 'PodResizePending'), { status: 'True', reason: 'Infeasible' });
  t.equal(statusOf(pending, 'a').allocatedResources?.cpu, half);

  const more = `${Math.floor(millis * 0.7)}m`;
  await resize('one', 'a', request(more));
  await daemon.waitForExistingPod('one', (pod) => condition(pod, 'PodResizePending')?.reason === 'Deferred');
  await daemon.deletePod('two', { gracePeriodSeconds: 0 });
  const grown = await daemon.waitForExistingPod('one', (pod) => statusOf(pod, 'a').resources?.requests?.cpu === more);
  t.notOk(condition(grown, 'PodResizePending'));

  const { stderr } = await resize('web', 'a', { limits: { memory: null } });
  t.match(stderr, 'resource limits cannot be removed');
});

t.test('a memory limit below what is used is not set, and the pod says so', async (t) => {
  const fill = shell('head -c 20000000 /dev/zero >/dev/shm/full');
  await daemon.createPod(podManifest('full', [{ name: 'a', command: fill, resources: resources('10m', '64Mi') }]));
  await daemon.waitForExistingPod('full', isReady);
  await kubectl(daemon.kubeconfig, [
    'exec',
    'full',
    '--',
    'sh',
    '-c',
    'until [ $(wc -c </dev/shm/full) = 20000000 ]; do sleep 0.2; done',
  ]);
  await resize('full', 'a', resources('10m', '10Mi'));
  const refused = await daemon.waitForExistingPod(
    'full',
    (pod) => condition(pod, 'PodResizeInProgress')?.reason === 'Error',
  );
  t.match(condition(refused, 'PodResizeInProgress')?.message, /memory limit \(10485760\) below current usage/);
  t.equal(cgroups(refused, 'a').own.memoryBytes, 64 * MIB);
  await resize('full', 'a', resources('10m', '48Mi'));
  t.equal(cgroups(await daemon.waitForExistingPod('full', has('a', '10m', '48Mi')), 'a').own.memoryBytes, 48 * MIB);
});
