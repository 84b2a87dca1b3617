import t from 'tap';
import { checkVerdicts, type Manifest } from './pod-fixture.ts';

const e = 'spec.containers[0].env[0]';

function env(variable: object, spec = {}): Manifest {
  return { container: { env: [{ name: 'A', ...variable }] }, spec };
}

t.test('environment variables', async (t) => {
  checkVerdicts(t, [
    ['an empty value', env({ value: '' })],
    ['a name that no shell would take', env({ name: '1 -.x' })],
    ['no name', env({ name: '' }), [`FieldValueRequired ${e}.name`]],
    ['an equals sign', env({ name: 'A=B' }), [`FieldValueInvalid ${e}.name`]],
    ['a name that is not ASCII', env({ name: 'Ä' }), [`FieldValueInvalid ${e}.name`]],
    ['a control character', env({ name: 'A\n' }), [`FieldValueInvalid ${e}.name`]],
    ['no source', env({ valueFrom: {} }), [`FieldValueInvalid ${e}.valueFrom`]],
    [
      'a value and a source',
      env({ value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }),
      [`FieldValueInvalid ${e}.valueFrom`],
    ],
    [
      'two sources',
      env({
        valueFrom: { fieldRef: { fieldPath: 'metadata.name' }, resourceFieldRef: { resource: 'limits.cpu' } },
      }),
      [`FieldValueInvalid ${e}.valueFrom`],
    ],
  ]);
});

t.test('fields of the pod', async (t) => {
  const field = (fieldPath: string, apiVersion?: string) => env({ valueFrom: { fieldRef: { fieldPath, apiVersion } } });
  const f = `${e}.valueFrom.fieldRef`;
  const taken = [
    'metadata.name',
    'metadata.namespace',
    'metadata.uid',
    "metadata.labels['app']",
    "metadata.labels['example.com/app']",
    "metadata.annotations['example.com/App']",
    'spec.nodeName',
    'spec.serviceAccountName',
    'status.hostIP',
    'status.hostIPs',
    'status.podIP',
    'status.podIPs',
  ];
  checkVerdicts(t, [
    ...taken.map((path): [string, Manifest] => [path, field(path)]),
    ['no path', field(''), [`FieldValueRequired ${f}.fieldPath`]],
    ['another version', field('metadata.name', 'v2'), [`FieldValueInvalid ${f}.fieldPath`]],
    ['an empty version', field('metadata.name', '')],
    ['an unknown path', field('metadata.x'), [`FieldValueInvalid ${f}.fieldPath`]],
    ['a field that only volumes have', field('metadata.labels'), [`FieldValueNotSupported ${f}.fieldPath`]],
    ['a field that changes', field('status.phase'), [`FieldValueNotSupported ${f}.fieldPath`]],
    ['a key of something else', field("metadata.name['a']"), [`FieldValueInvalid ${f}.fieldPath`]],
    ['a bad key', field("metadata.labels['a b']"), [`FieldValueInvalid ${f}`]],
  ]);
});

t.test('resources of a container', async (t) => {
  const resource = (fields: object) => env({ valueFrom: { resourceFieldRef: fields } });
  const r = `${e}.valueFrom.resourceFieldRef`;
  checkVerdicts(t, [
    ['a limit', resource({ resource: 'limits.cpu' })],
    ['a request of another container', resource({ resource: 'requests.memory', containerName: 'x', divisor: '1Mi' })],
    ['huge pages', resource({ resource: 'requests.hugepages-2Mi', divisor: '1Mi' })],
    ['thousandths of a CPU', resource({ resource: 'limits.cpu', divisor: '1m' })],
    ['no resource', resource({ resource: '' }), [`FieldValueRequired ${r}.resource`]],
    ['an unknown resource', resource({ resource: 'limits.gpu' }), [`FieldValueNotSupported ${r}.resource`]],
    [
      'a divisor of something unknown',
      resource({ resource: 'cpu', divisor: '2' }),
      [`FieldValueNotSupported ${r}.resource`],
    ],
    ['a divisor of CPUs', resource({ resource: 'limits.cpu', divisor: '2' }), [`FieldValueInvalid ${r}.divisor`]],
    ['a divisor of bytes', resource({ resource: 'limits.memory', divisor: '1m' }), [`FieldValueInvalid ${r}.divisor`]],
    [
      'a divisor of storage',
      resource({ resource: 'limits.ephemeral-storage', divisor: '3Mi' }),
      [`FieldValueInvalid ${r}.divisor`],
    ],
    [
      'a divisor of huge pages',
      resource({ resource: 'limits.hugepages-2Mi', divisor: '2Mi' }),
      [`FieldValueInvalid ${r}.divisor`],
    ],
  ]);
});

t.test('config maps, secrets and files', async (t) => {
  const from = (valueFrom: object, spec = {}) => env({ valueFrom }, spec);
  const v = `${e}.valueFrom`;
  const file = { volumeName: 'v', path: 'a/b', key: 'K' };
  const volumes = [{ name: 'v', emptyDir: {} }];
  checkVerdicts(t, [
    ['a key', from({ configMapKeyRef: { name: 'a.b', key: 'k.txt' } })],
    ['no key', from({ secretKeyRef: { name: 'a', key: '' } }), [`FieldValueRequired ${v}.secretKeyRef.key`]],
    ['a bad key', from({ secretKeyRef: { name: 'a', key: 'a/b' } }), [`FieldValueInvalid ${v}.secretKeyRef.key`]],
    [
      'a key with dots',
      from({ configMapKeyRef: { name: 'a', key: '..a' } }),
      [`FieldValueInvalid ${v}.configMapKeyRef.key`],
    ],
    ['a bad name', from({ configMapKeyRef: { name: 'A', key: 'k' } }), [`FieldValueInvalid ${v}.configMapKeyRef.name`]],
    ['a file', from({ fileKeyRef: file }, { volumes })],
    ['a file of no volume', from({ fileKeyRef: file }), [`FieldValueNotFound ${v}.fileKeyRef.volumeName`]],
    [
      'a file of the host',
      from({ fileKeyRef: file }, { volumes: [{ name: 'v', hostPath: { path: '/a' } }] }),
      [`FieldValueInvalid ${v}.fileKeyRef.volumeName`],
    ],
    [
      'a file elsewhere',
      from({ fileKeyRef: { ...file, path: '../b' } }, { volumes }),
      [`FieldValueInvalid ${v}.fileKeyRef.path`],
    ],
    ['a file with dots in front', from({ fileKeyRef: { ...file, path: '..b' } }, { volumes })],
    ['a file from the root of the volume', from({ fileKeyRef: { ...file, path: '/a/b' } }, { volumes })],
    [
      'no volume',
      from({ fileKeyRef: { ...file, volumeName: '' } }, { volumes }),
      [`FieldValueRequired ${v}.fileKeyRef.volumeName`, `FieldValueNotFound ${v}.fileKeyRef.volumeName`],
    ],
    ['no path', from({ fileKeyRef: { ...file, path: '' } }, { volumes }), [`FieldValueRequired ${v}.fileKeyRef.path`]],
    [
      'no variable',
      from({ fileKeyRef: { ...file, key: '' } }, { volumes }),
      [`FieldValueRequired ${v}.fileKeyRef.key`],
    ],
    ['a long variable', from({ fileKeyRef: { ...file, key: 'K'.repeat(129) } }, { volumes })],
    [
      'a variable with an equals sign',
      from({ fileKeyRef: { ...file, key: 'A=B' } }, { volumes }),
      [`FieldValueInvalid ${v}.fileKeyRef.key`],
    ],
  ]);
});

t.test('all variables of a config map or secret', async (t) => {
  const from = (...envFrom: object[]): Manifest => ({ container: { envFrom } });
  const p = 'spec.containers[0].envFrom';
  checkVerdicts(t, [
    ['both', from({ configMapRef: { name: 'a' } }, { secretRef: { name: 'a' }, prefix: 'X_' })],
    ['a prefix', from({ configMapRef: { name: 'a' }, prefix: 'a=' }), [`FieldValueInvalid ${p}[0].prefix`]],
    ['no name', from({ configMapRef: {} }), [`FieldValueRequired ${p}[0].configMapRef.name`]],
    ['a bad name', from({ secretRef: { name: 'A' } }), [`FieldValueInvalid ${p}[0].secretRef.name`]],
    ['neither', from({}), [`FieldValueInvalid ${p}`]],
    ['both at once', from({ configMapRef: { name: 'a' }, secretRef: { name: 'a' } }), [`FieldValueInvalid ${p}`]],
  ]);
});
