import t, { type Test } from 'tap';
import { parseDocuments } from '../../../src/api/decode/parse.ts';
import { namespaceKind, podKind } from '../../../src/api/kinds.ts';
import type { Namespace } from '../../../src/api/namespace.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { checkManifest } from '../../../src/sources/check-manifest.ts';
import type { DesiredPods, StaticPod } from '../../../src/sources/static-pod.ts';
import { StaticPods } from '../../../src/sources/static-pods.ts';
import { Store } from '../../../src/store/store.ts';
import { logger, manifest, node } from './support.ts';

function desired(...manifests: [file: string, text: string][]): DesiredPods {
  const pods = manifests.flatMap(([file, text]): readonly StaticPod[] =>
    parseDocuments(Buffer.from(text), 'yaml').flatMap((document) => checkManifest(document, file, node).pods),
  );
  return { pods, objects: [], unreadFiles: new Set() };
}

const clock = { now: () => Date.parse('2026-01-02T03:04:05.678Z'), monotonicMs: () => 0 };

/** A store with namespaces, and static pods over it. Deleted pods stay until `finish`, as real ones do. */
async function world(t: Test, existing?: Store) {
  const store = existing ?? new Store({ path: `${t.testdir()}/store.db`, logger, clock, bootId: 'b' });
  if (!existing) {
    store.open();
    t.teardown(() => store.close());
    addNamespace(store, 'default');
  }
  const reports: string[] = [];
  const pods = new StaticPods({
    store,
    clock,
    logger,
    requestDelete: (namespace, name, { uid }) =>
      store.update(podKind, namespace, name, (current) => {
        t.equal(current.metadata.uid, uid);
        return { ...current, metadata: { ...current.metadata, deletionTimestamp: '2026-01-02T03:05:00Z' } };
      }),
    isToBeMadeAgain: ({ status }) => status?.reason === 'Terminated',
    report: (file, message) => reports.push(`${file}: ${message}`),
  });
  pods.start();
  t.teardown(() => pods.stop());
  return {
    store,
    pods,
    reports,
    get: (name: string) => store.get(podKind, 'default', name),
    /** The end of a deleted pod: all of it is gone. Resolves when watchers have been told. */
    finish: async (name: string) => {
      store.delete(podKind, 'default', name);
      await told();
    },
  };
}

function addNamespace(store: Store, name: string): void {
  const namespace: Namespace = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, uid: name },
    spec: {},
    status: {},
  };
  store.create(namespaceKind, namespace);
}

/** Watchers are told after the task that wrote. */
async function told(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function withoutAnnotations({ metadata, ...rest }: Pod, uid: string): Pod {
  return { ...rest, metadata: { ...metadata, uid } };
}

t.test('a pod is made once, as the API would store it', async (t) => {
  const { pods, get, store } = await world(t);
  await pods.apply(desired(['a.yaml', manifest('a')]));
  const pod = get('a-n1');
  t.match(pod, {
    metadata: {
      uid: /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
      creationTimestamp: '2026-01-02T03:04:05Z',
      generation: 1,
      annotations: { 'kubernetes.io/config.seen': '2026-01-02T03:04:05.678Z' },
    },
    status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'True' }] },
  });
  await pods.apply(desired(['a.yaml', `# other layout\n${manifest('a')}`]));
  t.equal(get('a-n1'), pod);
  t.equal(store.list(podKind).items.length, 1);
});

t.test(
  'a daemon that starts again finds its pods unchanged, and touches nothing before the directory was read',
  async (t) => {
    const first = await world(t);
    await first.pods.apply(desired(['a.yaml', manifest('a')], ['b.yaml', manifest('b')]));
    const before = first.get('a-n1');
    await first.pods.stop();
    const second = await world(t, first.store);
    await told();
    t.equal(second.get('a-n1'), before);
    await second.pods.apply(desired(['a.yaml', manifest('a')]));
    t.equal(second.get('a-n1'), before);
    t.ok(second.get('b-n1')?.metadata.deletionTimestamp, 'a file that was removed meanwhile');
  },
);

t.test('a changed manifest replaces the pod when the old one is gone, with another uid', async (t) => {
  const { pods, get, finish } = await world(t);
  await pods.apply(desired(['a.yaml', manifest('a')]));
  const old = get('a-n1');
  await pods.apply(desired(['a.yaml', manifest('a', { image: 'other' })]));
  t.ok(get('a-n1')?.metadata.deletionTimestamp);
  t.equal(get('a-n1')?.spec.containers[0]?.image, 'busybox');
  await pods.apply(desired(['a.yaml', manifest('a', { image: 'other' })]));
  await finish('a-n1');
  t.equal(get('a-n1')?.spec.containers[0]?.image, 'other');
  t.not(get('a-n1')?.metadata.uid, old?.metadata.uid);
  t.notOk(get('a-n1')?.metadata.deletionTimestamp);
});

t.test('a pod that was deleted through the API comes back as a twin with a uid of its own', async (t) => {
  const { pods, get, finish } = await world(t);
  await pods.apply(desired(['a.yaml', manifest('a')]));
  const first = get('a-n1');
  await finish('a-n1');
  t.ok(get('a-n1'));
  t.not(get('a-n1')?.metadata.uid, first?.metadata.uid);
  const second = get('a-n1');
  await pods.apply(desired(['a.yaml', manifest('a')]));
  t.equal(get('a-n1'), second, 'and stays');
});

t.test('a removed manifest ends its pod for good', async (t) => {
  const { pods, get, finish } = await world(t);
  await pods.apply(desired(['a.yaml', manifest('a')]));
  await pods.apply(desired());
  t.ok(get('a-n1')?.metadata.deletionTimestamp);
  await finish('a-n1');
  t.equal(get('a-n1'), undefined);
});

t.test('pods of a file that cannot be read stay', async (t) => {
  const { pods, get } = await world(t);
  await pods.apply(desired(['a.yaml', manifest('a')], ['b.yaml', manifest('b')]));
  await pods.apply({ pods: [], unreadFiles: new Set(['a.yaml']) });
  t.notOk(get('a-n1')?.metadata.deletionTimestamp);
  t.ok(get('b-n1')?.metadata.deletionTimestamp);
});

t.test('pods that were made through the API are nobody else’s, even copies of static ones', async (t) => {
  const { pods, get, store, reports, finish } = await world(t);
  await pods.apply(desired(['a.yaml', manifest('a')]));
  const [template] = store.list(podKind).items;
  if (!template) throw new Error('the static pod is missing');
  const copy = withoutAnnotations(template, 'another-uid');
  store.create(podKind, { ...copy, metadata: { ...copy.metadata, name: 'copy' } });
  store.create(podKind, { ...copy, metadata: { ...copy.metadata, name: 'b-n1', uid: 'b-uid' } });
  await told();
  const wanted = desired(['a.yaml', manifest('a')], ['b.yaml', manifest('b')]);
  await pods.apply(wanted);
  await pods.apply(wanted);
  t.notOk(get('copy')?.metadata.deletionTimestamp);
  t.equal(get('b-n1')?.metadata.uid, 'b-uid');
  t.strictSame(reports, ['b.yaml: the pod default/b-n1 was made through the API: a static pod cannot replace it']);
  await finish('b-n1');
  t.match(get('b-n1')?.metadata.annotations, { 'kubernetes.io/config.source': 'file' });
});

t.test('a pod waits for its namespace', async (t) => {
  const { pods, store, reports } = await world(t);
  const text = manifest('a').replace('name: a', 'name: a\n  namespace: later');
  await pods.apply(desired(['a.yaml', text]));
  t.strictSame(reports, ['a.yaml: the namespace later of the pod later/a-n1 does not exist']);
  addNamespace(store, 'later');
  await told();
  t.ok(store.get(podKind, 'later', 'a-n1'));
});
