import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, parseFacts, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

/** Nobody may make directories. */
const profile = JSON.stringify({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
});
const seccompDir = join(daemon.stateDir, 'seccomp');

t.test('seccomp profiles of the host', async (t) => {
  mkdirSync(join(seccompDir, 'sub'), { recursive: true });
  writeFileSync(join(seccompDir, 'sub/no-mkdir.json'), profile);
  writeFileSync(join(daemon.root.path, 'outside.json'), profile);
  symlinkSync(join(daemon.root.path, 'outside.json'), join(seccompDir, 'link.json'));
  symlinkSync('/', join(seccompDir, 'root'));
  const command = shell(`
mkdir /made 2>/dev/null && echo mkdir=yes || echo mkdir=no
echo "mode=$(sed -n 's/^Seccomp:\\t//p' /proc/self/status)"
echo facts=done`);
  const localhost = (localhostProfile: string) => ({
    securityContext: { seccompProfile: { type: 'Localhost' as const, localhostProfile } },
  });
  const bad = ['missing.json', 'link.json', `root${daemon.root.path}/outside.json`, 'sub'];
  await daemon.createPod(
    podManifest(
      'filtered',
      [
        { name: 'own', command, ...localhost('sub//no-mkdir.json') },
        { name: 'inherits', command },
        { name: 'default', command, securityContext: { seccompProfile: { type: 'RuntimeDefault' } } },
        ...bad.map((path, index) => ({ name: `bad-${index}`, command, ...localhost(path) })),
      ],
      localhost('sub/no-mkdir.json'),
    ),
  );
  const factsOf = (container: string) =>
    waitFor(`the facts of ${container}`, async () => {
      const found = parseFacts(await daemon.containerLog('filtered', container));
      return found.facts === 'done' ? found : undefined;
    });
  t.match(await factsOf('own'), { mkdir: 'no', mode: '2' });
  t.match(await factsOf('inherits'), { mkdir: 'no', mode: '2' });
  t.match(await factsOf('default'), { mkdir: 'yes', mode: '2' });
  const pod = await daemon.waitForExistingPod('filtered', (seen) =>
    bad.every((_, index) => statusOf(seen, `bad-${index}`).state?.waiting?.reason !== 'ContainerCreating'),
  );
  for (const [index, path] of bad.entries()) {
    const { state, containerID } = statusOf(pod, `bad-${index}`);
    t.match(state, { waiting: { reason: 'CreateContainerError', message: 'cannot load seccomp profile' } }, path);
    t.equal(containerID, undefined);
  }

  await t.test('that come later are waited for', async () => {
    writeFileSync(join(seccompDir, 'missing.json'), profile);
    await daemon.waitForExistingPod('filtered', (seen) => statusOf(seen, 'bad-0').ready, { timeoutMs: 30_000 });
  });
  await daemon.deletePod('filtered');
});

t.test('a profile without a name, or elsewhere, is refused', async (t) => {
  for (const localhostProfile of ['', '../x.json', '/etc/x.json', 'a/../../b', 'a\0']) {
    const manifest = podManifest('bad', [{ name: 'a' }], {
      securityContext: { seccompProfile: { type: 'Localhost', localhostProfile } },
    });
    const response = await daemon.api.request('POST', '/api/v1/namespaces/default/pods', { body: manifest });
    t.equal(response.status, 422, JSON.stringify(localhostProfile));
    t.match(response.text, 'localhostProfile');
  }
});

t.test('what the host does not have is refused by name', async (t) => {
  const contexts: Readonly<Record<string, object>> = {
    ...(existsSync('/sys/fs/selinux/enforce') ? {} : { seLinuxOptions: { level: 's0:c1,c2' } }),
    ...(existsSync('/sys/kernel/security/apparmor')
      ? {}
      : { appArmorProfile: { type: 'Localhost', localhostProfile: 'a' } }),
    windowsOptions: { runAsUserName: 'a' },
  };
  for (const [field, value] of Object.entries(contexts)) {
    const manifest = podManifest('bad', [{ name: 'a', securityContext: { [field]: value } }]);
    const response = await daemon.api.request('POST', '/api/v1/namespaces/default/pods', { body: manifest });
    t.equal(response.status, 422);
    t.match(response.text, `spec.containers[0].securityContext.${field}`);
  }
});

t.test('hostUsers=false is refused at admission where the runtime cannot, and /proc stays masked', async (t) => {
  const { runtimeHandlers } = (
    await daemon.api.expectOk<{
      status: { runtimeHandlers?: { name: string; features?: { userNamespaces?: boolean } }[] };
    }>('GET', `/api/v1/nodes/${daemon.root.name}`)
  ).status;
  const canMapIds = runtimeHandlers?.find(({ name }) => name === '')?.features?.userNamespaces ?? false;
  const command = shell(`
echo "map=$(tr -s ' ' </proc/self/uid_map)"
echo "masked=$(grep -cE ' /proc/(interrupts|sys) ' /proc/self/mountinfo)"
touch /v/file && echo "file=$(stat -c %u /v/file)"
echo facts=done`);
  const volumeMounts = [{ name: 'v', mountPath: '/v' }];
  await daemon.createPod(
    podManifest(
      'mapped',
      [
        { name: 'a', command, volumeMounts },
        { name: 'unmasked', command, volumeMounts, securityContext: { procMount: 'Unmasked' } },
      ],
      { hostUsers: false, volumes: [{ name: 'v', emptyDir: {} }] },
    ),
  );
  if (!canMapIds) {
    const pod = await daemon.waitForExistingPod('mapped', ({ status }) => status?.phase === 'Failed');
    t.match(pod.status, {
      reason: 'PodFeatureUnsupported',
      message: 'Pod was rejected: hostUsers=false: the runtime handler "" does not support user namespaces',
    });
  } else {
    await daemon.waitForExistingPod('mapped', isReady);
    const factsOf = (container: string) =>
      waitFor(`the facts of ${container}`, async () => {
        const found = parseFacts(await daemon.containerLog('mapped', container));
        return found.facts === 'done' ? found : undefined;
      });
    t.match(await factsOf('a'), { map: ' 0 65536 65536', masked: '2', file: '0' });
    t.match(await factsOf('unmasked'), { map: ' 0 65536 65536', masked: '0' });
  }
  await daemon.deletePod('mapped');
});
