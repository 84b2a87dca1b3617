import t from 'tap';
import type { CgroupLayout } from '../../../src/cgroups/detect.ts';
import { type RunningPod, type UsageIo, UsageReader } from '../../../src/stats/usage-reader.ts';

const pod: RunningPod = {
  namespace: 'default',
  name: 'web',
  uid: 'u',
  startedAtMs: 0,
  cgroup: '/kubepods/podu',
  networkSandboxId: 'cafe00',
  containers: [
    { id: 'beef01', name: 'main', image: 'busybox', startedAtMs: 0 },
    { id: 'beef02', name: 'gone', image: 'busybox', startedAtMs: 0 },
  ],
};

const v1: CgroupLayout = {
  version: 1,
  controllers: new Map([
    ['cpu', '/cg/cpu'],
    ['cpuacct', '/cg/cpuacct'],
    ['memory', '/cg/memory'],
    ['pids', '/cg/pids'],
  ]),
  named: [],
  unified: undefined,
};
const v2: CgroupLayout = { version: 2, controllers: new Map(), named: [], unified: '/cg' };

const netDev = '  eth0: 1000 10 0 0 0 0 0 0 2000 20 0 0 0 0 0 0\n';

/** A kernel that has only these files. */
function readerOf(layout: CgroupLayout, files: Readonly<Record<string, string>>): UsageReader {
  const io: UsageIo = {
    read: (path) => files[path],
    names: (path) => [
      ...new Set(
        Object.keys(files)
          .filter((file) => file.startsWith(`${path}/`))
          .map((file) => file.slice(path.length + 1).split('/')[0] ?? ''),
      ),
    ],
    fs: async () => undefined,
  };
  return new UsageReader({ layout, io, stateDirectory: '/state', clock: { now: () => 7, monotonicMs: () => 7 } });
}

t.test('a pod on v1: each file is in the hierarchy of its controller', async (t) => {
  const usage = readerOf(v1, {
    '/cg/cpuacct/kubepods/podu/cpuacct.usage': '500\n',
    '/cg/memory/kubepods/podu/memory.usage_in_bytes': '4096\n',
    '/cg/pids/kubepods/podu/pids.current': '3\n',
    '/cg/cpuacct/kubepods/podu/beef01/cpuacct.usage': '400\n',
    '/cg/memory/kubepods/podu/beef01/memory.usage_in_bytes': '2048\n',
    '/cg/memory/kubepods/podu/cafe00/cgroup.procs': '123\n124\n',
    '/proc/123/net/dev': netDev,
  }).readPod(pod);
  t.match(usage, { cpu: { usageNanos: 500 }, memory: { usageBytes: 4096 }, processes: 3, atMs: 7 });
  t.match(usage.containers, [{ name: 'main', cpu: { usageNanos: 400 }, memory: { usageBytes: 2048 } }]);
  t.equal(usage.containers.length, 1, 'what has no cgroup any more is not told');
  t.match(usage.interfaces, [{ name: 'eth0', rxBytes: 1000, txBytes: 2000 }]);
});

t.test('a pod on v2, below systemd: scopes, and the monitors of CRI-O beside them', async (t) => {
  const usage = readerOf(v2, {
    '/cg/kubepods/podu/cpu.stat': 'usage_usec 5\n',
    '/cg/kubepods/podu/crio-conmon-beef01.scope/cpu.stat': 'usage_usec 999\n',
    '/cg/kubepods/podu/crio-beef01.scope/cpu.stat': 'usage_usec 4\n',
    '/cg/kubepods/podu/crio-cafe00.scope/cgroup.procs': '',
  }).readPod(pod);
  t.equal(usage.cpu?.usageNanos, 5000);
  t.equal(usage.containers[0]?.cpu?.usageNanos, 4000);
  t.equal(usage.interfaces, undefined, 'a sandbox without a process has no network to tell of');
});

t.test("nothing of the host's network is told as the pod's", async (t) => {
  const files = { '/cg/kubepods/podu/cafe00/cgroup.procs': '123', '/proc/123/net/dev': netDev };
  t.equal(readerOf(v2, files).readPod({ ...pod, networkSandboxId: undefined }).interfaces, undefined);
});

t.test('the node, from what every kernel has', async (t) => {
  const usage = await readerOf(v2, {
    '/proc/stat': 'cpu  1 0 0 0 0 0 0 0 0 0\nbtime 1\n',
    '/proc/meminfo': 'MemTotal: 10 kB\nMemFree: 4 kB\n',
    '/proc/loadavg': '0 0 0 1/80 1\n',
    '/proc/net/dev': netDev,
    '/proc/sys/kernel/pid_max': '4194304\n',
    '/proc/sys/kernel/threads-max': '1000\n',
  }).readNode();
  t.match(usage, { cpu: { usageNanos: 1e7 }, memory: { usageBytes: 6144 }, processes: 80, maxProcesses: 1000 });
});
