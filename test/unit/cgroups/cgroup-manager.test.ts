import { pino } from 'pino';
import t from 'tap';
import { CgroupManager, type CgroupManagerOptions } from '../../../src/cgroups/cgroup-manager.ts';
import type { CgroupLayout } from '../../../src/cgroups/detect.ts';
import { ModelKernel } from './model-kernel.ts';
import { burstablePod, guaranteedPod, podOf } from './pods.ts';

const uid = '5a1c7e90-0000-4000-8000-0123456789ab';

const v1Layout: CgroupLayout = {
  version: 1,
  controllers: new Map(['cpu', 'cpuset', 'memory', 'pids', 'freezer', 'blkio'].map((name) => [name, `/cg/${name}`])),
  named: ['/cg/systemd'],
  unified: '/cg/unified',
};

const v1Files: Record<string, Record<string, string>> = {
  '/cg/cpu': { 'cpu.shares': '1024', 'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': '-1' },
  '/cg/cpuset': { 'cpuset.cpus': '', 'cpuset.mems': '' },
  '/cg/memory': { 'memory.limit_in_bytes': 'max', 'memory.use_hierarchy': '0', 'memory.memsw.limit_in_bytes': 'max' },
  '/cg/pids': { 'pids.max': 'max' },
  '/cg/freezer': { 'freezer.state': 'THAWED' },
};

const v2Layout: CgroupLayout = { version: 2, controllers: new Map(), named: [], unified: '/cg' };

/** Every log line that a person would see. */
function capture() {
  const lines: { level: number; msg: string }[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { lines, logger };
}

function setUpV1(overrides: Partial<CgroupManagerOptions> = {}) {
  const kernel = new ModelKernel(
    ['/cg/cpu', '/cg/cpuset', '/cg/memory', '/cg/pids', '/cg/freezer', '/cg/blkio', '/cg/systemd', '/cg/unified'],
    (mount, path) =>
      path === '' && mount === '/cg/cpuset' ? { 'cpuset.cpus': '0-1', 'cpuset.mems': '0' } : { ...v1Files[mount] },
  );
  return { kernel, ...manage(kernel, v1Layout, overrides) };
}

function setUpV2(overrides: Partial<CgroupManagerOptions> = {}, controllers = 'cpuset cpu io memory hugetlb pids') {
  const kernel = new ModelKernel(['/cg'], (_, path) => ({
    'cgroup.controllers': path === '' ? controllers : '',
    'cgroup.subtree_control': '',
    ...(path !== '' && { 'cgroup.kill': '', 'cgroup.freeze': '0', 'cgroup.events': 'populated 0' }),
  }));
  return { kernel, ...manage(kernel, v2Layout, overrides) };
}

function manage(kernel: ModelKernel, layout: CgroupLayout, overrides: Partial<CgroupManagerOptions>) {
  const { lines, logger } = capture();
  const manager = new CgroupManager({
    driver: 'cgroupfs',
    root: '',
    podPidsLimit: 1024,
    logger,
    io: kernel,
    clock: { now: () => kernel.nowMs, monotonicMs: () => kernel.nowMs },
    machine: { layout, hugepageSizes: ['2MB', '1GB'], procCgroups: undefined },
    ...overrides,
  });
  return { manager, lines };
}

t.test('v1: a pod has its limits in every hierarchy', async (t) => {
  const { kernel, manager, lines } = setUpV1();
  await manager.start();
  t.equal(await manager.ensurePod(guaranteedPod({ cpu: '500m', memory: '128Mi' }, uid)), `/kubepods/pod${uid}`);
  t.equal(kernel.value(`/cg/cpu/kubepods/pod${uid}/cpu.shares`), '512');
  t.equal(kernel.value(`/cg/cpu/kubepods/pod${uid}/cpu.cfs_quota_us`), '50000');
  t.equal(kernel.value(`/cg/memory/kubepods/pod${uid}/memory.limit_in_bytes`), '134217728');
  t.equal(kernel.value(`/cg/pids/kubepods/pod${uid}/pids.max`), '1024');
  t.equal(kernel.value(`/cg/cpuset/kubepods/pod${uid}/cpuset.cpus`), '0-1', 'an empty cpuset takes no process in');
  t.equal(kernel.value(`/cg/cpuset/kubepods/pod${uid}/cpuset.mems`), '0');
  t.equal(kernel.value('/cg/memory/kubepods/memory.use_hierarchy'), '1', 'or limits would not cover containers');
  t.strictSame(lines, []);
});

t.test('v2: a pod has its limits, and every cgroup above hands the controllers down', async (t) => {
  const { kernel, manager, lines } = setUpV2({ root: '/mk' });
  await manager.start();
  const pod = guaranteedPod({ cpu: '1', memory: '128Mi', 'hugepages-2Mi': '2Mi' }, uid);
  t.equal(await manager.ensurePod(pod), `/mk/kubepods/pod${uid}`);
  const dir = `/cg/mk/kubepods/pod${uid}`;
  t.equal(kernel.value(`${dir}/cpu.weight`), '39');
  t.equal(kernel.value(`${dir}/cpu.max`), '100000 100000');
  t.equal(kernel.value(`${dir}/memory.max`), '134217728');
  t.equal(kernel.value(`${dir}/pids.max`), '1024');
  t.equal(kernel.value(`${dir}/hugetlb.2MB.max`), '2097152');
  t.equal(kernel.value(`${dir}/hugetlb.1GB.max`), '0');
  for (const above of ['/cg', '/cg/mk', '/cg/mk/kubepods', '/cg/mk/kubepods/burstable']) {
    t.equal(kernel.value(`${above}/cgroup.subtree_control`), 'cpu cpuset memory pids hugetlb io', above);
  }
  t.strictSame(lines, []);
});

const memoryQos = {
  throttlingFactor: 0.9,
  reservationPolicy: 'TieredReservation',
  allocatableBytes: 2n ** 30n,
} as const;

t.test('memory QoS: pods, their class and all pods together protect what is requested', async (t) => {
  const { kernel, manager, lines } = setUpV2({ memoryQos });
  await manager.start();
  const [guaranteed, burstable] = [
    guaranteedPod({ cpu: '1', memory: '2Mi' }, uid),
    burstablePod({ memory: '1Mi' }, 'b'),
  ];
  for (const pod of [guaranteed, burstable]) await manager.ensurePod(pod);
  await manager.setQosRequests([guaranteed, burstable]);
  const shown = (path: string) => [kernel.value(`${path}/memory.min`), kernel.value(`${path}/memory.low`)];
  t.strictSame(shown(`/cg/kubepods/pod${uid}`), ['2097152', '0']);
  t.strictSame(shown('/cg/kubepods/burstable/podb'), ['0', '1048576']);
  t.strictSame(shown('/cg/kubepods'), ['3145728', '1048576']);
  t.equal(shown('/cg/kubepods/burstable')[1], '1048576');
  const writes = kernel.writes.length;
  await manager.setQosRequests([burstable, guaranteed]);
  t.equal(kernel.writes.length, writes, 'nothing is written again unchanged');
  await manager.setQosRequests([guaranteed]);
  t.strictSame(shown('/cg/kubepods'), ['2097152', '0']);
  t.equal(shown('/cg/kubepods/burstable')[1], '0');
  t.match(manager.containerNode(1n), { memoryQos });
  t.strictSame(lines, []);
});

t.test('without memory QoS, what an earlier run with it left can be taken back, also of containers', async (t) => {
  const { kernel, manager } = setUpV2({ memoryQos });
  await manager.start();
  const pod = burstablePod({ memory: '1Mi' }, 'b');
  await manager.ensurePod(pod);
  await manager.setQosRequests([pod]);
  const container = '/cg/kubepods/burstable/podb/container';
  kernel.make(container);
  const files = { 'memory.min': '0', 'memory.low': '1048576', 'memory.high': '4096' };
  for (const [file, value] of Object.entries(files)) kernel.dirs.get(container)?.files.set(file, value);
  const later = manage(kernel, v2Layout, {});
  await later.manager.start();
  await later.manager.clearMemoryQos();
  const paths = ['/cg/kubepods', '/cg/kubepods/burstable', '/cg/kubepods/burstable/podb', container];
  for (const path of paths) {
    const shown = ['memory.min', 'memory.low', 'memory.high'].map((file) => kernel.value(`${path}/${file}`));
    t.strictSame(shown, ['0', '0', 'max'], path);
  }
  const writes = kernel.writes.filter(([file]) => /memory\.(min|low|high)$/.test(file)).length;
  await later.manager.clearMemoryQos();
  t.equal(
    kernel.writes.filter(([file]) => /memory\.(min|low|high)$/.test(file)).length,
    writes,
    'nothing is left to do',
  );
  t.strictSame(later.lines, []);
});

t.test('memory QoS is refused on v1', async (t) => {
  await t.rejects(setUpV1({ memoryQos }).manager.start(), /MemoryQoS needs cgroup v2/);
});

t.test('the QoS classes and the node have the weights and limits of a kubelet', async (t) => {
  const { kernel, manager } = setUpV1({ rootLimits: { cpuMilli: 2000, memoryBytes: 1024n } });
  await manager.start();
  t.equal(kernel.value('/cg/cpu/kubepods/cpu.shares'), '2048');
  t.equal(kernel.value('/cg/memory/kubepods/memory.limit_in_bytes'), '1024');
  t.equal(kernel.value('/cg/cpu/kubepods/besteffort/cpu.shares'), '2');
  await manager.setQosRequests([burstablePod({ cpu: '250m' }), burstablePod({ cpu: '250m' })]);
  t.equal(kernel.value('/cg/cpu/kubepods/burstable/cpu.shares'), '512');
  await manager.setQosRequests([]);
  t.equal(kernel.value('/cg/cpu/kubepods/burstable/cpu.shares'), '2');
});

t.test(
  'the weight of the burstable class is written once for many calls at a time, and not again unchanged',
  async (t) => {
    const { kernel, manager } = setUpV1();
    await manager.start();
    const before = kernel.writes.length;
    const calls = [1, 2, 3, 4].map((cpu) => manager.setQosRequests([burstablePod({ cpu: `${cpu}` })]));
    await Promise.all(calls);
    await manager.setQosRequests([burstablePod({ cpu: '4' })]);
    const shares = kernel.writes.slice(before).filter(([file]) => file.endsWith('cpu.shares'));
    t.equal(shares.at(-1)?.[1], '4096', 'the last call counts');
    t.ok(shares.length <= 2, `${shares.length} writes`);
  },
);

t.test('doing it again changes nothing, and repairs what was half done', async (t) => {
  const { kernel, manager } = setUpV1();
  const pod = burstablePod({ cpu: '1' }, uid);
  kernel.make(`/cg/cpu/kubepods/burstable/pod${uid}`);
  await manager.start();
  await manager.ensurePod(pod);
  await manager.ensurePod(pod);
  t.equal(kernel.value(`/cg/cpu/kubepods/burstable/pod${uid}/cpu.shares`), '1024');
  t.equal(kernel.value(`/cg/pids/kubepods/burstable/pod${uid}/pids.max`), '1024');
});

t.test('cgroups of the classes that somebody removed are made again', async (t) => {
  const { kernel, manager } = setUpV2();
  await manager.start();
  await kernel.rmdir('/cg/kubepods/burstable');
  await manager.ensurePod(burstablePod({ cpu: '1' }, uid));
  t.equal(kernel.value(`/cg/kubepods/burstable/pod${uid}/cpu.weight`), '39');
});

t.test('a controller that the kernel has not is said once, and pods start without it', async (t) => {
  const { kernel, manager, lines } = setUpV2({}, 'cpu pids');
  await manager.start();
  await manager.ensurePod(guaranteedPod({ cpu: '1', memory: '1Mi' }, uid));
  await manager.ensurePod(guaranteedPod({ cpu: '1', memory: '1Mi' }, 'another'));
  t.equal(kernel.value(`/cg/kubepods/pod${uid}/cpu.weight`), '39');
  const about = (text: string) => lines.filter(({ msg }) => msg.includes(text)).length;
  t.equal(about("kernel's memory controller"), 1);
  t.equal(about('memory.max'), 1);
});

t.test('a controller that is refused does not take the others away', async (t) => {
  const { kernel, manager, lines } = setUpV2();
  kernel.refuse.set('/cg/cgroup.subtree_control +cpu +cpuset +memory +pids +hugetlb +io', 'EBUSY');
  kernel.refuse.set('/cg/cgroup.subtree_control +cpu', 'EBUSY');
  await manager.start();
  t.equal(kernel.value('/cg/cgroup.subtree_control'), 'cpuset memory pids hugetlb io');
  t.match(
    lines.map(({ msg }) => msg),
    [/cpu controller cannot be enabled .* has processes of its own/],
  );
});

t.test('a limit that the kernel refuses fails the pod and names file and value', async (t) => {
  const { kernel, manager } = setUpV1();
  await manager.start();
  kernel.refuse.set(`/cg/memory/kubepods/pod${uid}/memory.limit_in_bytes`, 'EINVAL');
  await t.rejects(manager.ensurePod(guaranteedPod({ cpu: '1', memory: '1Mi' }, uid)), {
    message: /cannot write "1048576" to \/cg\/memory\/kubepods\/pod.*\/memory.limit_in_bytes: EINVAL/,
  });
});

t.test('pods of an earlier run that use more than is allowed now do not keep the daemon from starting', async (t) => {
  const { kernel, manager, lines } = setUpV1({ rootLimits: { cpuMilli: 1000, memoryBytes: 1024n } });
  kernel.refuse.set('/cg/memory/kubepods/memory.limit_in_bytes', 'EBUSY');
  await manager.start();
  t.match(lines, [{ msg: /limits of a cgroup could not be set/ }]);
});

t.test('removing a pod takes what the runtime left below it, in every hierarchy', async (t) => {
  const { kernel, manager } = setUpV1();
  await manager.start();
  const pod = burstablePod({ cpu: '1' }, uid);
  await manager.ensurePod(pod);
  for (const mount of ['cpu', 'memory', 'blkio', 'systemd', 'unified']) {
    kernel.make(`/cg/${mount}/kubepods/burstable/pod${uid}/container/nested`);
  }
  await manager.removePod(uid);
  t.strictSame(
    [...kernel.dirs.keys()].filter((dir) => dir.includes(uid)),
    [],
  );
  t.ok(kernel.dirs.has('/cg/cpu/kubepods/burstable'), 'the class stays');
  await manager.removePod(uid);
});

t.test('v1: processes left in a removed pod are killed while they are frozen, and no others', async (t) => {
  const { kernel, manager } = setUpV1();
  await manager.start();
  await manager.ensurePod(podOf({}, uid));
  await manager.ensurePod(podOf({}, 'other'));
  const dir = `kubepods/besteffort/pod${uid}/container`;
  kernel.make(`/cg/cpu/${dir}`, `/cg/memory/${dir}`, `/cg/freezer/${dir}`);
  kernel.put(`/cg/cpu/${dir}`, 4711, 0, 1, process.pid);
  kernel.put(`/cg/memory/${dir}`, 4711, 4712);
  kernel.put(`/cg/freezer/${dir}`, 4711, 4712);
  kernel.put('/cg/cpu/kubepods/besteffort/podother', 5000);
  await t.rejects(manager.removePod(uid), /cannot be removed/, 'this very process is in the way, and is left alone');
  t.strictSame([...new Set(kernel.killed)].sort(), [4711, 4712]);
  const states = kernel.writes.filter(([file]) => file.endsWith('freezer.state')).map(([, state]) => state);
  t.strictSame(states.slice(0, 2), ['FROZEN', 'THAWED']);
  t.equal(states.at(-1), 'THAWED');
});

t.test('v2: what is left in a removed pod is killed as a whole', async (t) => {
  const { kernel, manager } = setUpV2();
  await manager.start();
  await manager.ensurePod(podOf({}, uid));
  kernel.make(`/cg/kubepods/besteffort/pod${uid}/container`);
  kernel.put(`/cg/kubepods/besteffort/pod${uid}/container`, 4711);
  await manager.removePod(uid);
  t.notOk(kernel.dirs.has(`/cg/kubepods/besteffort/pod${uid}`));
  t.match(kernel.writes.at(-1), [/cgroup\.kill$/, '1']);
});

t.test('v2 of an older kernel: processes are killed one by one while they are frozen', async (t) => {
  const { kernel, manager } = setUpV2();
  await manager.start();
  await manager.ensurePod(podOf({}, uid));
  const dir = `/cg/kubepods/besteffort/pod${uid}`;
  kernel.dirs.get(dir)?.files.delete('cgroup.kill');
  kernel.put(dir, 4711);
  await manager.removePod(uid);
  t.strictSame(kernel.killed, [4711]);
  t.strictSame(
    kernel.writes.filter(([file]) => file.endsWith('cgroup.freeze')).map(([, value]) => value),
    ['1', '0'],
  );
});

t.test('what is left of one container is killed, and of no other', async (t) => {
  const { kernel, manager } = setUpV2();
  await manager.start();
  await manager.ensurePod(podOf({}, uid));
  const pod = `/cg/kubepods/besteffort/pod${uid}`;
  kernel.make(`${pod}/cri-containerd-abc.scope`, `${pod}/def`);
  kernel.put(`${pod}/cri-containerd-abc.scope`, 4711);
  kernel.put(`${pod}/def`, 4712);
  await manager.removeContainer(podOf({}, uid), 'abc');
  t.strictSame(kernel.killed, [4711]);
  t.notOk(kernel.dirs.has(`${pod}/cri-containerd-abc.scope`));
  t.ok(kernel.dirs.has(`${pod}/def`));
  await manager.removeContainer(podOf({}, uid), 'abc');
  await manager.removeContainer(podOf({}, 'never-there'), 'abc');
});

t.test('processes that do not end are given up after the deadline, by their ids', async (t) => {
  const { kernel, manager } = setUpV1({ removeTimeoutMs: 1000 });
  await manager.start();
  await manager.ensurePod(podOf({}, uid));
  kernel.put(`/cg/pids/kubepods/besteffort/pod${uid}`, 4711);
  kernel.immortal.add(4711);
  await t.rejects(manager.removePod(uid), { name: 'CgroupBusyError', pids: [4711], message: /4711 do not end/ });
  t.ok(kernel.nowMs >= 1000 && kernel.nowMs < 1500, `${kernel.nowMs} ms`);
});

t.test('pods are found by what is left of them in any hierarchy, and only under the own parent', async (t) => {
  const { kernel, manager } = setUpV1({ root: '/mine' });
  await manager.start();
  await manager.ensurePod(guaranteedPod({ cpu: '1', memory: '1Mi' }, 'g'));
  await manager.ensurePod(burstablePod({ cpu: '1' }, 'b'));
  kernel.make(
    '/cg/systemd/mine/kubepods/besteffort/podorphan',
    '/cg/cpu/kubepods/podforeign',
    '/cg/cpu/mine/kubepods/x',
  );
  t.strictSame(await manager.listPodUids(), ['b', 'g', 'orphan']);
});

t.test('what containers are told of the machine', async (t) => {
  const { manager } = setUpV1();
  t.throws(() => manager.containerNode(1n), /not started/);
  await manager.start();
  t.match(manager.containerNode(5n), {
    memoryCapacityBytes: 5n,
    cgroupVersion: 1,
    swapController: true,
    hugepageSizes: [],
  });
  const { manager: onV2 } = setUpV2();
  await onV2.start();
  t.match(onV2.containerNode(5n), { cgroupVersion: 2, swapController: true, hugepageSizes: ['2MB', '1GB'] });
});
