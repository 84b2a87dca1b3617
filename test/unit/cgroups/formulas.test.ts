import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import {
  burstableShares,
  hugepageSizeName,
  milliCpuToQuota,
  milliCpuToShares,
  type PodCgroupOptions,
  podCgroupResources,
  rootCgroupResources,
  sharesToWeight,
} from '../../../src/cgroups/formulas.ts';
import { burstablePod, containerOf, guaranteedPod, podOf } from './pods.ts';

const mib = 1024n * 1024n;
const options: PodCgroupOptions = { podPidsLimit: -1, cpuCfsQuota: true, hugepageSizes: [] };

t.test('CPU requests become shares within the kernel bounds', async (t) => {
  const table: [milli: number, shares: number][] = [
    [0, 2],
    [1, 2],
    [100, 102],
    [500, 512],
    [1000, 1024],
    [1500, 1536],
    [256_000, 262_144],
    [1_000_000, 262_144],
  ];
  for (const [milli, shares] of table) t.equal(milliCpuToShares(milli), shares, `${milli}m`);
});

t.test('CPU limits become a quota of the period, of 1 ms at least', async (t) => {
  const table: [milli: number, quota: number][] = [
    [0, 0],
    [1, 1000],
    [10, 1000],
    [15, 1500],
    [200, 20_000],
    [1000, 100_000],
    [2500, 250_000],
  ];
  for (const [milli, quota] of table) t.equal(milliCpuToQuota(milli), quota, `${milli}m`);
  t.equal(milliCpuToQuota(500, 5000), 2500);
});

t.test('the weight of a slice is in a straight line with its shares', async (t) => {
  const table: [milli: number, weight: number][] = [
    [0, 1],
    [100, 4],
    [500, 20],
    [1000, 39],
    [2000, 79],
    [4000, 157],
    [256_000, 10_000],
  ];
  for (const [milli, weight] of table) t.equal(sharesToWeight(milliCpuToShares(milli)), weight, `${milli}m`);
});

t.test('page sizes are spelled as the kernel spells them', async (t) => {
  t.equal(hugepageSizeName(64n * 1024n), '64KB');
  t.equal(hugepageSizeName(2n * mib), '2MB');
  t.equal(hugepageSizeName(1024n * mib), '1GB');
  t.equal(hugepageSizeName(16n * 1024n * mib), '16GB');
});

const podLevel: Record<string, { pod: Pod; expected: object }> = {
  'a Guaranteed pod has all limits': {
    pod: guaranteedPod({ cpu: '500m', memory: '128Mi' }),
    expected: { cpuShares: 512, cpuPeriodMicros: 100_000, cpuQuotaMicros: 50_000, memoryBytes: 128n * mib },
  },
  'a BestEffort pod has the least weight and no limit': {
    pod: podOf(),
    expected: { cpuShares: 2 },
  },
  'a Burstable pod with requests alone has no limit': {
    pod: burstablePod({ cpu: '1', memory: '64Mi' }),
    expected: { cpuShares: 1024 },
  },
  'containers are added up': {
    pod: podOf({
      containers: [
        containerOf({ cpu: '100m', memory: '64Mi' }, { cpu: '200m', memory: '128Mi' }),
        containerOf({ cpu: '150m', memory: '64Mi' }, { cpu: '300m', memory: '256Mi' }),
      ],
    }),
    expected: { cpuShares: 256, cpuPeriodMicros: 100_000, cpuQuotaMicros: 50_000, memoryBytes: 384n * mib },
  },
  'one container without a limit leaves the pod without it': {
    pod: podOf({
      containers: [
        containerOf({ cpu: '100m', memory: '64Mi' }, { cpu: '200m', memory: '128Mi' }),
        containerOf({ cpu: '100m', memory: '64Mi' }, { memory: '128Mi' }),
      ],
    }),
    expected: { cpuShares: 204, memoryBytes: 256n * mib },
  },
  'the largest init container counts when it needs more than the containers': {
    pod: podOf({
      initContainers: [containerOf({ cpu: '2', memory: '1Gi' }, { cpu: '2', memory: '1Gi' }, { name: 'init' })],
      containers: [containerOf({ cpu: '1', memory: '64Mi' }, { cpu: '1', memory: '64Mi' })],
    }),
    expected: { cpuShares: 2048, cpuPeriodMicros: 100_000, cpuQuotaMicros: 200_000, memoryBytes: 1024n * mib },
  },
  'an init container without a limit leaves the pod without it': {
    pod: podOf({
      initContainers: [containerOf({ cpu: '1' }, undefined, { name: 'init' })],
      containers: [containerOf({ cpu: '1', memory: '64Mi' }, { cpu: '2', memory: '64Mi' })],
    }),
    expected: { cpuShares: 1024 },
  },
  'sidecars are added to the containers': {
    pod: podOf({
      initContainers: [
        containerOf(
          { cpu: '500m', memory: '32Mi' },
          { cpu: '1', memory: '32Mi' },
          { name: 'side', restartPolicy: 'Always' },
        ),
      ],
      containers: [containerOf({ cpu: '1', memory: '64Mi' }, { cpu: '2', memory: '64Mi' })],
    }),
    expected: { cpuShares: 1536, cpuPeriodMicros: 100_000, cpuQuotaMicros: 300_000, memoryBytes: 96n * mib },
  },
  'overhead is added to requests and to the limits that there are': {
    pod: podOf({
      overhead: { cpu: '250m', memory: '16Mi' },
      containers: [containerOf({ cpu: '250m', memory: '64Mi' }, { memory: '64Mi' })],
    }),
    expected: { cpuShares: 512, memoryBytes: 80n * mib },
  },
  'pod-level resources win over what containers ask for': {
    pod: podOf({
      resources: { requests: { cpu: '1', memory: '100Mi' }, limits: { cpu: '2', memory: '200Mi' } },
      containers: [containerOf({ cpu: '100m' }), containerOf()],
    }),
    expected: { cpuShares: 1024, cpuPeriodMicros: 100_000, cpuQuotaMicros: 200_000, memoryBytes: 200n * mib },
  },
};

for (const [what, { pod, expected }] of Object.entries(podLevel)) {
  t.test(what, async (t) => {
    t.strictSame(podCgroupResources(pod, options), expected);
  });
}

t.test('the node-wide settings reach the pod', async (t) => {
  const pod = guaranteedPod({ cpu: '1', memory: '1Mi', 'hugepages-2Mi': '4Mi' });
  t.match(podCgroupResources(pod, { ...options, podPidsLimit: 1024 }), { pidsMax: 1024 });
  t.match(podCgroupResources(pod, { ...options, cpuCfsQuota: false }), { cpuQuotaMicros: -1 });
  t.match(podCgroupResources(pod, { ...options, cpuCfsQuotaPeriodMicros: 10_000 }), {
    cpuPeriodMicros: 10_000,
    cpuQuotaMicros: 10_000,
  });
  const { hugepages } = podCgroupResources(pod, { ...options, hugepageSizes: ['2MB', '1GB'] });
  t.strictSame(
    [...(hugepages ?? [])],
    [
      ['2MB', 4n * mib],
      ['1GB', 0n],
    ],
  );
});

t.test('the burstable class weighs as much as its pods request, and the node as much as it has', async (t) => {
  const pods = [
    burstablePod({ cpu: '100m' }),
    burstablePod({ cpu: '400m' }),
    guaranteedPod({ cpu: '4', memory: '1Gi' }),
    podOf(),
  ];
  t.equal(burstableShares(pods), 512);
  t.equal(burstableShares([]), 2);
  t.strictSame(rootCgroupResources({ cpuMilli: 2000, memoryBytes: 5n }), { cpuShares: 2048, memoryBytes: 5n });
});
