import { inVm, kubectl, untilInVm } from './vm.ts';

/** Succeeds when the daemon is ready. */
export const ready = 'curl -sSf --unix-socket /run/mini-kubelet/api.sock http://localhost/readyz';

/** The processes of the containers, which change when a container is started again. */
export const containerPids = () => inVm('ctr -n k8s.io tasks list | tail -n +2 | sort');

/** Which of these paths there are. */
export const remains = (...paths: string[]) => inVm(`ls -d ${paths.join(' ')} 2>/dev/null || :`);

/** `name=uid` of each pod. */
export const podUids = async () =>
  (await kubectl(['get', 'pods', '-o', 'jsonpath={range .items[*]}{.metadata.name}={.metadata.uid}{"\\n"}{end}']))
    .split('\n')
    .sort();

/** What belongs to no pod any more. @param uids of the pods that there are. */
export const leftOvers = (uids: readonly string[]) =>
  inVm(`
    known='${uids.join('|') || 'none'}'
    find /sys/fs/cgroup /var/lib/mini-kubelet/pods -regextype posix-extended -regex '.*/(pod)?[0-9a-f-]{36}' -type d | grep -vE "$known" || :
    awk '{ print $5 }' /proc/self/mountinfo | grep /var/lib/mini-kubelet/pods/ | grep -vE "$known" || :`);

/** Each running pod has one lease of an address, and there are no others. */
export const leases = () => inVm('ls /run/cni/mini-kubelet | grep -c "^[0-9]*\\."  || :');

/** Asks the machine to boot anew, and waits until the daemon is there again. */
export async function reboot(): Promise<void> {
  const boot = await inVm('cat /proc/sys/kernel/random/boot_id');
  await inVm('systemctl reboot').catch(() => {});
  await untilInVm(
    'the machine is back',
    `[ "$(cat /proc/sys/kernel/random/boot_id)" != ${boot} ] && ${ready}`,
    1_800_000,
  );
}
