import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import type { Node } from '../../../src/api/node.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { hasCapSysResource, isUnifiedCgroup } from '../support/machine.ts';
import { waitFor } from '../support/wait.ts';
import {
  cgroupExists,
  cgroupPathOf,
  type KernelCgroup,
  readCgroup,
  runtimeSeesOomKills,
  shownContainerShares,
  shownIoLimits,
  shownShares,
} from './cgroup-files.ts';
import { isReady, podManifest, shell, statusOf } from './pods.ts';

const PODS_PIDS = 40;
const MIB = 2 ** 20;

/** A disk of this machine, by its name and numbers. */
interface Disk {
  readonly name: string;
  readonly numbers: string;
}

function findDisk(): Disk | undefined {
  const name = readdirSync('/sys/block').find((name) => /^([sv]d[a-z]+|nvme\d+n\d+)$/.test(name));
  return name === undefined ? undefined : { name, numbers: readFileSync(`/sys/block/${name}/dev`, 'utf8').trim() };
}

const disk = wantedContainerd() === '1.6' ? undefined : findDisk();

function blockioClasses({ name }: Disk): string {
  const path = join(t.testdir(), 'blockio.yaml');
  writeFileSync(
    path,
    `Classes:\n  slow:\n  - Devices: [/dev/${name}]\n    ThrottleReadBps: 8M\n    ThrottleWriteIOPS: 500\n`,
  );
  return path;
}

const runtime = await startContainerd({
  version: wantedContainerd(),
  ...(disk && { blockioConfig: blockioClasses(disk) }),
});
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime, config: { podPidsLimit: PODS_PIDS } });
t.teardown(() => daemon.stop());

function pidOf(pod: Pod, container: string): number {
  return runtime.containerPid((statusOf(pod, container).containerID ?? '').replace('containerd://', ''));
}

function podCgroupPath(pod: Pod, container = 'a'): string {
  return dirname(cgroupPathOf(pidOf(pod, container), 'cpu'));
}

function oomScoreAdj(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'));
}

/** The least that a runtime may set: without the capability nobody lowers what it has itself. */
const leastOomScoreAdj = hasCapSysResource() ? -1000 : oomScoreAdj(runtime.pid);

/** The node's memory in bytes, as it tells it. */
async function nodeMemory(): Promise<bigint> {
  const node = await daemon.api.expectOk<Node>('GET', `/api/v1/nodes/${daemon.root.name}`);
  const [, kibibytes] = /^(\d+)Ki$/.exec(node.status?.capacity?.memory ?? '') ?? [];
  return BigInt(kibibytes ?? 0) * 1024n;
}

const memoryOfNode = await nodeMemory();

/** A tenth of the node's memory in whole pages: large enough to show in the OOM score. */
const tenthOfMemory = Number((memoryOfNode / 10n / 4096n) * 4096n);

type Resources = NonNullable<Pod['spec']['resources']>;

interface Case {
  readonly name: string;
  readonly qosClass: string;
  /** Beneath the root of all pods. */
  readonly parent: string;
  readonly podResources?: Resources;
  readonly containers: Readonly<Record<string, Resources>>;
  readonly expected: KernelCgroup;
  readonly expectedContainers: Readonly<Record<string, Omit<KernelCgroup, 'pidsMax'> & { oomScoreAdj: number }>>;
}

/** Of a container of a Burstable pod that requests these bytes: by how much of the machine that is. */
const burstableScore = (bytes: number) => Math.min(999, 1000 - Number((1000n * BigInt(bytes)) / memoryOfNode));

const none = { cpuQuotaMicros: undefined, memoryBytes: undefined };

const cases: readonly Case[] = [
  {
    name: 'guaranteed',
    qosClass: 'Guaranteed',
    parent: '/kubepods',
    containers: {
      a: { limits: { cpu: '200m', memory: '64Mi' } },
      b: { limits: { cpu: '50m', memory: '16Mi' } },
    },
    expected: { cpuShares: 256, cpuQuotaMicros: 25_000, memoryBytes: 80 * MIB, pidsMax: PODS_PIDS },
    expectedContainers: {
      a: { cpuShares: 204, cpuQuotaMicros: 20_000, memoryBytes: 64 * MIB, oomScoreAdj: -997 },
      b: { cpuShares: 51, cpuQuotaMicros: 5000, memoryBytes: 16 * MIB, oomScoreAdj: -997 },
    },
  },
  {
    name: 'burstable-unlimited',
    qosClass: 'Burstable',
    parent: '/kubepods/burstable',
    containers: {
      a: { requests: { cpu: '100m', memory: `${tenthOfMemory}` } },
      b: { requests: { cpu: '50m', memory: '1Mi' }, limits: { cpu: '300m', memory: '64Mi' } },
    },
    // One container without a limit, and the pod has none.
    expected: { cpuShares: 153, ...none, pidsMax: PODS_PIDS },
    expectedContainers: {
      a: { cpuShares: 102, ...none, oomScoreAdj: 901 },
      b: { cpuShares: 51, cpuQuotaMicros: 30_000, memoryBytes: 64 * MIB, oomScoreAdj: 999 },
    },
  },
  {
    name: 'burstable-limited',
    qosClass: 'Burstable',
    parent: '/kubepods/burstable',
    containers: {
      a: { requests: { cpu: '250m' }, limits: { cpu: '1', memory: '32Mi' } },
      b: { requests: { cpu: '1m' }, limits: { cpu: '5m', memory: '16Mi' } },
    },
    expected: { cpuShares: 257, cpuQuotaMicros: 100_500, memoryBytes: 48 * MIB, pidsMax: PODS_PIDS },
    expectedContainers: {
      a: { cpuShares: 256, cpuQuotaMicros: 100_000, memoryBytes: 32 * MIB, oomScoreAdj: burstableScore(32 * MIB) },
      // Neither below the kernel's least quota nor its least shares.
      b: { cpuShares: 2, cpuQuotaMicros: 1000, memoryBytes: 16 * MIB, oomScoreAdj: burstableScore(16 * MIB) },
    },
  },
  {
    name: 'best-effort',
    qosClass: 'BestEffort',
    parent: '/kubepods/besteffort',
    containers: { a: {} },
    expected: { cpuShares: 2, ...none, pidsMax: PODS_PIDS },
    expectedContainers: { a: { cpuShares: 2, ...none, oomScoreAdj: 1000 } },
  },
  {
    name: 'pod-level',
    qosClass: 'Burstable',
    parent: '/kubepods/burstable',
    podResources: {
      requests: { cpu: '400m', memory: `${tenthOfMemory}` },
      limits: { cpu: '1', memory: `${tenthOfMemory}` },
    },
    containers: { a: {}, b: { requests: { cpu: '100m', memory: '1Mi' }, limits: { cpu: '200m', memory: '32Mi' } } },
    expected: { cpuShares: 409, cpuQuotaMicros: 100_000, memoryBytes: tenthOfMemory, pidsMax: PODS_PIDS },
    expectedContainers: {
      // What it does not say itself is the pod's; what only the pod requests they share evenly.
      a: { cpuShares: 1024, cpuQuotaMicros: 100_000, memoryBytes: tenthOfMemory, oomScoreAdj: 951 },
      b: { cpuShares: 102, cpuQuotaMicros: 20_000, memoryBytes: 32 * MIB, oomScoreAdj: 950 },
    },
  },
];

function assertContainer(t: Test, pod: Pod, name: string, expected: Case['expectedContainers'][string]): void {
  const pid = pidOf(pod, name);
  const { cpuShares, cpuQuotaMicros, memoryBytes } = readCgroup(cgroupPathOf(pid, 'cpu'));
  t.ok(shownContainerShares(expected.cpuShares).includes(cpuShares), `${name}: cpu shares ${cpuShares}`);
  const { cpuQuotaMicros: quota, memoryBytes: memory } = expected;
  t.strictSame({ cpuQuotaMicros, memoryBytes }, { cpuQuotaMicros: quota, memoryBytes: memory }, `${name}: limits`);
  t.equal(oomScoreAdj(pid), Math.max(expected.oomScoreAdj, leastOomScoreAdj), `${name}: oom_score_adj`);
}

t.test('what the kernel shows of pods and containers is what their manifests say', async (t) => {
  for (const { name, podResources, containers } of cases) {
    await daemon.createPod(
      podManifest(
        name,
        Object.entries(containers).map(([name, resources]) => ({ name, resources, command: shell('') })),
        podResources ? { resources: podResources } : {},
      ),
    );
  }
  for (const { name, qosClass, parent, expected, expectedContainers } of cases) {
    await t.test(name, async (t) => {
      const pod = await daemon.waitForExistingPod(name, isReady);
      t.equal(pod.status?.qosClass, qosClass);
      const path = podCgroupPath(pod);
      t.equal(path, `${daemon.cgroupRoot}${parent}/pod${pod.metadata.uid}`);
      t.strictSame(readCgroup(path), { ...expected, cpuShares: shownShares(expected.cpuShares) });
      for (const [container, values] of Object.entries(expectedContainers)) assertContainer(t, pod, container, values);
    });
  }
});

t.test('the classes weigh as much as their pods, and pods leave no cgroup behind', async (t) => {
  const shares = (path: string) => readCgroup(daemon.cgroupRoot + path).cpuShares;
  // 150m + 251m + 400m are 801m.
  await waitFor('the weight of all burstable pods', () => shares('/kubepods/burstable') === shownShares(820));
  t.equal(shares('/kubepods/besteffort'), shownShares(2));
  for (const { name, parent } of cases) {
    const { metadata } = await daemon.getPod(name);
    const path = `${daemon.cgroupRoot}${parent}/pod${metadata.uid}`;
    t.ok(cgroupExists(path), `${name} has a cgroup`);
    await daemon.deletePod(name, { gracePeriodSeconds: 0 });
    t.notOk(cgroupExists(path), `${name} has none when it is gone`);
  }
  await waitFor('the weight of no pod', () => shares('/kubepods/burstable') === shownShares(2));
});

t.test('a container beyond its memory limit is killed, and says why', async (t) => {
  let reason: string | undefined;
  // containerd 1.6 misses an OOM kill now and then.
  for (let attempt = 0; attempt < 4 && reason !== 'OOMKilled'; attempt += 1) {
    const resources = { limits: { memory: '24Mi' } };
    // It keeps all that it reads.
    const hungry = { name: 'a', command: ['tail', '/dev/zero'], resources };
    await daemon.createPod(podManifest('oom', [hungry], { restartPolicy: 'Never' }));
    const pod = await daemon.waitForExistingPod('oom', ({ status }) => status?.phase === 'Failed');
    const { containerID = '', state } = statusOf(pod, 'a');
    t.equal(state?.terminated?.exitCode, 137);
    reason = state?.terminated?.reason;
    const containerId = containerID.replace('containerd://', '');
    t.equal(reason, (await runtime.cri.call('ContainerStatus', { containerId })).status?.reason, 'as the runtime says');
    await daemon.deletePod('oom');
    if (!runtimeSeesOomKills()) return;
  }
  t.equal(reason, 'OOMKilled');
});

t.test('a container one of whose processes was killed for its memory is shown as what it is', async (t) => {
  await daemon.createPod(
    podManifest(
      'oom-child',
      [
        {
          name: 'a',
          command: ['sh', '-c', 'trap "exit 0" TERM; tail /dev/zero; echo "tail=$?"; sleep 1000000 & wait'],
          resources: { limits: { memory: '24Mi' } },
        },
      ],
      { restartPolicy: 'Never' },
    ),
  );
  if (isUnifiedCgroup()) {
    // There the container goes as a whole.
    const pod = await daemon.waitForExistingPod('oom-child', ({ status }) => status?.phase === 'Failed');
    t.match(statusOf(pod, 'a').state?.terminated, { reason: 'OOMKilled', exitCode: 137 });
  } else {
    await waitFor('the end of the child', async () =>
      (await daemon.containerLog('oom-child', 'a')).includes('tail=137'),
    );
    await daemon.api.expectOk('PATCH', '/api/v1/namespaces/default/pods/oom-child', {
      body: { metadata: { labels: { seen: 'yes' } } },
      contentType: 'application/merge-patch+json',
    });
    const pod = await daemon.waitForExistingPod('oom-child', ({ metadata }) => metadata.labels?.seen === 'yes');
    t.match(statusOf(pod, 'a'), { ready: true, restartCount: 0, state: { running: {} } });
  }
  await daemon.deletePod('oom-child');
});

t.test('a pod that makes processes without end meets its limit, and no other pod does', async (t) => {
  const fork = 'i=0; while [ $i -lt 100 ]; do sleep 1000000 & i=$((i + 1)); done; echo "forked=$i"';
  await daemon.createPod(
    podManifest('bomb', [{ name: 'a', command: ['sh', '-c', `${fork}; wait`] }], { restartPolicy: 'Never' }),
  );
  const pod = await daemon.waitForExistingPod('bomb', ({ status }) => status?.phase === 'Failed');
  const log = await daemon.containerLog('bomb', 'a');
  t.match(log, /can't fork/);
  t.notMatch(log, /forked/);
  t.match(statusOf(pod, 'a').state?.terminated, { exitCode: 2 });
  await daemon.createPod(podManifest('tame', [{ name: 'a', command: shell('sleep 0 && echo forked') }]));
  await daemon.waitForExistingPod('tame', isReady);
  await waitFor('a process in another pod', async () => (await daemon.containerLog('tame', 'a')) === 'forked\n');
  for (const name of ['bomb', 'tame']) await daemon.deletePod(name);
});

t.test(
  "a pod's annotations choose among the runtime's classes of I/O",
  { skip: !disk && 'no class here' },
  async (t) => {
    const { numbers = '' } = disk ?? {};
    const annotations = { 'blockio.resources.beta.kubernetes.io/container.a': 'slow' };
    const idle = { command: shell('true') };
    const manifest = podManifest('throttled', [
      { name: 'a', ...idle },
      { name: 'b', ...idle },
    ]);
    await daemon.createPod({ ...manifest, metadata: { ...manifest.metadata, annotations } });
    const pod = await daemon.waitForExistingPod('throttled', isReady);
    const limits = (container: string) => shownIoLimits(pidOf(pod, container), numbers);
    t.strictSame(limits('a'), { readBytes: 8_000_000, writeOperations: 500 });
    t.strictSame(limits('b'), {}, 'another container of the pod');
    await daemon.deletePod('throttled');

    const unknown = { 'blockio.resources.beta.kubernetes.io/pod': 'none-such' };
    await daemon.createPod({ ...manifest, metadata: { ...manifest.metadata, annotations: unknown } });
    const refused = await daemon.waitForExistingPod('throttled', (each) =>
      Boolean(statusOf(each, 'a').state?.waiting?.message?.includes('none-such')),
    );
    t.match(statusOf(refused, 'a').state?.waiting, { reason: 'CreateContainerError' });
    await daemon.deletePod('throttled');
  },
);
