import t from 'tap';
import { formatFieldError } from '../../../src/api/field-error.ts';
import { podKind } from '../../../src/api/kinds.ts';
import { validatePodCreate } from '../../../src/api/pod-validation.ts';
import { checkVerdicts, corpus, manifest, preparedPod, shown } from './pod-fixture.ts';

const options = { allowPrivileged: false };

t.test('names, labels and the rest of metadata', async (t) => {
  const long = 'a'.repeat(254);
  checkVerdicts(t, [
    ['a plain pod', {}],
    ['a name with dots', { metadata: { name: 'web.example.com' } }],
    ['no name', { metadata: { name: '' } }, ['FieldValueRequired metadata.name']],
    ['an upper-case name', { metadata: { name: 'Web' } }, ['FieldValueInvalid metadata.name']],
    ['a name of 253 bytes', { metadata: { name: long.slice(1) } }],
    ['a name of 254 bytes', { metadata: { name: long } }, ['FieldValueInvalid metadata.name']],
    ['a prefix that ends in a dash', { metadata: { generateName: 'web-' } }],
    ['a prefix that is no name', { metadata: { generateName: 'web_' } }, ['FieldValueInvalid metadata.generateName']],
    ['a namespace with a dot', { metadata: { namespace: 'a.b' } }, ['FieldValueInvalid metadata.namespace']],
    ['labels', { metadata: { labels: { app: 'web', 'example.com/tier': '', x_y: 'A.b-c_1' } } }],
    ['a label key with a space', { metadata: { labels: { 'a b': '' } } }, ['FieldValueInvalid metadata.labels']],
    ['a key with two slashes', { metadata: { labels: { 'a/b/c': '' } } }, ['FieldValueInvalid metadata.labels']],
    ['an empty prefix', { metadata: { labels: { '/b': '' } } }, ['FieldValueInvalid metadata.labels']],
    [
      'an empty name is wrong twice',
      { metadata: { labels: { 'a/': '' } } },
      ['FieldValueInvalid metadata.labels', 'FieldValueInvalid metadata.labels'],
    ],
    ['a label value of 63 bytes', { metadata: { labels: { a: 'a'.repeat(63) } } }],
    [
      'a label value of 64 bytes',
      { metadata: { labels: { a: 'a'.repeat(64) } } },
      ['FieldValueInvalid metadata.labels'],
    ],
    ['annotation keys in upper case', { metadata: { annotations: { 'EXAMPLE.com/A': 'any text\n' } } }],
    ['an annotation key', { metadata: { annotations: { 'a b': '' } } }, ['FieldValueInvalid metadata.annotations']],
    ['256 KiB of annotations', { metadata: { annotations: { a: 'x'.repeat(2 ** 18 - 1) } } }],
    [
      'more than 256 KiB of annotations',
      { metadata: { annotations: { a: 'x'.repeat(2 ** 18) } } },
      ['FieldValueTooLong metadata.annotations'],
    ],
    ['finalizers', { metadata: { finalizers: ['example.com/wait', 'orphan'] } }],
    [
      'a finalizer without a domain',
      { metadata: { finalizers: ['wait'] } },
      ['FieldValueInvalid metadata.finalizers[0]'],
    ],
    [
      'two finalizers that contradict each other',
      { metadata: { finalizers: ['orphan', 'foregroundDeletion'] } },
      ['FieldValueInvalid metadata.finalizers'],
    ],
  ]);
});

t.test('owners', async (t) => {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: '1' };
  const owners = (...ownerReferences: unknown[]) => ({ metadata: { ownerReferences } });
  const path = 'metadata.ownerReferences';
  checkVerdicts(t, [
    ['one controller', owners({ ...owner, controller: true }, { ...owner, uid: '2' })],
    [
      'two controllers',
      owners({ ...owner, controller: true }, { ...owner, controller: true }),
      [`FieldValueInvalid ${path}`],
    ],
    ['no version', owners({ ...owner, apiVersion: '' }), [`FieldValueInvalid ${path}.apiVersion`]],
    ['no kind', owners({ ...owner, kind: '' }), [`FieldValueInvalid ${path}.kind`]],
    ['no name', owners({ ...owner, name: '' }), [`FieldValueInvalid ${path}.name`]],
    ['no uid', owners({ ...owner, uid: '' }), [`FieldValueInvalid ${path}.uid`]],
    ['an event', owners({ ...owner, apiVersion: 'v1', kind: 'Event' }), [`FieldValueInvalid ${path}`]],
  ]);
});

t.test('annotations that mean something', async (t) => {
  const annotated = (annotations: Record<string, string>, spec = {}) => ({ metadata: { annotations }, spec });
  const appArmor = 'container.apparmor.security.beta.kubernetes.io/';
  const seccomp = 'seccomp.security.alpha.kubernetes.io/pod';
  const cost = 'controller.kubernetes.io/pod-deletion-cost';
  const tolerations = 'scheduler.alpha.kubernetes.io/tolerations';
  const mirror = 'kubernetes.io/config.mirror';
  const path = 'metadata.annotations';
  checkVerdicts(t, [
    ['AppArmor of a container', annotated({ [`${appArmor}app`]: 'runtime/default' })],
    ['AppArmor of nobody', annotated({ [`${appArmor}x`]: 'unconfined' }), [`FieldValueInvalid ${path}[${appArmor}x]`]],
    ['no AppArmor profile', annotated({ [`${appArmor}app`]: 'x' }), [`FieldValueInvalid ${path}[${appArmor}app]`]],
    ['seccomp', annotated({ [seccomp]: 'localhost/a/b' })],
    ['no seccomp profile', annotated({ [seccomp]: 'x' }), [`FieldValueInvalid ${path}.${seccomp}`]],
    ['a seccomp file elsewhere', annotated({ [seccomp]: 'localhost/../b' }), [`FieldValueInvalid ${path}.${seccomp}`]],
    [
      'a seccomp file of a container elsewhere',
      annotated({ 'container.seccomp.security.alpha.kubernetes.io/app': 'localhost//b' }),
      [`FieldValueInvalid ${path}.container.seccomp.security.alpha.kubernetes.io/app`],
    ],
    [
      'seccomp that contradicts the field',
      annotated({ [seccomp]: 'unconfined' }, { securityContext: { seccompProfile: { type: 'RuntimeDefault' } } }),
      ['FieldValueForbidden spec.securityContext.seccompProfile.type'],
    ],
    [
      'another seccomp file than the field has',
      annotated(
        { [seccomp]: 'localhost/a' },
        { securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'b' } } },
      ),
      ['FieldValueForbidden spec.securityContext.seccompProfile.localhostProfile'],
    ],
    ['a deletion cost', annotated({ [cost]: '-2147483648' })],
    ['a deletion cost beyond 32 bits', annotated({ [cost]: '2147483648' }), [`FieldValueInvalid ${path}[${cost}]`]],
    ['a deletion cost with a leading zero', annotated({ [cost]: '01' }), [`FieldValueInvalid ${path}[${cost}]`]],
    ['a negative deletion cost with a leading zero', annotated({ [cost]: '-01' })],
    ['a deletion cost with a plus', annotated({ [cost]: '+1' }), [`FieldValueInvalid ${path}[${cost}]`]],
    ['null for tolerations', annotated({ [tolerations]: 'null' })],
    ['tolerations', annotated({ [tolerations]: '[{"operator":"Exists"}]' })],
    ['tolerations that are no JSON', annotated({ [tolerations]: 'x' }), [`FieldValueInvalid ${path}`]],
    ['no list of tolerations', annotated({ [tolerations]: '{}' }), [`FieldValueInvalid ${path}`]],
    [
      'bad tolerations',
      annotated({ [tolerations]: '[{"key":"a","operator":"x"}]' }),
      [`FieldValueNotSupported ${path}.${tolerations}[0].operator`],
    ],
    ['a mirror pod', annotated({ [mirror]: 'x' }, { nodeName: 'node' })],
    ['a mirror pod on no node', annotated({ [mirror]: 'x' }), [`FieldValueInvalid ${path}[${mirror}]`]],
    [
      'a mirror pod that needs a secret',
      annotated({ [mirror]: 'x' }, { nodeName: 'node', volumes: [{ name: 'v', secret: { secretName: 's' } }] }),
      ['FieldValueForbidden []'],
    ],
    [
      'a mirror pod with an account',
      annotated({ [mirror]: 'x' }, { nodeName: 'node', serviceAccountName: 'default' }),
      ['FieldValueForbidden []'],
    ],
  ]);
});

t.test('a mirror pod needs nothing from the API', async (t) => {
  const metadata = { annotations: { 'kubernetes.io/config.mirror': 'x' } };
  const mirror = (spec: object, container = {}) => ({ metadata, spec: { nodeName: 'node', ...spec }, container });
  const volume = (source: object) => mirror({ serviceAccountName: '', volumes: [{ name: 'v', ...source }] });
  const key = { name: 'a', key: 'k' };
  const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1' } } };
  const refused = ['FieldValueForbidden []'];
  checkVerdicts(t, [
    ['a directory', volume({ emptyDir: {} })],
    ['fields of the pod', volume({ projected: { sources: [{ downwardAPI: {} }] } })],
    ['secrets of registries', mirror({ imagePullSecrets: [{ name: 'a' }] }), refused],
    ['variables of a config map', mirror({}, { envFrom: [{ configMapRef: { name: 'a' } }] }), refused],
    ['variables of a secret', mirror({}, { envFrom: [{ secretRef: { name: 'a' } }] }), refused],
    ['a variable of a config map', mirror({}, { env: [{ name: 'A', valueFrom: { configMapKeyRef: key } }] }), refused],
    ['a variable of a secret', mirror({}, { env: [{ name: 'A', valueFrom: { secretKeyRef: key } }] }), refused],
    ['claims to devices', mirror({ resourceClaims: [{ name: 'a', resourceClaimName: 'b' }] }), refused],
    ['a config map', volume({ configMap: { name: 'a' } }), refused],
    ['a driver', volume({ csi: { driver: 'a' } }), refused],
    ['endpoints', volume({ glusterfs: { endpoints: 'a', path: 'b' } }), refused],
    ['a claim', volume({ persistentVolumeClaim: { claimName: 'a' } }), refused],
    ['a claim of its own', volume({ ephemeral: { volumeClaimTemplate: { spec: claim } } }), refused],
    ['a share', volume({ azureFile: { secretName: 'a', shareName: 'b' } }), refused],
    ['a secret of a disk', volume({ cinder: { volumeID: 'a', secretRef: { name: 'b' } } }), refused],
    ['a projected config map', volume({ projected: { sources: [{ configMap: { name: 'a' } }] } }), refused],
    ['a projected secret', volume({ projected: { sources: [{ secret: { name: 'a' } }] } }), refused],
  ]);
});

t.test('who manages which fields', async (t) => {
  const managed = (fields: object) => ({
    metadata: { managedFields: [{ operation: 'Update', fieldsType: 'FieldsV1', manager: 'kubectl', ...fields }] },
  });
  const path = 'metadata.managedFields[0]';
  checkVerdicts(t, [
    ['an update', managed({})],
    ['an operation', managed({ operation: 'x' }), [`FieldValueInvalid ${path}.operation`]],
    ['a type', managed({ fieldsType: 'x' }), [`FieldValueInvalid ${path}.fieldsType`]],
    ['a long name', managed({ manager: 'a'.repeat(129) }), [`FieldValueTooLong ${path}.manager`]],
  ]);
});

t.test('fields of the spec that stand alone', async (t) => {
  checkVerdicts(t, [
    ['a restart policy', { spec: { restartPolicy: 'OnFailure' } }],
    ['an unknown one', { spec: { restartPolicy: 'Sometimes' } }, ['FieldValueNotSupported spec.restartPolicy']],
    ['an unknown DNS policy', { spec: { dnsPolicy: 'x' } }, ['FieldValueNotSupported spec.dnsPolicy']],
    ['a deadline', { spec: { activeDeadlineSeconds: 1 } }],
    ['no time', { spec: { activeDeadlineSeconds: 0 } }, ['FieldValueInvalid spec.activeDeadlineSeconds']],
    ['too long', { spec: { activeDeadlineSeconds: 2 ** 31 } }, ['FieldValueInvalid spec.activeDeadlineSeconds']],
    ['an account', { spec: { serviceAccountName: 'A' } }, ['FieldValueInvalid spec.serviceAccountName']],
    ['a node', { spec: { nodeName: 'A' } }, ['FieldValueInvalid spec.nodeName']],
    ['a priority class', { spec: { priorityClassName: 'A' } }, ['FieldValueInvalid spec.priorityClassName']],
    ['a runtime class', { spec: { runtimeClassName: 'A' } }, ['FieldValueInvalid spec.runtimeClassName']],
    ['preemption', { spec: { preemptionPolicy: 'x' } }, ['FieldValueNotSupported spec.preemptionPolicy']],
    ['overhead', { spec: { overhead: { cpu: '10m' } } }],
    ['negative overhead', { spec: { overhead: { cpu: '-1' } } }, ['FieldValueInvalid spec.overhead.limits[cpu]']],
    ['a readiness gate', { spec: { readinessGates: [{ conditionType: 'example.com/lb' }] } }],
    [
      'a readiness gate without a name',
      { spec: { readinessGates: [{ conditionType: 'a b' }] } },
      ['FieldValueInvalid spec.readinessGates[0].conditionType'],
    ],
    [
      'the same scheduling gate twice',
      { spec: { schedulingGates: [{ name: 'a' }, { name: 'a' }] } },
      ['FieldValueDuplicate spec.schedulingGates[1]'],
    ],
    [
      'a gate that is no name',
      { spec: { schedulingGates: [{ name: 'a b' }] } },
      ['FieldValueInvalid spec.schedulingGates[0]'],
    ],
    [
      'a gated pod on a node',
      { spec: { schedulingGates: [{ name: 'a' }], nodeName: 'node' } },
      ['FieldValueForbidden spec.nodeName'],
    ],
    ['no containers', { spec: { containers: [] } }, ['FieldValueRequired spec.containers']],
  ]);
});

t.test('claims to devices', async (t) => {
  const claims = (...resourceClaims: unknown[]) => ({ spec: { resourceClaims } });
  const path = 'spec.resourceClaims';
  checkVerdicts(t, [
    ['one of each', claims({ name: 'a', resourceClaimName: 'x' }, { name: 'b', resourceClaimTemplateName: 'x' })],
    ['no name', claims({ name: '', resourceClaimName: 'x' }), [`FieldValueRequired ${path}[0].name`]],
    ['a bad name', claims({ name: 'A', resourceClaimName: 'x' }), [`FieldValueInvalid ${path}[0].name`]],
    [
      'one name twice',
      claims({ name: 'a', resourceClaimName: 'x' }, { name: 'a', resourceClaimName: 'x' }),
      [`FieldValueDuplicate ${path}[1].name`],
    ],
    ['no source', claims({ name: 'a' }), [`FieldValueInvalid ${path}[0]`]],
    [
      'two sources',
      claims({ name: 'a', resourceClaimName: 'x', resourceClaimTemplateName: 'x' }),
      [`FieldValueInvalid ${path}[0]`],
    ],
    ['a bad source', claims({ name: 'a', resourceClaimName: 'X' }), [`FieldValueInvalid ${path}[0].resourceClaimName`]],
  ]);
});

t.test('errors are worded as Kubernetes words them', async (t) => {
  const said = (parts: Parameters<typeof manifest>[0]) =>
    validatePodCreate(preparedPod(manifest(parts)), options).map(formatFieldError);
  const label =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end " +
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " +
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
  t.same(said({ container: { name: 'App' } }), [`spec.containers[0].name: Invalid value: "App": ${label}`]);
  t.same(said({ container: { name: 'a.b' } }), [
    'spec.containers[0].name: Invalid value: "a.b": must not contain dots',
  ]);
  t.same(said({ container: { name: '' } }), ['spec.containers[0].name: Required value']);
  t.same(said({ spec: { restartPolicy: 'x' } }), [
    'spec.restartPolicy: Unsupported value: "x": supported values: "Always", "OnFailure", "Never"',
  ]);
  t.same(said({ container: { ports: [{ containerPort: 70000 }] } }), [
    'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
  ]);
  t.same(said({ container: { volumeMounts: [{ name: 'v', mountPath: '/v' }] } }), [
    'spec.containers[0].volumeMounts[0].name: Not found: "v"',
  ]);
});

t.test('all mistakes are reported at once', async (t) => {
  const pod = preparedPod(
    manifest({ metadata: { name: 'A' }, spec: { restartPolicy: 'x' }, container: { name: '', image: '' } }),
  );
  t.same(shown(validatePodCreate(pod, options)), [
    'FieldValueInvalid metadata.name',
    'FieldValueNotSupported spec.restartPolicy',
    'FieldValueRequired spec.containers[0].image',
    'FieldValueRequired spec.containers[0].name',
  ]);
});

t.test('a pod with very many mistakes is refused soon', async (t) => {
  const containers = Array.from({ length: 20_000 }, () => ({ name: 'A', image: '', env: [{ name: '=' }] }));
  const name = 'a.'.repeat(500_000);
  const pod = preparedPod(manifest({ metadata: { name }, spec: { containers, hostname: name } }));
  const start = performance.now();
  t.equal(validatePodCreate(pod, options).length, 1000);
  t.ok(performance.now() - start < 10_000);
});

t.test("Kubernetes' verdict on many pods", async (t) => {
  const rows = corpus();
  if (!rows) return void t.pass('the pods are not here: the tables above stand for their rules');
  const different = [];
  for (const { manifest: document, want } of rows) {
    const pod = preparedPod(document);
    const got = shown(validatePodCreate(pod, options));
    const wanted = want.toSorted();
    if (got.join() !== wanted.join()) different.push({ pod: pod.metadata.name, got, wanted });
    if (want.length > 0 && podKind.validateCreate(pod).length === 0) different.push({ taken: pod.metadata.name });
  }
  t.same(different, []);
});
