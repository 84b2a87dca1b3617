// Any runtime will do.
// kill -9 of the daemon at system calls that leave something behind: files, directories, mounts, child processes, and
// the database. What was acknowledged is there after a restart, what was not is there wholly or not at all.
import t from 'tap';
import { isReady } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { takeSnapshot } from '../support/leaks.ts';
import { waitFor } from '../support/wait.ts';
import { identityOf, inRuntime, leaksButShims, pairManifest } from './faults.ts';
import { killAtSystemCall } from './step-killer.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

await daemon.createPod(pairManifest('witness'));
const witness = identityOf(await daemon.waitForExistingPod('witness', isReady));

let kills = 0;

/** System calls, and which one of each thread. `clone` starts mount(8) or umount(8), `wait4` learns of its end. */
const starts: readonly (readonly [string, number])[] = [
  ['fdatasync', 1],
  ['pwrite64', 1],
  ['pwrite64', 6],
  ['pwrite64', 18],
  ['mkdir', 1],
  ['mkdir', 3],
  ['clone', 1],
  ['wait4', 1],
  ['fchmod', 1],
  ['symlink', 1],
  ['writev', 4],
];
const ends: readonly (readonly [string, number])[] = [
  ['fdatasync', 1],
  ['pwrite64', 6],
  ['clone', 1],
  ['wait4', 1],
  ['unlink', 1],
  ['rmdir', 1],
  ['rmdir', 8],
  ['writev', 6],
];

for (const [index, [systemCall, nth]] of starts.entries()) {
  t.test(`killed at ${systemCall} ${nth} of a start`, async (t) => {
    const name = `start-${index}`;
    const baseline = await takeSnapshot({ runtime, daemon });
    const { isAcknowledged, isKilled } = await createAndDie(name, systemCall, nth);
    t.comment(isKilled ? `killed ${isAcknowledged ? 'after' : 'before'} the answer` : 'the daemon was not killed');
    if (isKilled) await daemon.start();
    kills += isKilled ? 1 : 0;
    const found = await daemon.api.request('GET', `/api/v1/namespaces/default/pods/${name}`);
    if (isAcknowledged) t.equal(found.status, 200, 'what was acknowledged is there');
    if (found.status !== 200) await daemon.createPod(pairManifest(name));

    const pod = await daemon.waitForExistingPod(name, isReady, { timeoutMs: 30_000 });
    // A sandbox that the killed daemon had asked for may come into being beside the new one, and is then removed.
    const containers = await waitFor(
      'one sandbox',
      async () => {
        const found = await inRuntime(runtime, pod.metadata.uid);
        return found.sandboxes.length === 1 ? found.containers : undefined;
      },
      30_000,
    );
    t.same(containers.map((item) => `${item.name} ${item.attempt} ${item.state}`).sort(), [
      'a 0 CONTAINER_RUNNING',
      'b 0 CONTAINER_RUNNING',
    ]);
    t.same(identityOf(await daemon.getPod('witness')), witness, 'the other pod was left alone');
    await daemon.deletePod(name);
    t.same(await leaksButShims(baseline, { runtime, daemon }), [], 'nothing is left of it');
  });
}

async function createAndDie(name: string, systemCall: string, nth: number) {
  let isAcknowledged = false;
  const isKilled = await killAtSystemCall(daemon, systemCall, nth, async () => {
    try {
      await daemon.createPod(pairManifest(name));
    } catch {
      // Killed before it could answer: then there is nothing more to wait for but its end.
      return new Promise(() => {});
    }
    isAcknowledged = true;
    return daemon.waitForPod(name, (pod) => pod !== undefined && isReady(pod));
  });
  return { isAcknowledged, isKilled };
}

for (const [index, [systemCall, nth]] of ends.entries()) {
  t.test(`killed at ${systemCall} ${nth} of a deletion`, async (t) => {
    const name = `end-${index}`;
    const baseline = await takeSnapshot({ runtime, daemon });
    await daemon.createPod(pairManifest(name));
    await daemon.waitForExistingPod(name, isReady);
    let isAcknowledged = false;
    const isKilled = await killAtSystemCall(daemon, systemCall, nth, async () => {
      const response = await daemon.api
        .request('DELETE', `/api/v1/namespaces/default/pods/${name}`)
        .catch(() => undefined);
      if (response === undefined) return new Promise(() => {});
      isAcknowledged = response.status === 200;
      return daemon.waitForPod(name, (pod) => pod === undefined);
    });
    t.comment(isKilled ? `killed ${isAcknowledged ? 'after' : 'before'} the answer` : 'the daemon was not killed');
    if (isKilled) await daemon.start();
    kills += isKilled ? 1 : 0;
    const found = await daemon.api.request<{ metadata: { deletionTimestamp?: string } }>(
      'GET',
      `/api/v1/namespaces/default/pods/${name}`,
    );
    if (isAcknowledged && found.status === 200) t.ok(found.body.metadata.deletionTimestamp, 'the deletion holds');
    if (found.status === 200 && !found.body.metadata.deletionTimestamp) await daemon.deletePod(name);
    await daemon.waitForPod(name, (pod) => pod === undefined, { timeoutMs: 30_000 });
    t.same(identityOf(await daemon.getPod('witness')), witness, 'the other pod was left alone');
    t.same(await leaksButShims(baseline, { runtime, daemon }), [], 'nothing is left of it');
  });
}

t.test('the daemon was killed at nearly all of them', async (t) => {
  t.ok(kills >= 15, `${kills} of ${starts.length + ends.length}: it makes other system calls now`);
});
