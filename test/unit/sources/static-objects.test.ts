import t, { type Test } from 'tap';
import type { ConfigMap } from '../../../src/api/config-map.ts';
import { parseDocuments } from '../../../src/api/decode/parse.ts';
import { configMapKind, namespaceKind } from '../../../src/api/kinds.ts';
import { checkManifest } from '../../../src/sources/check-manifest.ts';
import { type DesiredObjects, StaticObjects } from '../../../src/sources/static-objects.ts';
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
  const objects = new StaticObjects({ store, kinds: objectKinds, clock, logger, report });
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
