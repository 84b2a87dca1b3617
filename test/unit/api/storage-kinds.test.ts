import t from 'tap';
import type { KindDefinition } from '../../../src/api/kind.ts';
import { persistentVolumeClaimKind, persistentVolumeKind, storageClassKind } from '../../../src/api/kinds.ts';
import type { KubeObject } from '../../../src/api/meta.ts';
import type { PersistentVolume } from '../../../src/api/persistent-volume.ts';
import type { PersistentVolumeClaim } from '../../../src/api/persistent-volume-claim.ts';
import type { StorageClass } from '../../../src/api/storage-class.ts';
import { checkStructure } from '../../../src/api/structural.ts';
import { shown } from './pod-fixture.ts';

const now = Date.parse('2026-01-01T01:00:00Z');
const metadata = { name: 'x', uid: '1', creationTimestamp: '2026-01-01T00:00:00Z' };

/** As the server reads a new document. */
function read<T extends KubeObject>(kind: KindDefinition<T>, fields: object): T {
  const own = kind.namespaced ? { ...metadata, namespace: 'default' } : metadata;
  const { object, errors } = checkStructure<T>(kind, { metadata: own, ...fields }, { fieldValidation: 'Strict' });
  if (errors.length > 0) throw new Error(errors.map((error) => error.message).join('\n'));
  kind.prepareForCreate(object);
  kind.applyDefaults(object);
  return object;
}

const claim = (spec: object = {}): PersistentVolumeClaim =>
  read(persistentVolumeClaimKind, {
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
  });
const volume = (spec: object = {}): PersistentVolume =>
  read(persistentVolumeKind, {
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/data' }, ...spec },
  });
const storageClass = (fields: object = {}): StorageClass =>
  read(storageClassKind, { provisioner: 'mini-kubelet.io/local', ...fields });
const affinity = (...terms: object[]) => ({ required: { nodeSelectorTerms: terms } });
const anyNode = affinity({ matchExpressions: [{ key: 'a', operator: 'Exists' }] });

t.test('claims: defaults, validation, table', async (t) => {
  const good = claim();
  t.same(shown(persistentVolumeClaimKind.validateCreate(good)), []);
  t.match(good, {
    metadata: { finalizers: ['kubernetes.io/pvc-protection'] },
    spec: { volumeMode: 'Filesystem' },
    status: { phase: 'Pending' },
  });
  const refused = (spec: object) => shown(persistentVolumeClaimKind.validateCreate(claim(spec)));
  t.same(refused({ accessModes: [], resources: {} }), [
    'FieldValueRequired spec.accessModes',
    'FieldValueRequired spec.resources[storage]',
  ]);
  t.same(refused({ accessModes: ['ReadWriteOnce', 'ReadWriteOncePod'] }), ['FieldValueForbidden spec.accessModes']);
  t.same(refused({ volumeMode: 'Block' }), ['FieldValueForbidden spec.volumeMode'], 'not here');
  t.same(refused({ dataSource: { kind: 'PersistentVolumeClaim', name: 'y' } }), [
    'FieldValueForbidden spec.dataSource',
  ]);

  t.same(persistentVolumeClaimKind.row(good, now), ['x', 'Pending', '', '', '', '', '<unset>', '60m', 'Filesystem']);
  const bound = claim({ volumeName: 'v', storageClassName: 'fast' });
  bound.status = { phase: 'Bound', capacity: { storage: '2Gi' }, accessModes: ['ReadWriteMany', 'ReadWriteOnce'] };
  t.same(persistentVolumeClaimKind.row(bound, now).slice(1, 6), ['Bound', 'v', '2Gi', 'RWO,RWX', 'fast']);
  bound.metadata.deletionTimestamp = '2026-01-01T00:30:00Z';
  t.equal(persistentVolumeClaimKind.row(bound, now)[1], 'Terminating');
});

t.test('a claim keeps what it asks for; its volume and class can be given once', async (t) => {
  const update = (next: object, current: object) =>
    shown(persistentVolumeClaimKind.validateUpdate(claim(next), claim(current)));
  t.same(update({}, {}), []);
  t.same(update({ volumeName: 'v', storageClassName: '' }, {}), []);
  t.same(update({ volumeName: 'w' }, { volumeName: 'v' }), ['FieldValueForbidden spec']);
  t.same(update({ storageClassName: 'b' }, { storageClassName: 'a' }), ['FieldValueForbidden spec']);
  t.same(update({ accessModes: ['ReadWriteMany'] }, {}), ['FieldValueForbidden spec']);
  t.same(update({ resources: { requests: { storage: '2Gi' } } }, {}), ['FieldValueForbidden spec.resources']);
});

t.test('volumes: defaults, validation, table', async (t) => {
  const good = volume();
  t.same(shown(persistentVolumeKind.validateCreate(good)), []);
  t.match(good, {
    metadata: { finalizers: ['kubernetes.io/pv-protection'] },
    spec: { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem', hostPath: { type: '' } },
  });
  t.same(persistentVolumeKind.row(good, now), [
    'x',
    '1Gi',
    'RWO',
    'Retain',
    'Pending',
    '',
    '',
    '<unset>',
    '',
    '60m',
    'Filesystem',
  ]);
  const refused = (spec: object) => shown(persistentVolumeKind.validateCreate(volume(spec)));
  const local = (path: string, others: object = {}) => ({
    hostPath: undefined,
    local: { path },
    nodeAffinity: anyNode,
    ...others,
  });
  t.same(refused(local('/data')), []);
  t.same(refused({ accessModes: [], capacity: {}, hostPath: undefined }), [
    'FieldValueRequired spec',
    'FieldValueRequired spec.accessModes',
    'FieldValueRequired spec.capacity',
  ]);
  t.same(refused({ capacity: { storage: '0' } }), ['FieldValueInvalid spec.capacity[storage]']);
  t.same(refused({ capacity: { cpu: '1' } })[0], 'FieldValueNotSupported spec.capacity');
  t.same(refused({ local: { path: '/a' }, nodeAffinity: anyNode }), ['FieldValueForbidden spec.local']);
  t.same(refused(local('/data', { nodeAffinity: undefined })), ['FieldValueRequired spec.nodeAffinity']);
  t.same(refused(local('/data', { nodeAffinity: {} })), ['FieldValueRequired spec.nodeAffinity.required']);
  t.same(refused(local('/data/../etc')), ['FieldValueInvalid spec.local.path']);
  t.same(refused({ hostPath: { path: '/data/..' } }), ['FieldValueInvalid spec.hostPath.path']);
  t.same(refused({ persistentVolumeReclaimPolicy: 'Burn' }), [
    'FieldValueNotSupported spec.persistentVolumeReclaimPolicy',
  ]);
  t.same(refused({ storageClassName: 'A' }), ['FieldValueInvalid spec.storageClassName']);
  for (const [field, spec] of Object.entries({
    csi: { hostPath: undefined, csi: { driver: 'x' } },
    volumeMode: { volumeMode: 'Block' },
    persistentVolumeReclaimPolicy: { persistentVolumeReclaimPolicy: 'Recycle' },
    mountOptions: { mountOptions: ['ro'] },
    'local.fsType': local('/data', { local: { path: '/data', fsType: 'ext4' } }),
  })) {
    t.same(refused(spec), [`FieldValueForbidden spec.${field}`], 'not here');
  }
  t.same(refused({ hostPath: { path: 'data' } }), ['FieldValueInvalid spec.hostPath.path']);
});

t.test('what is said of an NFS volume reaches mount(8) as it is meant, or is refused', async (t) => {
  const nfs = (server: string, path: string, mountOptions: string[] = []) =>
    shown(persistentVolumeKind.validateCreate(volume({ hostPath: undefined, nfs: { server, path }, mountOptions })));
  for (const server of ['nas', 'nas.example.com', 'nas.example.com.', '10.0.0.1', 'fd00::1', 'my_nas']) {
    t.same(nfs(server, '/srv/data, with $(blanks)'), [], server);
  }
  for (const server of ['-o', '--bind', 'a:b', 'a,b', 'a b', 'a/b', 'a\n', '[fd00::1]', '.']) {
    t.same(nfs(server, '/srv'), ['FieldValueInvalid spec.nfs.server'], server);
  }
  for (const path of ['/a\nb', '/a\0', '/\u0085']) t.same(nfs('nas', path), ['FieldValueInvalid spec.nfs.path'], path);
  t.same(nfs('nas', 'srv'), ['FieldValueInvalid spec.nfs.path']);
  t.same(nfs('nas', '/srv', ['vers=4.1,soft', ' timeo=30', 'v4.2', 'sec=krb5:sys', 'nosuid', 'ro']), []);
  for (const option of [
    'bg',
    'bind',
    'loop',
    'remount',
    'x-mount.mkdir',
    'soft=1',
    'vers',
    'user',
    'constructor',
    'v5',
  ]) {
    t.same(nfs('nas', '/srv', ['hard', option]), ['FieldValueNotSupported spec.mountOptions[1]'], option);
  }
  t.same(nfs('nas', '/srv', ['']), ['FieldValueRequired spec.mountOptions[0]']);
  for (const option of ['sec=a b', 'context="a,b"', 'sec=a\nb']) {
    t.not(nfs('nas', '/srv', [option]).length, 0, option);
  }
});

t.test('where a volume lies does not change', async (t) => {
  const update = (next: object, current: object = {}) =>
    shown(persistentVolumeKind.validateUpdate(volume(next), volume(current)));
  t.same(update({ persistentVolumeReclaimPolicy: 'Delete', capacity: { storage: '2Gi' } }), []);
  t.same(update({ claimRef: { namespace: 'default', name: 'y' } }), []);
  t.same(update({ hostPath: { path: '/other' } }), ['FieldValueForbidden spec.persistentvolumesource']);
  const other = affinity({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] });
  t.same(update({ nodeAffinity: anyNode }), []);
  t.same(update({ nodeAffinity: other }, { nodeAffinity: anyNode }), ['FieldValueInvalid spec.nodeAffinity']);
});

t.test('storage classes', async (t) => {
  const good = storageClass();
  t.same(shown(storageClassKind.validateCreate(good)), []);
  t.same(storageClassKind.row(good, now), ['x', 'mini-kubelet.io/local', 'Delete', 'Immediate', 'false', '60m']);
  good.metadata.annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  t.equal(storageClassKind.row(good, now)[0], 'x (default)');
  const refused = (fields: object) => shown(storageClassKind.validateCreate(storageClass(fields)));
  t.same(refused({ provisioner: '' }), ['FieldValueRequired provisioner']);
  t.same(refused({ provisioner: 'a b', reclaimPolicy: 'x', volumeBindingMode: 'y' }), [
    'FieldValueInvalid provisioner',
    'FieldValueNotSupported reclaimPolicy',
    'FieldValueNotSupported volumeBindingMode',
  ]);
  t.same(refused({ parameters: { a: 'b' }, allowVolumeExpansion: true }), [
    'FieldValueForbidden allowVolumeExpansion',
    'FieldValueForbidden parameters[a]',
  ]);
  t.same(refused({ provisioner: 'example.com/nfs', parameters: { a: 'b' } }), [], 'of another provisioner');
  t.same(
    shown(
      storageClassKind.validateUpdate(storageClass({ reclaimPolicy: 'Retain', provisioner: 'a/b' }), storageClass()),
    ),
    ['FieldValueForbidden provisioner', 'FieldValueForbidden reclaimPolicy'],
  );
});
