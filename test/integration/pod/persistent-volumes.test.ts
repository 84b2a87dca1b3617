// Any runtime will do.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import type { PersistentVolume } from '../../../src/api/persistent-volume.ts';
import type { PersistentVolumeClaim } from '../../../src/api/persistent-volume-claim.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isOver, isReady, podManifest, shell } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const claims = '/api/v1/namespaces/default/persistentvolumeclaims';
const volumes = '/api/v1/persistentvolumes';
const made = join(daemon.stateDir, 'volumes');

const createClaim = (name: string, spec: object = {}) =>
  daemon.api.expectOk<PersistentVolumeClaim>('POST', claims, {
    body: {
      metadata: { name },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } }, ...spec },
    },
  });
const createVolume = (name: string, spec: object, metadata: object = {}) =>
  daemon.api.expectOk<PersistentVolume>('POST', volumes, {
    body: {
      metadata: { name, ...metadata },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: 'hand', ...spec },
    },
  });
const onThisNode = {
  required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'Exists' }] }] },
};
const find = async <T>(path: string) => (await daemon.api.request<T>('GET', path)) as { status: number; body: T };

const waitForClaim = (name: string, phase: string) =>
  waitFor(
    `claim ${name} to be ${phase}`,
    async () => {
      const { status, body } = await find<PersistentVolumeClaim>(`${claims}/${name}`);
      return status === 200 && body.status?.phase === phase ? body : undefined;
    },
    60_000,
  );
const waitForVolume = (name: string, phase: string) =>
  waitFor(
    `volume ${name} to be ${phase}`,
    async () => {
      const { status, body } = await find<PersistentVolume>(`${volumes}/${name}`);
      return status === 200 && body.status?.phase === phase ? body : undefined;
    },
    60_000,
  );
const waitUntilGone = (path: string) =>
  waitFor(`${path} to be gone`, async () => ((await find(path)).status === 404 ? true : undefined), 60_000);
const waitForEvent = (name: string, reason: string, message: RegExp) =>
  waitFor(`${reason} of ${name}`, async () => {
    const { items } = await daemon.api.expectOk<{ items: Event[] }>('GET', '/api/v1/events');
    return items.find(
      (event) => event.involvedObject.name === name && event.reason === reason && message.test(event.message ?? ''),
    );
  });

const claimed = (claimName: string, readOnly = false) => [
  { name: 'data', persistentVolumeClaim: { claimName, ...(readOnly ? { readOnly } : {}) } },
];
const pod = (name: string, script: string, spec: object) =>
  daemon.createPod(
    podManifest(
      name,
      [{ name: 'a', command: ['sh', '-c', script], volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
      { restartPolicy: 'Never', ...spec },
    ),
  );
async function outputOf(name: string): Promise<string> {
  const { status } = await daemon.waitForExistingPod(name, isOver);
  const log = await daemon.containerLog(name, 'a');
  if (status?.phase !== 'Succeeded') throw new Error(`${name}: ${JSON.stringify(status)}\n${log}`);
  return log;
}
const mountsOf = (uid: string) =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(uid));

t.test(
  'a claim is given a directory when a pod needs it, which outlives the pod and ends with the claim',
  async (t) => {
    await createClaim('kept');
    await waitForEvent('kept', 'WaitForFirstConsumer', /waiting for first consumer/);
    const writer = await daemon.createPod(
      podManifest(
        'writer',
        [
          {
            name: 'a',
            command: shell(
              'echo hello > /data/file; mkdir -p /data/part; echo there > /data/part/x; id -u; ls -ld /data',
            ),
            volumeMounts: [
              { name: 'data', mountPath: '/data' },
              { name: 'data', mountPath: '/part', subPath: 'part' },
            ],
          },
        ],
        { volumes: claimed('kept'), securityContext: { runAsUser: 1000, runAsGroup: 1000 } },
      ),
    );
    await daemon.waitForExistingPod('writer', isReady);
    const claim = await waitForClaim('kept', 'Bound');
    const name = claim.spec.volumeName ?? '';
    t.equal(name, `pvc-${claim.metadata.uid}`);
    t.match(claim, {
      spec: { storageClassName: 'local' },
      status: { capacity: { storage: '1Mi' }, accessModes: ['ReadWriteOnce'] },
    });
    t.match(await waitForVolume(name, 'Bound'), {
      spec: { local: { path: join(made, name) }, persistentVolumeReclaimPolicy: 'Delete', claimRef: { name: 'kept' } },
    });
    await waitFor('the file', () => existsSync(join(made, name, 'part/x')) || undefined);
    t.equal(readFileSync(join(made, name, 'file'), 'utf8'), 'hello\n');

    const tables = await daemon.kubectl(['get', 'pvc,pv,sc']);
    t.match(tables.stdout, /persistentvolumeclaim\/kept +Bound +pvc-\S+ +1Mi +RWO +local +<unset>/);
    t.match(tables.stdout, /persistentvolume\/pvc-\S+ +1Mi +RWO +Delete +Bound +default\/kept +local/);
    t.match(tables.stdout, /local \(default\) +mini-kubelet.io\/local +Delete +WaitForFirstConsumer +false/);

    t.match(await daemon.api.expectOk('DELETE', `${claims}/kept`), { metadata: { deletionTimestamp: /^20/ } });
    t.match((await daemon.kubectl(['get', 'pvc', 'kept'])).stdout, /kept +Terminating/);
    await daemon.kill9();
    await daemon.start();
    t.equal((await find(`${claims}/kept`)).status, 200, 'a pod uses it');
    t.ok(existsSync(join(made, name, 'file')));
    await daemon.deletePod('writer');
    t.same(mountsOf(writer.metadata.uid), []);
    await waitUntilGone(`${claims}/kept`);
    await waitUntilGone(`${volumes}/${name}`);
    t.same(readdirSync(made), []);
  },
);

t.test('volumes made by hand: a pod waits for its claim, and a retained volume keeps what is in it', async (t) => {
  const local = join(daemon.root.path, 'local');
  const host = join(daemon.root.path, 'host');
  for (const path of [local, host]) mkdirSync(path, { mode: 0o755 });
  writeFileSync(join(local, 'file'), 'mine\n', { mode: 0o600 });
  await createVolume('by-hand', { local: { path: local }, nodeAffinity: onThisNode }, { labels: { disk: 'fast' } });
  await createVolume('elsewhere', {
    local: { path: local },
    nodeAffinity: {
      required: { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['other'] }] }] },
    },
  });
  await createVolume('of-host', { hostPath: { path: host, type: 'Directory' }, capacity: { storage: '5Gi' } });
  await waitForVolume('by-hand', 'Available');

  await pod('early', 'id -G | grep -wo 2000; cat /data/file; stat -c %g /data/file; echo more > /data/more', {
    volumes: claimed('wanted'),
    securityContext: { runAsUser: 1000, fsGroup: 2000 },
  });
  await waitForEvent('early', 'FailedMount', /volume "data" : persistentvolumeclaim "wanted" not found/);
  const waiting = await daemon.getPod('early');
  t.match(waiting.status?.containerStatuses?.[0]?.state?.waiting, { reason: 'ContainerCreating' });

  await createClaim('wanted', { storageClassName: 'hand', selector: { matchLabels: { disk: 'fast' } } });
  t.equal(await outputOf('early'), '2000\nmine\n2000\n', 'it starts by itself, with its group');
  t.equal((await waitForClaim('wanted', 'Bound')).spec.volumeName, 'by-hand');

  await createClaim('named', { storageClassName: 'hand', volumeName: 'of-host' });
  await createClaim('too-large', { storageClassName: 'hand', resources: { requests: { storage: '2Gi' } } });
  await waitForClaim('named', 'Bound');
  await pod('reader', 'touch /data/x 2>&1; echo end', { volumes: claimed('named', true) });
  t.match(await outputOf('reader'), /Read-only file system\nend/);
  await waitForEvent('too-large', 'ProvisioningFailed', /storageclass.storage.k8s.io "hand" not found/);

  for (const name of ['early', 'reader']) await daemon.deletePod(name);
  for (const name of ['wanted', 'named', 'too-large']) {
    await daemon.api.expectOk('DELETE', `${claims}/${name}`);
    await waitUntilGone(`${claims}/${name}`);
  }
  await waitForVolume('by-hand', 'Released');
  t.equal(readFileSync(join(local, 'more'), 'utf8'), 'more\n');
  await daemon.api.expectOk('DELETE', `${volumes}/by-hand`);
  await waitUntilGone(`${volumes}/by-hand`);
  t.ok(existsSync(join(local, 'more')));
});

t.test('an ephemeral volume has a claim of its own, and a claim for one pod has one at a time', async (t) => {
  const spec = { accessModes: ['ReadWriteOncePod'], resources: { requests: { storage: '1Mi' } } };
  const scratch = { name: 'data', ephemeral: { volumeClaimTemplate: { metadata: { labels: { a: 'b' } }, spec } } };
  const owner = await daemon.createPod(
    podManifest('owner', [{ name: 'a', command: shell(''), volumeMounts: [{ name: 'data', mountPath: '/data' }] }], {
      volumes: [scratch as never],
    }),
  );
  await daemon.waitForExistingPod('owner', isReady);
  const claim = await waitForClaim('owner-data', 'Bound');
  t.match(claim.metadata, { labels: { a: 'b' }, ownerReferences: [{ kind: 'Pod', uid: owner.metadata.uid }] });
  await pod('second', 'echo mine', { volumes: claimed('owner-data') });
  await waitForEvent('second', 'FailedMount', /ReadWriteOncePod access mode and is in use by pod "owner"/);
  await daemon.deletePod('owner');
  await daemon.deletePod('second');
  await waitUntilGone(`${claims}/owner-data`);
  await waitUntilGone(`${volumes}/${claim.spec.volumeName}`);
  t.same(readdirSync(made), []);
});

t.test('what a pod plants in its volume leads nowhere, and deletion stops at a mount', async (t) => {
  const canary = join(daemon.root.path, 'canary');
  const mounted = join(daemon.root.path, 'mounted');
  for (const path of [canary, mounted]) {
    mkdirSync(path, { mode: 0o700 });
    writeFileSync(join(path, 'file'), 'untouched', { mode: 0o600 });
  }
  const isIntact = (path: string) =>
    readFileSync(join(path, 'file'), 'utf8') === 'untouched' && (statSync(path).mode & 0o777) === 0o700;
  await createClaim('trap');
  const plant = `
ln -s ${canary} /data/link; ln -s ${canary}/file /data/file; ln -s / /data/root; ln -s ../../.. /data/up
mkfifo /data/fifo; mkdir -p /data/hollow; d=/data/deep; for i in $(seq 60); do d=$d/$i; done; mkdir -p $d; ln -s ${canary} $d/link`;
  await pod('planter', plant, { volumes: claimed('trap') });
  await outputOf('planter');
  const volume = (await waitForClaim('trap', 'Bound')).spec.volumeName ?? '';
  await pod('grouped', 'echo in', { volumes: claimed('trap'), securityContext: { fsGroup: 2000 } });
  t.equal(await outputOf('grouped'), 'in\n');
  t.equal(statSync(join(canary, 'file')).gid, 0, 'the group does not follow links');
  for (const subPath of ['link', 'file', 'up', 'root/etc']) {
    const name = `part-${subPath.replace('/', '-')}`;
    await daemon.createPod(
      podManifest(
        name,
        [{ name: 'a', command: ['true'], volumeMounts: [{ name: 'data', mountPath: '/data', subPath }] }],
        { restartPolicy: 'Never', volumes: claimed('trap') },
      ),
    );
    await daemon.waitForExistingPod(
      name,
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    await daemon.deletePod(name);
  }
  for (const name of ['planter', 'grouped']) await daemon.deletePod(name);

  execFileSync('mount', ['--bind', mounted, join(made, volume, 'hollow')]);
  let isMounted = true;
  const unmount = () => {
    if (isMounted) execFileSync('umount', [join(made, volume, 'hollow')]);
    isMounted = false;
  };
  t.teardown(unmount);
  await daemon.api.expectOk('DELETE', `${claims}/trap`);
  t.match((await waitForVolume(volume, 'Failed')).status, { reason: 'VolumeFailedDelete', message: /has a mount/ });
  await waitForEvent(volume, 'VolumeFailedDelete', /has a mount/);
  t.ok(isIntact(mounted), 'what is mounted in the volume is not touched');
  unmount();
  // It would be tried again by itself, later.
  await daemon.restart();
  await waitUntilGone(`${volumes}/${volume}`);
  t.same(readdirSync(made), []);
  t.ok(isIntact(canary), 'what links lead to is not touched');
  t.ok(isIntact(mounted));

  const linked = join(daemon.root.path, 'linked');
  symlinkSync(canary, linked);
  for (const [name, path] of [
    ['through', join(linked, 'file')],
    ['itself', linked],
  ] as const) {
    await createVolume(name, { local: { path }, nodeAffinity: onThisNode });
    await createClaim(name, { storageClassName: 'hand', volumeName: name });
    await pod(name, 'true', { volumes: claimed(name) });
    await waitForEvent(name, 'FailedMount', /is a symbolic link|is not a directory/);
    await daemon.deletePod(name);
  }

  // Who may write volumes still cannot have the daemon delete what it has not made.
  const annotations = { 'pv.kubernetes.io/provisioned-by': 'mini-kubelet.io/local' };
  const forged = { local: { path: canary }, nodeAffinity: onThisNode, persistentVolumeReclaimPolicy: 'Delete' };
  await createVolume('forged', forged, { annotations });
  await createClaim('forger', { storageClassName: 'hand', volumeName: 'forged' });
  await waitForEvent('forger', 'ProvisioningFailed', /is not a directory that .* has made/);
  await daemon.api.expectOk('DELETE', `${claims}/forger`);
  t.match((await waitForVolume('forged', 'Failed')).status?.message, /is not a directory that .* has made/);
  t.ok(isIntact(canary));
});

t.test('a file of the manifest directory may bring a pod with its claims, volumes and class', async (t) => {
  const disk = join(daemon.root.path, 'disk');
  mkdirSync(disk);
  const claim = (name: string, storageClassName?: string) => `---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: ${name}}
spec:
  accessModes: [ReadWriteOnce]
  ${storageClassName === undefined ? '' : `storageClassName: ${storageClassName}`}
  resources: {requests: {storage: 1Mi}}
`;
  const file = join(daemon.manifestsDir, 'database.yaml');
  const text = `
apiVersion: v1
kind: Pod
metadata: {name: database}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: a
    image: mini-kubelet.local/demo:1
    command: ['sh', '-c', 'trap "exit 0" TERM; echo kept >/data/word; echo >/made/word; sleep 1000000 & wait $!']
    volumeMounts: [{name: data, mountPath: /data}, {name: made, mountPath: /made}]
  volumes:
  - {name: data, persistentVolumeClaim: {claimName: from-file}}
  - {name: made, persistentVolumeClaim: {claimName: made-from-file}}
${claim('from-file', 'of-file')}${claim('made-from-file')}---
apiVersion: v1
kind: PersistentVolume
metadata: {name: of-file}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: of-file
  hostPath: {path: ${disk}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: of-file}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
`;
  const pod = `database-${daemon.root.name}`;
  writeFileSync(file, text);
  const { metadata } = await daemon.waitForExistingPod(pod, isReady);
  t.match(await waitForVolume('of-file', 'Bound'), { spec: { claimRef: { name: 'from-file' } } });
  const { spec } = await waitForClaim('made-from-file', 'Bound');
  t.equal(spec.storageClassName, 'local', 'the default class');

  writeFileSync(file, text.replace('{storage: 1Gi}', '{storage: 2Gi}'));
  await waitFor(
    'the changed volume',
    async () => {
      const { body } = await find<PersistentVolume>(`${volumes}/of-file`);
      return body.spec.capacity?.storage === '2Gi' && body.status?.phase === 'Bound';
    },
    60_000,
  );
  t.equal((await daemon.getPod(pod)).metadata.uid, metadata.uid, 'the pod goes on');

  execFileSync('rm', [file]);
  for (const path of [`${claims}/from-file`, `${claims}/made-from-file`, `${volumes}/of-file`])
    await waitUntilGone(path);
  await waitUntilGone(`${volumes}/${spec.volumeName}`);
  t.equal(readFileSync(join(disk, 'word'), 'utf8'), 'kept\n');
  t.notOk(existsSync(join(made, spec.volumeName ?? '')), 'as its class says');
});
