import t from 'tap';
import { container, podManifest } from '../integration/support/pods.ts';
import { waitFor } from '../integration/support/wait.ts';
import { fetchKubeconfig, inVm, kubectl, tryKubectl, untilInVm, untilReady, vm } from './support/vm.ts';

/** Reboots, power failures, and other bad days of a machine. */

const ready = 'curl -sSf --unix-socket /run/mini-kubelet/api.sock http://localhost/readyz';

const uids = async () =>
  (await kubectl(['get', 'pods', '-o', 'jsonpath={range .items[*]}{.metadata.name}={.metadata.uid}{"\\n"}{end}']))
    .split('\n')
    .sort();

/** What belongs to no pod any more. @param uids of the pods that there are. */
const leftOvers = (uids: readonly string[]) =>
  inVm(`
    known='${uids.join('|') || 'none'}'
    find /sys/fs/cgroup /var/lib/mini-kubelet/pods -regextype posix-extended -regex '.*/(pod)?[0-9a-f-]{36}' -type d | grep -vE "$known" || :
    awk '{ print $5 }' /proc/self/mountinfo | grep /var/lib/mini-kubelet/pods/ | grep -vE "$known" || :`);

/** Each running pod has one lease of an address, and there are no others. */
const leases = () => inVm('ls /run/cni/mini-kubelet | grep -c "^[0-9]*\\."  || :');

/** Asks the machine to boot anew, and waits until the daemon is there again. */
async function reboot(): Promise<void> {
  const boot = await inVm('cat /proc/sys/kernel/random/boot_id');
  await inVm('systemctl reboot').catch(() => {});
  await untilInVm(
    'the machine is back',
    `[ "$(cat /proc/sys/kernel/random/boot_id)" != ${boot} ] && ${ready}`,
    1_800_000,
  );
}

t.before(async () => {
  await fetchKubeconfig();
  await kubectl(['delete', 'pods', '--all', '--wait']);
});
t.teardown(async () => {
  await inVm('rm -f /etc/mini-kubelet/manifests/* /var/filler');
  await kubectl(['delete', 'pods', '--all', '--wait']);
});

t.test('pods come back after a reboot, with their identity', async (t) => {
  const volumes = [{ name: 'memory', emptyDir: { medium: 'Memory' as const } }];
  const mounted = [container('main', { volumeMounts: [{ name: 'memory', mountPath: '/memory' }] })];
  await kubectl(['create', '-f', '-'], JSON.stringify(podManifest('plain', { containers: mounted, volumes })));
  await kubectl(['create', '-f', '-'], JSON.stringify(podManifest('never', { restartPolicy: 'Never' })));
  await inVm(`cat >/etc/mini-kubelet/manifests/static.json <<'END'\n${JSON.stringify(podManifest('static'))}\nEND`);
  for (const name of ['plain', 'never', 'static-mini-kubelet']) await untilReady(name);
  const before = await uids();

  await reboot();

  for (const name of ['plain', 'static-mini-kubelet']) await untilReady(name);
  t.strictSame(await uids(), before);
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
    const there = new Set((await uids()).map((line) => line.split('=')[0]));
    const lost = [...promised].filter((name) => !there.has(name));
    t.strictSame(lost, [], `round ${round}: ${acknowledged.length} acknowledged, ${there.size} there`);
  }
  await kubectl(['wait', '--for=condition=Ready', 'pods', '--all', '--timeout=900s']);
  const count = (await uids()).length;
  t.equal(await leases(), String(count));
  await kubectl(['delete', 'pods', '--all', '--wait']);
  t.equal(await leases(), '0');
  t.equal(await leftOvers([]), '');
  t.equal(await inVm('ctr -n k8s.io containers list -q; ip -o link show type veth'), '');
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
    const crashing = [container('main', { command: ['sh', '-c', 'exit 1'] })];
    await kubectl(['create', '-f', '-'], JSON.stringify(podManifest('crashing', { containers: crashing })));
    const restarts = 'jsonpath={.status.containerStatuses[0].restartCount}';
    await kubectl(['wait', `--for=${restarts}=2`, 'pod/crashing', '--timeout=900s']);
    const before = await inVm('ctr -n k8s.io tasks list | grep -v STOPPED | tail -n +2 | sort');
    const pid = await inVm('systemctl show -P MainPID mini-kubelet');
    await inVm(`date -s "@$(($(date +%s) + ${by}))"`);
    await kubectl(['create', '-f', '-'], JSON.stringify(podManifest(`after-${jump}`)));
    await untilReady(`after-${jump}`);
    await kubectl(['delete', 'pod', `after-${jump}`]);
    // Its delay goes on: 20 s, and not a day more or less.
    await kubectl(['wait', `--for=${restarts}=3`, 'pod/crashing', '--timeout=900s']);
    await kubectl(['delete', 'pod', 'crashing']);
    t.equal(await inVm('ctr -n k8s.io tasks list | tail -n +2 | sort'), before);
    t.equal(await inVm('systemctl show -P MainPID mini-kubelet'), pid);
  });
}
