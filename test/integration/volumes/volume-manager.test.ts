import { execFileSync, spawn } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import type { Container, Pod, Volume } from '../../../src/api/pod.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { mountsBeneath, readMounts } from '../../../src/util/mounts.ts';
import { removeTree } from '../../../src/util/remove-tree.ts';
import { VolumeBusyError, VolumeManager, VolumeSetUpError } from '../../../src/volumes/volume-manager.ts';
import { noPayloads } from './payloads.ts';

const base = await mkdtemp('/tmp/mk-vm-');
const podsDir = join(base, 'pods');
const umask = process.umask(0o077);
t.teardown(async () => {
  process.umask(umask);
  for (const mount of mountsBeneath(await readMounts(), base)) execFileSync('umount', [mount.mountPoint]);
  await removeTree(base);
});

/** As after a restart of the daemon: it knows nothing of what was mounted before. */
const newManager = (podMemoryLimitBytes?: bigint) =>
  new VolumeManager({
    podsDir,
    logger: pino({ enabled: false }),
    kernelRelease: release(),
    nodeAllocatableMemoryBytes: () => 64n * 1024n * 1024n,
    podMemoryLimitBytes: () => podMemoryLimitBytes,
    payloadFacts: noPayloads,
    claimedVolume: noPayloads,
    clock: systemClock,
  });
let count = 0;
function podWith(volumes: Volume[], containers: Container[] = [{ name: 'main' }]): Pod {
  count += 1;
  const uid = `0c5f1d2e-0000-4000-8000-${String(count).padStart(12, '0')}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'n', uid },
    spec: { volumes, containers },
  };
}
const directoryOf = (pod: Pod) => join(podsDir, pod.metadata.uid);
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const mountsOf = async (pod: Pod) => mountsBeneath(await readMounts(), directoryOf(pod));
const pathOf = async (manager: VolumeManager, pod: Pod, volume: string) =>
  (await manager.mountPod(pod)).get(volume)?.hostPath ?? '';

t.test('an emptyDir on disk', async (t) => {
  const pod = podWith([{ name: 'data', emptyDir: {} }, { name: 'none' }]);
  const path = await pathOf(newManager(), pod, 'data');
  t.equal(path, join(directoryOf(pod), 'volumes/kubernetes.io~empty-dir/data'));
  t.equal(modeOf(path), '777', 'whatever the umask');
  t.equal(modeOf(directoryOf(pod)), '700');
  t.strictSame(readdirSync(join(path, '..')).sort(), ['data', 'none'], 'a volume without a source is an emptyDir');

  await t.test('keeps content and mode over a restart of the daemon', async (t) => {
    await writeFile(join(path, 'file'), 'content');
    await chmod(path, 0o1700);
    t.equal(await pathOf(newManager(), pod, 'data'), path);
    t.equal(modeOf(path), '1700');
    t.equal(readFileSync(join(path, 'file'), 'utf8'), 'content');
  });
  await t.test('one that a crash left half-made is finished', async (t) => {
    await mkdir(join(path, '../.late.new'), { mode: 0o700 });
    pod.spec.volumes?.push({ name: 'late', emptyDir: {} });
    t.equal(modeOf(await pathOf(newManager(), pod, 'late')), '777');
    t.notOk(existsSync(join(path, '../.late.new')));
  });
  await newManager().unmountPod(pod.metadata.uid);
  t.notOk(existsSync(directoryOf(pod)));
  await t.resolves(newManager().unmountPod(pod.metadata.uid), 'and again');
});

t.test('an emptyDir of huge pages', async (t) => {
  const pod = podWith(
    [{ name: 'pages', emptyDir: { medium: 'HugePages-2Mi', sizeLimit: '4Mi' } }],
    [{ name: 'main', resources: { limits: { 'hugepages-2Mi': '4Mi' } } }],
  );
  const path = await pathOf(newManager(), pod, 'pages');
  t.equal(await pathOf(newManager(), pod, 'pages'), path, 'again, after a restart');
  t.equal(modeOf(path), '777');
  const mounts = await mountsOf(pod);
  t.equal(mounts.length, 1);
  t.equal(mounts[0]?.fsType, 'hugetlbfs');
  t.ok(mounts[0]?.options.includes('pagesize=2M'));
  await newManager().unmountPod(pod.metadata.uid);
  t.notOk(existsSync(directoryOf(pod)));
});

t.test('an emptyDir in memory', async (t) => {
  const pod = podWith([{ name: 'cache', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }]);
  const path = await pathOf(newManager(), pod, 'cache');
  const [mount] = await mountsOf(pod);
  t.match(mount, { mountPoint: path, fsType: 'tmpfs' });
  t.ok(mount?.options.includes('size=1024k'));
  t.equal(modeOf(path), '777');
  await t.rejects(writeFile(join(path, 'big'), Buffer.alloc(2 * 1024 * 1024)), { code: 'ENOSPC' });
  await truncate(join(path, 'big'), 3);

  await t.test('is mounted once, however often the daemon restarts', async (t) => {
    for (let index = 0; index < 3; index += 1) await newManager().mountPod(pod);
    t.equal((await mountsOf(pod)).length, 1);
    t.ok(existsSync(join(path, 'big')), 'and its content is there');
  });
  await newManager().unmountPod(pod.metadata.uid);
  t.strictSame(await mountsOf(pod), []);
  t.notOk(existsSync(directoryOf(pod)));
});

t.test('without a limit of its own a volume in memory has that of the pod, or of the node', async (t) => {
  const size = async (podLimit?: bigint) => {
    const pod = podWith([{ name: 'cache', emptyDir: { medium: 'Memory' } }]);
    await newManager(podLimit).mountPod(pod);
    const option = (await mountsOf(pod))[0]?.options.find((text) => text.startsWith('size='));
    await newManager().unmountPod(pod.metadata.uid);
    return option;
  };
  t.equal(await size(), 'size=65536k');
  t.equal(await size(3n * 1024n * 1024n), 'size=3072k');
});

t.test('something else mounted in the place of a volume in memory is not written over', async (t) => {
  const pod = podWith([{ name: 'cache', emptyDir: { medium: 'Memory' } }]);
  const path = join(directoryOf(pod), 'volumes/kubernetes.io~empty-dir/cache');
  await mkdir(path, { recursive: true });
  execFileSync('mount', ['--bind', '/usr/bin', path]);
  await t.rejects(newManager().mountPod(pod), { message: /no tmpfs is mounted there/ });
  await newManager().unmountPod(pod.metadata.uid);
  t.ok(existsSync('/usr/bin/env'));
});

t.test('every volume that fails is named, and the others are made', async (t) => {
  const pod = podWith([
    { name: 'good', emptyDir: {} },
    { name: 'absent', hostPath: { path: join(base, 'absent'), type: 'Directory' } },
    { name: 'huge', emptyDir: { medium: 'HugePages' } },
    { name: 'tape', emptyDir: { medium: 'Tape' } },
    { name: 'strange', glusterfs: { endpoints: 'x', path: 'y' } },
  ]);
  const error = await newManager()
    .mountPod(pod)
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  t.type(error, VolumeSetUpError);
  t.match(error, {
    message: new RegExp(
      `^MountVolume\\.SetUp failed for volume "absent" : hostPath type check failed: ${base}/absent is not a directory.*` +
        'volume "huge" : medium HugePages: .* requests no huge pages.*' +
        'volume "tape" : emptyDir medium "Tape" is not supported.*' +
        'volume "strange" : volumes of type glusterfs are not supported$',
    ),
  });
  t.ok(existsSync(join(directoryOf(pod), 'volumes/kubernetes.io~empty-dir/good')));
  await newManager().unmountPod(pod.metadata.uid);
});

t.test('mounts that a container left in its volume are unmounted, never deleted through', async (t) => {
  const canary = join(base, 'canary');
  await mkdir(canary);
  await writeFile(join(canary, 'file'), 'alive');
  const pod = podWith([
    { name: 'data', emptyDir: {} },
    { name: 'cache', emptyDir: { medium: 'Memory' } },
  ]);
  const mounted = await newManager().mountPod(pod);
  for (const { hostPath } of mounted.values()) {
    const inside = join(hostPath, 'a directory/with blanks');
    await mkdir(inside, { recursive: true });
    execFileSync('mount', ['--bind', canary, inside]);
    execFileSync('mount', ['--bind', canary, inside]);
  }
  // More of them where `/` is shared: each bind then appears below the other as well.
  t.ok((await mountsOf(pod)).length >= 5);
  await newManager().unmountPod(pod.metadata.uid);
  t.strictSame(await mountsOf(pod), []);
  t.notOk(existsSync(directoryOf(pod)));
  t.equal(readFileSync(join(canary, 'file'), 'utf8'), 'alive');
});

t.test('a volume in use keeps everything until it is let go', async (t) => {
  const pod = podWith([
    { name: 'cache', emptyDir: { medium: 'Memory' } },
    { name: 'data', emptyDir: {} },
  ]);
  const path = await pathOf(newManager(), pod, 'cache');
  await writeFile(join(path, 'file'), 'content');
  const holder = spawn('sleep', ['60'], { cwd: path });
  await once(holder, 'spawn');
  await t.rejects(newManager().unmountPod(pod.metadata.uid), VolumeBusyError);
  t.equal(readFileSync(join(path, 'file'), 'utf8'), 'content');
  t.ok(existsSync(join(directoryOf(pod), 'volumes/kubernetes.io~empty-dir/data')));
  holder.kill('SIGKILL');
  await once(holder, 'close');
  await newManager().unmountPod(pod.metadata.uid);
  t.notOk(existsSync(directoryOf(pod)));
});

t.test('nothing outside the directory of pods is ever touched', async (t) => {
  const outside = join(base, 'outside');
  await mkdir(outside);
  await mkdir(join(podsDir, 'not-a-pod'), { recursive: true });
  for (const uid of ['', '.', '..', '../outside', '/etc', 'not-a-pod', '0c5f1d2e/..', 'A'.repeat(32), 'a'.repeat(33)]) {
    await t.rejects(newManager().unmountPod(uid), { message: /is not the UID of a pod/ }, uid);
    const pod = podWith([{ name: 'data', emptyDir: {} }]);
    await t.rejects(newManager().mountPod({ ...pod, metadata: { ...pod.metadata, uid } }), { message: /not the UID/ });
  }
  await t.rejects(newManager().mountPod(podWith([{ name: '../../x', emptyDir: {} }])), { message: /not a DNS label/ });
  t.ok(existsSync(outside));
});

t.test('a pod directory that is a link is not followed', async (t) => {
  const pod = podWith([]);
  const target = join(base, 'linked');
  await mkdir(target);
  await writeFile(join(target, 'file'), 'alive');
  await symlink(target, directoryOf(pod));
  await newManager().unmountPod(pod.metadata.uid);
  t.notOk(existsSync(directoryOf(pod)));
  t.equal(readFileSync(join(target, 'file'), 'utf8'), 'alive');
});

t.test('a podsDir that is reached through a link', async (t) => {
  await symlink(podsDir, join(base, 'pods-link'));
  const pod = podWith([{ name: 'cache', emptyDir: { medium: 'Memory' } }]);
  await newManager().mountPod(pod);
  const linked = new VolumeManager({
    podsDir: join(base, 'pods-link'),
    logger: pino({ enabled: false }),
    kernelRelease: release(),
    nodeAllocatableMemoryBytes: () => 0n,
    podMemoryLimitBytes: () => undefined,
    payloadFacts: noPayloads,
    claimedVolume: noPayloads,
    clock: systemClock,
  });
  await linked.mountPod(pod);
  t.equal((await mountsOf(pod)).length, 1);
  await linked.unmountPod(pod.metadata.uid);
  t.strictSame(await mountsOf(pod), []);
});

t.test('pods with a directory are found after a restart', async (t) => {
  const [first, second] = [podWith([{ name: 'data', emptyDir: {} }]), podWith([])];
  await newManager().mountPod(first);
  await newManager().writeHostsFile(second, 'x\n');
  const uids = await newManager().listPodUids();
  t.ok(uids.includes(first.metadata.uid) && uids.includes(second.metadata.uid));
  t.notOk(uids.includes('not-a-pod'));
  for (const pod of [first, second]) await newManager().unmountPod(pod.metadata.uid);
});

t.test('the hosts file is one file for the life of the pod', async (t) => {
  const pod = podWith([]);
  const path = await newManager().writeHostsFile(pod, 'a long first version\n');
  const { ino } = statSync(path);
  t.equal(path, join(directoryOf(pod), 'etc-hosts'));
  t.equal(modeOf(path), '644');
  // A container filled the disk through it.
  await writeFile(path, Buffer.alloc(1 << 20));
  await newManager().writeHostsFile(pod, 'short\n');
  t.equal(await readFile(path, 'utf8'), 'short\n');
  t.equal(statSync(path).ino, ino, 'running containers see the change');
  await newManager().unmountPod(pod.metadata.uid);
});

t.test('a pod of plain emptyDirs needs no program to be run', async (t) => {
  const programs: unknown[] = [];
  const note = (program: unknown) => programs.push(program);
  subscribe('child_process', note);
  t.teardown(() => unsubscribe('child_process', note));
  const manager = newManager();
  const pod = podWith([{ name: 'data', emptyDir: {} }]);
  await manager.mountPod(pod);
  t.equal(programs.length, 0);
  await manager.mountPod(podWith([{ name: 'data', emptyDir: { medium: 'Memory' } }]));
  t.ok(programs.length > 0, 'one in memory does: programs are seen here');
});
