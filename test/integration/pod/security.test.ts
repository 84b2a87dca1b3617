import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { buildDemoVariants } from '../../../scripts/images.ts';
import type { Container, Pod } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, parseFacts, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

/** What an image may say of its user; true for the only one that is a user other than root for certain. */
const imageUsers: Readonly<Record<string, boolean>> = {
  '4294967296': false,
  '2147483648': false,
  '-1': false,
  '0x0': false,
  '00': false,
  '+0': false,
  '0': false,
  '0:0': false,
  root: false,
  toor: false,
  demo: false,
  '': false,
  ' 0': false,
  '1000:0': true,
};
const userImages = Object.keys(imageUsers).map((user, index) => ({ user, image: `mini-kubelet.local/users:${index}` }));
const userImage = (wanted: string) => userImages.find(({ user }) => user === wanted)?.image ?? '';

const archive = join(runtime.root.path, 'users.tar');
buildDemoVariants(archive, Object.fromEntries(userImages.map(({ user, image }) => [image, { User: user }])));
await runtime.ctr('images', 'import', archive);
rmSync(archive);

/** What a process finds out about itself. */
const facts = shell(`
echo "uid=$(id -u)"
echo "gid=$(id -g)"
echo "groups=$(id -G | tr ' ' '\\n' | sort -n | tr '\\n' ' ' | sed 's/ $//')"
for name in CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp; do
  echo "$name=$(sed -n "s/^$name:\\t//p" /proc/self/status)"
done
touch /written 2>/dev/null && echo "root=writable" || echo "root=read-only"
touch /tmp/written 2>/dev/null && echo "tmp=writable" || echo "tmp=read-only"
echo "sysMount=$(grep -c ' /proc/sys .*\\bro\\b' /proc/self/mountinfo)"
echo "kmsg=$([ -e /dev/kmsg ] && echo yes || echo no)"
echo "facts=done"`);

async function factsOf(pod: string, container: string): Promise<Record<string, string>> {
  return waitFor(`the facts of ${pod}/${container}`, async () => {
    const found = parseFacts(await daemon.containerLog(pod, container));
    return found.facts === 'done' ? found : undefined;
  });
}

interface Case {
  readonly name: string;
  readonly context: Container['securityContext'];
  readonly image?: string;
  readonly expected: Readonly<Record<string, string | RegExp>>;
}

const none = '0000000000000000';

async function assertCases(
  t: Test,
  pod: string,
  cases: readonly Case[],
  spec: Partial<Pod['spec']> = {},
): Promise<void> {
  const containers = cases.map(({ name, context, image }) => ({
    name,
    command: facts,
    ...(context ? { securityContext: context } : {}),
    ...(image === undefined ? {} : { image }),
  }));
  await daemon.createPod(podManifest(pod, containers, spec));
  for (const { name, expected } of cases) t.match(await factsOf(pod, name), expected, `${pod}: ${name}`);
  await daemon.deletePod(pod);
}

t.test('a process is who the pod, the container, or the image says', async (t) => {
  await assertCases(t, 'image-users', [
    { name: 'nothing', context: undefined, expected: { uid: '0', gid: '0' } },
    {
      name: 'number',
      context: undefined,
      image: 'mini-kubelet.local/demo:uid1000',
      expected: { uid: '1000', gid: '1000' },
    },
    {
      name: 'name',
      context: undefined,
      image: 'mini-kubelet.local/demo:user',
      // Also in the groups that the image's own file puts it in.
      expected: { uid: '1000', gid: '1000', groups: '1000 50000' },
    },
    {
      name: 'container',
      context: { runAsUser: 1234, runAsGroup: 3000 },
      image: 'mini-kubelet.local/demo:uid1000',
      expected: { uid: '1234', gid: '3000' },
    },
    { name: 'largest', context: { runAsUser: 2147483647 }, expected: { uid: '2147483647' } },
    { name: 'non-root', context: { runAsNonRoot: true, runAsUser: 1 }, expected: { uid: '1' } },
    {
      name: 'image-non-root',
      context: { runAsNonRoot: true },
      image: userImage('1000:0'),
      expected: { uid: '1000', gid: '0' },
    },
  ]);
  await assertCases(
    t,
    'pod-users',
    [
      { name: 'inherits', context: undefined, expected: { uid: '1000', gid: '4000', groups: '2000 2001 4000 50000' } },
      {
        name: 'overrides',
        context: { runAsUser: 7, runAsGroup: 8 },
        expected: { uid: '7', gid: '8', groups: '8 2000 2001' },
      },
    ],
    { securityContext: { runAsUser: 1000, runAsGroup: 4000, runAsNonRoot: true, supplementalGroups: [2000, 2001] } },
  );
});

t.test('capabilities, privilege, seccomp and the root file system are as the container says', async (t) => {
  const runtimeCapabilities =
    /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${runtime.pid}/status`, 'utf8'))?.[1] ?? '';
  await assertCases(t, 'rights', [
    {
      name: 'default',
      context: undefined,
      expected: {
        CapInh: none,
        CapAmb: none,
        // CHOWN, DAC_OVERRIDE, FSETID, FOWNER, MKNOD, NET_RAW, SETGID, SETUID, SETFCAP, SETPCAP, NET_BIND_SERVICE,
        // SYS_CHROOT, KILL, AUDIT_WRITE
        CapBnd: '00000000a80425fb',
        CapEff: '00000000a80425fb',
        NoNewPrivs: '0',
        Seccomp: '2',
        root: 'writable',
        sysMount: '1',
        kmsg: 'no',
      },
    },
    {
      name: 'none',
      context: { capabilities: { drop: ['ALL'] } },
      expected: { CapBnd: none, CapEff: none, CapInh: none },
    },
    {
      name: 'one',
      context: { capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } },
      expected: { CapBnd: '0000000000000400', CapEff: '0000000000000400', CapInh: none, CapAmb: none },
    },
    {
      name: 'less',
      context: { capabilities: { drop: ['MKNOD', 'NET_RAW'] } },
      expected: { CapBnd: '00000000a00405fb' },
    },
    { name: 'more', context: { capabilities: { add: ['SYS_ADMIN'] } }, expected: { CapBnd: '00000000a82425fb' } },
    {
      name: 'user',
      context: { runAsUser: 1000 },
      expected: { CapEff: none, CapPrm: none, CapAmb: none, CapBnd: '00000000a80425fb' },
    },
    { name: 'no-escalation', context: { allowPrivilegeEscalation: false }, expected: { NoNewPrivs: '1' } },
    { name: 'read-only', context: { readOnlyRootFilesystem: true }, expected: { root: 'read-only', tmp: 'read-only' } },
    {
      name: 'unconfined',
      context: { seccompProfile: { type: 'Unconfined' } },
      expected: { Seccomp: '0', sysMount: '1' },
    },
    {
      name: 'privileged',
      context: { privileged: true },
      expected: { CapEff: runtimeCapabilities, CapInh: none, Seccomp: '0', sysMount: '0', kmsg: 'yes' },
    },
  ]);
  await assertCases(
    t,
    'pod-seccomp',
    [
      { name: 'inherits', context: undefined, expected: { Seccomp: '0' } },
      { name: 'overrides', context: { seccompProfile: { type: 'RuntimeDefault' } }, expected: { Seccomp: '2' } },
    ],
    { securityContext: { seccompProfile: { type: 'Unconfined' } } },
  );
});

t.test('a capability that is written in another way is not had', async (t) => {
  const added = ['cap_sys_admin', 'CAP_SYS_ADMIN', 'SYS_ADMIN\n', ' SYS_ADMIN'];
  const containers = added.map((name, index) => ({
    name: `c${index}`,
    command: facts,
    securityContext: { capabilities: { add: [name] } },
  }));
  await daemon.createPod(podManifest('odd-rights', containers));
  const isTried = (pod: Pod, name: string) => statusOf(pod, name).state?.waiting?.reason !== 'ContainerCreating';
  const pod = await daemon.waitForExistingPod('odd-rights', (seen) =>
    containers.every(({ name }) => isTried(seen, name)),
  );
  for (const [index, { name }] of containers.entries()) {
    const { state } = statusOf(pod, name);
    // Whether it is unknown is for the runtime to say; that nobody gets more than was asked for, for this test.
    if (state?.running)
      t.match(await factsOf('odd-rights', name), { CapBnd: '00000000a80425fb' }, added[index] ?? name);
    else
      t.match(
        state?.waiting,
        { reason: /^(CreateContainerError|RunContainerError|CrashLoopBackOff)$/ },
        added[index] ?? name,
      );
  }
  await daemon.deletePod('odd-rights');
});

t.test('runAsNonRoot lets nobody in who might be root', async (t) => {
  const doubtful = userImages.filter(({ user }) => !imageUsers[user]);
  await daemon.createPod(
    podManifest(
      'non-root',
      [
        ...doubtful.map(({ image }, index) => ({ name: `c${index}`, image, command: facts })),
        { name: 'asked', command: facts, securityContext: { runAsUser: 0 } },
        { name: 'fine', image: userImage('1000:0'), command: facts },
      ],
      { securityContext: { runAsNonRoot: true } },
    ),
  );
  const pod = await daemon.waitForExistingPod(
    'non-root',
    (seen) =>
      statusOf(seen, 'fine').ready &&
      seen.status?.containerStatuses?.every(({ state }) => state?.waiting?.reason !== 'ContainerCreating') === true,
  );
  for (const [index, { user }] of doubtful.entries()) {
    const { state, containerID } = statusOf(pod, `c${index}`);
    t.match(state, { waiting: { reason: 'CreateContainerConfigError' } }, `USER ${JSON.stringify(user)}`);
    t.equal(containerID, undefined, 'it was never made');
  }
  t.match(statusOf(pod, 'asked').state?.waiting, { message: /runAsUser breaks non-root policy/ });
  t.match(statusOf(pod, 'c8').state?.waiting, { message: /image has non-numeric user \(root\), cannot verify/ });
  t.match(statusOf(pod, 'c11').state?.waiting, { message: /image will run as root/ });
  await daemon.deletePod('non-root');
});

t.test('an image whose user is no user id does not run as another', async (t) => {
  const users = ['4294967296', '2147483648', '-1'];
  await daemon.createPod(
    podManifest(
      'range',
      users.map((user, index) => ({ name: `c${index}`, image: userImage(user), command: facts })),
    ),
  );
  const pod = await daemon.waitForExistingPod(
    'range',
    (seen) =>
      seen.status?.containerStatuses?.every(({ state }) => state?.waiting?.reason !== 'ContainerCreating') === true,
  );
  for (const [index, user] of users.entries()) {
    t.match(
      statusOf(pod, `c${index}`).state,
      { waiting: { reason: 'CreateContainerConfigError', message: user } },
      user,
    );
  }
  await daemon.deletePod('range');
});

t.test('a container has the same user in each of its runs, and after a restart of the daemon', async (t) => {
  const command = shell('id -u >>/count/ids; [ "$(wc -l </count/ids)" -gt 1 ] || exit 1; id -u');
  await daemon.createPod(
    podManifest(
      'same',
      [
        {
          name: 'a',
          image: 'mini-kubelet.local/demo:uid1000',
          command,
          securityContext: { runAsNonRoot: true },
          volumeMounts: [{ name: 'count', mountPath: '/count' }],
        },
      ],
      { volumes: [{ name: 'count', emptyDir: {} }] },
    ),
  );
  const isUp = (restarts: number) => (pod: Pod) => isReady(pod) && statusOf(pod, 'a').restartCount === restarts;
  const pod = await daemon.waitForExistingPod('same', isUp(1));
  await daemon.restart('SIGKILL');
  t.equal(statusOf(await daemon.waitForExistingPod('same', isUp(1)), 'a').containerID, statusOf(pod, 'a').containerID);
  process.kill(runtime.containerPid((statusOf(pod, 'a').containerID ?? '').replace('containerd://', '')), 'SIGKILL');
  await daemon.waitForExistingPod('same', isUp(2), { timeoutMs: 40_000 });
  await waitFor('its word', async () => (await daemon.containerLog('same', 'a')) === '1000\n');
  const ids = readFileSync(
    join(daemon.stateDir, 'pods', pod.metadata.uid, 'volumes/kubernetes.io~empty-dir/count/ids'),
    'utf8',
  );
  t.equal(ids, '1000\n1000\n1000\n');
  await daemon.deletePod('same');
});

t.test('what a pod is labelled and annotated with tells the runtime nothing', async (t) => {
  const keys = [
    'io.containerd.rdt.class',
    'org.systemd.property.ExecStart',
    'cdi.k8s.io/x',
    'io.katacontainers.config',
    'io.kubernetes.cri-o.Devices',
  ];
  const label = 'containerd.io/restart.loguri';
  await daemon.createPod(
    podManifest(
      'marked',
      [{ name: 'a', command: facts }],
      {},
      {
        annotations: Object.fromEntries(keys.map((key) => [key, 'evil'])),
        labels: { [label]: 'evil' },
      },
    ),
  );
  const pod = await daemon.waitForExistingPod('marked', isReady);
  const { items } = await runtime.cri.call('ListPodSandbox', {});
  const containerId = (statusOf(pod, 'a').containerID ?? '').replace('containerd://', '');
  const { status: container } = await runtime.cri.call('ContainerStatus', { containerId });
  const { status: sandbox } = await runtime.cri.call('PodSandboxStatus', { podSandboxId: items[0]?.id ?? '' });
  for (const found of [container, sandbox]) {
    t.ok(Object.keys(found?.labels ?? {}).length > 0);
    t.notMatch(JSON.stringify([found?.labels, found?.annotations]), 'evil');
  }
  await daemon.deletePod('marked');
});
