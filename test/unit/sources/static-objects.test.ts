import t, { type Test } from 'tap';
import type { ConfigMap } from '../../../src/api/config-map.ts';
import { parseDocuments } from '../../../src/api/decode/parse.ts';
import type { KindDefinition } from '../../../src/api/kind.ts';
import {
  configMapKind,
  namespaceKind,
  persistentVolumeClaimKind,
  persistentVolumeKind,
  storageClassKind,
} from '../../../src/api/kinds.ts';
import type { KubeObject } from '../../../src/api/meta.ts';
import { checkManifest } from '../../../src/sources/check-manifest.ts';
import { type DesiredObjects, StaticObjects } from '../../../src/sources/static-objects.ts';
import { removeFinalizer, removeOrMark } from '../../../src/store/finalizers.ts';
import { Store } from '../../../src/store/store.ts';
import { logger, node, objectKinds } from './support.ts';

const clock = { now: () => Date.parse('2026-01-02T03:04:05.678Z'), monotonicMs: () => 0 };

function desired(...manifests: [file: string, text: string][]): DesiredObjects {
  const objects = manifests.flatMap(([file, text]) =>
    parseDocuments(Buffer.from(text), 'yaml').flatMap((document) => checkManifest(document, file, node).objects),
  );
  return { objects, unreadFiles: new Set() };
}

function configMap(name: string, data: string, more = ''): string {
  return `{apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}}, data: {k: "${data}"}${more}}`;
}

function world(t: Test) {
  const store = new Store({ path: `${t.testdir()}/store.db`, logger, clock, bootId: 'b' });
  store.open();
  t.teardown(() => store.close());
  store.create(namespaceKind, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default', uid: 'd' } });
  const reports: string[] = [];
  const report = (file: string, message: string) => reports.push(`${file}: ${message}`);
  const remove = (kind: KindDefinition<KubeObject>, object: KubeObject) => {
    removeOrMark(store, kind, object, { uid: object.metadata.uid }, '2026-01-02T03:04:05Z');
  };
  const objects = new StaticObjects({ store, kinds: objectKinds, remove, clock, logger, report });
  objects.start();
  t.teardown(() => objects.stop());
  const get = (name: string): ConfigMap | undefined => store.get(configMapKind, 'default', name);
  return { store, objects, reports, get };
}

t.test('a file brings its objects, changes them and takes them away', async (t) => {
  const { objects, get, reports } = world(t);
  objects.apply(desired(['f.yaml', configMap('a', '1')]));
  const first = get('a');
  t.match(first, { data: { k: '1' }, metadata: { annotations: { 'mini-kubelet.io/manifest': 'f.yaml' } } });
  objects.apply(desired(['f.yaml', configMap('a', '1')]));
  t.equal(get('a')?.metadata.resourceVersion, first?.metadata.resourceVersion, 'the same: nothing is written');
  objects.apply(desired(['f.yaml', configMap('a', '2')]));
  t.match(get('a'), { data: { k: '2' }, metadata: { uid: first?.metadata.uid } });
  objects.apply({ objects: [], unreadFiles: new Set(['f.yaml']) });
  t.ok(get('a'), 'a file that cannot be read changes nothing');
  objects.apply(desired());
  t.notOk(get('a'));
  t.same(reports, []);
});

t.test('the file wins over a client', async (t) => {
  const { store, objects, get } = world(t);
  objects.apply(desired(['f.yaml', configMap('a', '1')]));
  store.update(configMapKind, 'default', 'a', (current) => ({ ...current, data: { k: 'x' } }));
  objects.apply(desired(['f.yaml', configMap('a', '1')]));
  t.same(get('a')?.data, { k: '1' });
  store.delete(configMapKind, 'default', 'a');
  await new Promise((resolve) => setImmediate(resolve));
  t.same(get('a')?.data, { k: '1' }, 'at once');
});

t.test('what cannot be changed is made anew', async (t) => {
  const { objects, get } = world(t);
  objects.apply(desired(['f.yaml', configMap('a', '1', ', immutable: true')]));
  const uid = get('a')?.metadata.uid;
  objects.apply(desired(['f.yaml', configMap('a', '2', ', immutable: true')]));
  t.same(get('a')?.data, { k: '2' });
  t.not(get('a')?.metadata.uid, uid);
});

t.test("a client's object is not touched, nor is a copy of one from a file", async (t) => {
  const { store, objects, get, reports } = world(t);
  store.create(configMapKind, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'mine', namespace: 'default', uid: 'm' },
  });
  objects.apply(desired(['f.yaml', configMap('mine', '1')], ['f.yaml', configMap('a', '1')]));
  t.same(reports, ['f.yaml: the configmap default/mine was made through the API: a manifest cannot replace it']);
  t.notOk(get('mine')?.data);
  const copied = get('a');
  if (!copied) throw new Error('missing');
  store.create(configMapKind, { ...copied, metadata: { ...copied.metadata, name: 'copy', uid: 'c' } });
  objects.apply(desired());
  t.notOk(get('a'));
  t.ok(get('copy'));
  t.ok(get('mine'));
});

t.test('an object waits for its namespace', async (t) => {
  const { store, objects, reports } = world(t);
  const text = '{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: mine}}';
  objects.apply(desired(['f.yaml', text]));
  t.same(reports, ['f.yaml: the namespace mine of the configmap mine/a does not exist']);
  store.create(namespaceKind, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'mine', uid: 'n' } });
  await new Promise((resolve) => setImmediate(resolve));
  t.ok(store.get(configMapKind, 'mine', 'a'));
});

const storage = (change: { class?: string; size?: string; label?: string; claimRef?: string } = {}) => `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: hand, labels: {l: ${change.label ?? 'a'}}}
provisioner: kubernetes.io/no-provisioner
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk, labels: {l: ${change.label ?? 'a'}}}
spec:
  capacity: {storage: ${change.size ?? '1Gi'}}
  accessModes: [ReadWriteOnce]
  storageClassName: hand
  hostPath: {path: /srv/disk}
  ${change.claimRef ?? ''}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, labels: {l: ${change.label ?? 'a'}}}
spec:
  accessModes: [ReadWriteOnce]
  ${change.class === undefined ? '' : `storageClassName: ${change.class}`}
  resources: {requests: {storage: 1Gi}}
`;

/** As the binder leaves a claim and a volume. */
function bind(store: Store): void {
  const annotations = { 'pv.kubernetes.io/bound-by-controller': 'yes' };
  store.update(persistentVolumeKind, undefined, 'disk', (volume) => ({
    ...volume,
    metadata: { ...volume.metadata, annotations: { ...volume.metadata.annotations, ...annotations } },
    spec: { ...volume.spec, claimRef: { namespace: 'default', name: 'data', uid: 'claim' } },
    status: { phase: 'Bound' as const },
  }));
  store.update(persistentVolumeClaimKind, 'default', 'data', (claim) => ({
    ...claim,
    metadata: { ...claim.metadata, annotations: { ...claim.metadata.annotations, ...annotations } },
    spec: { ...claim.spec, storageClassName: 'hand', volumeName: 'disk' },
    status: { phase: 'Bound' as const },
  }));
}

t.test('a claim and a volume stay bound whatever else a file changes', async (t) => {
  const { store, objects, reports } = world(t);
  objects.apply(desired(['f.yaml', storage()]));
  bind(store);
  const volume = () => store.get(persistentVolumeKind, undefined, 'disk');
  const claim = () => store.get(persistentVolumeClaimKind, 'default', 'data');
  const before = [volume()?.metadata.resourceVersion, claim()?.metadata.resourceVersion];
  objects.apply(desired(['f.yaml', storage()]));
  t.same([volume()?.metadata.resourceVersion, claim()?.metadata.resourceVersion], before, 'nothing is written');

  const claimRef = 'claimRef: {namespace: default, name: data}';
  objects.apply(desired(['f.yaml', storage({ label: 'b', size: '2Gi', class: 'hand', claimRef })]));
  const metadata = {
    labels: { l: 'b' },
    annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' },
    finalizers: [/protection$/],
  };
  t.match(volume(), {
    metadata,
    spec: { capacity: { storage: '2Gi' }, claimRef: { name: 'data', uid: 'claim' } },
    status: { phase: 'Bound' },
  });
  t.match(claim(), { metadata, spec: { storageClassName: 'hand', volumeName: 'disk' }, status: { phase: 'Bound' } });
  t.match(store.get(storageClassKind, undefined, 'hand'), { metadata: { labels: { l: 'b' } } });
  t.same(reports, []);

  objects.apply(desired(['f.yaml', storage({ class: 'other' })]));
  t.match(claim(), { spec: { storageClassName: 'hand', volumeName: 'disk' } }, 'data are not given up for a change');
  t.match(reports, [/^f.yaml: the persistentvolumeclaim default\/data stays as it is, .*: spec: Forbidden: /]);
  const elsewhere = 'claimRef: {namespace: default, name: another}';
  objects.apply(desired(['f.yaml', storage({ claimRef: elsewhere })]));
  t.strictSame(JSON.parse(JSON.stringify(volume()?.spec.claimRef)), { namespace: 'default', name: 'another' });
});

t.test('a claim that is in use goes when it is free, and is made again if its file is back', async (t) => {
  const { store, objects } = world(t);
  const claim = () => store.get(persistentVolumeClaimKind, 'default', 'data');
  objects.apply(desired(['f.yaml', storage()]));
  const first = claim();
  objects.apply(desired());
  t.match(claim(), { metadata: { deletionTimestamp: '2026-01-02T03:04:05Z' } });
  t.notOk(store.get(storageClassKind, undefined, 'hand'));
  objects.apply(desired(['f.yaml', storage()]));
  t.ok(claim()?.metadata.deletionTimestamp);
  if (first) removeFinalizer(store, persistentVolumeClaimKind, first, 'kubernetes.io/pvc-protection');
  await new Promise((resolve) => setImmediate(resolve));
  t.not(claim()?.metadata.uid, first?.metadata.uid);
  t.notOk(claim()?.metadata.deletionTimestamp);
});
