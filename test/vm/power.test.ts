import t, { type Test } from 'tap';
import { podManifest } from '../integration/support/pods.ts';
import { leases, leftOvers, podUids, ready } from './support/machine-state.ts';
import { fetchKubeconfig, inVm, kubectl, tryKubectl, untilInVm, vm } from './support/vm.ts';

/** Power failures. */

t.before(async () => {
  await fetchKubeconfig();
  await kubectl(['delete', 'pods', '--all', '--wait']);
});
t.teardown(() => kubectl(['delete', 'pods', '--all', '--wait']));

const podNames = async () => (await podUids()).map((line) => line.split('=')[0] ?? '');

/**
 * Creates 20 pods, cuts the power when that many containers run, sandboxes among them, and boots the machine anew.
 *
 * @returns the pods that are there after it.
 */
async function failWhilePodsStart(t: Test, running: number): Promise<string[]> {
  const items = Array.from({ length: 20 }, (_, i) => podManifest(`pod-${i}`));
  // kubectl creates one after the other, and names each when the server has said 201.
  const creating = tryKubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  await untilInVm(
    `${running} containers run`,
    `[ "$(ctr -n k8s.io tasks list | grep -c RUNNING)" -ge ${running} ]`,
    1_200_000,
  );
  await vm('kill');
  const acknowledged = [...(await creating).stdout.matchAll(/^pod\/(\S+) created$/gm)].map((match) => match[1] ?? '');
  await vm('start');
  await fetchKubeconfig();
  await untilInVm('the daemon is ready', ready, 1_200_000);
  const there = await podNames();
  t.ok(acknowledged.length > 0, `${acknowledged.length} acknowledged, ${there.length} there`);
  t.strictSame(
    acknowledged.filter((name) => !there.includes(name)),
    [],
    'none that was acknowledged is lost',
  );
  return there;
}

async function isEmpty(t: Test): Promise<void> {
  await kubectl(['delete', 'pods', '--all', '--wait', '--grace-period=1']);
  t.equal(await leases(), '0');
  t.equal(await leftOvers([]), '');
  t.equal(await inVm('ctr -n k8s.io containers list -q; ip -o link show type veth'), '');
}

t.test('a power failure while 20 pods start loses none that was acknowledged', async (t) => {
  for (const running of [1, 5]) {
    await failWhilePodsStart(t, running);
    await isEmpty(t);
  }
});

t.test('all of them run after it', async (t) => {
  const there = await failWhilePodsStart(t, 10);
  await kubectl(['wait', '--for=condition=Ready', 'pods', '--all', '--timeout=1800s']);
  t.equal(await leases(), String(there.length));
  await isEmpty(t);
});
