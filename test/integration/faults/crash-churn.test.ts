// kill -9 of the daemon at random moments while pods come and go. Every acknowledged write holds, pods that are left
// alone notice nothing, and in the end nothing is left of those that went.
import t from 'tap';
import { isReady, statusOf } from '../pod/pods.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { takeSnapshot } from '../support/leaks.ts';
import { childrenOf } from '../support/processes.ts';
import { identityOf, inRuntime, leaksButShims, pairManifest, singleManifest } from './faults.ts';

const kills = 15;
const slots = 8;

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

t.test('pods come and go through 15 crashes', async (t) => {
  const witnesses = ['left-alone-0', 'left-alone-1'];
  for (const name of witnesses) await daemon.createPod(pairManifest(name));
  const before = new Map<string, ReturnType<typeof identityOf>>();
  for (const name of witnesses) before.set(name, identityOf(await daemon.waitForExistingPod(name, isReady)));
  const baseline = await takeSnapshot({ runtime, daemon });

  const churn: Churn = { isOver: false, ready: 0, restarts: [] };
  const loops = Array.from({ length: slots }, (_, slot) => comeAndGo(`churn-${slot}`, churn));
  for (let kill = 0; kill < kills; kill += 1) {
    // The moment of the fault is what is random here; nothing is waited for.
    await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 1400));
    await daemon.kill9();
    await daemon.start();
  }
  churn.isOver = true;
  await Promise.all(loops);
  t.comment(`${churn.ready} pods became ready meanwhile`);
  t.ok(churn.ready >= slots, 'pods came and went between the crashes');
  t.same(churn.restarts, [], 'no container of them was restarted');

  for (const name of witnesses) {
    const pod = await daemon.getPod(name);
    t.same(identityOf(pod), before.get(name), `${name} noticed nothing`);
    t.equal((await inRuntime(runtime, pod.metadata.uid)).containers.length, 2);
  }
  const leaks = await leaksButShims(baseline, { runtime, daemon });
  t.same(
    leaks.filter((leak) => !isForgottenByRuntime(leak)),
    [],
  );
});

/**
 * containerd may forget a shim, though no process of a pod is left under it, or the root file system that it has mounted
 * for one, when its client is killed while the shim starts a container. Nothing but a restart of the machine makes an end
 * of it, and CRI does not tell of it.
 */
function isForgottenByRuntime(leak: string): boolean {
  const [, pid] = /^shims: (\d+)$/.exec(leak) ?? [];
  if (pid !== undefined) return childrenOf([Number(pid)]).length === 0;
  return /^mounts: .*\/io\.containerd\.runtime\.v2\.task\/k8s\.io\/[0-9a-f]+\/rootfs$/.test(leak);
}

interface Churn {
  isOver: boolean;
  ready: number;
  /** What the containers say that were restarted. */
  readonly restarts: unknown[];
}

/** Creates a pod, sees it ready, deletes it, sees it gone, again and again. Requests that a crash cut off are repeated. */
async function comeAndGo(name: string, churn: Churn): Promise<void> {
  // Each crash may meet the same pod again, so that it gets nowhere until the crashes are over.
  const timeoutMs = 150_000;
  while (!churn.isOver) {
    await repeated('POST', '/api/v1/namespaces/default/pods', [201, 409], singleManifest(name));
    const pod = await daemon.waitForExistingPod(name, isReady, { timeoutMs });
    churn.ready += 1;
    const container = statusOf(pod, 'a');
    if (container.restartCount > 0) churn.restarts.push(container);
    await repeated('DELETE', podPath(name), [200, 404]);
    await daemon.waitForPod(name, (seen) => seen === undefined, { timeoutMs });
  }
}

async function repeated(method: string, path: string, expected: readonly number[], body?: object): Promise<void> {
  for (;;) {
    try {
      const { status, text } = await daemon.api.request(method, path, body ? { body } : {});
      if (!expected.includes(status)) throw new Error(`${method} ${path}: ${status} ${text}`);
      return;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (!['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE'].includes(code)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
