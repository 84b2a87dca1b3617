import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { securityViolations } from '../../../src/api/pod-security/evaluate.ts';
import type { SecurityLevel } from '../../../src/api/pod-security/policy.ts';

/**
 * What Kubernetes' own tests of Pod Security admission refuse and allow (its fixture generators, up to version 1.35), as
 * changes to a pod that is good for the level. Each of a container is tried in each list of containers too.
 */

type Fields = Readonly<Record<string, unknown>>;
interface Change {
  /** Fields of the pod's spec. */
  readonly spec?: Fields;
  /** Fields of the pod's security context. */
  readonly context?: Fields;
  /** Fields of one container, and of its security context. */
  readonly container?: Fields;
  readonly containerContext?: Fields;
  readonly annotations?: Readonly<Record<string, string>>;
}
type List = 'containers' | 'initContainers' | 'ephemeralContainers';
const lists = ['containers', 'initContainers', 'ephemeralContainers'] as const;

const hardened = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
const hardenedPod = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };

/** The least pod of a level with a container in each list, one of which is changed. */
function pod(level: SecurityLevel, change: Change, changed: List = 'containers'): Pod {
  const isHard = level === 'restricted';
  const container = (list: List) => {
    const { containerContext = {}, container: fields = {} } = list === changed ? change : {};
    return { name: list, image: 'i', securityContext: { ...(isHard ? hardened : {}), ...containerContext }, ...fields };
  };
  const spec = {
    ...Object.fromEntries(lists.map((list) => [list, [container(list)]])),
    securityContext: { ...(isHard ? hardenedPod : {}), ...change.context },
    ...change.spec,
  };
  const annotations = Object.entries(change.annotations ?? {}).map(([key, value]) => [`${key}${changed}`, value]);
  const metadata = { name: 'p', annotations: Object.fromEntries(annotations) };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec } as unknown as Pod;
}

const reasons = (subject: Pod, level: SecurityLevel, version: number | 'latest' = 35) =>
  securityViolations(subject, { level, version }).map(({ reason }) => reason);

const selinux = (options: Fields) => ({ seLinuxOptions: options });
const unconfined = { seccompProfile: { type: 'Unconfined' } };
const hostProcess = { windowsOptions: { hostProcess: true } };
const add = (...names: string[]) => ({ capabilities: { drop: ['ALL'], add: names } });
const ports = (...hostPorts: (number | undefined)[]) => ({
  ports: hostPorts.map((hostPort, at) => ({ containerPort: 12345 + at, ...(hostPort ? { hostPort } : {}) })),
});
const hostPath = (...paths: string[]) => paths.map((path, at) => ({ name: `v${at}`, hostPath: { path } }));
const appArmor = 'container.apparmor.security.beta.kubernetes.io/';

/** Refused by baseline, and so by restricted. */
const baselineFails: readonly [reason: string, ...changes: Change[]][] = [
  ['forbidden AppArmor profile', { annotations: { [appArmor]: 'unconfined' } }],
  ['non-default capabilities', ...['NET_RAW', 'chown', 'CAP_CHOWN'].map((cap) => ({ containerContext: add(cap) }))],
  ['host namespaces', ...['hostIPC', 'hostNetwork', 'hostPID'].map((field) => ({ spec: { [field]: true } }))],
  [
    'hostPath volumes',
    { spec: { volumes: [{ name: 'e', emptyDir: {} }, ...hostPath('/a')] } },
    { spec: { volumes: hostPath('/a', '/b') } },
  ],
  ['hostPort', { container: ports(12345) }, { container: ports(12345, undefined) }],
  [
    'probe or lifecycle host',
    ...['bad.host', '8.8.8.8', '127.0.0.1', '::1'].flatMap((host) => [
      ...['livenessProbe', 'readinessProbe', 'startupProbe'].flatMap((probe) => [
        { container: { [probe]: { httpGet: { host, port: 8080 } } } },
        { container: { [probe]: { tcpSocket: { host, port: 8080 } } } },
      ]),
      ...['postStart', 'preStop'].map((hook) => ({
        container: { lifecycle: { [hook]: { httpGet: { host, port: 1 } } } },
      })),
    ]),
  ],
  ['privileged', { containerContext: { privileged: true, allowPrivilegeEscalation: undefined } }],
  ['procMount', { containerContext: { procMount: 'Unmasked' }, spec: { hostUsers: true } }],
  [
    'seLinuxOptions',
    ...['type', 'user', 'role'].flatMap((field) => [
      { context: selinux({ [field]: 'somevalue' }) },
      { containerContext: selinux({ [field]: 'somevalue' }) },
    ]),
  ],
  ['seccompProfile', { context: unconfined }, { containerContext: unconfined }],
  ['forbidden sysctls', { context: { sysctls: [{ name: 'othersysctl', value: 'other' }] } }],
  [
    'hostProcess',
    { spec: { hostNetwork: true }, context: hostProcess },
    { spec: { hostNetwork: true }, containerContext: hostProcess },
  ],
];

const named = 'awsElasticBlockStore azureDisk azureFile cephfs cinder fc flexVolume flocker gcePersistentDisk gitRepo';
const networked = 'glusterfs iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume';
const everyCapability = 'SYS_ADMIN SYS_TIME SYS_MODULE MKNOD NET_ADMIN CHOWN NET_RAW FOWNER KILL SETGID SETUID'.split(
  ' ',
);

/** Refused by restricted alone. */
const restrictedFails: readonly [reason: string, ...changes: Change[]][] = [
  [
    'allowPrivilegeEscalation != false',
    { containerContext: { allowPrivilegeEscalation: true } },
    { containerContext: { allowPrivilegeEscalation: undefined } },
    { container: { securityContext: undefined } },
  ],
  [
    'unrestricted capabilities',
    { containerContext: { capabilities: { drop: [] } } },
    { containerContext: { capabilities: { drop: everyCapability } } },
    { containerContext: add('AUDIT_WRITE', 'CHOWN', 'NET_BIND_SERVICE', 'SYS_CHROOT') },
  ],
  [
    'restricted volume types',
    ...`${named} ${networked}`.split(' ').map((type) => ({ spec: { volumes: [{ name: 'v', [type]: {} }] } })),
  ],
  [
    'runAsNonRoot != true',
    { context: { runAsNonRoot: undefined } },
    { context: { runAsNonRoot: false } },
    { containerContext: { runAsNonRoot: false } },
  ],
  ['runAsUser=0', { context: { runAsUser: 0 } }, { containerContext: { runAsUser: 0 } }],
  [
    'seccompProfile',
    { context: { seccompProfile: undefined } },
    { context: { seccompProfile: undefined }, containerContext: { seccompProfile: { type: 'RuntimeDefault' } } },
  ],
  ['procMount', { containerContext: { procMount: 'Unmasked' }, spec: { hostUsers: false } }],
];

/** Restricted says these in words of its own. */
const restrictedWords: Readonly<Record<string, string>> = {
  'non-default capabilities': 'unrestricted capabilities',
  'hostPath volumes': 'restricted volume types',
};

const isOfContainer = ({ container, containerContext, annotations }: Change) =>
  Boolean(container ?? containerContext ?? annotations);
const variants = (change: Change) => (isOfContainer(change) ? lists : (['containers'] as const));

t.test('what baseline refuses, in whichever list of containers it stands', async (t) => {
  for (const [reason, ...changes] of baselineFails) {
    for (const change of changes) {
      for (const list of variants(change)) {
        const what = `${reason}: ${JSON.stringify(change)} in ${list}`;
        t.ok(reasons(pod('baseline', change, list), 'baseline').includes(reason), what);
        const words = restrictedWords[reason] ?? reason;
        t.ok(reasons(pod('restricted', change, list), 'restricted').includes(words), `restricted: ${what}`);
        t.strictSame(reasons(pod('baseline', change, list), 'privileged'), [], `privileged: ${what}`);
      }
    }
  }
});

t.test('what only restricted refuses, in whichever list of containers it stands', async (t) => {
  for (const [reason, ...changes] of restrictedFails) {
    for (const change of changes) {
      for (const list of variants(change)) {
        const what = `${reason}: ${JSON.stringify(change)} in ${list}`;
        const subject = pod('restricted', change, list);
        t.ok(reasons(subject, 'restricted').includes(reason), what);
        t.strictSame(reasons(subject, 'baseline'), [], `baseline: ${what}`);
      }
    }
  }
});

const oldSysctls = ['kernel.shm_rmid_forced', 'net.ipv4.tcp_syncookies', 'net.ipv4.ip_unprivileged_port_start'];
const newSysctls = ['net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_rmem'];
const sysctls = (names: string[]) => ({ context: { sysctls: names.map((name) => ({ name, value: '1' })) } });

/** Allowed by the level. */
const passes: readonly [level: SecurityLevel, ...changes: Change[]][] = [
  [
    'baseline',
    {},
    { annotations: { [appArmor]: 'runtime/default' } },
    { annotations: { [appArmor]: 'localhost/foo' } },
    { containerContext: add('AUDIT_WRITE', 'CHOWN', 'MKNOD', 'NET_BIND_SERVICE', 'SETFCAP', 'SYS_CHROOT') },
    { containerContext: { procMount: 'Unmasked' }, spec: { hostUsers: false } },
  ],
  [
    'restricted',
    {},
    { container: ports(undefined) },
    { container: { livenessProbe: { httpGet: { port: 8080 } }, readinessProbe: { tcpSocket: { port: 1, host: '' } } } },
    { containerContext: { privileged: false } },
    { containerContext: { procMount: 'Default' }, spec: { hostUsers: false } },
    { containerContext: selinux({}) },
    ...['container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'].flatMap((type) => [
      { context: selinux({ type, level: '' }) },
      { containerContext: selinux({ type, level: 'somevalue' }) },
    ]),
    sysctls([...oldSysctls, ...newSysctls]),
    { containerContext: add('NET_BIND_SERVICE') },
    {
      spec: {
        volumes: [
          { name: 'nothing' },
          ...['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'image'].map((type) => ({
            name: type,
            [type]: {},
          })),
          ...['persistentVolumeClaim', 'projected', 'secret'].map((type) => ({ name: type, [type]: {} })),
        ],
      },
    },
    { context: { runAsUser: 1000 }, containerContext: { runAsUser: 1000, runAsNonRoot: true } },
    { context: { runAsUser: 0, runAsNonRoot: false }, spec: { hostUsers: false } },
    { context: { seccompProfile: { type: 'Localhost', localhostProfile: 'testing' } } },
    { containerContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'testing' } } },
  ],
];

t.test('what a level allows', async (t) => {
  for (const [level, ...changes] of passes) {
    for (const change of changes) {
      for (const list of variants(change)) {
        t.strictSame(reasons(pod(level, change, list), level), [], `${level}: ${JSON.stringify(change)} in ${list}`);
      }
    }
  }
});

/** A version of the level that refuses the change, and one next to it that allows it. */
const turns: readonly [level: SecurityLevel, reason: string, change: Change, refused: number, allowed: number][] = [
  ['baseline', 'forbidden sysctls', sysctls(['net.ipv4.ip_local_reserved_ports']), 26, 27],
  ['baseline', 'forbidden sysctls', sysctls(['net.ipv4.tcp_fin_timeout']), 28, 29],
  ['baseline', 'forbidden sysctls', sysctls(['net.ipv4.tcp_wmem']), 31, 32],
  ['baseline', 'seLinuxOptions', { containerContext: selinux({ type: 'container_engine_t' }) }, 30, 31],
  ['baseline', 'procMount', { containerContext: { procMount: 'Unmasked' }, spec: { hostUsers: false } }, 34, 35],
  [
    'baseline',
    'probe or lifecycle host',
    { container: { livenessProbe: { httpGet: { port: 1, host: 'x' } } } },
    34,
    33,
  ],
  ['restricted', 'allowPrivilegeEscalation != false', { containerContext: { allowPrivilegeEscalation: true } }, 8, 7],
  ['restricted', 'unrestricted capabilities', { containerContext: { capabilities: {} } }, 22, 21],
  ['restricted', 'runAsUser=0', { context: { runAsUser: 0 } }, 23, 22],
  ['restricted', 'seccompProfile', { context: { seccompProfile: undefined } }, 19, 18],
  ['restricted', 'runAsUser=0', { context: { runAsUser: 0 }, spec: { hostUsers: false } }, 34, 35],
  ['restricted', 'runAsNonRoot != true', { context: { runAsNonRoot: false }, spec: { hostUsers: false } }, 34, 35],
];

t.test('what an older version of a level says otherwise', async (t) => {
  for (const [level, reason, change, refused, allowed] of turns) {
    const subject = pod(level, change);
    t.ok(reasons(subject, level, refused).includes(reason), `1.${refused} refuses ${reason}`);
    t.notOk(reasons(subject, level, allowed).includes(reason), `1.${allowed} allows ${reason}`);
  }
});
