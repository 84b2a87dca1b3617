// Any runtime will do.
// The daemon as a process: a second one beside it, and the ways in which it is asked to end.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { isReady } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { isAlive } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { containerId, identityOf, inRuntime, pairManifest, singleManifest, startProxy } from './faults.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const proxy = await startProxy(runtime);
t.teardown(() => proxy.stop());
const startedAt = performance.now();
const daemon = await startDaemon({ runtime: proxy });
/** How long this machine takes to start the program, and a little more. */
const startMs = performance.now() - startedAt;
t.teardown(() => daemon.stop());

await daemon.createPod(pairManifest('witness'));
const witnessPod = await daemon.waitForExistingPod('witness', isReady);
const witness = identityOf(witnessPod);
const pids = ['a', 'b'].map((name) => runtime.containerPid(containerId(witnessPod, name)));

t.test('a second daemon refuses to start, and says who holds the state', async (t) => {
  const { pid } = daemon;
  const begin = performance.now();
  const { exitCode, stdout, stderr } = await daemon.runProgram(['--config', daemon.configFile]);
  const ms = Math.round(performance.now() - begin);
  t.comment(`it ended after ${ms} ms, the first one took ${Math.round(startMs)} ms to be ready`);
  t.equal(exitCode, 1);
  t.match(stdout + stderr, new RegExp(`process ${pid}|pid ${pid}`, 'i'));
  t.ok(ms < startMs + 2000, 'it does not wait');
  t.equal(daemon.pid, pid, 'the first one goes on');
  t.equal(readFileSync(join(daemon.runDir, 'mini-kubelet.pid'), 'utf8'), `${pid}\n`);
  t.equal((await daemon.api.request('GET', '/readyz')).status, 200);
  t.same(identityOf(await daemon.getPod('witness')), witness);
});

/** Ends the daemon by SIGTERM and says how long it took. */
async function terminate(t: Test): Promise<void> {
  const startedAt = performance.now();
  t.equal(await daemon.end('SIGTERM'), 0, 'exit code');
  const ms = Math.round(performance.now() - startedAt);
  t.comment(`it ended after ${ms} ms`);
  t.ok(ms < 5000, 'within five seconds');
  t.ok(pids.every(isAlive), 'the containers go on');
}

t.test('SIGTERM ends the daemon soon, its clients cleanly, and no pod', async (t) => {
  const seen: string[] = [];
  const watch = (async () => {
    // Throws when the connection breaks instead of ending.
    for await (const { type } of daemon.api.watch<Pod>('/api/v1/pods?watch=true')) seen.push(type);
  })();
  const follow = await daemon.api.stream('/api/v1/namespaces/default/pods/witness/log?container=a&follow=true');
  const followed = (async () => {
    for await (const _ of follow);
  })();
  await waitFor('the watch', () => seen.length > 0);
  await terminate(t);
  await t.resolves(watch, 'the watch ends');
  await t.resolves(followed, 'the followed log ends');
  await daemon.start();
  t.same(identityOf(await daemon.getPod('witness')), witness, 'the pod noticed nothing');
});

t.test('SIGTERM while a pod is being made: the next start finishes it', async (t) => {
  proxy.inject('RunPodSandbox', '1*hold');
  const { metadata } = await daemon.createPod(singleManifest('half-made'));
  await waitFor('RunPodSandbox to be held', () => proxy.heldCalls > 0);
  await terminate(t);
  proxy.clear();
  await daemon.start();
  await daemon.waitForExistingPod('half-made', isReady);
  t.equal((await inRuntime(runtime, metadata.uid)).sandboxes.length, 1);
  await daemon.deletePod('half-made');
});

t.test('SIGTERM while the runtime hangs', async (t) => {
  await runtime.pause();
  try {
    await daemon.createPod(singleManifest('hung'));
    await terminate(t);
  } finally {
    runtime.resume();
  }
  await daemon.start();
  await daemon.waitForExistingPod('hung', isReady);
  t.same(identityOf(await daemon.getPod('witness')), witness, 'the other pod noticed nothing');
});

t.test('signals that mean nothing to it do not end it', async (t) => {
  const { pid } = daemon;
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGHUP', 'SIGPIPE', 'SIGQUIT'] as const) daemon.signal(signal);
  t.equal((await daemon.api.request('GET', '/readyz')).status, 200);
  t.equal(daemon.pid, pid);
});
