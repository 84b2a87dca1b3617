import t from 'tap';
import { container, podManifest } from '../integration/support/pods.ts';
import { containerPids } from './support/machine-state.ts';
import { fetchKubeconfig, inVm, kubectl, untilReady } from './support/vm.ts';

/** A full disk, and a clock that is set. */

t.before(async () => {
  await fetchKubeconfig();
  await kubectl(['delete', 'pods', '--all', '--wait']);
});
t.teardown(async () => {
  await inVm('rm -f /var/filler /var/filler.2');
  await kubectl(['delete', 'pods', '--all', '--wait']);
});

t.test('a full disk refuses new pods and does no harm to others', async (t) => {
  await kubectl(['create', '-f', '-'], JSON.stringify(podManifest('early')));
  await untilReady('early');
  const pid = await inVm('systemctl show -P MainPID mini-kubelet');
  await inVm(
    'fallocate -l "$(df --output=avail -B1 / | tail -n 1)" /var/filler || :; dd if=/dev/zero of=/var/filler.2 bs=64k 2>/dev/null || :',
  );
  const refused = await kubectl(['create', '-f', '-'], JSON.stringify(podManifest('late'))).catch(String);
  t.comment(refused);
  t.equal(await kubectl(['get', 'pods', '-o', 'name']), 'pod/early');
  await inVm('rm -f /var/filler /var/filler.2');
  await kubectl(['create', '-f', '-'], JSON.stringify(podManifest('late')));
  await untilReady('late');
  await untilReady('early');
  t.equal(await inVm('systemctl show -P MainPID mini-kubelet'), pid, 'the daemon went on');
});

for (const [jump, by] of [
  ['forward', 86_400],
  ['back', -86_400],
] as const) {
  t.test(`a clock that jumps ${jump} by a day changes nothing for pods`, async (t) => {
    const before = await containerPids();
    const crashing = [container('main', { command: ['sh', '-c', 'exit 1'] })];
    await kubectl(['create', '-f', '-'], JSON.stringify(podManifest('crashing', { containers: crashing })));
    const restarts = 'jsonpath={.status.containerStatuses[0].restartCount}';
    await kubectl(['wait', `--for=${restarts}=2`, 'pod/crashing', '--timeout=900s']);
    const pid = await inVm('systemctl show -P MainPID mini-kubelet');
    await inVm(`date -s "@$(($(date +%s) + ${by}))"`);
    await kubectl(['create', '-f', '-'], JSON.stringify(podManifest(`after-${jump}`)));
    await untilReady(`after-${jump}`);
    await kubectl(['delete', 'pod', `after-${jump}`]);
    // Its delay goes on: 20 s, and not a day more or less.
    await kubectl(['wait', `--for=${restarts}=3`, 'pod/crashing', '--timeout=900s']);
    await kubectl(['delete', 'pod', 'crashing']);
    t.equal(await containerPids(), before);
    t.equal(await inVm('systemctl show -P MainPID mini-kubelet'), pid);
  });
}
