import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { pino } from 'pino';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { kernelCgroupIo } from '../../../src/cgroups/cgroup-io.ts';
import { CgroupManager } from '../../../src/cgroups/cgroup-manager.ts';
import { type CgroupLayout, detectCgroups } from '../../../src/cgroups/detect.ts';
import { FsV1 } from '../../../src/cgroups/fs-v1.ts';
import { FsV2 } from '../../../src/cgroups/fs-v2.ts';

/** The running kernel, below a parent of this test's own. To be run as root. */

const root = `/mk-test-${process.pid}`;
const kubepods = `${root}/kubepods`;
const logger = pino({ level: 'silent' });
const monotonicMs = () => performance.now();
const children: ChildProcess[] = [];

const layout = await detectCgroups();

t.teardown(async () => {
  for (const child of children) child.kill('SIGKILL');
  await treeOf(layout).remove(root, 10_000);
});

function treeOf(where: CgroupLayout): FsV1 | FsV2 {
  return where.version === 2
    ? new FsV2(where.unified ?? '', kernelCgroupIo, logger, monotonicMs)
    : new FsV1(where, kernelCgroupIo, logger, monotonicMs);
}

function managerWith(podPidsLimit: number): CgroupManager {
  const rootLimits = { cpuMilli: 2000, memoryBytes: 4n * 1024n ** 3n };
  return new CgroupManager({ driver: 'cgroupfs', root, podPidsLimit, logger, rootLimits });
}

function pod(uid: string, requests?: Record<string, string>, limits?: Record<string, string>): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: uid, namespace: 'default', uid },
    spec: { containers: [{ name: 'main', image: 'busybox', resources: { requests, limits } }] },
  } as Pod;
}

/** The directory of a cgroup in the hierarchy of a controller. */
function dir(controller: string, path: string): string {
  return (layout.version === 2 ? layout.unified : layout.controllers.get(controller)) + path;
}

/** What the kernel shows, under the name that each version has for it. */
function shown(controller: string, path: string, v1File: string, v2File: string): string {
  return readFileSync(`${dir(controller, path)}/${layout.version === 2 ? v2File : v1File}`, 'utf8').trim();
}

const cpuWeight = (path: string) => shown('cpu', path, 'cpu.shares', 'cpu.weight');
const memoryLimit = (path: string) => shown('memory', path, 'memory.limit_in_bytes', 'memory.max');
const pidsLimit = (path: string) => shown('pids', path, 'pids.max', 'pids.max');
const cpuQuota = (path: string) =>
  layout.version === 2
    ? shown('cpu', path, '', 'cpu.max')
    : `${shown('cpu', path, 'cpu.cfs_quota_us', '')} ${shown('cpu', path, 'cpu.cfs_period_us', '')}`;
const weightOf = (shares: number, weight: number) => String(layout.version === 2 ? weight : shares);

/** A process that waits, and is put into the cgroup of every hierarchy given. */
async function processIn(directories: readonly string[], script = 'sleep 1000'): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', `read -r go; ${script}`], { stdio: ['pipe', 'ignore', 'ignore'] });
  children.push(child);
  await once(child, 'spawn');
  for (const directory of directories) writeFileSync(`${directory}/cgroup.procs`, String(child.pid));
  child.stdin?.end('go\n');
  return child;
}

function allHierarchies(path: string): string[] {
  const mounts = layout.version === 2 ? [layout.unified] : [...layout.controllers.values()];
  return [...new Set(mounts)].map((mount) => mount + path).filter((directory) => existsSync(directory));
}

t.test('what the kernel shows for pods and classes is what their manifests say', async (t) => {
  const manager = managerWith(100);
  await manager.start();
  const burstable = pod('burstable', { cpu: '250m', memory: '64Mi' }, { memory: '128Mi' });
  await manager.setQosRequests([burstable]);

  t.equal(cpuWeight(kubepods), weightOf(2048, 79));
  t.equal(memoryLimit(kubepods), String(4 * 1024 ** 3));
  t.equal(cpuWeight(`${kubepods}/burstable`), weightOf(256, 10));
  t.equal(cpuWeight(`${kubepods}/besteffort`), weightOf(2, 1));

  const amounts = { cpu: '500m', memory: '128Mi' };
  const guaranteedPath = await manager.ensurePod(pod('guaranteed', amounts, amounts));
  t.equal(guaranteedPath, `${kubepods}/podguaranteed`);
  t.equal(cpuWeight(guaranteedPath), weightOf(512, 20));
  t.equal(cpuQuota(guaranteedPath), '50000 100000');
  t.equal(memoryLimit(guaranteedPath), String(128 * 1024 ** 2));
  t.equal(pidsLimit(guaranteedPath), '100');

  const burstablePath = await manager.ensurePod(burstable);
  t.equal(burstablePath, `${kubepods}/burstable/podburstable`);
  t.equal(cpuWeight(burstablePath), weightOf(256, 10));
  t.equal(memoryLimit(burstablePath), String(128 * 1024 ** 2));
  t.equal(cpuQuota(burstablePath), layout.version === 2 ? 'max 100000' : '-1 100000');

  const bestEffortPath = await manager.ensurePod(pod('besteffort'));
  t.equal(cpuWeight(bestEffortPath), weightOf(2, 1));

  t.strictSame(await manager.listPodUids(), ['besteffort', 'burstable', 'guaranteed']);
  for (const uid of await manager.listPodUids()) await manager.removePod(uid);
  t.strictSame(await manager.listPodUids(), []);
  t.ok(existsSync(dir('cpu', `${kubepods}/burstable`)));
});

t.test('a process can be put into a pod at once, in every hierarchy', async (t) => {
  const manager = managerWith(100);
  await manager.start();
  const path = await manager.ensurePod(pod('fresh'));
  const child = await processIn(allHierarchies(path));
  t.match(readFileSync(`/proc/${child.pid}/cgroup`, 'utf8'), /\/podfresh/);
  await manager.removePod('fresh');
});

t.test('removing a pod ends what was left in it, and nothing else', async (t) => {
  const manager = managerWith(100);
  await manager.start();
  const path = await manager.ensurePod(pod('doomed'));
  const otherPath = await manager.ensurePod(pod('bystander'));
  // As the runtime does: a cgroup of the container's own below the pod's, in all hierarchies.
  await treeOf(layout).prepareInner(path);
  const containerDirs = ['cpu', 'memory', 'pids', 'freezer'].map((controller) => dir(controller, `${path}/container`));
  for (const directory of new Set(containerDirs)) mkdirSync(directory, { recursive: true });
  const left = await processIn([...new Set(containerDirs)]);
  const bystander = await processIn(allHierarchies(otherPath));
  const ended = once(left, 'exit');

  await manager.removePod('doomed');

  t.strictSame(await ended, [null, 'SIGKILL']);
  t.strictSame(allHierarchies(path), []);
  t.equal(bystander.exitCode ?? bystander.signalCode, null, 'the other pod goes on');
  t.strictSame(await manager.listPodUids(), ['bystander']);
  await manager.removePod('bystander');
});

t.test('a fork bomb ends at the limit of its pod, and is removed with it', async (t) => {
  const manager = managerWith(20);
  await manager.start();
  const path = await manager.ensurePod(pod('bomb'));
  const bomb = await processIn(allHierarchies(path), 'f() { f | f & }; f; sleep 1000');
  const events = () => shown('pids', path, 'pids.events', 'pids.events');
  const deadline = monotonicMs() + 10_000;
  while (!/^max [1-9]/m.test(events()) && monotonicMs() < deadline) await kernelCgroupIo.pause(5);
  t.match(events(), /^max [1-9]/m, 'the kernel refused a process');
  t.ok(Number(shown('pids', path, 'pids.current', 'pids.current')) <= 20);
  await manager.removePod('bomb');
  if (bomb.exitCode === null && bomb.signalCode === null) await once(bomb, 'exit');
  t.strictSame(allHierarchies(path), []);
});

t.test('pods that are removed side by side leave nothing', async (t) => {
  const manager = managerWith(100);
  await manager.start();
  const amounts = { cpu: '1', memory: '1Mi' };
  const uids = Array.from({ length: 30 }, (_, i) => `many-${i}`);
  const paths = await Promise.all(uids.map((uid) => manager.ensurePod(pod(uid, amounts, amounts))));
  t.ok(paths.every((path) => allHierarchies(path).length > 0));
  await Promise.all(uids.map((uid) => manager.removePod(uid)));
  t.strictSame(paths.flatMap(allHierarchies), []);
});

t.test(
  'v2: the kernel kills and reports, also where v2 has no controllers',
  { skip: !layout.unified && 'no v2' },
  async (t) => {
    const fs = new FsV2(layout.unified ?? '', kernelCgroupIo, logger, monotonicMs);
    await fs.ensure(`${root}/v2/pod/container`, {});
    const directory = `${layout.unified}${root}/v2/pod/container`;
    const left = await processIn([directory]);
    const ended = once(left, 'exit');
    t.strictSame([...(await fs.children(`${root}/v2`))], ['pod']);
    await fs.remove(`${root}/v2`, 10_000);
    t.strictSame(await ended, [null, 'SIGKILL']);
    t.notOk(existsSync(`${layout.unified}${root}/v2`));
  },
);
