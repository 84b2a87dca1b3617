import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { chown, link, mkdtemp, rm, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { removeTree } from '../../../src/util/remove-tree.ts';
import { VolumeManager } from '../../../src/volumes/volume-manager.ts';
import { noPayloads } from './payloads.ts';

const podsDir = await mkdtemp('/tmp/mk-tl-');
const umask = process.umask(0o077);
t.teardown(async () => {
  process.umask(umask);
  await removeTree(podsDir);
});
const manager = new VolumeManager({
  podsDir,
  logger: pino({ enabled: false }),
  kernelRelease: '6.1.0',
  nodeAllocatableMemoryBytes: () => 0n,
  podMemoryLimitBytes: () => undefined,
  payloadFacts: noPayloads,
  claimedVolume: noPayloads,
  clock: systemClock,
});
const container = { name: 'main' };
const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'n', uid: '0c5f1d2e-0000-4000-8000-000000000001' },
  spec: { containers: [container] },
};
const noLog = () => Promise.reject(new Error('the log must not be asked for'));
const ended = { containerName: 'main', restartCount: 0, exitCode: 1, terminationMessagePolicy: 'File' };
const read = (change: Partial<typeof ended> = {}, readLogTail: () => Promise<string> = noLog) =>
  manager.readTerminationMessage(pod, { ...ended, ...change }, readLogTail);

t.test('any user of the container may write it', async (t) => {
  const path = await manager.makeTerminationLog(pod, container, 0);
  t.match(path, new RegExp(`^${podsDir}/${pod.metadata.uid}/containers/main/[0-9a-f]{8}$`));
  const { mode, uid } = statSync(path);
  t.strictSame([(mode & 0o7777).toString(8), uid], ['666', 0]);
  await writeFile(path, 'out of cheese');
  await chown(path, 1000, 1000);
  t.equal(await read(), 'out of cheese');
});

t.test('a second attempt at the same instance begins with an empty file', async (t) => {
  await manager.makeTerminationLog(pod, container, 0);
  t.equal(await read(), '');
});

t.test('500 restarts leave the files of the last two instances', async (t) => {
  let path = '';
  for (let restart = 1; restart <= 500; restart += 1) {
    path = await manager.makeTerminationLog(pod, container, restart);
    await writeFile(path, `words of ${restart}`);
  }
  t.equal(readdirSync(join(path, '..')).length, 2);
  t.equal(await read({ restartCount: 500 }), 'words of 500');
  t.equal(await read({ restartCount: 499 }), 'words of 499');
  t.equal(await read({ restartCount: 498 }), '', 'a file that is gone is an empty message');
});

t.test('of a huge file only the end is read', async (t) => {
  const path = await manager.makeTerminationLog(pod, container, 0);
  await truncate(path, 1024 ** 3);
  await writeFile(path, 'the end', { flag: 'a' });
  const before = process.memoryUsage().rss;
  const message = await read();
  t.equal(Buffer.byteLength(message), 4096);
  t.ok(message.endsWith('\0the end'));
  t.ok(process.memoryUsage().rss - before < 8 * 1024 * 1024);
});

t.test('bytes that are no text do not make the message longer', async (t) => {
  await writeFile(await manager.makeTerminationLog(pod, container, 0), Buffer.alloc(4096, 0xff));
  t.ok(Buffer.byteLength(await read()) <= 4096);
});

t.test('the log stands in for an empty message of a container that failed, when asked to', async (t) => {
  const path = await manager.makeTerminationLog(pod, container, 0);
  const log = async () => `${'x'.repeat(3000)}\n`;
  const policy = { terminationMessagePolicy: 'FallbackToLogsOnError' };
  t.equal((await read(policy, log)).length, 2048);
  t.equal(await read({ ...policy, exitCode: 0 }), '');
  t.equal(await read({}), '');
  await writeFile(path, 'own words');
  t.equal(await read(policy), 'own words');
  await unlink(path);
  t.equal(await read(policy, async () => 'log'), 'log');
  t.equal(await read(policy, () => Promise.reject(new Error('no log'))), '', 'what cannot be read counts as nothing');
});

t.test('what is no file of the container is not read', { timeout: 10_000 }, async (t) => {
  const path = await manager.makeTerminationLog(pod, container, 0);
  const canary = join(podsDir, 'canary');
  await writeFile(canary, 'root:x:0:0');
  const places: Record<string, () => Promise<unknown>> = {
    link: () => symlink(canary, path),
    'hard link': () => link(canary, path),
    FIFO: async () => execFileSync('mkfifo', [path]),
    device: async () => execFileSync('mknod', [path, 'c', '1', '5']),
    'link to its directory': async () => {
      await rm(join(path, '..'), { recursive: true });
      await symlink(podsDir, join(path, '..'));
      await writeFile(join(podsDir, '00000000'), 'root:x:0:0');
    },
  };
  for (const [name, put] of Object.entries(places)) {
    if (existsSync(path)) await unlink(path);
    await put();
    t.equal(await read(), '', name);
  }
});
