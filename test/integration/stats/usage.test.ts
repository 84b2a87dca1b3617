import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t, { type Test } from 'tap';
import type { PodMetrics } from '../../../src/api/metrics-kinds.ts';
import { cgroupPathOf } from '../pod/cgroup-files.ts';
import { DEMO_IMAGE, isReady, podManifest, shell, statusOf } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { debianPackage, isUnifiedCgroup } from '../support/machine.ts';
import { waitFor } from '../support/wait.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

/** One that computes without end and one that sleeps; 20 MiB are written into the memory of the latter. */
const busy = podManifest(
  'busy',
  [
    {
      name: 'loop',
      command: ['sh', '-c', "trap 'exit 0' TERM; while :; do :; done"],
      resources: { limits: { cpu: '200m', memory: '64Mi' } },
    },
    {
      name: 'idle',
      command: shell('head -c 20971520 /dev/zero >/memory/zeros'),
      volumeMounts: [{ name: 'm', mountPath: '/memory' }],
    },
  ],
  { volumes: [{ name: 'm', emptyDir: { medium: 'Memory' } }] },
  { labels: { app: 'busy' } },
);

await daemon.createPod(busy);
await daemon.createPod(podManifest('quiet', [{ name: 'main', command: shell('echo I am quiet') }]));
await daemon.createPod(podManifest('other', [{ name: 'main', command: shell('true') }]), 'kube-public');
const timeoutMs = 120_000;
await daemon.waitForExistingPod('busy', isReady, { timeoutMs });
await daemon.waitForExistingPod('quiet', isReady, { timeoutMs });
await daemon.waitForExistingPod('other', isReady, { namespace: 'kube-public', timeoutMs });

async function top(t: Test, suite: 'trixie' | 'sid', args: string): Promise<string> {
  const { exitCode, stdout, stderr } = await daemon.kubectl(['top', ...args.split(' ')], { suite });
  t.equal(exitCode, 0, `kubectl top ${args}: ${stderr}`);
  return stdout;
}

for (const suite of ['trixie', 'sid'] as const) {
  t.test(`kubectl top of Debian ${suite}`, async (t) => {
    t.match(
      await top(t, suite, 'pod'),
      /^NAME +CPU\(cores\) +MEMORY\(bytes\) *\nbusy +\d+m +\d+Mi *\nquiet +\d+m +\d+Mi *$/,
    );
    t.match(
      await top(t, suite, 'pod busy --containers'),
      /^POD +NAME +CPU\(cores\) .*\nbusy +idle +\d+m .*\nbusy +loop +\d+m /,
    );
    t.match(
      await top(t, suite, 'pod -A --sort-by=cpu'),
      /^NAMESPACE +NAME .*\ndefault +busy .*\n(?:.*\n)?kube-public +other /,
    );
    t.match(await top(t, suite, 'pod -l app=busy --no-headers'), /^busy +\d+m +\d+Mi *$/);
    t.match(
      await top(t, suite, 'node'),
      new RegExp(`^NAME +CPU\\(cores\\) +CPU\\(%\\) .*\\n${daemon.root.name} +\\d+m +\\d+% +\\d+Mi +\\d+% *$`),
    );
    const missing = await daemon.kubectl(['top', 'pod', 'none'], { suite });
    t.match(missing.stderr, /NotFound/);
  });
}

t.test('the numbers are those of the containers', async (t) => {
  const pod = await daemon.api.expectOk<PodMetrics>('GET', '/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/busy');
  const usageOf = (name: string) => {
    const usage = pod.containers.find((container) => container.name === name)?.usage;
    if (!usage) throw new Error(`nothing is told of ${name}: ${JSON.stringify(pod)}`);
    return { nanoCores: Number(usage.cpu.replace(/n$/, '')), kib: Number(usage.memory.replace(/Ki$/, '')) };
  };
  const [loop, idle] = [usageOf('loop'), usageOf('idle')];
  t.ok(loop.nanoCores > idle.nanoCores, `the loop computes: ${loop.nanoCores} beside ${idle.nanoCores}`);
  t.ok(loop.nanoCores < 500_000_000, `and keeps its limit: ${loop.nanoCores}`);
  t.ok(idle.kib > 20_480 && idle.kib < 40_960, `what was written to memory counts: ${idle.kib} KiB`);
  t.ok(loop.kib < 20_480, `${loop.kib} KiB`);
});

interface Used {
  readonly name: string;
  readonly cpu: { readonly usageNanoCores: number; readonly usageCoreNanoSeconds: number };
  readonly memory: { readonly workingSetBytes: number; readonly availableBytes?: number };
}

interface FsStats {
  readonly time: string;
  readonly usedBytes: number;
  readonly capacityBytes: number;
  readonly availableBytes: number;
  readonly inodesUsed: number;
  readonly inodesFree: number;
  readonly inodes: number;
}

interface Summary {
  readonly node: Used & {
    readonly nodeName: string;
    readonly fs: object;
    readonly runtime: { readonly imageFs: object };
  };
  readonly pods: readonly (Used & {
    readonly podRef: { readonly name: string };
    readonly network: { readonly name: string; readonly rxBytes: number };
    readonly containers: readonly (Used & { readonly rootfs: FsStats; readonly logs?: FsStats })[];
    readonly volume?: readonly (FsStats & { readonly name: string; readonly pvcRef?: object })[];
    readonly 'ephemeral-storage'?: FsStats;
  })[];
}

/** What the kernel says of a container by now: CPU time in nanoseconds. */
function cpuNanosOf(pid: number): number {
  const path = cgroupPathOf(pid, 'cpuacct');
  if (!isUnifiedCgroup()) return Number(readFileSync(`/sys/fs/cgroup/cpuacct${path}/cpuacct.usage`, 'utf8'));
  const stat = readFileSync(`/sys/fs/cgroup${path}/cpu.stat`, 'utf8');
  return 1000 * Number(/^usage_usec (\d+)$/m.exec(stat)?.[1]);
}

/** By way of the node's proxy, as kubectl gets it. */
async function readSummary(t: Test): Promise<Summary> {
  const path = `/api/v1/nodes/${daemon.root.name}/proxy/stats/summary`;
  const { stdout, stderr } = await daemon.kubectl(['get', '--raw', path]);
  t.equal(stderr, '');
  return JSON.parse(stdout) as Summary;
}

function usageOfLoop({ pods }: Summary) {
  const pod = pods.find(({ podRef }) => podRef.name === 'busy');
  const told = pod?.containers.find(({ name }) => name === 'loop');
  if (!pod || !told) throw new Error(`busy is not told of: ${JSON.stringify(pods)}`);
  return { pod, told };
}

t.test('/stats/summary says what the cgroup files say', async (t) => {
  const { containerID = '' } = statusOf(await daemon.getPod('busy'), 'loop');
  const pid = runtime.containerPid(containerID.replace('containerd://', ''));
  const before = cpuNanosOf(pid);
  // What was read up to a second before is told as well: ask until it was read after `before`.
  const { node, pods } = await waitFor(
    'a summary of now',
    async () => {
      const summary = await readSummary(t);
      return usageOfLoop(summary).told.cpu.usageCoreNanoSeconds >= before && summary;
    },
    timeoutMs,
  );
  const after = cpuNanosOf(pid);
  t.equal(node.nodeName, daemon.root.name);
  t.ok(node.fs && node.runtime.imageFs, 'the file systems of node and images are told');
  const { pod, told } = usageOfLoop({ node, pods });
  const { usageCoreNanoSeconds: nanos } = told.cpu;
  t.ok(nanos <= after, `CPU time: ${before} <= ${nanos} <= ${after}`);
  t.equal(told.memory.workingSetBytes + (told.memory.availableBytes ?? 0), 64 * 1024 * 1024, 'up to its limit');
  t.ok(pod.cpu.usageCoreNanoSeconds >= nanos, 'the pod has used what its containers have');
  t.equal(pod.network.name, 'eth0');
  t.type(told.rootfs.usedBytes, 'number');
});

t.test("all metrics are read by Prometheus' own parser", async (t) => {
  const promtool = join(await debianPackage('bookworm', 'prometheus'), 'usr/bin/promtool');
  for (const path of ['/metrics', '/metrics/resource', '/metrics/cadvisor', '/metrics/probes']) {
    const { status, text } = await daemon.api.request('GET', path);
    t.equal(status, 200, path);
    // It also has an opinion on names, which are not ours; only what it cannot read ends with 1.
    const { exitCode, stderr } = await execa(promtool, ['check', 'metrics'], { input: text, reject: false });
    t.ok(exitCode === 0 || exitCode === 3, `${path}: ${exitCode} ${stderr}`);
  }
  const own = await daemon.api.request('GET', '/metrics');
  for (const pattern of [
    /^kubelet_running_pods 3$/m,
    /^kubelet_running_containers\{container_state="running"\} 4$/m,
    /^kubelet_desired_pods\{static="false"\} 3$/m,
    /^kubelet_started_pods_total [3-9]$/m,
    /^kubelet_pod_start_sli_duration_seconds_count [3-9]$/m,
    /^kubelet_pod_worker_duration_seconds_count\{operation_type="create"\} [3-9]$/m,
    /^kubelet_started_containers_total [4-9]$/m,
    /^kubelet_runtime_operations_total\{operation_type="run_podsandbox"\} [3-9]$/m,
    new RegExp(`^kubelet_node_name\\{node="${daemon.root.name}"\\} 1$`, 'm'),
    /^process_resident_memory_bytes \d+$/m,
  ]) {
    t.match(own.text, pattern);
  }
  const { text } = await daemon.api.request('GET', '/metrics/cadvisor');
  for (const name of [
    'container_cpu_cfs_periods_total',
    'container_memory_working_set_bytes',
    'container_fs_usage_bytes',
  ]) {
    t.match(text, new RegExp(`^${name}\\{container="loop",.*namespace="default",pod="busy"`, 'm'), name);
  }
  t.match(text, /^container_network_receive_bytes_total\{container="",.*pod="quiet",.*interface="eth0"\} \d+/m);
});

t.test('/run and /containerLogs reach into real containers', async (t) => {
  const run = (cmd: string) => daemon.api.request('POST', `/run/default/quiet/main?cmd=${encodeURIComponent(cmd)}`);
  t.match(await run('echo a  b'), { status: 200, text: 'a  b\n' });
  t.match(await run('ls /nowhere'), { status: 500, text: /command 'ls \/nowhere' exited with 1: .*No such file/ });
  t.match(await run('no-such-program'), { status: 500 });
  t.match(await daemon.api.request('GET', '/containerLogs/default/quiet/main'), { status: 200, text: 'I am quiet\n' });
});

t.test('/stats/summary tells of volumes and logs', async (t) => {
  const core = '/api/v1/namespaces/default';
  const data = { key: 'x'.repeat(10_000) };
  await daemon.api.expectOk('POST', `${core}/configmaps`, { body: { metadata: { name: 'settings' }, data } });
  const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } };
  await daemon.api.expectOk('POST', `${core}/persistentvolumeclaims`, {
    body: { metadata: { name: 'kept' }, spec: claim },
  });
  const volumes = [
    { name: 'scratch', emptyDir: {} },
    { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } },
    { name: 'settings', configMap: { name: 'settings' } },
    { name: 'data', persistentVolumeClaim: { claimName: 'kept' } },
    { name: 'host', hostPath: { path: '/usr' } },
  ];
  const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }));
  // What is behind a link is not the pod's.
  const script = 'head -c 8388608 /dev/zero >/scratch/a; ln -s /host /scratch/b; head -c 1048576 /dev/zero >/memory/a';
  const initContainers = [{ name: 'fill', image: DEMO_IMAGE, command: ['sh', '-c', script], volumeMounts }];
  await daemon.createPod(
    podManifest('keeper', [{ name: 'main', command: shell('echo I keep'), volumeMounts }], { initContainers, volumes }),
  );
  await daemon.waitForExistingPod('keeper', isReady, { timeoutMs });
  // Trees that take long are told of later.
  const { pod, volume, storage, logs } = await waitFor(
    'the disks of the pod',
    async () => {
      const pod = (await readSummary(t)).pods.find(({ podRef }) => podRef.name === 'keeper');
      const { volume, 'ephemeral-storage': storage, containers } = pod ?? {};
      const logs = containers?.[0]?.logs;
      return pod && volume && storage && logs && { pod, volume, storage, logs };
    },
    timeoutMs,
  );
  t.same(
    volume.map(({ name }) => name),
    ['scratch', 'memory', 'settings', 'data'],
    'nothing is told of a hostPath',
  );
  const [scratch, memory, settings, persistent] = volume;
  if (!scratch || !memory || !settings || !persistent) throw new Error(JSON.stringify(pod));
  const isAbout = (value: number, least: number, message: string) =>
    t.ok(value >= least && value < least + 1_048_576, `${message}: ${value}`);
  isAbout(scratch.usedBytes, 8_388_608, 'what was written');
  t.equal(scratch.inodesUsed, 3, 'a directory, a file and a link');
  t.ok(scratch.capacityBytes > scratch.availableBytes && scratch.availableBytes > 0, 'of the disk');
  t.ok(scratch.inodes >= scratch.inodesFree, 'inodes of the disk');
  t.match(memory, { usedBytes: 1_048_576, capacityBytes: 4_194_304, availableBytes: 3_145_728 }, 'its own size');
  isAbout(settings.usedBytes, 10_000, 'the ConfigMap');
  t.same(persistent.pvcRef, { name: 'kept', namespace: 'default' });
  t.equal(persistent.capacityBytes, scratch.capacityBytes, 'on the same disk');
  t.ok(logs.usedBytes > 0 && logs.inodesUsed >= 2, `its log: ${JSON.stringify(logs)}`);
  const parts = scratch.usedBytes + settings.usedBytes + logs.usedBytes;
  isAbout(storage.usedBytes, parts, 'all together, without what is in memory or persistent');
  const short = await daemon.api.request('GET', '/stats/summary?only_cpu_and_memory=true');
  t.match(short, { status: 200, text: /"keeper"/ });
  t.notMatch(short.text, /"(volume|logs|ephemeral-storage|rootfs)"/);
});
