// The pod network is missing, fails, or hangs.
import t from 'tap';
import { isReady } from '../pod/pods.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { leaksSince, takeSnapshot } from '../support/leaks.ts';
import { waitFor } from '../support/wait.ts';
import { eventsOf, identityOf, inRuntime, pairManifest, singleManifest, waitForEvent } from './faults.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const { network } = runtime;
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());
const empty = await takeSnapshot({ runtime, daemon });

await daemon.createPod(pairManifest('witness'));
const witness = identityOf(await daemon.waitForExistingPod('witness', isReady));
const baseline = await takeSnapshot({ runtime, daemon });

const callsOf = (command: string) => network.calls().filter((call) => call.command === command).length;

t.test('without a network: pods wait and say so, pods of the host network start', async (t) => {
  await daemon.createPod(singleManifest('leaving'));
  await daemon.waitForExistingPod('leaving', isReady);
  network.removeConf();
  await waitFor('the node to know', async () => (await daemon.api.request('GET', '/readyz')).status === 500, 20_000);

  await daemon.createPod(singleManifest('waiting'));
  const waiting = await daemon.waitForExistingPod('waiting', ({ status }) => status?.reason !== undefined);
  t.match(waiting.status, { phase: 'Pending', reason: 'NetworkPluginNotReady', message: /^network is not ready: / });
  await waitForEvent(daemon, waiting.metadata.name, /^NetworkNotReady: network is not ready: NetworkReady=false/);
  await daemon.createPod(singleManifest('of-the-host', { hostNetwork: true }));
  await daemon.waitForExistingPod('of-the-host', isReady);
  await daemon.createPod(singleManifest('passing'));
  await daemon.deletePod('passing');
  await daemon.api.expectOk('DELETE', podPath('leaving'));
  await waitForEvent(daemon, 'leaving', /^FailedKillPod: |^Killing: /);
  t.same(identityOf(await daemon.getPod('witness')), witness, 'the one that runs goes on');

  network.writeConf();
  const begin = performance.now();
  await daemon.waitForExistingPod('waiting', isReady, { timeoutMs: 20_000 });
  const ms = Math.round(performance.now() - begin);
  t.comment(`started ${ms} ms after the network was back`);
  t.ok(ms < 10_000);
  await daemon.waitForPod('leaving', (pod) => pod === undefined, { timeoutMs: 30_000 });
  t.equal((await daemon.api.request('GET', '/readyz')).status, 200);
  await Promise.all(['waiting', 'of-the-host'].map((name) => daemon.deletePod(name)));
  t.same(await leaksSince(baseline, { runtime, daemon }), []);
});

t.test('a network that cannot be set up is tried again, and no address is lost', async (t) => {
  network.fail('ADD', 'no address today');
  const { metadata } = await daemon.createPod(singleManifest('unlucky'));
  await waitForEvent(daemon, 'unlucky', /^FailedCreatePodSandBox: .*no address today/);
  const before = callsOf('ADD');
  await waitFor('two more attempts', () => callsOf('ADD') >= before + 2, 20_000);
  const pod = await daemon.getPod('unlucky');
  t.match(pod.status, { phase: 'Pending', reason: 'FailedCreatePodSandBox', message: /no address today/ });
  t.equal(network.leases().length, 1, "only the witness's");
  network.clear();
  await daemon.waitForExistingPod('unlucky', isReady, { timeoutMs: 30_000 });
  t.equal((await inRuntime(runtime, metadata.uid)).sandboxes.length, 1, 'what was half made is gone');
  t.equal(network.leases().length, 2);
  await daemon.deletePod('unlucky');
  t.same(await leaksSince(baseline, { runtime, daemon }), []);
});

t.test('a network that can neither be set up nor taken down leaves nothing in the end', async (t) => {
  network.fail('ADD', 'no address today');
  network.fail('DEL', 'nor tomorrow');
  await daemon.createPod(singleManifest('stuck'));
  await waitForEvent(daemon, 'stuck', /^FailedCreatePodSandBox: /);
  // containerd 1.6 keeps a half-made sandbox, which must let go of its network first; containerd 2 keeps none.
  const before = network.calls().length;
  await waitFor('two more attempts', () => network.calls().length >= before + 2, 20_000);
  network.clear();
  const pod = await daemon.waitForExistingPod('stuck', isReady, { timeoutMs: 30_000 });
  await waitFor(
    'the old sandboxes to be removed',
    async () => (await inRuntime(runtime, pod.metadata.uid)).sandboxes.length === 1,
    30_000,
  );
  await daemon.deletePod('stuck');
  t.same(await leaksSince(baseline, { runtime, daemon }), []);
});

t.test('a slow network holds up its own pod and no other', async (t) => {
  network.hold('ADD');
  const known = callsOf('ADD');
  await daemon.createPod(singleManifest('slow'));
  await waitFor('ADD', () => callsOf('ADD') > known);
  const begin = performance.now();
  await daemon.createPod(singleManifest('quick', { hostNetwork: true }));
  await daemon.waitForExistingPod('quick', isReady);
  await daemon.deletePod('quick');
  t.comment(`another pod lived and died in ${Math.round(performance.now() - begin)} ms meanwhile`);
  t.match(await daemon.getPod('slow'), { status: { phase: 'Pending' } });
  network.clear();
  await daemon.waitForExistingPod('slow', isReady);
  t.same(
    (await eventsOf(daemon, 'slow')).filter((text) => text.startsWith('Failed')),
    [],
    'slow is no failure',
  );
  await daemon.deletePod('slow');
});

t.test('a network set-up that hangs ends at the deadline of the call', async (t) => {
  await daemon.end();
  daemon.writeConfig({ runtimeRequestTimeout: '5s' });
  await daemon.start();
  network.hold('ADD');
  await daemon.createPod(singleManifest('hanging'));
  await waitForEvent(daemon, 'hanging', /^FailedCreatePodSandBox: .*[Dd]eadline/);
  network.clear();
  const pod = await daemon.waitForExistingPod('hanging', isReady, { timeoutMs: 30_000 });
  t.equal((await inRuntime(runtime, pod.metadata.uid)).sandboxes.length, 1);
  await daemon.deletePod('hanging');
  t.same(await leaksSince(baseline, { runtime, daemon }), []);
});

t.test('a pod whose network cannot be taken down stays, and goes when it can', async (t) => {
  await daemon.createPod(singleManifest('tied'));
  await daemon.waitForExistingPod('tied', isReady);
  network.fail('DEL', 'held tight');
  await daemon.api.expectOk('DELETE', podPath('tied'));
  await waitForEvent(daemon, 'tied', /^FailedKillPod: .*held tight/);
  const before = callsOf('DEL');
  await waitFor('two more attempts', () => callsOf('DEL') >= before + 2, 20_000);
  const pod = await daemon.getPod('tied');
  t.ok(pod.metadata.deletionTimestamp);
  t.equal(network.leases().length, 2, 'its address is not given to others');
  t.equal(
    (await daemon.api.request('POST', '/api/v1/namespaces/default/pods', { body: singleManifest('tied') })).status,
    409,
  );
  network.clear();
  await daemon.waitForPod('tied', (seen) => seen === undefined, { timeoutMs: 30_000 });
  t.equal(network.leases().length, 1);
  await daemon.deletePod('witness');
  t.same(await leaksSince(empty, { runtime, daemon }), []);
});
