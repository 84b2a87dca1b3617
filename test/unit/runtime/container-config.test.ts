import t from 'tap';
import type { Container, Pod } from '../../../src/api/pod.ts';
import {
  type ContainerSettings,
  containerConfig,
  type ImageUser,
  MASKED_PATHS,
  runAsUserProblem,
} from '../../../src/runtime/container-config.ts';
import { namespaceOptions, sandboxConfig } from '../../../src/runtime/sandbox-config.ts';
import { podWith } from '../pod/fixtures.ts';

const settings: ContainerSettings = {
  instance: 'me',
  restartCount: 2,
  restartDelaySeconds: 10,
  imageRef: 'sha256:1',
  imageUser: undefined,
  command: [],
  args: [],
  envs: [],
  mounts: [],
  resources: {},
  logPath: 'a/2.log',
  maskedPaths: MASKED_PATHS,
  seccompDirectory: '/state/seccomp',
  defaultSeccomp: 'RuntimeDefault',
};

function security(container: Partial<Container>, spec: Partial<Pod['spec']> = {}, imageUser?: ImageUser) {
  return containerConfig(podWith(spec), { name: 'a', image: 'one', ...container }, { ...settings, imageUser }).linux
    ?.securityContext;
}

t.test('paths of the host are hidden or read-only in every container', async (t) => {
  for (const securityContext of [undefined, {}, { privileged: false }]) {
    const actual = security({ securityContext });
    t.match(actual?.readonlyPaths, ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']);
    t.ok(actual?.maskedPaths?.includes('/proc/kcore'));
    t.equal(actual?.maskedPaths?.length, MASKED_PATHS.length);
  }
});

t.test('seccomp is the runtime default unless the manifest says Unconfined', async (t) => {
  const profile = (container: Partial<Container>, spec = {}) => security(container, spec)?.seccomp?.profileType;
  t.equal(profile({}), 'RuntimeDefault');
  t.equal(profile({}, { securityContext: { seccompProfile: { type: 'Unconfined' } } }), 'Unconfined');
  const own: Partial<Container> = { securityContext: { seccompProfile: { type: 'RuntimeDefault' } } };
  t.equal(
    profile(own, { securityContext: { seccompProfile: { type: 'Unconfined' } } }),
    'RuntimeDefault',
    'the container wins',
  );
});

t.test('an AppArmor profile is sent as the manifest says, and none where it says nothing', async (t) => {
  t.equal(security({})?.apparmor, undefined);
  const pod: Partial<Pod['spec']> = { securityContext: { appArmorProfile: { type: 'Unconfined' } } };
  t.same(security({}, pod)?.apparmor, { profileType: 'Unconfined' });
  t.same(security({ securityContext: { appArmorProfile: { type: 'RuntimeDefault' } } }, pod)?.apparmor, {
    profileType: 'RuntimeDefault',
  });
});

t.test('the container decides over its user, then the pod, then the image', async (t) => {
  const pod = { securityContext: { runAsUser: 7, runAsGroup: 8 } };
  t.match(security({ securityContext: { runAsUser: 5 } }, pod), { runAsUser: { value: 5 }, runAsGroup: { value: 8 } });
  t.match(security({}, pod), { runAsUser: { value: 7 } });
  t.match(security({}, {}, { uid: 1000n }), { runAsUser: { value: '1000' } });
  t.match(security({}, {}, { username: 'www' }), { runAsUsername: 'www' });
});

t.test('allowPrivilegeEscalation: false, and nothing else, forbids new privileges', async (t) => {
  t.equal(security({ securityContext: { allowPrivilegeEscalation: false } })?.noNewPrivs, true);
  t.equal(security({ securityContext: { allowPrivilegeEscalation: true } })?.noNewPrivs, false);
  t.equal(security({})?.noNewPrivs, false);
});

const users: readonly [string, ImageUser, string | undefined][] = [
  ['uid 1000', { uid: 1000n }, undefined],
  ['uid 0', { uid: 0n }, 'run as root'],
  ['no user', undefined, 'run as root'],
  ['a name', { username: 'www' }, 'non-numeric user'],
  ['a name for root', { username: 'toor' }, 'non-numeric user'],
  ['uid 2^32-1', { uid: 4294967295n }, 'out of range'],
  ['uid 2^31', { uid: 2147483648n }, 'out of range'],
  ['a negative uid', { uid: -1n }, 'out of range'],
];
for (const [name, user, problem] of users) {
  t.test(`runAsNonRoot with an image that says ${name}`, async (t) => {
    const actual = runAsUserProblem(podWith(), { name: 'a', securityContext: { runAsNonRoot: true } }, user);
    if (problem) t.match(actual, problem);
    else t.equal(actual, undefined);
  });
}

t.test('a user out of range is refused also where root is allowed', async (t) => {
  t.match(runAsUserProblem(podWith(), { name: 'a' }, { uid: 4294967296n }), 'out of range');
  t.equal(runAsUserProblem(podWith(), { name: 'a' }, { uid: 0n }), undefined);
});

t.test('runAsUser 0 breaks runAsNonRoot', async (t) => {
  const pod = podWith({ securityContext: { runAsNonRoot: true } });
  t.match(
    runAsUserProblem(pod, { name: 'a', securityContext: { runAsUser: 0 } }, { uid: 1000n }),
    'breaks non-root policy',
  );
});

const sandboxSettings = {
  instance: 'me',
  attempt: 0,
  hostname: 'web',
  dns: { servers: [], searches: [], options: [] },
  portMappings: [],
  cgroupParent: '/kubepods',
  logDirectory: '/var/log/pods/x',
};

t.test('the runtime gets identity, and nothing that a user wrote as label or annotation', async (t) => {
  const metadata = {
    labels: { 'containerd.io/restart.loguri': 'binary:///tmp/x' },
    annotations: { 'io.kubernetes.cri-o.Devices': '/dev/sda', 'cdi.k8s.io/x': 'y' },
  };
  const pod = podWith({}, {}, metadata);
  const container = containerConfig(pod, { name: 'a', image: 'one' }, settings);
  const box = sandboxConfig(pod, sandboxSettings);
  for (const key of [
    ...Object.keys(container.labels ?? {}),
    ...Object.keys(container.annotations ?? {}),
    ...Object.keys(box.labels ?? {}),
    ...Object.keys(box.annotations ?? {}),
  ]) {
    t.match(key, /^(io\.kubernetes\.(pod|container)\.|mini-kubelet\.io\/)/);
  }
  t.match(container.annotations, { 'io.kubernetes.container.restartCount': '2' });
  t.match(container.labels, { 'io.kubernetes.pod.name': 'web', 'io.kubernetes.container.name': 'a' });
});

t.test('a pod chooses among the classes of I/O and of caches that the runtime offers', async (t) => {
  const classes = {
    'blockio.resources.beta.kubernetes.io/pod': 'slow',
    'blockio.resources.beta.kubernetes.io/container.a': 'fast',
    'rdt.resources.beta.kubernetes.io/pod': 'small',
  };
  const other = { 'resources.beta.kubernetes.io/pod': 'x', 'xblockio.resources.beta.kubernetes.io/pod': 'x' };
  t.strictSame(
    sandboxConfig(podWith({}, {}, { annotations: { ...other, ...classes } }), sandboxSettings).annotations,
    classes,
  );
  t.strictSame(sandboxConfig(podWith(), sandboxSettings).annotations, {});
});

t.test('one privileged container, of whatever kind, makes a privileged sandbox', async (t) => {
  const isPrivileged = (spec: Partial<Pod['spec']>) =>
    sandboxConfig(podWith(spec), sandboxSettings).linux?.securityContext?.privileged;
  const bad = [{ name: 'p', image: 'one', securityContext: { privileged: true } }];
  t.equal(isPrivileged({}), false);
  for (const list of ['containers', 'initContainers', 'ephemeralContainers'])
    t.equal(isPrivileged({ [list]: bad }), true);
});

t.test('namespaces are shared as the manifest says', async (t) => {
  t.same(namespaceOptions(podWith()), { network: 'POD', ipc: 'POD', pid: 'CONTAINER' });
  t.same(namespaceOptions(podWith({ shareProcessNamespace: true })), { network: 'POD', ipc: 'POD', pid: 'POD' });
  const host = podWith({ hostNetwork: true, hostIPC: true, hostPID: true });
  t.same(namespaceOptions(host), { network: 'NODE', ipc: 'NODE', pid: 'NODE' });
});

t.test('the group of the volumes is one of each process', async (t) => {
  const groupsOf = (securityContext: Pod['spec']['securityContext']) => {
    const { supplementalGroups, supplementalGroupsPolicy } = security({}, { securityContext }) ?? {};
    return { supplementalGroups, supplementalGroupsPolicy };
  };
  t.same(groupsOf({}), { supplementalGroups: [], supplementalGroupsPolicy: 'Merge' });
  t.same(groupsOf({ fsGroup: 2, supplementalGroups: [3, 4], supplementalGroupsPolicy: 'Strict' }), {
    supplementalGroups: [2, 3, 4],
    supplementalGroupsPolicy: 'Strict',
  });
  t.same(groupsOf({ fsGroup: 0 }).supplementalGroups, [0], 'also the group of root');
});

t.test('profiles of the host are named by where they lie', async (t) => {
  const seccompProfile = { type: 'Localhost' as const, localhostProfile: 'a/b.json' };
  const expected = { profileType: 'Localhost', localhostRef: '/state/seccomp/a/b.json' };
  t.same(security({ securityContext: { seccompProfile } })?.seccomp, expected);
  t.same(security({}, { securityContext: { seccompProfile } })?.seccomp, expected, 'inherited from the pod');
  const own = { seccompProfile: { type: 'Unconfined' as const } };
  t.same(security({ securityContext: own }, { securityContext: { seccompProfile } })?.seccomp, {
    profileType: 'Unconfined',
  });
  const appArmorProfile = { type: 'Localhost' as const, localhostProfile: 'k8s-web' };
  t.same(security({ securityContext: { appArmorProfile } })?.apparmor, {
    profileType: 'Localhost',
    localhostRef: 'k8s-web',
  });
});

t.test('a container has the SELinux options of its own, or those of the pod', async (t) => {
  const optionsOf = (own?: object, shared?: object) =>
    security({ securityContext: { seLinuxOptions: own } }, { securityContext: { seLinuxOptions: shared } })
      ?.selinuxOptions;
  t.same(optionsOf({ level: 's0:c1' }, { level: 's0:c2' }), { level: 's0:c1' });
  t.same(optionsOf(undefined, { level: 's0:c2', type: 'spc_t' }), { level: 's0:c2', type: 'spc_t' });
  t.equal(optionsOf(), undefined);
});

t.test('/proc is unmasked for nobody who is root on the host', async (t) => {
  const securityContext = { procMount: 'Unmasked' as const };
  for (const hostUsers of [undefined, true]) {
    t.equal(security({ securityContext }, { hostUsers })?.maskedPaths?.length, MASKED_PATHS.length);
    t.equal(security({ securityContext }, { hostUsers })?.readonlyPaths?.length, 5);
  }
  t.same(security({ securityContext }, { hostUsers: false })?.maskedPaths, []);
  t.same(security({ securityContext }, { hostUsers: false })?.readonlyPaths, []);
});

t.test('a pod with ids of its own says which', async (t) => {
  const block = { hostId: 131072, containerId: 0, length: 65536 };
  t.same(namespaceOptions(podWith({ hostUsers: false }), block).usernsOptions, {
    mode: 'POD',
    uids: [block],
    gids: [block],
  });
  t.equal(namespaceOptions(podWith()).usernsOptions, undefined);
});
