import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { mountsBeneath, readMounts } from '../../../src/util/mounts.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, parseFacts, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const directoryOf = (pod: Pod) => join(daemon.stateDir, 'pods', pod.metadata.uid);
const emptyDirOf = (pod: Pod, volume: string) => join(directoryOf(pod), 'volumes/kubernetes.io~empty-dir', volume);
const subPathMounts = async (pod: Pod) => mountsBeneath(await readMounts(), join(directoryOf(pod), 'volume-subpaths'));
const pidOf = (pod: Pod, container: string) =>
  runtime.containerPid((statusOf(pod, container).containerID ?? '').replace('containerd://', ''));

t.test('a container sees a part of a volume, a file as well as a directory', async (t) => {
  const shared = join(daemon.root.path, 'shared');
  mkdirSync(join(shared, 'dir'), { recursive: true, mode: 0o755 });
  writeFileSync(join(shared, 'dir/config'), 'from the host');
  symlinkSync('dir/config', join(shared, 'link'));
  await daemon.createPod(
    podManifest(
      'parts',
      [
        {
          name: 'a',
          env: [
            { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'KIND', value: 'of-$(POD_NAME)' },
          ],
          command: shell(`
echo written >/new/by-a
echo "root=$(sed -n 's|^[^ ]* [^ ]* [^ ]* \\([^ ]*\\) /new .*|\\1|p' /proc/self/mountinfo)"
echo "mode=$(stat -c %a /new)"
echo "file=$(cat /etc/app/config)"
echo "link=$(cat /link)"
echo "readOnly=$(touch /link 2>/dev/null && echo no || echo yes)"
echo "expr=$(ls /expr)"
echo "whole=$(ls /whole | tr '\\n' ' ')"
echo facts=done`),
          volumeMounts: [
            { name: 'data', mountPath: '/new', subPath: 'made/for//me' },
            { name: 'host', mountPath: '/etc/app/config', subPath: 'dir/config' },
            { name: 'host', mountPath: '/link', subPath: 'link', readOnly: true },
            { name: 'host', mountPath: '/expr', subPathExpr: '$(KIND)/x' },
            { name: 'data', mountPath: '/whole' },
          ],
        },
      ],
      {
        volumes: [
          { name: 'data', emptyDir: {} },
          { name: 'host', hostPath: { path: shared } },
        ],
      },
    ),
  );
  const pod = await daemon.waitForExistingPod('parts', isReady);
  const facts = await waitFor('its facts', async () => {
    const found = parseFacts(await daemon.containerLog('parts', 'a'));
    return found.facts === 'done' ? found : undefined;
  });
  t.match(facts, {
    root: /made\/for\/me$/,
    mode: '777',
    file: 'from the host',
    link: 'from the host',
    readOnly: 'yes',
    expr: '',
    whole: 'made ',
  });
  t.ok(statSync(join(shared, 'of-parts/x')).isDirectory(), 'made from the environment');
  t.equal(readFileSync(join(emptyDirOf(pod, 'data'), 'made/for/me/by-a'), 'utf8'), 'written\n');
  t.equal((await subPathMounts(pod)).length, 4);

  await t.test('also after kill -9 of the daemon and a restart of the container', async (t) => {
    await daemon.restart('SIGKILL');
    process.kill(pidOf(pod, 'a'), 'SIGKILL');
    await daemon.waitForExistingPod('parts', (seen) => isReady(seen) && statusOf(seen, 'a').restartCount === 1, {
      timeoutMs: 40_000,
    });
    t.equal((await subPathMounts(pod)).length, 4, 'nothing is mounted twice');
  });
  await t.test('and nothing of it is left, while the volume of the host keeps what it has', async (t) => {
    await daemon.deletePod('parts');
    t.strictSame(await subPathMounts(pod), []);
    t.notOk(existsSync(directoryOf(pod)));
    t.equal(readFileSync(join(shared, 'dir/config'), 'utf8'), 'from the host');
    t.ok(existsSync(join(shared, 'of-parts/x')));
  });
});

t.test('what a volume has may not lead out of it', async (t) => {
  const planted = join(daemon.root.path, 'planted');
  const canary = join(daemon.root.path, 'canary');
  for (const directory of [planted, canary]) mkdirSync(directory);
  const attacks: Readonly<Record<string, string>> = {
    etc: '/etc',
    passwd: '/etc/passwd',
    up: '../canary',
    far: '../../../../../../etc',
    proc: '/proc/1/root',
  };
  for (const [name, to] of Object.entries(attacks)) symlinkSync(to, join(planted, name));
  const paths = [...Object.keys(attacks), 'etc/passwd', 'up/new', 'proc/etc'];
  await daemon.createPod(
    podManifest(
      'evil',
      [
        { name: 'good', command: shell(''), volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'good' }] },
        ...paths.map((subPath, index) => ({
          name: `c${index}`,
          command: shell(''),
          volumeMounts: [{ name: 'v', mountPath: '/v', subPath }],
        })),
        {
          name: 'unset',
          command: shell(''),
          volumeMounts: [{ name: 'v', mountPath: '/v', subPathExpr: '$(NOBODY)' }],
        },
        {
          name: 'climbs',
          command: shell(''),
          env: [{ name: 'WAY', value: '..' }],
          volumeMounts: [{ name: 'v', mountPath: '/v', subPathExpr: '$(WAY)/canary' }],
        },
      ],
      { volumes: [{ name: 'v', hostPath: { path: planted } }] },
    ),
  );
  const names = [...paths.map((_, index) => `c${index}`), 'unset', 'climbs'];
  const pod = await daemon.waitForExistingPod(
    'evil',
    (seen) =>
      statusOf(seen, 'good').ready &&
      names.every((name) => statusOf(seen, name).state?.waiting?.reason !== 'ContainerCreating'),
  );
  for (const [index, name] of names.entries()) {
    const { state, containerID } = statusOf(pod, name);
    t.match(state, { waiting: { reason: 'CreateContainerConfigError' } }, paths[index] ?? name);
    t.equal(containerID, undefined);
  }
  t.match(
    statusOf(pod, 'c0').state?.waiting?.message,
    'failed to prepare subPath for volumeMount "v" of container "c0"',
  );
  t.equal(statusOf(pod, 'unset').state?.waiting?.message, 'missing value for "NOBODY"');
  t.match(
    statusOf(pod, 'climbs').state?.waiting?.message,
    "unable to provision SubPath `../canary`: must not contain '..'",
  );
  t.equal((await subPathMounts(pod)).length, 1, 'only the good one is mounted');
  t.notOk(existsSync(join(canary, 'new')));
  await daemon.deletePod('evil');
});

t.test('a container that swaps its part for a link does not come up again', async (t) => {
  await daemon.createPod(
    podManifest(
      'swap',
      [
        { name: 'victim', command: shell(''), volumeMounts: [{ name: 'v', mountPath: '/part', subPath: 'part' }] },
        {
          name: 'attacker',
          command: shell('until [ -d /v/part ]; do sleep 0.1; done; rmdir /v/part; ln -s /etc /v/part; echo swapped'),
          volumeMounts: [{ name: 'v', mountPath: '/v' }],
        },
      ],
      { volumes: [{ name: 'v', emptyDir: { medium: 'Memory' } }] },
    ),
  );
  const pod = await daemon.waitForExistingPod('swap', isReady);
  await waitFor('the swap', async () => (await daemon.containerLog('swap', 'attacker')) === 'swapped\n');
  process.kill(pidOf(pod, 'victim'), 'SIGKILL');
  const after = await daemon.waitForExistingPod(
    'swap',
    (seen) => statusOf(seen, 'victim').state?.waiting?.reason === 'CreateContainerConfigError',
  );
  t.match(statusOf(after, 'victim').state?.waiting?.message, 'leads out of the volume');
  rmSync(join(emptyDirOf(pod, 'v'), 'part'));
  await daemon.waitForExistingPod('swap', (seen) => statusOf(seen, 'victim').ready, { timeoutMs: 30_000 });
  await daemon.deletePod('swap');
  t.notOk(existsSync(directoryOf(pod)));
});

t.test('a file of a ConfigMap, which lies behind links of the daemon', async (t) => {
  const path = '/api/v1/namespaces/default/configmaps';
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'app' }, data: { 'app.conf': 'one' } };
  await daemon.api.expectOk('POST', path, { body });
  const mount = (subPath: string, mountPath: string) => ({ name: 'config', mountPath, subPath });
  await daemon.createPod(
    podManifest(
      'config',
      [
        {
          name: 'a',
          command: shell('echo "file=$(cat /etc/app.conf)"; echo "other=$(ls /other | wc -l)"; echo facts=done'),
          volumeMounts: [mount('app.conf', '/etc/app.conf'), mount('not-there', '/other')],
        },
      ],
      { volumes: [{ name: 'config', configMap: { name: 'app' } }] },
    ),
  );
  const pod = await daemon.waitForExistingPod('config', isReady);
  const factsOf = () =>
    waitFor('its facts', async () => {
      const found = parseFacts(await daemon.containerLog('config', 'a'));
      return found.facts === 'done' ? found : undefined;
    });
  t.match(await factsOf(), { file: 'one', other: '0' }, 'what is missing is an empty directory, as with a kubelet');

  await t.test('of another version after a restart of the container', async (t) => {
    await daemon.api.expectOk('PUT', `${path}/app`, { body: { ...body, data: { 'app.conf': 'two' } } });
    const file = join(directoryOf(pod), 'volumes/kubernetes.io~configmap/config/app.conf');
    await waitFor('the new version', async () => readFileSync(file, 'utf8') === 'two', 90_000);
    process.kill(pidOf(pod, 'a'), 'SIGKILL');
    await daemon.waitForExistingPod('config', (seen) => statusOf(seen, 'a').restartCount === 1 && isReady(seen));
    t.match(await factsOf(), { file: 'two' });
    t.equal((await subPathMounts(pod)).length, 2);
  });
  await daemon.deletePod('config');
  t.notOk(existsSync(directoryOf(pod)));
});

t.test('a way that no manifest may have', async (t) => {
  for (const field of ['subPath', 'subPathExpr']) {
    for (const path of ['..', 'a/../..', '/etc', 'a\0b']) {
      const manifest = podManifest(
        'bad',
        [{ name: 'a', volumeMounts: [{ name: 'v', mountPath: '/v', [field]: path }] }],
        {
          volumes: [{ name: 'v', emptyDir: {} }],
        },
      );
      const response = await daemon.api.request('POST', '/api/v1/namespaces/default/pods', { body: manifest });
      t.equal(response.status, 422, `${field} ${JSON.stringify(path)}`);
    }
  }
});
