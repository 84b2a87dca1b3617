import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../integration/support/machine.ts';
import { containerPids, ready } from './support/machine-state.ts';
import { fetchKubeconfig, inVm, kubectl, untilInVm, untilReady } from './support/vm.ts';

/** The service as scripts/install.sh leaves it, with the demo pod. */

const pod = 'web-with-sidecar';
const mainPid = () => inVm('systemctl show -P MainPID mini-kubelet');

t.before(async () => {
  await fetchKubeconfig();
  await kubectl(['delete', 'pods', '--all', '--wait']);
});

t.test('the service is enabled, notifies, and is hardened as far as running pods permits', async (t) => {
  t.equal(
    await inVm('systemctl is-enabled mini-kubelet; systemctl is-active mini-kubelet containerd'),
    'enabled\nactive\nactive',
  );
  t.equal(await inVm('systemctl show -P Type -P StatusErrno mini-kubelet | head -n 1'), 'notify');
  const exposure = Number(
    await inVm("systemd-analyze security mini-kubelet.service | sed -nE 's/.*exposure level.*: ([0-9.]+) .*/\\1/p'"),
  );
  t.ok(exposure > 0 && exposure <= 5, `exposure level ${exposure}`);
});

t.test('what the daemon mounts is seen by the container runtime', async (t) => {
  const [daemon, containerd, host] = (
    await inVm('for p in $(systemctl show -P MainPID mini-kubelet containerd) 1; do readlink /proc/$p/ns/mnt; done')
  ).split('\n');
  t.equal(daemon, host);
  t.equal(containerd, host);
});

t.test('a pod runs, by kubectl from outside', async (t) => {
  await kubectl(['create', '-f', join(projectRoot, 'examples/web-with-sidecar.yaml')]);
  await untilReady(pod);
  const address = await kubectl(['get', 'pod', pod, '-o', 'jsonpath={.status.podIP}']);
  t.match(await untilInVm('the page is written', `curl -sSf http://${address}:8080/`), /^Hello from web at /);
  t.match(await kubectl(['logs', pod, '-c', 'server']), /33554432 bytes/);
});

t.test('restarting, upgrading or killing the daemon leaves containers running', async (t) => {
  const before = await containerPids();
  t.equal(before.split('\n').length, 3);

  let pid = await mainPid();
  await inVm('systemctl restart mini-kubelet');
  t.not(await mainPid(), pid);
  t.equal(await containerPids(), before);

  pid = await mainPid();
  await inVm(`kill -9 ${pid}`);
  await untilInVm('the daemon is back', `[ "$(systemctl show -P MainPID mini-kubelet)" != ${pid} ] && ${ready}`);
  t.equal(await containerPids(), before);

  await inVm('scripts/install.sh 2>&1');
  t.equal(await containerPids(), before);

  await untilReady(pod);
  const restarts = await kubectl(['get', 'pod', pod, '-o', 'jsonpath={.status.containerStatuses[*].restartCount}']);
  t.equal(restarts, '0 0');
});

t.test('a daemon that hangs is replaced', async (t) => {
  const before = await containerPids();
  const pid = await mainPid();
  await inVm(`kill -STOP ${pid}`);
  await untilInVm(
    'the watchdog acts',
    `[ "$(systemctl show -P MainPID mini-kubelet)" != ${pid} ] && ${ready}`,
    600_000,
  );
  t.match(await inVm('journalctl -u mini-kubelet -b --no-pager'), /Watchdog timeout/);
  t.equal(await containerPids(), before);
});

t.test('containerd may stop and come back: the pod goes on', async (t) => {
  const before = await containerPids();
  await inVm('systemctl stop containerd');
  await kubectl(['wait', '--for=condition=Ready=false', 'node', '--all', '--timeout=300s']);
  t.equal(await inVm('systemctl is-active mini-kubelet'), 'active');
  await inVm('systemctl start containerd');
  await kubectl(['wait', '--for=condition=Ready', 'node', '--all', '--timeout=300s']);
  t.equal(await containerPids(), before);
});

t.test('a deleted pod leaves nothing', async (t) => {
  const uid = await kubectl(['get', 'pod', pod, '-o', 'jsonpath={.metadata.uid}']);
  await kubectl(['delete', 'pod', pod]);
  t.equal(
    await inVm(
      `find /sys/fs/cgroup /var/lib/mini-kubelet/pods -name '*${uid}*' -o -name '*${uid.replaceAll('-', '_')}*'`,
    ),
    '',
  );
  t.equal(await inVm(`grep -c ${uid} /proc/self/mountinfo || :`), '0');
  t.equal(await inVm('ctr -n k8s.io containers list -q; ls /run/cni/mini-kubelet | grep "^[0-9]*\\." || :'), '');
});
