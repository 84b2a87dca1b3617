import t from 'tap';
import type { ConfigMap } from '../../../src/api/config-map.ts';
import type { Pod, Volume } from '../../../src/api/pod.ts';
import type { Secret } from '../../../src/api/secret.ts';
import { mergedPayload, onlyUserOf, type Payload, PayloadError, payloadPath } from '../../../src/volumes/payload.ts';
import { payloadVolumeOf } from '../../../src/volumes/payload-volume.ts';

const metadata = { name: 'x', namespace: 'default', uid: '1' };
const base64 = (text: string) => Buffer.from(text).toString('base64');
const configMap: ConfigMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata,
  data: { a: 'A', 'b.conf': 'B' },
  binaryData: { bin: 'AP8=' },
};
const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata, data: { key: base64('K') } };
const facts = {
  sources: {
    configMap: (name: string) => (name === 'map' ? configMap : undefined),
    secret: (name: string) => (name === 'secret' ? secret : undefined),
    serviceAccount: () => undefined,
  },
  allocatable: { cpu: '4', memory: '8Gi' },
  token: ({ audience }: { audience: string }) => (audience === 'missing' ? undefined : `token for ${audience}`),
  tokensDueAtMs: () => undefined,
};
const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'web',
    namespace: 'default',
    uid: 'u',
    labels: { b: '2', app: 'web' },
    annotations: { note: 'a "quoted"\n\tline \\ é \u0001\u00a0', empty: '' },
  },
  spec: {
    containers: [{ name: 'c', image: 'x', resources: { limits: { memory: '65Mi' }, requests: { cpu: '250m' } } }],
  },
};

function filesOf(source: Omit<Volume, 'name'>): Record<string, string> {
  const volume = payloadVolumeOf(pod, { name: 'v', ...source });
  if (!volume) throw new Error('not such a volume');
  return shown(volume.payload(facts));
}

function shown(payload: Payload): Record<string, string> {
  return Object.fromEntries(
    [...payload].map(([path, { data, mode }]) => [path, `${mode.toString(8)} ${Buffer.from(data).toString('latin1')}`]),
  );
}

t.test('configMap volumes: every key, or items with paths and modes', async (t) => {
  t.same(filesOf({ configMap: { name: 'map' } }), { a: '644 A', 'b.conf': '644 B', bin: '644 \0\xff' });
  t.same(
    filesOf({
      configMap: {
        name: 'map',
        defaultMode: 0o400,
        items: [
          { key: 'a', path: 'x/y' },
          { key: 'a', path: 'z', mode: 0o777 },
        ],
      },
    }),
    { 'x/y': '400 A', z: '777 A' },
  );
});

t.test('what is missing is named as a kubelet names it, unless it is optional', async (t) => {
  const cases: [Omit<Volume, 'name'>, string][] = [
    [{ configMap: { name: 'no' } }, 'configmap "no" not found'],
    [{ secret: { secretName: 'no' } }, 'secret "no" not found'],
    [
      { configMap: { name: 'map', items: [{ key: 'toString', path: 'a' }] } },
      'configmap references non-existent config key: toString',
    ],
    [{ secret: { secretName: 'secret', items: [{ key: 'no', path: 'a' }] } }, 'references non-existent secret key: no'],
    [
      {
        projected: {
          sources: [{ configMap: { name: 'no' } }, { secret: { name: 'no' } }, { configMap: { name: 'map' } }],
        },
      },
      'configmap "no" not found, secret "no" not found',
    ],
  ];
  for (const [source, message] of cases) t.throws(() => filesOf(source), { name: 'PayloadError', message });
  t.same(filesOf({ configMap: { name: 'no', optional: true } }), {});
  t.same(filesOf({ secret: { secretName: 'no', optional: true, items: [{ key: 'a', path: 'a' }] } }), {});
  t.same(
    filesOf({
      configMap: {
        name: 'map',
        optional: true,
        items: [
          { key: 'no', path: 'a' },
          { key: 'a', path: 'b' },
        ],
      },
    }),
    { b: '644 A' },
  );
});

t.test('the downward API tells of the pod and its containers', async (t) => {
  const field = (path: string, fieldPath: string) => ({ path, fieldRef: { fieldPath } });
  const resource = (path: string, name: string, divisor?: string) => ({
    path,
    resourceFieldRef: { containerName: 'c', resource: name, ...(divisor ? { divisor } : {}) },
  });
  t.same(
    filesOf({
      downwardAPI: {
        items: [
          field('name', 'metadata.name'),
          field('labels', 'metadata.labels'),
          field('annotations', 'metadata.annotations'),
          field('app', "metadata.labels['app']"),
          field('none', "metadata.labels['constructor']"),
          { ...resource('memory', 'limits.memory', '1Mi'), mode: 0o600 },
          resource('cpu', 'limits.cpu'),
          resource('request', 'requests.cpu', '1m'),
        ],
      },
    }),
    {
      name: '644 web',
      labels: '644 app="web"\nb="2"',
      annotations: '644 empty=""\nnote="a \\"quoted\\"\\n\\tline \\\\ \xc3\xa9 \\x01\\u00a0"',
      app: '644 web',
      none: '644 ',
      memory: '600 65',
      cpu: '644 4',
      request: '644 250',
    },
  );
});

t.test('projected volumes have the files of all sources, and the mode of the volume', async (t) => {
  t.same(
    filesOf({
      projected: {
        defaultMode: 0o440,
        sources: [
          { configMap: { name: 'map', items: [{ key: 'a', path: 'etc/a' }] } },
          { secret: { name: 'secret', items: [{ key: 'key', path: 'etc/key', mode: 0o400 }] } },
          { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
        ],
      },
    }),
    { 'etc/a': '440 A', 'etc/key': '400 K', name: '440 web' },
  );
});

t.test('what is secret is in memory only', async (t) => {
  const medium = (source: Omit<Volume, 'name'>) => payloadVolumeOf(pod, { name: 'v', ...source })?.medium;
  t.equal(medium({ secret: { secretName: 'a' } }), 'Memory');
  t.equal(medium({ projected: { sources: [{ configMap: { name: 'a' } }, { secret: { name: 'a' } }] } }), 'Memory');
  t.equal(medium({ projected: { sources: [{ serviceAccountToken: { path: 'a' } }] } }), 'Memory');
  t.equal(medium({ configMap: { name: 'a' } }), '');
});

t.test('a path that could leave the volume, or be taken for the own ones of the writer, is refused', async (t) => {
  for (const path of ['a', 'a/b', 'a/..b', '.hidden', 'a/.', './a', 'a//b', 'x'.repeat(255)])
    t.ok(payloadPath(path), path);
  t.equal(payloadPath('./a//b/.'), 'a/b');
  const bad = ['', '.', '/', '/a', '..', '../a', 'a/../b', 'a/..', '..a', '..data', '..data/x', './..data', 'a\0b'];
  for (const path of [...bad, 'x'.repeat(256), `a/${'é'.repeat(128)}`, 'a/'.repeat(2100)]) {
    t.throws(() => payloadPath(path), PayloadError, path.slice(0, 20));
  }
});

t.test('one name cannot be a file and a directory', async (t) => {
  const file = (path: string): Payload => new Map([[path, { data: Buffer.of(), mode: 0o644 }]]);
  t.throws(() => mergedPayload([file('a/b'), file('a')]), { message: 'a cannot be a file and a directory' });
  t.same([...mergedPayload([file('a/b'), file('ab'), file('a/c')]).keys()], ['a/b', 'ab', 'a/c']);
});

t.test('the one user of all containers', async (t) => {
  const podOf = (own: (number | undefined)[], runAsUser?: number): Pod => ({
    ...pod,
    spec: {
      ...(runAsUser === undefined ? {} : { securityContext: { runAsUser } }),
      containers: own.map((user, i) => ({
        name: `c${i}`,
        image: 'x',
        ...(user === undefined ? {} : { securityContext: { runAsUser: user } }),
      })),
    },
  });
  t.equal(onlyUserOf(podOf([undefined])), undefined);
  t.equal(onlyUserOf(podOf([1, 1])), 1);
  t.equal(onlyUserOf(podOf([1, 2])), undefined);
  t.equal(onlyUserOf(podOf([undefined, 7], 7)), 7);
  t.equal(onlyUserOf(podOf([undefined, 0], 7)), undefined);
});
