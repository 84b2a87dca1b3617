import t from 'tap';
import { container, podManifest } from '../integration/support/pods.ts';
import { leases, leftOvers, podUids, ready, reboot } from './support/machine-state.ts';
import { fetchKubeconfig, inVm, kubectl, untilInVm, untilReady } from './support/vm.ts';

/** Reboots, with pods that come back, and with such that are given time to end. */

t.before(async () => {
  await fetchKubeconfig();
  await kubectl(['delete', 'pods', '--all', '--wait']);
});
t.teardown(async () => {
  await inVm('rm -f /etc/mini-kubelet/manifests/* /etc/mini-kubelet/config.yaml.d/20-shutdown.yaml');
  await kubectl(['delete', 'pods', '--all', '--wait']);
});

t.test('pods come back after a reboot, with their identity', async (t) => {
  const volumes = [{ name: 'memory', emptyDir: { medium: 'Memory' as const } }];
  const mounted = [container('main', { volumeMounts: [{ name: 'memory', mountPath: '/memory' }] })];
  await kubectl(['create', '-f', '-'], JSON.stringify(podManifest('plain', { containers: mounted, volumes })));
  await kubectl(['create', '-f', '-'], JSON.stringify(podManifest('never', { restartPolicy: 'Never' })));
  await inVm(`cat >/etc/mini-kubelet/manifests/static.json <<'END'\n${JSON.stringify(podManifest('static'))}\nEND`);
  for (const name of ['plain', 'never', 'static-mini-kubelet']) await untilReady(name);
  const before = await podUids();

  await reboot();

  for (const name of ['plain', 'static-mini-kubelet']) await untilReady(name);
  t.strictSame(await podUids(), before);
  // Nothing may run it again, and what ended it is not known.
  const phase = await kubectl(['wait', '--for=jsonpath={.status.phase}=Failed', 'pod/never', '--timeout=300s']);
  t.match(phase, /condition met/);
  t.equal(await leases(), '2');
  t.equal(await leftOvers(before.map((line) => line.split('=')[1] ?? '')), '');
  const restarts = await kubectl(['get', 'pod', 'plain', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}']);
  t.equal(restarts, '1');
  await inVm('rm /etc/mini-kubelet/manifests/static.json');
  await kubectl(['delete', 'pods', '--all', '--wait']);
});

t.test('a shutdown waits until the pods have ended', async (t) => {
  await inVm(`printf 'shutdownGracePeriod: 10m\nshutdownGracePeriodCriticalPods: 1m\n' >/etc/mini-kubelet/config.yaml.d/20-shutdown.yaml
    rm -f /var/said; mkdir -p /var/said; systemctl restart mini-kubelet`);
  await untilInVm('the daemon holds its lock', 'systemd-inhibit --list | grep -q mini-kubelet');
  const limit = await inVm(
    'busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager InhibitDelayMaxUSec',
  );
  t.equal(limit, 't 600000000', 'logind waits for as long');
  // Longer than logind's own five seconds.
  const command = ['sh', '-c', 'trap "sleep 8; echo ended >/said/word; sync; exit 0" TERM; while :; do sleep 1; done'];
  const last = podManifest('last-words', {
    terminationGracePeriodSeconds: 300,
    containers: [container('main', { command, volumeMounts: [{ name: 'said', mountPath: '/said' }] })],
    volumes: [{ name: 'said', hostPath: { path: '/var/said' } }],
  });
  await kubectl(['create', '-f', '-'], JSON.stringify(last));
  await untilReady('last-words');
  await reboot();
  t.equal(await inVm('cat /var/said/word'), 'ended');
  const { status } = JSON.parse(await kubectl(['get', 'pod', 'last-words', '-o', 'json']));
  t.match(status, { phase: 'Failed', reason: 'Terminated', message: /node shutdown/ });
  await inVm('rm -r /etc/mini-kubelet/config.yaml.d/20-shutdown.yaml /var/said; systemctl restart mini-kubelet');
  await untilInVm('the daemon is ready', ready);
  await kubectl(['delete', 'pods', '--all', '--wait']);
});
