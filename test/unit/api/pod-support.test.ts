import t from 'tap';
import { formatFieldError } from '../../../src/api/field-error.ts';
import { podKind } from '../../../src/api/kinds.ts';
import { createPodKind } from '../../../src/api/pod-kind.ts';
import { validatePodSupport } from '../../../src/api/pod-support.ts';
import { type Manifest, manifest, preparedPod, shown } from './pod-fixture.ts';

const c = 'spec.containers[0]';

function refused(parts: Manifest, hasAppArmor = false, hasSELinux = false): string[] {
  return shown(validatePodSupport(preparedPod(manifest(parts)), { hasAppArmor, hasSELinux }));
}

t.test('what works', async (t) => {
  const taken: Record<string, Manifest> = {
    'a plain pod': {},
    'programs and variables': {
      container: {
        command: ['sh', '-c'],
        args: ['true'],
        workingDir: '/tmp',
        stdin: true,
        tty: true,
        env: [
          { name: 'A', value: 'b' },
          { name: 'B', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          { name: 'C', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
          { name: 'D', valueFrom: { configMapKeyRef: { name: 'a', key: 'b' } } },
          { name: 'E', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } },
        ],
        envFrom: [{ configMapRef: { name: 'a' } }, { secretRef: { name: 'a' } }],
      },
    },
    'resources of containers and pods': {
      container: { resources: { limits: { cpu: '1', memory: '1Gi' } } },
      spec: { resources: { limits: { cpu: '2' } } },
    },
    probes: {
      container: {
        startupProbe: { exec: { command: ['true'] }, failureThreshold: 30, terminationGracePeriodSeconds: 1 },
        livenessProbe: { grpc: { port: 50051, service: 'db' } },
        readinessProbe: {
          httpGet: { port: 'http', scheme: 'HTTPS', host: 'a', httpHeaders: [{ name: 'A', value: 'b' }] },
        },
      },
    },
    'asking nothing of a host without AppArmor and SELinux': {
      container: { securityContext: { appArmorProfile: { type: 'Unconfined' }, seLinuxOptions: {} } },
      spec: { securityContext: { appArmorProfile: { type: 'Unconfined' }, seLinuxOptions: { level: '' } } },
    },
    'asking nothing of Windows': {
      container: { securityContext: { windowsOptions: {} } },
      spec: { securityContext: { windowsOptions: { hostProcess: false } } },
    },
    'requests and limits of storage': {
      container: { resources: { requests: { 'ephemeral-storage': '1Gi' }, limits: { 'ephemeral-storage': '2Gi' } } },
    },
    volumes: {
      spec: {
        serviceAccountName: 'mine',
        volumes: [
          { name: 'a' },
          { name: 'b', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
          { name: 'sized', emptyDir: { sizeLimit: '1Gi' } },
          { name: 'c', hostPath: { path: '/a', type: 'Directory' } },
          { name: 'd', configMap: { name: 'a' } },
          { name: 't', projected: { sources: [{ serviceAccountToken: { path: 'a' } }] } },
          { name: 'e', secret: { secretName: 'a' } },
          { name: 'files', image: { reference: 'a' } },
          { name: 'far', nfs: { server: 'a', path: '/a' } },
          { name: 'f', downwardAPI: { items: [{ path: 'a', fieldRef: { fieldPath: 'metadata.labels' } }] } },
          { name: 'g', projected: { sources: [{ secret: { name: 'a' } }, { configMap: { name: 'a' } }] } },
        ],
      },
      container: {
        volumeMounts: [
          { name: 'a', mountPath: '/a', readOnly: true, recursiveReadOnly: 'IfPossible' },
          { name: 'c', mountPath: '/c', mountPropagation: 'HostToContainer' },
        ],
      },
    },
    security: {
      container: {
        securityContext: {
          runAsUser: 1,
          runAsGroup: 1,
          runAsNonRoot: true,
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
          procMount: 'Default',
        },
      },
      spec: {
        securityContext: {
          runAsUser: 1,
          supplementalGroups: [1],
          supplementalGroupsPolicy: 'Merge',
          seccompProfile: { type: 'Unconfined' },
        },
      },
    },
    'names and networks': {
      spec: {
        hostname: 'a',
        subdomain: 'b',
        setHostnameAsFQDN: true,
        hostAliases: [{ ip: '127.0.0.1', hostnames: ['x'] }],
        dnsPolicy: 'None',
        dnsConfig: { nameservers: ['1.1.1.1'] },
      },
    },
    'namespaces of the host': { spec: { hostNetwork: true, hostPID: true, hostIPC: true, hostUsers: true } },
    'init containers, sidecars, and rules for ends': {
      spec: {
        initContainers: [
          { name: 'init', image: 'x' },
          { name: 'side', image: 'x', restartPolicy: 'Always' },
        ],
        activeDeadlineSeconds: 5,
      },
      container: {
        restartPolicy: 'Never',
        restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
      },
    },
    placement: {
      spec: {
        nodeSelector: { a: 'b' },
        tolerations: [{ operator: 'Exists' }],
        priorityClassName: 'system-node-critical',
      },
    },
    'what manifests often say': {
      spec: {
        serviceAccountName: 'mine',
        automountServiceAccountToken: false,
        enableServiceLinks: true,
        os: { name: 'linux' },
        shareProcessNamespace: true,
      },
    },
  };
  for (const [what, parts] of Object.entries(taken)) {
    t.same(refused(parts), [], what);
    t.same(shown(podKind.validateCreate(preparedPod(manifest(parts)))), [], `${what}: valid as well`);
  }
});

t.test('every field that would be ignored is refused by its name', async (t) => {
  const container = (path: string, fields: Record<string, unknown>): [string, Manifest] => [
    `${c}.${path}`,
    { container: fields },
  ];
  const spec = (path: string, fields: Record<string, unknown>): [string, Manifest] => [
    `spec.${path}`,
    { spec: fields },
  ];
  const volume = (kind: string, source: object): [string, Manifest] =>
    spec(`volumes[0].${kind}`, { volumes: [{ name: 'v', [kind]: source }] });
  const security = (path: string, value: unknown, field = path.split('.')[0] ?? ''): [string, Manifest][] => [
    container(`securityContext.${path}`, { securityContext: { [field]: value } }),
  ];
  const podSecurity = (path: string, value: unknown, field = path.split('.')[0] ?? ''): [string, Manifest][] => [
    spec(`securityContext.${path}`, { securityContext: { [field]: value } }),
  ];
  const cases: [string, Manifest][] = [
    spec('initContainers[0].volumeDevices', {
      initContainers: [{ name: 'init', image: 'x', volumeDevices: [{ name: 'v', devicePath: '/dev/v' }] }],
    }),
    container('lifecycle.stopSignal', { lifecycle: { stopSignal: 'SIGNONE' } }),
    container('volumeDevices', { volumeDevices: [{ name: 'v', devicePath: '/dev/v' }] }),
    container('resources.claims', { resources: { claims: [{ name: 'gpu' }] } }),
    container('resources.limits[example.com/gpu]', { resources: { limits: { 'example.com/gpu': '1' } } }),
    ...security('appArmorProfile.type', { type: 'RuntimeDefault' }),
    ...security('seccompProfile.localhostProfile', { type: 'Localhost', localhostProfile: '' }),
    ...security('seLinuxOptions', { level: 'a' }),
    ...security('windowsOptions', { runAsUserName: 'a' }),
    spec('volumes[0].projected.sources[0].clusterTrustBundle', {
      volumes: [{ name: 'v', projected: { sources: [{ clusterTrustBundle: { name: 'a', path: 'b' } }] } }],
    }),
    volume('csi', { driver: 'a' }),
    spec('volumes[0].emptyDir.medium', { volumes: [{ name: 'v', emptyDir: { medium: 'Tape' } }] }),
    spec('os.name', { os: { name: 'windows' } }),
    spec('resourceClaims', { resourceClaims: [{ name: 'a', resourceClaimName: 'b' }] }),
    ...podSecurity('appArmorProfile.type', { type: 'Localhost', localhostProfile: 'a' }),
    ...podSecurity('seccompProfile.localhostProfile', { type: 'Localhost', localhostProfile: '' }),
    ...podSecurity('seLinuxChangePolicy', 'Recursive'),
    ...podSecurity('seLinuxOptions', { level: 'a' }),
    ...podSecurity('windowsOptions', { runAsUserName: 'a' }),
  ];
  for (const [path, parts] of cases) t.same(refused(parts), [`FieldValueForbidden ${path}`], path);
});

t.test('annotations of our own that would have no effect', async (t) => {
  const annotated = (name: string, value: string) => {
    const pod = preparedPod(manifest({}));
    pod.metadata.annotations = { [`mini-kubelet.io/${name}`]: value };
    return shown(validatePodSupport(pod, { hasAppArmor: false, hasSELinux: false }));
  };
  for (const [name, value] of [
    ['crash-loop-max-seconds', '0'],
    ['crash-loop-max-seconds', '301'],
    ['crash-loop-max-seconds', '1m'],
    ['atomic-start', 'yes'],
    ['atomic-start-grace-seconds', '-1'],
    ['crash-loop-max-second', '10'],
  ] as const) {
    t.same(annotated(name, value), [`FieldValueInvalid metadata.annotations[mini-kubelet.io/${name}]`], value);
  }
  for (const value of ['1', '60', '300']) t.same(annotated('crash-loop-max-seconds', value), []);
  t.same(annotated('atomic-start', 'true'), []);
});

t.test('the reason is told', async (t) => {
  const pod = preparedPod(manifest({ spec: { resourceClaims: [{ name: 'a', resourceClaimName: 'b' }] } }));
  t.match(podKind.validateCreate(pod).map(formatFieldError), [
    'spec.resourceClaims: Forbidden: not supported by mini-kubelet yet',
  ]);
});

t.test('texts that would not reach the program as they are', async (t) => {
  const cases: [string, Manifest][] = [
    [`${c}.command[0]`, { container: { command: ['a\0b'] } }],
    [`${c}.args[1]`, { container: { args: ['a', '\0'] } }],
    [`${c}.env[0].value`, { container: { env: [{ name: 'A', value: '\0' }] } }],
    [`${c}.livenessProbe.exec.command[0]`, { container: { livenessProbe: { exec: { command: ['\0'] } } } }],
    [`${c}.workingDir`, { container: { workingDir: '/\0' } }],
    [`${c}.terminationMessagePath`, { container: { terminationMessagePath: '/\0' } }],
    [`${c}.volumeMounts[0].mountPath`, { container: { volumeMounts: [{ name: 'v', mountPath: '/\0' }] } }],
    [`${c}.ports[0].hostIP`, { container: { ports: [{ containerPort: 1, hostPort: 1, hostIP: 'localhost' }] } }],
    ['spec.volumes[0].hostPath.path', { spec: { volumes: [{ name: 'v', hostPath: { path: '/\0' } }] } }],
    ['spec.volumes[0].hostPath.path', { spec: { volumes: [{ name: 'v', hostPath: { path: 'a' } }] } }],
  ];
  for (const [path, parts] of cases) t.same(refused(parts), [`FieldValueInvalid ${path}`], path);
});

t.test('AppArmor where the host has it', async (t) => {
  const profile = (type: string): Manifest => ({
    container: {
      securityContext: { appArmorProfile: { type, ...(type === 'Localhost' && { localhostProfile: 'a' }) } },
    },
  });
  t.same(refused(profile('RuntimeDefault'), true), []);
  t.same(refused(profile('Unconfined'), true), []);
  t.same(refused(profile('Localhost'), true), []);
});

t.test('SELinux where the host has it', async (t) => {
  const asking: Manifest = {
    spec: { securityContext: { seLinuxOptions: { level: 'a' }, seLinuxChangePolicy: 'Recursive' } },
  };
  t.same(refused(asking), [
    'FieldValueForbidden spec.securityContext.seLinuxChangePolicy',
    'FieldValueForbidden spec.securityContext.seLinuxOptions',
  ]);
  t.same(refused(asking, false, true), []);
});

t.test('privileged containers where they are allowed', async (t) => {
  const pod = preparedPod(manifest({ container: { securityContext: { privileged: true } } }));
  t.same(createPodKind({ allowPrivileged: true, hasAppArmor: false, hasSELinux: false }).validateCreate(pod), []);
  t.same(shown(podKind.validateCreate(pod)), [`FieldValueForbidden ${c}.securityContext.privileged`]);
});
