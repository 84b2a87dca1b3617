import t from 'tap';
import { validatePodCreate } from '../../../src/api/pod-validation.ts';
import { checkVerdicts, type Manifest, manifest, preparedPod, shown } from './pod-fixture.ts';

const c = 'spec.containers[0]';

t.test('containers', async (t) => {
  const other = { name: 'other', image: 'x' };
  checkVerdicts(t, [
    ['a name of 63 bytes', { container: { name: 'a'.repeat(63) } }],
    ['a name of 64 bytes', { container: { name: 'a'.repeat(64) } }, [`FieldValueInvalid ${c}.name`]],
    ['no image', { container: { image: '' } }, [`FieldValueRequired ${c}.image`]],
    ['a space before the image', { container: { image: ' x' } }, [`FieldValueInvalid ${c}.image`]],
    ['a space after the image', { container: { image: 'x\n' } }, [`FieldValueInvalid ${c}.image`]],
    ['a pull policy', { container: { imagePullPolicy: 'x' } }, [`FieldValueNotSupported ${c}.imagePullPolicy`]],
    [
      'a message policy',
      { container: { terminationMessagePolicy: 'x' } },
      [`FieldValueNotSupported ${c}.terminationMessagePolicy`],
    ],
    ['two names', { spec: { containers: [other, { ...other, name: 'b' }] } }],
    ['one name', { spec: { containers: [other, other] } }, ['FieldValueDuplicate spec.containers[1].name']],
    [
      'one name of init container and container',
      { spec: { containers: [other], initContainers: [other] } },
      ['FieldValueDuplicate spec.initContainers[0].name'],
    ],
    [
      'containers without names are not told apart',
      {
        spec: {
          containers: [
            { ...other, name: '' },
            { ...other, name: '' },
          ],
        },
      },
      [
        'FieldValueRequired spec.containers[0].name',
        'FieldValueRequired spec.containers[1].name',
        'FieldValueDuplicate spec.containers[1].name',
      ],
    ],
  ]);
});

t.test('ports', async (t) => {
  const ports = (...list: unknown[]): Manifest => ({ container: { ports: list } });
  const p = `${c}.ports`;
  const port = { containerPort: 80 };
  checkVerdicts(t, [
    ['a named port', ports({ ...port, name: 'http', protocol: 'UDP', hostPort: 80 })],
    ['a name without letters', ports({ ...port, name: '80' }), [`FieldValueInvalid ${p}[0].name`]],
    ['a name of 16 bytes', ports({ ...port, name: 'a'.repeat(16) }), [`FieldValueInvalid ${p}[0].name`]],
    ['a name with two hyphens', ports({ ...port, name: 'a--b' }), [`FieldValueInvalid ${p}[0].name`]],
    ['a name in upper case', ports({ ...port, name: 'A-b' }), [`FieldValueInvalid ${p}[0].name`]],
    ['a name that ends in a hyphen', ports({ ...port, name: 'a-' }), [`FieldValueInvalid ${p}[0].name`]],
    [
      'one name twice',
      ports({ ...port, name: 'a' }, { containerPort: 81, name: 'a' }),
      [`FieldValueDuplicate ${p}[1].name`],
    ],
    ['port 0', ports({ containerPort: 0 }), [`FieldValueRequired ${p}[0].containerPort`]],
    ['a negative port', ports({ containerPort: -1 }), [`FieldValueInvalid ${p}[0].containerPort`]],
    ['the last port', ports({ containerPort: 65535 })],
    ['a port too many', ports({ containerPort: 65536 }), [`FieldValueInvalid ${p}[0].containerPort`]],
    ['a host port', ports({ ...port, hostPort: 65536 }), [`FieldValueInvalid ${p}[0].hostPort`]],
    ['a protocol', ports({ ...port, protocol: 'tcp' }), [`FieldValueNotSupported ${p}[0].protocol`]],
    ['one host port with two protocols', ports({ ...port, hostPort: 1 }, { ...port, hostPort: 1, protocol: 'UDP' })],
    [
      'one host port',
      ports({ ...port, hostPort: 1 }, { ...port, hostPort: 1 }),
      [`FieldValueDuplicate ${p}[1].hostPort`],
    ],
    ['one port on two addresses', ports({ ...port, hostPort: 1 }, { ...port, hostPort: 1, hostIP: '127.0.0.1' })],
    [
      'another port on the host network',
      { ...ports({ ...port, hostPort: 81 }), spec: { hostNetwork: true } },
      [`FieldValueInvalid ${p}[0].hostPort`],
    ],
    ['the same port on the host network', { ...ports(port), spec: { hostNetwork: true } }],
  ]);
});

t.test('probes', async (t) => {
  const tcpSocket = { port: 80 };
  const live = (livenessProbe: unknown): Manifest => ({ container: { livenessProbe } });
  const l = `${c}.livenessProbe`;
  checkVerdicts(t, [
    ['a probe', live({ tcpSocket })],
    ['a named port', live({ tcpSocket: { port: 'http' } })],
    ['a bad port name', live({ tcpSocket: { port: 'a_b' } }), [`FieldValueInvalid ${l}.tcpSocket.port`]],
    ['port 0', live({ tcpSocket: { port: 0 } }), [`FieldValueInvalid ${l}.tcpSocket.port`]],
    ['no handler', live({}), [`FieldValueRequired ${l}`]],
    ['two handlers', live({ exec: { command: ['a'] }, tcpSocket }), [`FieldValueForbidden ${l}.tcpSocket`]],
    ['a command', live({ exec: {} }), [`FieldValueRequired ${l}.exec.command`]],
    ['gRPC', live({ grpc: { port: 1 } })],
    ['gRPC on no port', live({ grpc: { port: 0 } }), [`FieldValueInvalid ${l}.grpc.port`]],
    ['HTTP', live({ httpGet: { port: 80, httpHeaders: [{ name: 'X-A', value: 'b' }] } })],
    ['an HTTP scheme', live({ httpGet: { port: 80, scheme: 'http' } }), [`FieldValueNotSupported ${l}.httpGet.scheme`]],
    [
      'an HTTP header',
      live({ httpGet: { port: 80, httpHeaders: [{ name: 'X_A', value: '' }] } }),
      [`FieldValueInvalid ${l}.httpGet.httpHeaders`],
    ],
    ['an empty path', live({ httpGet: { port: 80, path: '' } })],
    [
      'negative times',
      live({ tcpSocket, initialDelaySeconds: -1, timeoutSeconds: -1, periodSeconds: -1 }),
      [
        `FieldValueInvalid ${l}.initialDelaySeconds`,
        `FieldValueInvalid ${l}.periodSeconds`,
        `FieldValueInvalid ${l}.timeoutSeconds`,
      ],
    ],
    ['a negative threshold', live({ tcpSocket, failureThreshold: -1 }), [`FieldValueInvalid ${l}.failureThreshold`]],
    ['two successes', live({ tcpSocket, successThreshold: 2 }), [`FieldValueInvalid ${l}.successThreshold`]],
    [
      'two successes at the start',
      { container: { startupProbe: { tcpSocket, successThreshold: 2 } } },
      [`FieldValueInvalid ${c}.startupProbe.successThreshold`],
    ],
    ['two successes until it is ready', { container: { readinessProbe: { tcpSocket, successThreshold: 2 } } }],
    [
      'no grace',
      live({ tcpSocket, terminationGracePeriodSeconds: 0 }),
      [`FieldValueInvalid ${l}.terminationGracePeriodSeconds`],
    ],
    [
      'grace of a readiness probe',
      { container: { readinessProbe: { tcpSocket, terminationGracePeriodSeconds: 1 } } },
      [`FieldValueInvalid ${c}.readinessProbe.terminationGracePeriodSeconds`],
    ],
  ]);
});

t.test('hooks', async (t) => {
  const hook = (preStop: unknown): Manifest => ({ container: { lifecycle: { preStop } } });
  const h = `${c}.lifecycle.preStop`;
  checkVerdicts(t, [
    ['a hook', hook({ exec: { command: ['a'] } })],
    ['no handler', hook({}), [`FieldValueRequired ${h}`]],
    ['sleep', hook({ sleep: { seconds: 30 } })],
    ['no sleep', hook({ sleep: { seconds: 0 } })],
    ['too much sleep', hook({ sleep: { seconds: 31 } }), [`FieldValueInvalid ${h}.sleep`]],
    ['sleep backwards', hook({ sleep: { seconds: -1 } }), [`FieldValueInvalid ${h}.sleep`]],
    ['two handlers', hook({ tcpSocket: { port: 1 }, sleep: { seconds: 1 } }), [`FieldValueForbidden ${h}.sleep`]],
    [
      'after the start',
      { container: { lifecycle: { postStart: { tcpSocket: { port: 0 } } } } },
      [`FieldValueInvalid ${c}.lifecycle.postStart.tcpSocket.port`],
    ],
  ]);
});

t.test('restart policies of containers', async (t) => {
  const rule = { action: 'Restart', exitCodes: { operator: 'In', values: [1] } };
  const rules = (list: unknown[], restartPolicy = 'Never'): Manifest => ({
    container: { restartPolicy, restartPolicyRules: list },
  });
  const r = `${c}.restartPolicyRules`;
  checkVerdicts(t, [
    ['a policy', { container: { restartPolicy: 'Always' } }],
    ['an unknown policy', { container: { restartPolicy: 'x' } }, [`FieldValueNotSupported ${c}.restartPolicy`]],
    ['a rule', rules([rule])],
    [
      'rules without a policy',
      { container: { restartPolicyRules: [rule] } },
      [`FieldValueRequired ${c}.restartPolicy`],
    ],
    [
      'bad rules without a policy',
      { container: { restartPolicyRules: [{}] } },
      [
        `FieldValueRequired ${c}.restartPolicy`,
        `FieldValueNotSupported ${r}[0].action`,
        `FieldValueRequired ${r}[0].exitCodes`,
      ],
    ],
    [
      'bad rules of an init container without a policy',
      { spec: { initContainers: [{ name: 'i', image: 'x', restartPolicyRules: [{}] }] } },
      ['FieldValueRequired spec.initContainers[0].restartPolicy'],
    ],
    ['20 rules', rules(new Array(20).fill(rule))],
    ['21 rules', rules(new Array(21).fill(rule)), [`FieldValueTooMany ${r}`]],
    ['an action', rules([{ ...rule, action: 'x' }]), [`FieldValueNotSupported ${r}[0].action`]],
    ['no exit codes', rules([{ action: 'Restart' }]), [`FieldValueRequired ${r}[0].exitCodes`]],
    [
      'an operator',
      rules([{ ...rule, exitCodes: { operator: 'x', values: [1] } }]),
      [`FieldValueNotSupported ${r}[0].exitCodes.operator`],
    ],
    [
      'more exit codes than there are',
      rules([{ ...rule, exitCodes: { operator: 'In', values: Array.from({ length: 256 }, (_, code) => code) } }]),
      [`FieldValueTooMany ${r}[0].exitCodes.values`],
    ],
  ]);
});

t.test('what happens when resources change', async (t) => {
  const resize = (policies: unknown[], spec = {}): Manifest => ({ container: { resizePolicy: policies }, spec });
  const init = (fields: object): Manifest => ({ spec: { initContainers: [{ name: 'i', image: 'x', ...fields }] } });
  const cpu = { resourceName: 'cpu', restartPolicy: 'RestartContainer' };
  const p = `${c}.resizePolicy`;
  checkVerdicts(t, [
    ['a policy', resize([cpu, { resourceName: 'memory', restartPolicy: 'NotRequired' }])],
    ['one resource twice', resize([cpu, cpu]), [`FieldValueDuplicate ${p}[1]`]],
    ['another resource', resize([{ ...cpu, resourceName: 'storage' }]), [`FieldValueNotSupported ${p}`]],
    ['another policy', resize([{ ...cpu, restartPolicy: 'x' }]), [`FieldValueNotSupported ${p}`]],
    ['no policy', resize([{ ...cpu, restartPolicy: '' }]), [`FieldValueRequired ${p}`]],
    ['a sidecar', init({ restartPolicy: 'Always', resizePolicy: [cpu] })],
    ['an init container', init({ resizePolicy: [{ ...cpu, restartPolicy: 'NotRequired' }] })],
    [
      'a restart of an init container',
      init({
        resizePolicy: [
          { ...cpu, restartPolicy: 'NotRequired' },
          { ...cpu, resourceName: 'memory' },
        ],
      }),
      ['FieldValueInvalid spec.initContainers[0].resizePolicy[1].restartPolicy'],
    ],
    ['a restart where there is none', resize([cpu], { restartPolicy: 'Never' }), [`FieldValueInvalid ${p}`]],
  ]);
});

t.test('init containers', async (t) => {
  const init = (...initContainers: object[]): Manifest => ({
    spec: { initContainers: initContainers.map((fields, index) => ({ name: `i${index}`, image: 'x', ...fields })) },
  });
  const i = 'spec.initContainers[0]';
  const probe = { tcpSocket: { port: 80 } };
  const port = { containerPort: 80, hostPort: 80 };
  checkVerdicts(t, [
    ['two of them', init({}, {})],
    ['a bad one', init({ name: 'A', image: ' x' }), [`FieldValueInvalid ${i}.name`, `FieldValueInvalid ${i}.image`]],
    ['a sidecar with a probe', init({ restartPolicy: 'Always', startupProbe: probe })],
    [
      'a sidecar with a bad probe',
      init({ restartPolicy: 'Always', startupProbe: {} }),
      [`FieldValueRequired ${i}.startupProbe`],
    ],
    ['a probe', init({ readinessProbe: probe }), [`FieldValueForbidden ${i}.readinessProbe`]],
    [
      'a probe of one that is not started again',
      init({ restartPolicy: 'Never', livenessProbe: probe }),
      [`FieldValueForbidden ${i}.livenessProbe`],
    ],
    ['hooks', init({ lifecycle: {} }), [`FieldValueForbidden ${i}.lifecycle`]],
    ['a restart policy', init({ restartPolicy: 'x' }), [`FieldValueNotSupported ${i}.restartPolicy`]],
    ['one host port for both', init({ ports: [port] }, { ports: [port] })],
    ['one host port twice', init({ ports: [port, port] }), [`FieldValueDuplicate ${i}.ports[1].hostPort`]],
  ]);
});

t.test('ephemeral containers', async (t) => {
  const spec = 'spec.ephemeralContainers';
  const verdict = (fields: object) => {
    const pod = preparedPod(manifest({ spec: { ephemeralContainers: [{ name: 'debug', image: 'x', ...fields }] } }));
    return shown(validatePodCreate(pod, { allowPrivileged: false })).filter(
      (line) => line !== `FieldValueForbidden ${spec}`,
    );
  };
  const cases: [what: string, fields: object, want: string[]][] = [
    ['one to debug another', { targetContainerName: 'app' }, []],
    ['one to debug nobody', { targetContainerName: 'x' }, [`FieldValueNotFound ${spec}[0].targetContainerName`]],
    ['a name that is taken', { name: 'app' }, [`FieldValueDuplicate ${spec}[0].name`]],
    ['ports', { ports: [{ containerPort: 1 }] }, [`FieldValueForbidden ${spec}[0].ports`]],
    ['resources', { resources: { limits: { cpu: '1' } } }, [`FieldValueForbidden ${spec}[0].resources`]],
    ['a probe', { livenessProbe: { exec: { command: ['a'] } } }, [`FieldValueForbidden ${spec}[0].livenessProbe`]],
    ['hooks', { lifecycle: {} }, [`FieldValueForbidden ${spec}[0].lifecycle`]],
    ['a restart policy', { restartPolicy: 'Always' }, [`FieldValueForbidden ${spec}[0].restartPolicy`]],
    [
      'part of a volume',
      { volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'a' }] },
      [`FieldValueForbidden ${spec}[0].volumeMounts[0].subPath`, `FieldValueNotFound ${spec}[0].volumeMounts[0].name`],
    ],
    ['spaces', { image: 'x ' }, [`FieldValueInvalid ${spec}[0].image`]],
  ];
  for (const [what, fields, want] of cases) t.same(verdict(fields), want, what);
  t.same(
    shown(
      validatePodCreate(preparedPod(manifest({ spec: { ephemeralContainers: [{ name: 'a', image: 'x' }] } })), {
        allowPrivileged: true,
      }),
    ),
    [`FieldValueForbidden ${spec}`],
    'a new pod has none',
  );
});
