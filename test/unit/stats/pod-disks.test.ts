import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import type { PodDisk } from '../../../src/stats/pod-disk.ts';
import { PodDisks } from '../../../src/stats/pod-disks.ts';
import { someFs as fs } from '../server/support.ts';

const uidOf = (n: number) => `00000000-0000-0000-0000-00000000000${n}`;

function podOf(n: number, volumes: object[] = []): Pod {
  return {
    metadata: { name: `pod-${n}`, namespace: 'default', uid: uidOf(n) },
    spec: { containers: [], volumes },
  } as unknown as Pod;
}

function diskOf(bytes: number): PodDisk {
  const usage = { bytes, inodes: 1 };
  return {
    emptyDirs: new Map([['scratch', usage]]),
    payloads: new Map([['settings', usage]]),
    logs: new Map([['main', usage]]),
    others: usage,
  };
}

/** Every measurement goes on until it is ended. */
function startDisks(patienceMs?: number) {
  const begun: { uid: string; signal: AbortSignal; end: (disk: PodDisk) => void; fail: (error: Error) => void }[] = [];
  const clock = { ms: 0, now: () => 1000, monotonicMs: () => clock.ms };
  const asked: string[] = [];
  const disks = new PodDisks({
    places: { podsDir: '/pods', logDirectory: '/logs' },
    logger: pino({ level: 'silent' }),
    clock,
    io: {
      fs: async (path) => {
        asked.push(path);
        return path.endsWith('/gone') ? undefined : fs;
      },
    },
    claimNameOf: (_, { persistentVolumeClaim }) => persistentVolumeClaim?.claimName,
    measure: (pod, _, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<PodDisk>();
      begun.push({ uid: pod.metadata.uid, signal, end: resolve, fail: reject });
      return promise;
    },
    ...(patienceMs === undefined ? {} : { patienceMs }),
  });
  return { disks, begun, clock, asked };
}

t.test('a pod is measured once a minute, however many ask', async (t) => {
  const { disks, begun, clock } = startDisks();
  const pods = [podOf(1)];
  const first = [disks.recent(pods), disks.recent(pods)];
  begun[0]?.end(diskOf(10));
  for (const answer of await Promise.all(first)) t.equal(answer.get(uidOf(1))?.own.bytes, 30);
  clock.ms = 59_999;
  t.equal((await disks.recent(pods)).get(uidOf(1))?.own.bytes, 30);
  t.equal(begun.length, 1);
  clock.ms = 60_000;
  const anew = disks.recent(pods);
  begun[1]?.end(diskOf(20));
  t.equal((await anew).get(uidOf(1))?.own.bytes, 60);
  t.equal((await disks.recent([])).size, 0, 'one that is gone is forgotten');
});

t.test('who asks does not wait for a large tree, and is told of it later', async (t) => {
  const { disks, begun } = startDisks(0);
  const pods = [podOf(1), podOf(2)];
  const answer = disks.recent(pods);
  begun[0]?.end(diskOf(10));
  t.same([...(await answer).keys()], [uidOf(1)], 'the other is told');
  t.equal((await disks.recent(pods)).size, 1, 'nor waits who asks meanwhile');
  begun[1]?.end(diskOf(20));
  await turn();
  t.same([...(await disks.recent(pods)).keys()], [uidOf(1), uidOf(2)]);
  t.equal(begun.length, 2, 'and was not begun again');
});

t.test('two are measured at once, and none when the daemon ends', async (t) => {
  const { disks, begun } = startDisks(0);
  await disks.recent([podOf(1), podOf(2), podOf(3)]);
  t.same(
    begun.map(({ uid }) => uid),
    [uidOf(1), uidOf(2)],
  );
  begun[0]?.end(diskOf(10));
  await turn();
  t.equal(begun[2]?.uid, uidOf(3));
  disks.stop();
  t.ok(begun[2]?.signal.aborted, 'ends with the daemon');
});

t.test('one that cannot be measured is left out, and tried again', async (t) => {
  const { disks, begun } = startDisks();
  const answer = disks.recent([podOf(1)]);
  begun[0]?.fail(new Error('EIO'));
  t.equal((await answer).size, 0);
  const again = disks.recent([podOf(1)]);
  begun[1]?.end(diskOf(10));
  t.equal((await again).size, 1);
});

t.test('volumes have what is theirs, or their own file system', async (t) => {
  const { disks, begun, asked } = startDisks();
  const pod = podOf(1, [
    { name: 'scratch', emptyDir: {} },
    { name: 'settings', configMap: { name: 'c' } },
    { name: 'memory', emptyDir: { medium: 'Memory' } },
    { name: 'secret', secret: { secretName: 's' } },
    { name: 'data', persistentVolumeClaim: { claimName: 'data-claim' } },
    { name: 'gone', persistentVolumeClaim: { claimName: 'remote' } },
    { name: 'host', hostPath: { path: '/srv' } },
    { name: 'far', nfs: { server: 'a', path: '/' } },
  ]);
  const answer = disks.recent([pod]);
  begun[0]?.end(diskOf(10));
  const usage = (await answer).get(uidOf(1));
  const own = { ...fs, usedBytes: 10, inodesUsed: 1 };
  t.strictSame(usage?.volumes, [
    { name: 'scratch', claim: undefined, fs: own },
    { name: 'settings', claim: undefined, fs: own },
    { name: 'memory', claim: undefined, fs },
    { name: 'secret', claim: undefined, fs },
    { name: 'data', claim: 'data-claim', fs },
  ]);
  t.notOk(
    asked.some((path) => /host|far|nfs/.test(path)),
    'no file system that may keep us waiting is asked',
  );
});
