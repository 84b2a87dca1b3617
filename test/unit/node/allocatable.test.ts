import t from 'tap';
import { nodeResources, type Reservations } from '../../../src/node/allocatable.ts';
import { countCpuList, hugepageResource, type NodeCapacity, parseMeminfo } from '../../../src/node/capacity.ts';

const gib = 1024n ** 3n;

const capacity: NodeCapacity = {
  cpuCount: 4,
  memoryBytes: 8n * gib,
  swapBytes: 0n,
  ephemeralStorageBytes: 100n * gib,
  hugepages: new Map(),
};
const nothingReserved: Reservations = { kubeReserved: {}, systemReserved: {}, evictionHard: {}, maxPods: 110 };

t.test('with nothing reserved pods may have all there is', async (t) => {
  const { capacity: all, allocatable, podLimits } = nodeResources(capacity, nothingReserved);
  t.strictSame(all, { cpu: '4', 'ephemeral-storage': '100Gi', memory: '8Gi', pods: '110' });
  t.strictSame(allocatable, all);
  t.strictSame(podLimits, { cpuMilli: 4000, memoryBytes: 8n * gib });
});

t.test('reservations and hard eviction are kept back; the cgroup of all pods keeps eviction out', async (t) => {
  const { allocatable, podLimits } = nodeResources(capacity, {
    kubeReserved: { cpu: '100m', memory: '256Mi' },
    systemReserved: { cpu: '400m', memory: '256Mi', 'ephemeral-storage': '10Gi' },
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '10%' },
    maxPods: 20,
  });
  t.strictSame(allocatable, { cpu: '3500m', 'ephemeral-storage': '80Gi', memory: '7580Mi', pods: '20' });
  t.strictSame(podLimits, { cpuMilli: 3500, memoryBytes: 7680n * 1024n * 1024n });
});

t.test('huge pages are offered apart and are not offered as memory', async (t) => {
  const hugepages = new Map([
    ['hugepages-2Mi', gib],
    ['hugepages-1Gi', 0n],
  ]);
  const { allocatable } = nodeResources({ ...capacity, hugepages }, nothingReserved);
  t.match(allocatable, { memory: '7Gi', 'hugepages-2Mi': '1Gi', 'hugepages-1Gi': '0' });
});

t.test('reserving more than there is leaves nothing, not less', async (t) => {
  const { allocatable } = nodeResources(capacity, { ...nothingReserved, systemReserved: { cpu: '5', memory: '9Gi' } });
  t.match(allocatable, { cpu: '0', memory: '0' });
});

t.test('what the kernel tells of the machine is understood', async (t) => {
  t.equal(countCpuList('0-3,8,10-11\n'), 7);
  t.equal(countCpuList('\n'), 0);
  t.strictSame(parseMeminfo('MemTotal:       24684092 kB\nMemFree: 1 kB\nSwapTotal:         1024 kB\n'), {
    totalBytes: 24_684_092n * 1024n,
    swapBytes: 1024n * 1024n,
  });
  t.throws(() => parseMeminfo('nothing'), /how much memory/);
  t.equal(hugepageResource(2n * 1024n * 1024n), 'hugepages-2Mi');
  t.equal(hugepageResource(gib), 'hugepages-1Gi');
  t.equal(hugepageResource(64n * 1024n), 'hugepages-64Ki');
});
