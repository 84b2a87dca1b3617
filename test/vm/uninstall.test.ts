import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../integration/support/machine.ts';
import { containerPids, remains } from './support/machine-state.ts';
import { fetchKubeconfig, inVm, kubectl, untilReady, vm } from './support/vm.ts';

/** scripts/install.sh --uninstall, first without and then with --purge. */

const install = (flags: string) => inVm(`scripts/install.sh ${flags} 2>&1`, 1_200_000);

const program = ['/usr/lib/mini-kubelet', '/usr/bin/mini-kubelet', '/etc/systemd/system/mini-kubelet.service'];
const state = ['/var/lib/mini-kubelet', '/etc/mini-kubelet', '/run/mini-kubelet'];

t.before(async () => {
  await fetchKubeconfig();
  await kubectl(['delete', 'pods', '--all', '--wait']);
  await kubectl(['create', '-f', join(projectRoot, 'examples/web-with-sidecar.yaml')]);
  await untilReady('web-with-sidecar');
});
t.teardown(() => vm('up'));

t.test('uninstalling removes the program; pods go on and are taken over by the next installation', async (t) => {
  const before = await containerPids();
  t.not(before, '');
  await install('--uninstall');
  t.equal(await remains(...program), '');
  t.equal(await inVm('systemctl show -P LoadState mini-kubelet'), 'not-found');
  t.equal(await containerPids(), before);

  await t.rejects(install('--uninstall --purge'), 'pods are not left behind without a state');
  t.equal(await containerPids(), before);

  await install('');
  await untilReady('web-with-sidecar');
  t.equal(await containerPids(), before);
});

t.test('purging ends the pods and gives the machine back as it was', async (t) => {
  await install('--uninstall --purge');
  t.equal(await containerPids(), '');
  t.equal(await remains(...program, ...state), '');
  t.equal(await remains('/etc/cni/net.d/10-mini-kubelet.conflist', '/sys/class/net/mini-kubelet0'), '');
  t.equal(
    await inVm('dpkg -V containerd | grep etc/containerd || :'),
    '',
    "containerd's configuration is its package's",
  );
  t.equal(await inVm('systemctl is-active containerd'), 'active');
  t.equal(await inVm('grep -c -e /var/lib/mini-kubelet -e /run/mini-kubelet /proc/self/mountinfo || :'), '0');
  t.equal(await remains('/sys/fs/cgroup/kubepods', '/sys/fs/cgroup/kubepods.slice'), '');
});
