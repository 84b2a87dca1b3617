import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { type ContainerNode, containerLinuxResources, oomScoreAdj } from '../../../src/cgroups/container-resources.ts';
import { burstablePod, containerOf, guaranteedPod, podOf } from './pods.ts';

const mib = 1024n * 1024n;
const v1: ContainerNode = {
  memoryCapacityBytes: 1000n * mib,
  cgroupVersion: 1,
  hugepageSizes: [],
  swapController: true,
};
const v2: ContainerNode = { ...v1, cgroupVersion: 2 };

function resourcesOf(pod: Pod, node: ContainerNode) {
  const [container] = pod.spec.containers;
  if (!container) throw new Error('no container');
  return containerLinuxResources(pod, container, node);
}

function oomScoreOf(pod: Pod, name = 'main', capacity = 1000n * mib): number {
  const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((each) => each.name === name);
  if (!container) throw new Error('no container');
  return oomScoreAdj(pod, container, capacity);
}

t.test('requests and limits of a container reach the runtime', async (t) => {
  const pod = podOf({ containers: [containerOf({ cpu: '250m', memory: '64Mi' }, { cpu: '500m', memory: '128Mi' })] });
  t.strictSame(resourcesOf(pod, v1), {
    cpuShares: 256n,
    cpuPeriod: 100_000n,
    cpuQuota: 50_000n,
    memoryLimitInBytes: 128n * mib,
    memorySwapLimitInBytes: 128n * mib,
    oomScoreAdj: 936n,
    hugepageLimits: [],
    unified: {},
  });
});

t.test('on v2 an OOM kill takes the whole container, and there is no swap', async (t) => {
  const pod = podOf({ containers: [containerOf(undefined, { memory: '128Mi' })] });
  t.match(resourcesOf(pod, v2), { unified: { 'memory.oom.group': '1', 'memory.swap.max': '0' } });
  t.equal(resourcesOf(pod, v2).memorySwapLimitInBytes, undefined);
  t.strictSame(resourcesOf(pod, { ...v2, singleProcessOomKill: true, swapController: false }).unified, {});
});

t.test('with memory QoS a container is throttled before its limit, which may be that of its pod', async (t) => {
  const memoryQos = { throttlingFactor: 0.9, reservationPolicy: 'None', allocatableBytes: 1000n * mib } as const;
  const files = (pod: Pod) => resourcesOf(pod, { ...v2, memoryQos }).unified;
  t.strictSame(files(podOf({ containers: [containerOf({ memory: '100Mi' }, { memory: '200Mi' })] })), {
    'memory.oom.group': '1',
    'memory.swap.max': '0',
    'memory.min': '0',
    'memory.low': '0',
    'memory.high': String(190n * mib),
  });
  const shared = podOf({ resources: { limits: { memory: '100Mi' } }, containers: [containerOf({ cpu: '1' })] });
  t.equal(files(shared)['memory.high'], String(90n * mib));
});

t.test('a container that asks for nothing gets the least weight and no limit', async (t) => {
  t.strictSame(resourcesOf(podOf(), v1), {
    cpuShares: 2n,
    cpuPeriod: 100_000n,
    cpuQuota: 0n,
    oomScoreAdj: 1000n,
    hugepageLimits: [],
    unified: {},
  });
});

t.test('a limit stands in for a request that is missing, but not for one of zero', async (t) => {
  t.equal(resourcesOf(podOf({ containers: [containerOf(undefined, { cpu: '1' })] }), v1).cpuShares, 1024n);
  t.equal(resourcesOf(podOf({ containers: [containerOf({ cpu: '0' }, { cpu: '1' })] }), v1).cpuShares, 2n);
});

t.test('a container without a limit has the limit of its pod', async (t) => {
  const pod = podOf({
    resources: { limits: { cpu: '2', memory: '200Mi' } },
    containers: [containerOf({ cpu: '100m' }), containerOf()],
  });
  t.match(resourcesOf(pod, v1), { cpuShares: 102n, cpuQuota: 200_000n, memoryLimitInBytes: 200n * mib });
});

t.test('huge pages are refused but for those that were asked for', async (t) => {
  const pod = podOf({ containers: [containerOf({ 'hugepages-2Mi': '4Mi' }, { 'hugepages-2Mi': '4Mi' })] });
  t.strictSame(resourcesOf(pod, { ...v1, hugepageSizes: ['1GB', '2MB'] }).hugepageLimits, [
    { pageSize: '1GB', limit: 0n },
    { pageSize: '2MB', limit: 4n * mib },
  ]);
});

t.test('the enforcement of CPU limits can be switched off', async (t) => {
  const resources = resourcesOf(guaranteedPod({ cpu: '1', memory: '1Mi' }), { ...v1, cpuCfsQuota: false });
  t.notOk('cpuQuota' in resources);
  t.equal(resources.cpuShares, 1024n);
});

t.test('a runtime that may not protect processes is not asked to', async (t) => {
  const pod = guaranteedPod({ cpu: '1', memory: '1Mi' });
  t.equal(resourcesOf(pod, v1).oomScoreAdj, -997n);
  t.equal(resourcesOf(pod, { ...v1, minOomScoreAdj: 0 }).oomScoreAdj, 0n);
});

t.test('who is killed first when memory runs out', async (t) => {
  t.equal(oomScoreOf(guaranteedPod({ cpu: '1', memory: '1Mi' })), -997, 'Guaranteed goes last');
  t.equal(oomScoreOf(podOf()), 1000, 'BestEffort goes first');
  t.equal(oomScoreOf(podOf({ priorityClassName: 'system-node-critical' })), -997, 'a node-critical pod goes last');
  t.equal(oomScoreOf(burstablePod({ memory: '100Mi' })), 900);
  t.equal(oomScoreOf(burstablePod({ memory: '333Mi' })), 667);
  t.equal(oomScoreOf(burstablePod({ cpu: '1' })), 999, 'Burstable is always before BestEffort');
  t.equal(oomScoreOf(burstablePod({ memory: '1000Mi' })), 3, 'and always behind Guaranteed');
});

t.test('a sidecar does not go before the containers that it serves', async (t) => {
  const pod = podOf({
    initContainers: [
      containerOf({ memory: '10Mi' }, undefined, { name: 'sidecar', restartPolicy: 'Always' }),
      containerOf({ memory: '10Mi' }, undefined, { name: 'init' }),
    ],
    containers: [containerOf({ memory: '300Mi' }), containerOf({ memory: '200Mi' }, undefined, { name: 'second' })],
  });
  t.equal(oomScoreOf(pod, 'sidecar'), 800);
  t.equal(oomScoreOf(pod, 'init'), 990);
  t.equal(oomScoreOf(pod, 'main'), 700);
});

t.test('what a pod requests beyond its containers is split evenly among them', async (t) => {
  const pod = podOf({
    resources: { requests: { memory: '400Mi' } },
    containers: [containerOf({ memory: '100Mi' }), containerOf(undefined, undefined, { name: 'second' })],
  });
  t.equal(oomScoreOf(pod, 'main'), 750, '100 and half of 300');
  t.equal(oomScoreOf(pod, 'second'), 850, 'half of 300');
});
