import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, parseFacts, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());
const isNew = wantedContainerd() === '2.1';

async function factsOf(pod: string, container: string): Promise<Record<string, string>> {
  return waitFor(`the facts of ${pod}/${container}`, async () => {
    const found = parseFacts(await daemon.containerLog(pod, container));
    return found.facts === 'done' ? found : undefined;
  });
}
const groups = `echo "groups=$(id -G | tr ' ' '\\n' | sort -n | tr '\\n' ' ' | sed 's/ $//')"`;

t.test('a pod shares its volumes with a group, and no path of the host', async (t) => {
  const shared = join(daemon.root.path, 'shared');
  const victim = join(daemon.root.path, 'victim');
  mkdirSync(shared, { mode: 0o755 });
  writeFileSync(victim, '', { mode: 0o600 });
  symlinkSync(victim, join(shared, 'link'));
  writeFileSync(join(shared, 'file'), '', { mode: 0o600 });
  const command = shell(`
${groups}
for volume in disk memory host; do echo "$volume=$(stat -c '%u %g %a' /$volume)"; done
mkdir /disk/dir && touch /disk/dir/file && echo "made=$(stat -c '%u %g %a' /disk/dir) $(stat -c '%u %g' /disk/dir/file)"
ln -s /victim /disk/link
echo "part=$(stat -c '%u %g %a' /part)"
echo facts=done`);
  await daemon.createPod(
    podManifest(
      'group',
      [
        {
          name: 'a',
          command,
          volumeMounts: [
            { name: 'disk', mountPath: '/disk' },
            { name: 'memory', mountPath: '/memory' },
            { name: 'host', mountPath: '/host' },
            { name: 'disk', mountPath: '/part', subPath: 'part' },
          ],
        },
      ],
      {
        securityContext: { runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000, supplementalGroups: [4000] },
        volumes: [
          { name: 'disk', emptyDir: {} },
          { name: 'memory', emptyDir: { medium: 'Memory' } },
          { name: 'host', hostPath: { path: shared } },
        ],
      },
    ),
  );
  t.match(await factsOf('group', 'a'), {
    // 50000 is what the image's own file puts the user into.
    groups: '2000 3000 4000 50000',
    disk: '0 2000 2777',
    memory: '0 2000 2777',
    host: /^0 0 755$/,
    made: /^1000 2000 2755 1000 2000$/,
    part: '0 2000 2777',
  });
  const show = (path: string) => `${statSync(path).gid} ${(statSync(path).mode & 0o777).toString(8)}`;
  t.equal(show(victim), '0 600');
  t.equal(show(join(shared, 'file')), '0 600');

  await t.test('and what its users did to them stays, over restarts of the container and the daemon', async (t) => {
    const pod = await daemon.waitForExistingPod('group', isReady);
    const disk = join(daemon.stateDir, 'pods', pod.metadata.uid, 'volumes/kubernetes.io~empty-dir/disk');
    writeFileSync(join(disk, 'private'), '', { mode: 0o600 });
    execFileSync('chgrp', ['0', join(disk, 'private')]);
    await daemon.restart('SIGKILL');
    process.kill(runtime.containerPid((statusOf(pod, 'a').containerID ?? '').replace('containerd://', '')), 'SIGKILL');
    const isAgain = (seen: Pod) => isReady(seen) && statusOf(seen, 'a').restartCount === 1;
    await daemon.waitForExistingPod('group', isAgain, { timeoutMs: 40_000 });
    t.equal(show(join(disk, 'private')), '0 600');
    t.equal(statSync(disk).gid, 2000);
  });
  await daemon.deletePod('group');
});

t.test('supplementalGroupsPolicy Strict', async (t) => {
  await daemon.createPod(
    podManifest('strict', [{ name: 'a', command: shell(`${groups}\necho facts=done`) }], {
      securityContext: {
        runAsUser: 1000,
        runAsGroup: 3000,
        fsGroup: 2000,
        supplementalGroups: [4000],
        supplementalGroupsPolicy: 'Strict',
      },
    }),
  );
  const pod = await daemon.waitForExistingPod('strict', (seen) => isReady(seen) || seen.status?.phase === 'Failed');
  if (isNew) {
    t.match(await factsOf('strict', 'a'), { groups: '2000 3000 4000' });
    const seen = await daemon.waitForExistingPod('strict', (now) => Boolean(statusOf(now, 'a').user));
    t.match(statusOf(seen, 'a').user, { linux: { uid: 1000, gid: 3000 } });
  } else {
    t.match(pod.status, {
      phase: 'Failed',
      reason: 'SupplementalGroupsPolicyNotSupported',
      message: 'Pod was rejected: SupplementalGroupsPolicy=Strict is not supported in this node',
    });
  }
  await daemon.deletePod('strict');
});

t.test('what is mounted later goes where mountPropagation lets it', async (t) => {
  const shared = join(daemon.root.path, 'propagation');
  mkdirSync(shared);
  // A place whose mounts are told to others, whatever the host's root is.
  execFileSync('mount', ['--bind', shared, shared]);
  t.teardown(() => execFileSync('umount', ['--recursive', shared]));
  execFileSync('mount', ['--make-shared', shared]);
  for (const name of ['host', 'container']) mkdirSync(join(shared, name));
  const mount = (mountPropagation: 'None' | 'HostToContainer' | 'Bidirectional') => ({
    volumeMounts: [{ name: 'v', mountPath: '/v', mountPropagation }],
  });
  const watch = shell(
    'until [ -e /v/host/late ]; do [ -e /v/give-up ] && break; sleep 0.1; done\nls /v/host; echo seen',
  );
  await daemon.createPod(
    podManifest(
      'spread',
      [
        { name: 'none', command: watch, ...mount('None') },
        { name: 'slave', command: watch, ...mount('HostToContainer') },
        {
          name: 'both',
          command: shell('mount -t tmpfs inside /v/container && touch /v/container/mine; echo seen'),
          securityContext: { privileged: true },
          ...mount('Bidirectional'),
        },
      ],
      { volumes: [{ name: 'v', hostPath: { path: shared } }] },
    ),
  );
  await daemon.waitForExistingPod('spread', isReady);
  await waitFor('the mount that a container made', async () => statSync(join(shared, 'container/mine')).isFile());
  execFileSync('mount', ['-t', 'tmpfs', 'outside', join(shared, 'host')]);
  writeFileSync(join(shared, 'host/late'), '');
  const logOf = (name: string) =>
    waitFor(`${name} to look`, async () => {
      const log = await daemon.containerLog('spread', name);
      return log.includes('seen') ? log : undefined;
    });
  t.equal(await logOf('slave'), 'late\nseen\n');
  writeFileSync(join(shared, 'give-up'), '');
  t.equal(await logOf('none'), 'seen\n');
  await daemon.deletePod('spread');

  await daemon.createPod(
    podManifest(
      'read-only',
      (['Disabled', 'IfPossible', 'Enabled'] as const).map((recursiveReadOnly) => ({
        name: recursiveReadOnly.toLowerCase(),
        command: shell('touch /v/x 2>/dev/null && echo top; touch /v/host/x 2>/dev/null && echo below; echo seen'),
        volumeMounts: [{ name: 'v', mountPath: '/v', readOnly: true, recursiveReadOnly }],
      })),
      { volumes: [{ name: 'v', hostPath: { path: shared } }] },
    ),
  );
  const read = async (name: string) => {
    return waitFor(`${name} to write`, async () => {
      const log = await daemon.containerLog('read-only', name);
      return log.includes('seen') ? log : undefined;
    });
  };
  t.equal(await read('disabled'), 'below\nseen\n');
  t.equal(await read('ifpossible'), isNew ? 'seen\n' : 'below\nseen\n');
  const isTried = ({ state }: ReturnType<typeof statusOf>) => state?.waiting?.reason !== 'ContainerCreating';
  const pod = await daemon.waitForExistingPod('read-only', (seen) => isTried(statusOf(seen, 'enabled')));
  const modeOf = (name: string) => statusOf(pod, name).volumeMounts?.[0]?.recursiveReadOnly;
  t.equal(modeOf('disabled'), 'Disabled');
  t.equal(modeOf('ifpossible'), isNew ? 'Enabled' : 'Disabled');
  if (isNew) {
    t.equal(await read('enabled'), 'seen\n');
    t.equal(modeOf('enabled'), 'Enabled');
  } else {
    t.match(statusOf(pod, 'enabled').state, { waiting: { reason: 'RROUnsupported' } });
  }
  await daemon.deletePod('read-only');
  t.equal(readFileSync(join(shared, 'host/late'), 'utf8'), '', "the host's mounts are the host's");
});
