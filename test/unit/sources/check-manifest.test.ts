import t from 'tap';
import { parseDocuments } from '../../../src/api/decode/parse.ts';
import { checkManifest } from '../../../src/sources/check-manifest.ts';
import { manifest, node } from './support.ts';

function check(text: string, file = 'a.yaml', on = node) {
  const [document] = parseDocuments(Buffer.from(text), 'yaml');
  if (document === undefined) throw new Error('the text has no document');
  return checkManifest(document, file, on);
}

t.test('a pod gets the identity of a static pod, and its defaults', async (t) => {
  const { pods, problems } = check(manifest('web'));
  t.strictSame(problems, []);
  t.match(pods[0]?.pod, {
    metadata: {
      name: 'web-n1',
      namespace: 'default',
      annotations: {
        'kubernetes.io/config.source': 'file',
        'kubernetes.io/config.hash': pods[0]?.hash,
        'mini-kubelet.io/manifest': 'a.yaml',
      },
    },
    spec: { nodeName: 'n1', restartPolicy: 'Always', tolerations: [{ operator: 'Exists', effect: 'NoExecute' }] },
  });
});

t.test('the hash follows what is asked for, where and by which file, and nothing else', async (t) => {
  const hash = (text: string, file = 'a.yaml', on = node) => check(text, file, on).pods[0]?.hash;
  const first = hash(manifest('web'));
  t.match(first, /^[0-9a-f]{32}$/);
  t.equal(hash(`# a comment\n${manifest('web')}`), first);
  t.equal(
    hash(
      '{"kind":"Pod","spec":{"containers":[{"image":"busybox","name":"main"}]},"metadata":{"name":"web"},"apiVersion":"v1"}',
    ),
    first,
  );
  const others = [
    hash(manifest('web', { image: 'busybox:1' })),
    hash(manifest('web2')),
    hash(manifest('web'), 'b.yaml'),
    hash(manifest('web'), 'a.yaml', { ...node, nodeName: 'n2' }),
  ];
  t.equal(new Set([first, ...others]).size, 5);
});

t.test('a List and a PodList hold pods, which may leave out their kind in a PodList', async (t) => {
  const items = 'items:\n- {metadata: {name: a}, spec: {containers: [{name: m, image: i}]}}\n';
  t.strictSame(
    check(`apiVersion: v1\nkind: PodList\n${items}`).pods.map(({ pod }) => pod.metadata.name),
    ['a-n1'],
  );
  const typed = items.replace('{metadata', '{apiVersion: v1, kind: Pod, metadata');
  t.strictSame(
    check(`apiVersion: v1\nkind: List\n${typed}`).pods.map(({ pod }) => pod.metadata.name),
    ['a-n1'],
  );
  t.strictSame(check('apiVersion: v1\nkind: List\nitems: []\n'), { pods: [], objects: [], problems: [] });
  t.match(check(`apiVersion: v1\nkind: List\n${items}`).problems, [
    /^items\[0\]: only these can be here: Pod \(v1\), ConfigMap \(v1\), .*StorageClass \(storage\.k8s\.io\/v1\), .*; not nothing \(nothing\)$/,
  ]);
});

t.test('everything that is wrong is said', async (t) => {
  t.match(check('apiVersion: apps/v1\nkind: Deployment\n').problems, [/only these .* not "Deployment" \("apps\/v1"\)/]);
  t.match(check('- a\n').problems, [/a manifest must be a map/]);
  t.match(check(manifest('web', { extra: '    imagee: x\n' })).problems, [
    /unknown field "spec.containers\[0\].imagee"/,
  ]);
  t.match(check(manifest('web', { extra: '    image: x\n' })).problems, [/line 9: key "image" already set in map/]);
  t.match(check(manifest('web', { extra: '  hostNetwork: maybe\n' })).problems, [/hostNetwork/]);
  t.match(check(manifest('Web_1', { image: '""' })).problems, [/metadata.name/, /spec.containers\[0\].image/]);
  t.match(check(manifest('web', { extra: '  nodeName: n2\n' })).problems, [/spec.nodeName: the only node here is n1/]);
  t.match(check(manifest('web').replace('  name: web', '  labels: {}')).problems, [/metadata.name: Required value/]);
});

t.test('ConfigMaps, Secrets and ServiceAccounts are taken beside pods, checked and with their defaults', async (t) => {
  const text = `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: a, uid: x, resourceVersion: "7"}, data: {k: v}}
- {apiVersion: v1, kind: Secret, metadata: {name: b, namespace: mine}, stringData: {k: v}}
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: c}}
`;
  const { pods, objects, problems } = check(text);
  t.strictSame({ pods, problems }, { pods: [], problems: [] });
  t.match(
    objects.map(({ object }) => object),
    [
      { kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default', uid: undefined }, data: { k: 'v' } },
      { kind: 'Secret', metadata: { name: 'b', namespace: 'mine' }, type: 'Opaque', data: { k: 'dg==' } },
      { kind: 'ServiceAccount', metadata: { name: 'c' } },
    ],
  );
});

t.test('a mistake in a Secret is told without what it holds', async (t) => {
  const canary = 'canary-7f3a91';
  const wrong = [
    `stringData: {"a/b": ${canary}}`,
    `data: {a: "${canary}!"}`,
    `data: [${canary}]`,
    `stringData: {a: ${canary}, a: ${canary}}`,
    `type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: "{${canary}"}`,
  ];
  for (const fields of wrong) {
    const { objects, problems } = check(`apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n${fields}\n`);
    t.same(fields.includes(', a:') ? [] : objects, []);
    t.ok(problems.length > 0, fields);
    t.notMatch(problems.join(), canary);
  }
});
