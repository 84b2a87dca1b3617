import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { prepareContainerLog } from '../../../src/logs/directory.ts';
import { openContainerLog } from '../../../src/logs/open.ts';
import { readContainerLog } from '../../../src/logs/read.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { removeTree } from '../../../src/util/remove-tree.ts';
import { readRegularFile } from '../../../src/util/safe-fs.ts';
import { checkHostPath } from '../../../src/volumes/host-path.ts';
import { VolumeManager } from '../../../src/volumes/volume-manager.ts';
import { noPayloads } from './payloads.ts';

// Four blocked opens would stop every file operation of this process, and its exit as well.
const COUNT = 8;
const base = await mkdtemp('/tmp/mk-ff-');
t.teardown(() => removeTree(base));

async function fifos(name: string): Promise<string[]> {
  const paths = Array.from({ length: COUNT }, (_, index) => join(base, name.replaceAll('#', String(index))));
  for (const path of paths) {
    await mkdir(dirname(path), { recursive: true });
    execFileSync('mkfifo', [path]);
  }
  return paths;
}

/** Whether file operations still go through while all of `work` is under way; waits for it to end, too. */
async function isResponsive(work: Promise<unknown>[]): Promise<boolean> {
  const start = performance.now();
  await stat('/');
  const probeMs = performance.now() - start;
  await Promise.allSettled(work);
  return probeMs < 1_000 && performance.now() - start < 2_000;
}

const uids = Array.from({ length: COUNT }, (_, index) => `0c5f1d2e-0000-4000-8000-00000000000${index}`);
const podOf = (uid: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'n', uid },
  spec: { containers: [] },
});
const manager = new VolumeManager({
  podsDir: join(base, 'pods'),
  logger: pino({ enabled: false }),
  kernelRelease: '6.1.0',
  nodeAllocatableMemoryBytes: () => 0n,
  podMemoryLimitBytes: () => undefined,
  payloadFacts: noPayloads,
  claimedVolume: noPayloads,
  clock: systemClock,
});

t.test('FIFOs in the place of files never stall the daemon', { timeout: 30_000 }, async (t) => {
  const plain = await fifos('plain-#');
  t.ok(await isResponsive(plain.map((path) => readRegularFile(path, { maxBytes: 10 }))), 'plain files');

  t.ok(await isResponsive(plain.map((path) => checkHostPath({ path, type: 'File' }))), 'hostPath');
  t.ok(await isResponsive(plain.map((path) => checkHostPath({ path, type: 'FileOrCreate' }))), 'hostPath, created');

  const words = await fifos('pods/0c5f1d2e-0000-4000-8000-00000000000#/containers/main/00000000');
  const ended = { containerName: 'main', restartCount: 0, exitCode: 1, terminationMessagePolicy: 'File' };
  const read = (uid: string) => manager.readTerminationMessage(podOf(uid), ended, async () => '');
  t.ok(await isResponsive(uids.map(read)), 'termination messages');
  t.equal(words.length, COUNT);

  await fifos('logs/n_p_#/main/0.log');
  const readLog = async (path: string) => {
    for await (const _ of readContainerLog({ root: join(base, 'logs'), path, follow: true })) t.fail('read something');
  };
  const logs = uids.map((_, index) => `n_p_${index}/main/0.log`);
  t.ok(await isResponsive(logs.map(readLog)), 'logs');
  for (const path of logs) await t.rejects(openContainerLog(join(base, 'logs'), path), { name: 'UnsafePathError' });
  const prepare = (index: number) =>
    prepareContainerLog(join(base, 'logs'), { namespace: 'n', name: 'p', uid: String(index) }, 'main', 0);
  t.ok(await isResponsive(uids.map((_, index) => prepare(index))), 'logs that are about to be written');

  t.ok(await isResponsive(uids.map((uid) => manager.unmountPod(uid))), 'removal');
  await rm(join(base, 'logs'), { recursive: true });
});
