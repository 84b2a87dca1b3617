import t from 'tap';
import { expand } from '../../../src/api/expansion.ts';
import type { Container, EnvVar } from '../../../src/api/pod.ts';
import { containerEnvironment, containerSubPaths, EnvironmentError, expandAll } from '../../../src/pod/environment.ts';
import { podWith, UID } from './fixtures.ts';

const facts = {
  podIPs: ['10.0.0.2', 'fd00::2'],
  hostIPs: ['192.0.2.1'],
  nodeName: 'node-1',
  allocatable: { cpu: '2', memory: '4Gi' },
  services: [],
  sources: { configMap: () => undefined, secret: () => undefined, serviceAccount: () => undefined },
  envFiles: new Map(),
};

function environmentOf(env: EnvVar[], container: Partial<Container> = {}): Record<string, string> {
  const pod = podWith({ serviceAccountName: 'default' }, {}, { labels: { app: 'web' }, annotations: { 'a/b': 'c' } });
  const entries = containerEnvironment(pod, { name: 'a', image: 'one', ...container, env }, facts);
  return Object.fromEntries(entries.map(({ key, value }) => [key, value]));
}

const expansions: readonly [string, string][] = [
  ['$(A)', 'one'],
  ['x$(A)y$(B)', 'xoneytwo'],
  ['$(MISSING)', '$(MISSING)'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$one'],
  ['$A', '$A'],
  ['$(A', '$(A'],
  ['$()', '$()'],
  ['100$', '100$'],
  ['$(toString)', '$(toString)'],
];
for (const [text, result] of expansions) {
  t.test(`${text} becomes ${result}`, async (t) => {
    t.equal(
      expand(
        text,
        new Map([
          ['A', 'one'],
          ['B', 'two'],
        ]),
      ),
      result,
    );
  });
}

t.test('variables use those before them, in the order of the manifest', async (t) => {
  const env = [
    { name: 'FIRST', value: '$(SECOND)' },
    { name: 'SECOND', value: 'x' },
    { name: 'THIRD', value: '$(SECOND)$(FIRST)' },
  ];
  t.same(environmentOf(env), { FIRST: '$(SECOND)', SECOND: 'x', THIRD: 'x$(SECOND)' });
});

t.test('of two variables with one name the later one wins', async (t) => {
  t.same(
    environmentOf([
      { name: 'A', value: '1' },
      { name: 'A', value: '$(A)2' },
    ]),
    { A: '12' },
  );
});

t.test('a variable without value is empty, whatever the daemon has under that name', async (t) => {
  t.same(environmentOf([{ name: 'PATH' }, { name: 'HOME', value: '$(HOME)' }]), { PATH: '', HOME: '$(HOME)' });
});

const fields: readonly [string, string][] = [
  ['metadata.name', 'web'],
  ['metadata.namespace', 'default'],
  ['metadata.uid', UID],
  ["metadata.labels['app']", 'web'],
  ["metadata.labels['constructor']", ''],
  ["metadata.annotations['a/b']", 'c'],
  ['spec.nodeName', 'node-1'],
  ['spec.serviceAccountName', 'default'],
  ['status.podIP', '10.0.0.2'],
  ['status.podIPs', '10.0.0.2,fd00::2'],
  ['status.hostIP', '192.0.2.1'],
];
for (const [fieldPath, value] of fields) {
  t.test(`fieldRef ${fieldPath}`, async (t) => {
    t.same(environmentOf([{ name: 'X', valueFrom: { fieldRef: { fieldPath } } }]), { X: value });
  });
}

const resources: readonly [string, string | undefined, string][] = [
  ['limits.cpu', undefined, '1'],
  ['limits.cpu', '1m', '500'],
  ['requests.cpu', '1m', '250'],
  ['limits.memory', '1Mi', '64'],
  ['limits.memory', undefined, '67108864'],
  ['requests.memory', undefined, '0'],
];
for (const [resource, divisor, value] of resources) {
  t.test(`resourceFieldRef ${resource} in ${divisor ?? 'units'}`, async (t) => {
    const env = [{ name: 'X', valueFrom: { resourceFieldRef: { resource, ...(divisor ? { divisor } : {}) } } }];
    const own = { resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '250m' } } };
    t.same(environmentOf(env, own), { X: value });
  });
}

t.test('without a limit the node is the limit', async (t) => {
  const env = [{ name: 'X', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } }];
  t.same(environmentOf(env), { X: '2' });
});

t.test('what cannot be computed is refused by the name of its variable', async (t) => {
  const env = [{ name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.secret' } } }];
  t.throws(() => environmentOf(env), new EnvironmentError('env X: unsupported fieldPath: spec.secret'));
});

t.test('command and args are filled in from the environment', async (t) => {
  t.same(expandAll(['sh', '-c', 'echo $(A) $$(A)'], [{ key: 'A', value: 'hi' }]), ['sh', '-c', 'echo hi $(A)']);
});

t.test('parts of volumes are named by text or from the environment', async (t) => {
  const environment = [
    { key: 'POD', value: 'web' },
    { key: 'EMPTY', value: '' },
    { key: 'UP', value: '..' },
    { key: 'ROOT', value: '/' },
  ];
  const partsOf = (...mounts: { subPath?: string; subPathExpr?: string }[]) => {
    const volumeMounts = mounts.map((mount) => ({ name: 'v', mountPath: '/v', ...mount }));
    return [...containerSubPaths({ name: 'a', volumeMounts }, environment)];
  };
  t.strictSame(partsOf({}, { subPath: '$(POD)' }, { subPathExpr: '$(POD)/x/$$(POD)' }), [
    [1, '$(POD)'],
    [2, 'web/x/$(POD)'],
  ]);
  t.strictSame(partsOf({ subPathExpr: '$(EMPTY)' }), [], 'nothing is the whole volume');
  t.throws(() => partsOf({ subPathExpr: '$(MISSING)' }), new EnvironmentError('missing value for "MISSING"'));
  t.throws(() => partsOf({ subPathExpr: 'a/$(UP)/b' }), {
    message: "unable to provision SubPath `a/../b`: must not contain '..'",
  });
  t.throws(() => partsOf({ subPathExpr: '$(ROOT)etc' }), {
    message: 'error SubPath `/etc` must not be an absolute path',
  });
});

const base64 = (text: string) => Buffer.from(text).toString('base64');
const metadata = { name: 'x', namespace: 'default', uid: '1' };
const sources = {
  serviceAccount: () => undefined,
  configMap: (name: string) =>
    name === 'settings'
      ? { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { b: '2', a: '$(B)', constructor: 'c' } }
      : undefined,
  secret: (name: string) =>
    name === 'password'
      ? {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata,
          data: { p: base64('geh"eim ü'), raw: Buffer.from([0xff]).toString('base64'), nul: base64('a\0b') },
        }
      : undefined,
};

/** In their order. */
function variablesOf(container: Partial<Container>): string[] {
  const entries = containerEnvironment(podWith(), { name: 'a', image: 'one', ...container }, { ...facts, sources });
  return entries.map(({ key, value }) => `${key}=${value}`);
}

t.test('whole ConfigMaps and Secrets come first, in order, and env wins over them', async (t) => {
  t.strictSame(
    variablesOf({
      envFrom: [{ prefix: 'S_', configMapRef: { name: 'settings' } }, { configMapRef: { name: 'settings' } }],
      env: [
        { name: 'b', value: 'own' },
        { name: 'C', value: '$(b) $(a)' },
      ],
    }),
    ['S_a=$(B)', 'S_b=2', 'S_constructor=c', 'a=$(B)', 'constructor=c', 'b=own', 'C=own $(a)'],
  );
});

t.test('single keys, and others that use them', async (t) => {
  t.strictSame(
    variablesOf({
      env: [
        { name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'a' } } },
        { name: 'P', valueFrom: { secretKeyRef: { name: 'password', key: 'p' } } },
        { name: 'URL', value: 'x:$(P)@y $(A)' },
      ],
    }),
    ['A=$(B)', 'P=geh"eim ü', 'URL=x:geh"eim ü@y $(B)'],
  );
});

t.test('what is missing is named as a kubelet names it, unless it is optional', async (t) => {
  const env = (valueFrom: EnvVar['valueFrom']) => ({ env: [{ name: 'A', valueFrom }] }) as Partial<Container>;
  const cases: [Partial<Container>, string | undefined][] = [
    [env({ configMapKeyRef: { name: 'no', key: 'a' } }), 'configmap "no" not found'],
    [env({ secretKeyRef: { name: 'no', key: 'a' } }), 'secret "no" not found'],
    [
      env({ configMapKeyRef: { name: 'settings', key: 'toString' } }),
      "couldn't find key toString in ConfigMap default/settings",
    ],
    [env({ secretKeyRef: { name: 'password', key: 'no' } }), "couldn't find key no in Secret default/password"],
    [{ envFrom: [{ configMapRef: { name: 'no' } }] }, 'configmap "no" not found'],
    [{ envFrom: [{ secretRef: { name: 'no' } }] }, 'secret "no" not found'],
    [env({ configMapKeyRef: { name: 'no', key: 'a', optional: true } }), undefined],
    [env({ configMapKeyRef: { name: 'settings', key: 'no', optional: true } }), undefined],
    [env({ secretKeyRef: { name: 'password', key: 'no', optional: true } }), undefined],
    [{ envFrom: [{ secretRef: { name: 'no', optional: true } }] }, undefined],
    [env({ secretKeyRef: { name: 'password', key: 'raw' } }), 'the value of key raw is no UTF-8 text'],
    [env({ secretKeyRef: { name: 'password', key: 'nul' } }), 'env A: the value has a NUL character'],
  ];
  for (const [container, message] of cases) {
    if (message === undefined) t.strictSame(variablesOf(container), []);
    else t.throws(() => variablesOf(container), { message: new RegExp(message) });
  }
});

t.test('variables from a file of a volume', async (t) => {
  const ref = (key: string, optional = false) => ({ volumeName: 'v', path: 'dir/env', key, optional });
  const [set, empty, missing, optional, broken] = [ref('A'), ref('B'), ref('C'), ref('C', true), ref('D')];
  const envFiles = new Map([
    [set, { value: '$(X) one' }],
    [empty, { value: '' }],
    [broken, { problem: 'is a symbolic link' }],
  ]);
  const read = (...refs: (typeof set)[]) => {
    const env = refs.map((fileKeyRef) => ({ name: fileKeyRef.key, valueFrom: { fileKeyRef } }));
    return containerEnvironment(podWith(), { name: 'a', image: 'one', env }, { ...facts, envFiles });
  };
  t.same(read(set, empty, optional), [
    { key: 'A', value: '$(X) one' },
    { key: 'B', value: '' },
  ]);
  t.throws(() => read(missing), /environment variable key "C" not found in file "dir\/env"/);
  t.throws(() => read(broken), /couldn't read file "dir\/env" of volume v: is a symbolic link/);
});
