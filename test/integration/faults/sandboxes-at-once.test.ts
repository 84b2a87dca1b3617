// Any runtime will do.
// On a slow machine sandboxes are made a few at a time: all at once would each run out of time.
import t from 'tap';
import { isReady } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { singleManifest, startProxy } from './faults.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const proxy = await startProxy(runtime);
t.teardown(() => proxy.stop());
const daemon = await startDaemon({ runtime: proxy, config: { maxConcurrentPodWorkers: 2 } });
t.teardown(() => daemon.end());

/** The pods whose sandboxes the runtime was asked for, in the order of the calls. */
function askedFor(names: readonly string[]): (string | undefined)[] {
  return proxy.calls('RunPodSandbox').map(({ request }) => names.find((name) => request.includes(name)));
}

t.test('a pod waits for its turn while sandboxes before it are being made, and can be deleted then', async (t) => {
  proxy.inject('RunPodSandbox', '3*hold');
  const names = ['first', 'second', 'third', 'fourth'];
  for (const name of names) await daemon.createPod(singleManifest(name));
  // Its turn as a pod comes after theirs, and as a sandbox before: it has no network to hang at.
  await daemon.createPod(singleManifest('on-host', { hostNetwork: true }));
  await waitFor('three sandboxes to be held', () => proxy.heldCalls === 3, 60_000);
  await daemon.deletePod('fourth');
  proxy.clear();
  for (const name of ['first', 'second', 'on-host', 'third']) await daemon.waitForExistingPod(name, isReady);
  const asked = askedFor([...names, 'on-host']);
  t.same(asked.slice(0, 2).sort(), ['first', 'second']);
  t.same(asked.slice(2), ['on-host', 'third']);
});
