import t from 'tap';
import { container, podManifest } from '../integration/support/pods.ts';
import { apply, fetchKubeconfig, inVm, kubectl, untilInVm, untilReady } from './support/vm.ts';

/** Volumes of an NFS server: the machine's own. */

const stay = (script: string) => ['sh', '-c', `${script}; trap 'exit 0' TERM; sleep 1000000 & wait $!`];
const mounts = () => inVm("grep -c ' nfs4\\? ' /proc/self/mounts || :");

/** A pod that mounts a volume at /data. */
const user = (name: string, script: string, volume: object) =>
  podManifest(name, {
    containers: [container('main', { command: stay(script), volumeMounts: [{ name: 'data', mountPath: '/data' }] })],
    volumes: [{ name: 'data', ...volume }],
  });

t.before(async () => {
  await fetchKubeconfig();
  await kubectl(['delete', 'pods', '--all', '--wait']);
  await inVm(`
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update && apt-get -qq install --no-install-recommends nfs-kernel-server nfs-common >/dev/null 2>&1
    mkdir -p /srv/share && chmod 0777 /srv/share
    echo '/srv/share 127.0.0.1(rw,no_subtree_check,insecure,fsid=1)' >/etc/exports
    systemctl restart nfs-kernel-server && exportfs -ra`);
});
t.teardown(async () => {
  await inVm('systemctl start nfs-kernel-server');
  await kubectl(['delete', 'pods,pvc', '--all', '--wait']);
  await kubectl(['delete', 'pv', 'share', '--ignore-not-found']);
});

t.test('two pods share a directory of a server, one by name and one by a claim', async (t) => {
  const nfs = { server: '127.0.0.1', path: '/srv/share' };
  await apply(user('inline', 'echo hello > /data/file', { nfs }));
  await untilReady('inline');
  t.equal(await inVm('cat /srv/share/file'), 'hello');
  const access = { accessModes: ['ReadWriteMany'], storageClassName: '' };
  await apply({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'share' },
    spec: { ...access, capacity: { storage: '1Gi' }, mountOptions: ['nfsvers=4.1'], nfs },
  });
  await apply({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'share' },
    spec: { ...access, resources: { requests: { storage: '1Gi' } } },
  });
  await apply(
    user('claimed', 'cat /data/file; touch /data/x', { persistentVolumeClaim: { claimName: 'share', readOnly: true } }),
  );
  await untilReady('claimed');
  t.match(await kubectl(['logs', 'claimed']), /^hello\ntouch: .*Read-only file system$/);
  t.match(await inVm("grep ' nfs4 ' /proc/self/mounts"), /vers=4\.1/);
  t.equal(await mounts(), '2');
  await kubectl(['delete', 'pod', 'claimed']);
  await untilInVm('the mount of the deleted pod is gone', "[ $(grep -c ' nfs4 ' /proc/self/mounts) = 1 ]");
});

t.test('a pod whose server is gone can be deleted, and a daemon that starts meanwhile is ready', async (t) => {
  await inVm('systemctl stop nfs-kernel-server && systemctl restart mini-kubelet');
  await apply(podManifest('other'));
  await untilReady('other');
  await kubectl(['delete', 'pod', 'inline', '--grace-period=5', '--timeout=900s']);
  await untilInVm('its mount is gone', "! grep -q ' nfs4 ' /proc/self/mounts");
  t.equal(await kubectl(['get', 'pods', '-o', 'name']), 'pod/other');
});
