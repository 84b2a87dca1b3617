import t from 'tap';
import { podKind } from '../../../src/api/kinds.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { applyPodDefaults } from '../../../src/api/pod-defaults.ts';
import { checkStructure } from '../../../src/api/structural.ts';
import { type Manifest, manifest } from './pod-fixture.ts';

function withDefaults(parts: Manifest): Pod {
  const { object } = checkStructure<Pod>(podKind, manifest(parts), { fieldValidation: 'Strict' });
  applyPodDefaults(object);
  return object;
}

/** As JSON, without the prototypes. */
function json(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

t.test('a pod that says nothing', async (t) => {
  t.same(json(withDefaults({}).spec), {
    containers: [
      {
        name: 'app',
        image: 'busybox:1.36',
        imagePullPolicy: 'IfNotPresent',
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        resources: {},
      },
    ],
    dnsPolicy: 'ClusterFirst',
    enableServiceLinks: true,
    restartPolicy: 'Always',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
  });
});

t.test('what a pod says stays', async (t) => {
  const spec = {
    dnsPolicy: 'Default',
    enableServiceLinks: false,
    restartPolicy: 'Never',
    schedulerName: 'mine',
    terminationGracePeriodSeconds: 0,
  };
  t.match(json(withDefaults({ spec }).spec), spec);
});

t.test('a second time changes nothing', async (t) => {
  const pod = withDefaults({
    container: {
      resources: { limits: { cpu: '1' } },
      ports: [{ containerPort: 80 }],
      readinessProbe: { httpGet: { port: 80 } },
      env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    },
    spec: {
      hostNetwork: true,
      resources: { limits: { cpu: '2' } },
      volumes: [{ name: 'a' }, { name: 'b', secret: {} }],
    },
  });
  const once = json(pod);
  applyPodDefaults(pod);
  t.same(json(pod), once);
});

t.test('images without a tag are pulled always', async (t) => {
  const policies: Record<string, string> = {
    busybox: 'Always',
    'busybox:latest': 'Always',
    'busybox:1.36': 'IfNotPresent',
    'registry.example.com:5000/a/b': 'Always',
    'registry.example.com:5000/a/b:v1': 'IfNotPresent',
    [`busybox@sha256:${'0'.repeat(64)}`]: 'IfNotPresent',
    [`busybox:latest@sha256:${'0'.repeat(64)}`]: 'Always',
    'not an image': 'IfNotPresent',
    '': 'IfNotPresent',
  };
  for (const [image, policy] of Object.entries(policies)) {
    t.equal(withDefaults({ container: { image } }).spec.containers[0]?.imagePullPolicy, policy, image);
    const volumes = [{ name: 'v', image: { reference: image } }];
    t.equal(withDefaults({ spec: { volumes } }).spec.volumes?.[0]?.image?.pullPolicy, policy, `volume of ${image}`);
  }
});

t.test('fields of containers', async (t) => {
  const cases: [what: string, parts: Manifest, want: object][] = [
    [
      'protocols',
      { container: { ports: [{ containerPort: 80 }] } },
      { ports: [{ containerPort: 80, protocol: 'TCP' }] },
    ],
    [
      'host ports on the host network',
      { container: { ports: [{ containerPort: 80 }] }, spec: { hostNetwork: true } },
      { ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }] },
    ],
    [
      'requests follow limits',
      { container: { resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } } } },
      { resources: { requests: { cpu: '500m', memory: '1Gi' } } },
    ],
    [
      'amounts below a thousandth are rounded up',
      { container: { resources: { requests: { cpu: '1100u', memory: '100m' } } } },
      { resources: { requests: { cpu: '2m', memory: '100m' } } },
    ],
    [
      'probes',
      { container: { livenessProbe: { httpGet: { port: 80 } } } },
      {
        livenessProbe: {
          httpGet: { path: '/', port: 80, scheme: 'HTTP' },
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3,
        },
      },
    ],
    [
      'gRPC',
      { container: { livenessProbe: { grpc: { port: 80 } } } },
      { livenessProbe: { grpc: { port: 80, service: '' } } },
    ],
    [
      'hooks',
      { container: { lifecycle: { preStop: { httpGet: { port: 80 } } } } },
      { lifecycle: { preStop: { httpGet: { path: '/', port: 80, scheme: 'HTTP' } } } },
    ],
    [
      'fields in variables',
      { container: { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] } },
      { env: [{ valueFrom: { fieldRef: { apiVersion: 'v1' } } }] },
    ],
  ];
  for (const [what, parts, want] of cases) t.match(json(withDefaults(parts).spec.containers[0]), want, what);
});

t.test('init containers get what containers get', async (t) => {
  const initContainers = [{ name: 'init', image: 'busybox', resources: { limits: { cpu: '1' } } }];
  t.match(json(withDefaults({ spec: { initContainers } }).spec.initContainers), [
    { imagePullPolicy: 'Always', resources: { requests: { cpu: '1' } }, terminationMessagePolicy: 'File' },
  ]);
});

t.test('volumes', async (t) => {
  const cases: [source: object, want: object][] = [
    [{}, { emptyDir: {} }],
    [{ hostPath: { path: '/a' } }, { hostPath: { path: '/a', type: '' } }],
    [{ secret: { secretName: 's' } }, { secret: { defaultMode: 0o644 } }],
    [{ configMap: { name: 'c' } }, { configMap: { defaultMode: 0o644 } }],
    [{ configMap: { name: 'c', defaultMode: 0 } }, { configMap: { defaultMode: 0 } }],
    [
      { downwardAPI: { items: [{ path: 'a', fieldRef: { fieldPath: 'metadata.name' } }] } },
      { downwardAPI: { defaultMode: 0o644, items: [{ fieldRef: { apiVersion: 'v1' } }] } },
    ],
    [
      { projected: { sources: [{ serviceAccountToken: { path: 'a' } }] } },
      { projected: { defaultMode: 0o644, sources: [{ serviceAccountToken: { expirationSeconds: 3600 } }] } },
    ],
    [{ iscsi: { targetPortal: 'a', iqn: 'b', lun: 0 } }, { iscsi: { iscsiInterface: 'default', lun: 0 } }],
    [{ rbd: { monitors: ['a'], image: 'b' } }, { rbd: { pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' } }],
    [
      { azureDisk: { diskName: 'a', diskURI: 'b' } },
      { azureDisk: { cachingMode: 'ReadWrite', kind: 'Shared', fsType: 'ext4', readOnly: false } },
    ],
    [
      { scaleIO: { gateway: 'a', system: 'b', volumeName: 'c', secretRef: { name: 's' } } },
      { scaleIO: { storageMode: 'ThinProvisioned', fsType: 'xfs' } },
    ],
    [
      { ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'] } } } },
      { ephemeral: { volumeClaimTemplate: { spec: { volumeMode: 'Filesystem' } } } },
    ],
  ];
  for (const [source, want] of cases) {
    const pod = withDefaults({ spec: { volumes: [{ name: 'v', ...source }] } });
    t.match(json(pod.spec.volumes?.[0]), want, Object.keys(source).join() || 'none');
  }
});

t.test('resources of the whole pod', async (t) => {
  const pod = withDefaults({
    spec: { resources: { limits: { cpu: '2', memory: '1Gi' } } },
    container: { resources: { requests: { cpu: '500m' } } },
  });
  t.same(json(pod.spec.resources), {
    limits: { cpu: '2', memory: '1Gi' },
    requests: { cpu: '500m', memory: '1Gi' },
  });
  t.same(json(withDefaults({ spec: { resources: {} } }).spec.resources), {}, 'nothing follows from nothing');
  const paged = withDefaults({
    spec: { resources: { requests: { cpu: '1' } } },
    container: { resources: { limits: { 'hugepages-2Mi': '2Mi' } } },
  });
  t.same(
    json(paged.spec.resources),
    { limits: { 'hugepages-2Mi': '2Mi' }, requests: { cpu: '1', 'hugepages-2Mi': '2Mi' } },
    'huge pages come from the containers',
  );
});

t.test('both names of the account say the same', async (t) => {
  for (const field of ['serviceAccount', 'serviceAccountName']) {
    t.match(withDefaults({ spec: { [field]: 'a' } }).spec, { serviceAccount: 'a', serviceAccountName: 'a' }, field);
  }
});

t.test('a new pod', async (t) => {
  const created = (parts: Manifest) => {
    const { object } = checkStructure<Pod>(podKind, manifest(parts), { fieldValidation: 'Strict' });
    podKind.prepareForCreate(object);
    return object;
  };
  const pod = created({ metadata: { generation: 7 }, spec: { priorityClassName: 'system-node-critical' } });
  t.equal(pod.metadata.generation, 1, 'starts with the first generation');
  t.same(pod.status, { phase: 'Pending', qosClass: 'BestEffort' }, 'has no status but the first');

  const term = { topologyKey: 'zone', labelSelector: {}, matchLabelKeys: ['app'], mismatchLabelKeys: ['tier', 'none'] };
  const spread = {
    maxSkew: 1,
    topologyKey: 'a',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: {},
    matchLabelKeys: ['app'],
  };
  const keyed = created({
    metadata: { labels: { app: 'web', tier: 'front' } },
    spec: {
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [term],
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }],
        },
      },
      topologySpreadConstraints: [spread],
    },
  });
  const both = [
    { key: 'app', operator: 'In', values: ['web'] },
    { key: 'tier', operator: 'NotIn', values: ['front'] },
  ];
  const affinity = keyed.spec.affinity?.podAffinity;
  const required = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.[0];
  const preferred = affinity?.preferredDuringSchedulingIgnoredDuringExecution?.[0]?.podAffinityTerm;
  t.same(required?.labelSelector?.matchExpressions, both, 'selects by its own labels');
  t.same(preferred?.labelSelector?.matchExpressions, both);
  t.same(keyed.spec.topologySpreadConstraints?.[0]?.labelSelector?.matchExpressions, both.slice(0, 1));

  const annotation = 'container.apparmor.security.beta.kubernetes.io/app';
  const confined = created({ metadata: { annotations: { [annotation]: 'localhost/mine' } } });
  t.same(
    confined.spec.containers[0]?.securityContext?.appArmorProfile,
    { type: 'Localhost', localhostProfile: 'mine' },
    'has fields instead of annotations',
  );
});
