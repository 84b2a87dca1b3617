import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { VolumeManager } from '../../../src/volumes/volume-manager.ts';
import { noPayloads } from './payloads.ts';

const base = await mkdtemp('/tmp/mk-un-');
t.teardown(() => rm(base, { recursive: true }));
const podsDir = join(base, 'pods');

/** As after a restart of the daemon. */
const newManager = () =>
  new VolumeManager({
    podsDir,
    logger: pino({ enabled: false }),
    kernelRelease: '6.1.0',
    nodeAllocatableMemoryBytes: () => 0n,
    podMemoryLimitBytes: () => undefined,
    payloadFacts: noPayloads,
    claimedVolume: noPayloads,
    clock: systemClock,
  });
const podOf = (number: number, hostUsers?: boolean): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'n', uid: `0c5f1d2e-0000-4000-8000-${String(number).padStart(12, '0')}` },
  spec: { containers: [], ...(hostUsers === undefined ? {} : { hostUsers }) },
});

t.test('every pod that asks for it has ids that no other pod has', async (t) => {
  const manager = newManager();
  const blocks = await Promise.all([1, 2, 3].map((number) => manager.ensureUserNamespace(podOf(number, false))));
  t.strictSame(
    blocks,
    [65536, 131072, 196608].map((hostId) => ({ hostId, containerId: 0, length: 65536 })),
  );
  t.equal(await manager.ensureUserNamespace(podOf(4)), undefined);
  t.equal(await manager.ensureUserNamespace(podOf(4, true)), undefined);

  await t.test('keeps them over a restart of the daemon', async (t) => {
    t.equal((await newManager().ensureUserNamespace(podOf(2, false)))?.hostId, 131072);
    t.equal((await newManager().ensureUserNamespace(podOf(5, false)))?.hostId, 262144);
  });
  await t.test('and gives them back with its directory', async (t) => {
    await manager.unmountPod(podOf(2).metadata.uid);
    t.equal((await newManager().ensureUserNamespace(podOf(6, false)))?.hostId, 131072);
  });
  await t.test('a note that cannot be read stops others: its ids may be in use', async (t) => {
    const { uid } = podOf(7).metadata;
    mkdirSync(join(podsDir, uid));
    writeFileSync(join(podsDir, uid, 'userns'), '{"uidMappings":[{"hostId":0}]}');
    await t.rejects(manager.ensureUserNamespace(podOf(8, false)), { message: /cannot be understood/ });
    await t.rejects(manager.ensureUserNamespace(podOf(7, false)), { message: /cannot be understood/ });
    await manager.unmountPod(uid);
    t.equal(
      (await manager.ensureUserNamespace(podOf(8, false)))?.hostId,
      327680,
      'and is no longer one when it is gone',
    );
  });
});
