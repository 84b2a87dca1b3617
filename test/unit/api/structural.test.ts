import t from 'tap';
import { eventKind, nodeKind, podKind } from '../../../src/api/kinds.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { checkStructure, structuralFailure } from '../../../src/api/structural.ts';
import { manifest } from './pod-fixture.ts';

const strict = { fieldValidation: 'Strict' } as const;

function errorsOf(document: unknown): string[] {
  return checkStructure(podKind, document, strict).errors.map(({ message }) => message);
}

t.test('wrong types are refused as Kubernetes’ decoder words it', async (t) => {
  const into = (field: string, type: string) => `into Go struct field ${field} of type ${type}`;
  const table: [document: unknown, message: string][] = [
    [manifest({ container: { name: 1 } }), `number ${into('Container.spec.containers.name', 'string')}`],
    [manifest({ container: { command: 'sh' } }), `string ${into('Container.spec.containers.command', '[]string')}`],
    [manifest({ container: { tty: 'yes' } }), `string ${into('Container.spec.containers.tty', 'bool')}`],
    [
      manifest({ container: { env: [{ name: 'A', value: 8080 }] } }),
      `number ${into('EnvVar.spec.containers.env.value', 'string')}`,
    ],
    [manifest({ spec: { containers: {} } }), `object ${into('PodSpec.spec.containers', '[]v1.Container')}`],
    [manifest({ spec: { nodeSelector: { a: true } } }), `bool ${into('PodSpec.spec.nodeSelector', 'string')}`],
    [manifest({ metadata: { labels: [] } }), `array ${into('ObjectMeta.metadata.labels', 'map[string]string')}`],
    [
      manifest({ spec: { securityContext: 'root' } }),
      `string ${into('PodSpec.spec.securityContext', 'v1.PodSecurityContext')}`,
    ],
    [
      manifest({ spec: { terminationGracePeriodSeconds: 1.5 } }),
      `number 1.5 ${into('PodSpec.spec.terminationGracePeriodSeconds', 'int64')}`,
    ],
    [
      manifest({ container: { ports: [{ containerPort: 2 ** 31 }] } }),
      `number 2147483648 ${into('ContainerPort.spec.containers.ports.containerPort', 'int32')}`,
    ],
    [manifest({ spec: { priority: 2n ** 40n } }), `number 1099511627776 ${into('PodSpec.spec.priority', 'int32')}`],
    [
      manifest({ spec: { terminationGracePeriodSeconds: 2n ** 63n } }),
      `number 9223372036854775808 ${into('PodSpec.spec.terminationGracePeriodSeconds', 'int64')}`,
    ],
    [[], 'array into Go value of type v1.Pod'],
    ['text', 'string into Go value of type v1.Pod'],
    [7, 'number into Go value of type v1.Pod'],
  ];
  for (const [document, message] of table) t.match(errorsOf(document), [`json: cannot unmarshal ${message}`]);
});

t.test('quantities and times are refused with their path', async (t) => {
  const limits = { limits: { memory: '1Gb', cpu: true } };
  t.match(errorsOf(manifest({ container: { resources: limits } })), [
    'spec.containers[0].resources.limits[memory]: quantities must match the regular expression',
    'spec.containers[0].resources.limits[cpu]: quantities must match the regular expression',
  ]);
  for (const time of ['yesterday', '2024-02-30T00:00:00Z', '2024-01-01T24:00:00Z', '2024-01-01', '']) {
    const errors = errorsOf(manifest({ metadata: { creationTimestamp: time } }));
    t.match(errors, [/^metadata.creationTimestamp: parsing time /], time);
  }
});

t.test('every mistake is told at once, by its path', async (t) => {
  const document = manifest({
    metadata: { naem: 'x' },
    container: { name: 1, imagePullPolic: 'Always', ports: [{ containerPort: '80', hostport: 1 }] },
  });
  const { errors } = checkStructure(podKind, document, strict);
  t.same(
    errors.map(({ field }) => field),
    [
      'metadata.naem',
      'spec.containers[0].name',
      'spec.containers[0].ports[0].containerPort',
      'spec.containers[0].ports[0].hostport',
      'spec.containers[0].imagePullPolic',
    ],
  );
  const { status } = structuralFailure(podKind, errors);
  t.match(status, { code: 400, reason: 'BadRequest', details: { causes: { length: 5 } } });
  t.match(
    status.message,
    /^Pod in version "v1" cannot be handled as a Pod: json: .*, strict decoding error: unknown field "metadata.naem", unknown field /,
  );
});

t.test('unknown fields are refused, warned of or dropped as asked', async (t) => {
  const document = manifest({ spec: { Hostname: 'x', hostname: 'y' } });
  const ofStrict = checkStructure(podKind, document, strict);
  t.match(ofStrict.errors, [
    { kind: 'unknown-field', field: 'spec.Hostname', message: 'unknown field "spec.Hostname"' },
  ]);
  const ofWarn = checkStructure<Pod>(podKind, document, { fieldValidation: 'Warn' });
  t.same(ofWarn.errors, []);
  t.same(ofWarn.warnings, ['unknown field "spec.Hostname"']);
  t.equal(ofWarn.object.spec.hostname, 'y');
  t.notOk('Hostname' in ofWarn.object.spec);
  const ofIgnore = checkStructure(podKind, document, { fieldValidation: 'Ignore' });
  t.same([ofIgnore.errors, ofIgnore.warnings], [[], []]);
});

t.test('null means absent, and a missing field that is always written is empty', async (t) => {
  const document = manifest({
    metadata: { labels: { a: null }, annotations: null },
    spec: { terminationGracePeriodSeconds: null, volumes: [{ name: 'v', hostPath: {} }], securityContext: {} },
    container: { command: ['sh', null], ports: [{}], env: null },
  });
  const { object, errors } = checkStructure<Pod>(podKind, document, strict);
  t.same(errors, []);
  t.same(JSON.parse(JSON.stringify(object)), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', labels: { a: '' } },
    spec: {
      volumes: [{ name: 'v', hostPath: { path: '' } }],
      containers: [{ name: 'app', image: 'busybox:1.36', command: ['sh', ''], ports: [{ containerPort: 0 }] }],
      securityContext: {},
    },
  });
});

t.test('empty values are dropped where absent means the same, and kept where it does not', async (t) => {
  const { object } = checkStructure<Pod>(
    podKind,
    manifest({
      spec: {
        hostname: '',
        hostNetwork: false,
        tolerations: [],
        nodeSelector: {},
        automountServiceAccountToken: false,
        runtimeClassName: '',
        securityContext: { runAsUser: 0, fsGroupChangePolicy: '' },
      },
    }),
    strict,
  );
  const { containers: _, ...spec } = object.spec;
  t.strictSame(spec, {
    automountServiceAccountToken: false,
    securityContext: { runAsUser: 0, fsGroupChangePolicy: '' },
    runtimeClassName: '',
  });
});

t.test('quantities, times and numbers come out in their canonical form', async (t) => {
  const { object, errors } = checkStructure<Pod>(
    podKind,
    manifest({
      metadata: { creationTimestamp: '2024-05-01T12:00:00.25+02:00' },
      spec: { terminationGracePeriodSeconds: 5n },
      container: { resources: { limits: { cpu: 0.5, memory: '1024Mi', 'example.com/gpu': 2 } } },
    }),
    strict,
  );
  t.same(errors, []);
  t.equal(object.metadata.creationTimestamp, '2024-05-01T10:00:00Z');
  t.equal(object.spec.terminationGracePeriodSeconds, 5);
  t.strictSame(
    { ...object.spec.containers[0]?.resources?.limits },
    { cpu: '500m', memory: '1Gi', 'example.com/gpu': '2' },
  );
  const event = checkStructure(eventKind, { eventTime: '2024-05-01T12:00:00.1234567Z' }, strict);
  t.match(event.object, { eventTime: '2024-05-01T12:00:00.123456Z' });
});

t.test('keys that JavaScript knows are keys like any other', async (t) => {
  const document: unknown = JSON.parse(`{"metadata":{"name":"x","labels":{"__proto__":"p","constructor":"c"},
    "__proto__":{"polluted":true}},"spec":{"containers":[],"__proto__":{"hostNetwork":true},"constructor":{}}}`);
  const { object, errors } = checkStructure<Pod>(podKind, document, strict);
  t.same(
    errors.map(({ field }) => field),
    ['metadata.__proto__', 'spec.__proto__', 'spec.constructor'],
  );
  t.equal(object.spec.hostNetwork, undefined);
  t.equal(Object.getPrototypeOf(object.spec), Object.prototype);
  t.same(Object.keys(object.metadata.labels ?? {}), ['__proto__', 'constructor']);
  t.equal(object.metadata.labels?.toString, undefined);
  t.equal(({} as Record<string, unknown>).polluted, undefined);
});

t.test('the kind may be left out but not be another one', async (t) => {
  t.match(checkStructure(nodeKind, { metadata: { name: 'n' } }, strict), {
    object: { apiVersion: 'v1', kind: 'Node' },
    errors: { length: 0 },
  });
  t.match(errorsOf({ ...manifest(), apiVersion: 'apps/v1', kind: 'Deployment' }), [
    'the API version in the data (apps/v1) does not match the expected API version (v1)',
    'the kind in the data (Deployment) does not match the expected kind (Pod)',
  ]);
});

t.test('a document of nothing but mistakes gets a bounded answer', async (t) => {
  const document = manifest({ spec: { containers: Array.from({ length: 50_000 }, () => 5) } });
  t.equal(errorsOf(document).length, 100);
});

t.test('the document itself is left as it was', async (t) => {
  const document = manifest({ container: { resources: { limits: { cpu: '0.5' } } } });
  const before = JSON.stringify(document);
  checkStructure(podKind, document, strict);
  t.equal(JSON.stringify(document), before);
});
