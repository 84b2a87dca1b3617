// Any runtime will do.
// How soon those who watch a pod see what happened to its containers.
import t, { type Test } from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { CriClient } from '../../../src/runtime/cri-client.ts';
import { parseContainerdEvent } from '../../../src/runtime/event-stream.ts';
import { isReady, statusOf } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { sendSignal } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { containerId, singleManifest } from './faults.ts';

const rounds = 10;

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const stop = new AbortController();
const client = new CriClient({ endpoint: runtime.endpoint });

/** When containerd told of it, by `exited ID` or `started ID`. */
const told = new Map<string, number>();
const following = client.containerdEvents(
  ['namespace==k8s.io,topic~="/tasks/"'],
  (envelope) => {
    const event = parseContainerdEvent(envelope);
    if (event && !told.has(`${event.kind} ${event.id}`)) told.set(`${event.kind} ${event.id}`, performance.now());
  },
  stop.signal,
);

/** When a watch told of it. */
const seen = new Map<string, number>();
const watching = (async () => {
  for await (const { object } of daemon.api.watch<Pod>('/api/v1/pods?watch=true', stop.signal)) {
    const state = object.status?.containerStatuses?.[0]?.state;
    const id = containerId(object, 'a');
    const kind = state?.terminated ? 'exited' : state?.running ? 'started' : undefined;
    if (kind && !seen.has(`${kind} ${id}`)) seen.set(`${kind} ${id}`, performance.now());
  }
})();
t.teardown(async () => {
  stop.abort();
  await Promise.allSettled([following, watching]);
  client.close();
});

function assertSoon(t: Test, kind: string, ids: readonly string[]): void {
  const ms = ids.map((id) => (seen.get(`${kind} ${id}`) ?? Number.NaN) - (told.get(`${kind} ${id}`) ?? Number.NaN));
  const sorted = ms.toSorted((a, b) => a - b);
  t.comment(`${kind}: ${sorted.map((value) => value.toFixed(1)).join(' ')} ms after the runtime's event`);
  // 50 ms is the aim; the machine that runs the tests may be busy with others.
  t.ok((sorted[rounds / 2] ?? Number.NaN) < 500);
}

t.test('a container that started or ended is seen at once', async (t) => {
  const ids: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const name = `short-${round}`;
    await daemon.createPod(singleManifest(name, { restartPolicy: 'Never' }));
    const id = containerId(await daemon.waitForExistingPod(name, isReady), 'a');
    ids.push(id);
    sendSignal(runtime.containerPid(id), 'SIGKILL');
    const pod = await daemon.waitForExistingPod(name, (item) => statusOf(item, 'a').state?.terminated !== undefined);
    t.equal(statusOf(pod, 'a').state?.terminated?.exitCode, 137);
    await waitFor('both to have told', () => told.has(`exited ${id}`) && seen.has(`exited ${id}`));
  }
  assertSoon(t, 'exited', ids);
  assertSoon(t, 'started', ids);
});
