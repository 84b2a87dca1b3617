import t from 'tap';
import { podManifest } from '../integration/support/pods.ts';
import { waitFor } from '../integration/support/wait.ts';
import { leases, leftOvers, podUids, ready } from './support/machine-state.ts';
import { fetchKubeconfig, inVm, kubectl, tryKubectl, untilInVm, vm } from './support/vm.ts';

/** Power failures. */

t.before(async () => {
  await fetchKubeconfig();
  await kubectl(['delete', 'pods', '--all', '--wait']);
});
t.teardown(() => kubectl(['delete', 'pods', '--all', '--wait']));

t.test('power failures while 20 pods start, and start again, lose none that was acknowledged', async (t) => {
  const promised = new Set<string>();
  const running = async () => Number(await inVm('ctr -n k8s.io tasks list -q | wc -l'));
  for (const [round, count] of [20, 5, 5].entries()) {
    const items = Array.from({ length: count }, (_, i) => podManifest(`pod-${round}-${i}`));
    // kubectl creates one after the other, and names each when the server has said 201.
    const creating = tryKubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    await waitFor('some pods are starting', async () => (await running()) >= 3, 1_200_000);
    await vm('kill');
    const acknowledged = [...(await creating).stdout.matchAll(/^pod\/(\S+) created$/gm)].map((match) => match[1] ?? '');
    for (const name of acknowledged) promised.add(name);
    await vm('start');
    await fetchKubeconfig();
    await untilInVm('the daemon is ready', ready, 1_200_000);
    const there = new Set((await podUids()).map((line) => line.split('=')[0]));
    const lost = [...promised].filter((name) => !there.has(name));
    t.strictSame(lost, [], `round ${round}: ${acknowledged.length} acknowledged, ${there.size} there`);
  }
  await kubectl(['wait', '--for=condition=Ready', 'pods', '--all', '--timeout=900s']);
  const count = (await podUids()).length;
  t.equal(await leases(), String(count));
  await kubectl(['delete', 'pods', '--all', '--wait']);
  t.equal(await leases(), '0');
  t.equal(await leftOvers([]), '');
  t.equal(await inVm('ctr -n k8s.io containers list -q; ip -o link show type veth'), '');
});
