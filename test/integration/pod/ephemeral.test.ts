// Containers that somebody looks into a running pod with.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ContainerStatus, EphemeralContainer, Pod } from '../../../src/api/pod.ts';
import { inRuntime, waitForEvent } from '../faults/faults.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { DEMO_IMAGE, isOver, isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const path = (pod: string) => `${podPath(pod)}/ephemeralcontainers`;
type Debugger = Partial<EphemeralContainer> & { name: string };
const debuggerOf = (container: Debugger) => ({ image: DEMO_IMAGE, ...container });

/** Adds a container as kubectl debug does. */
async function debug(pod: string, container: Debugger) {
  const body = { spec: { ephemeralContainers: [debuggerOf(container)] } };
  const contentType = 'application/strategic-merge-patch+json';
  return daemon.api.expectOk<Pod>('PATCH', path(pod), { body, contentType });
}

/** Replaces the whole list, by PUT. */
async function replace(pod: string, containers: readonly object[]) {
  const current = await daemon.getPod(pod);
  const body = { ...current, spec: { ...current.spec, ephemeralContainers: containers } };
  return daemon.api.request<Pod & { message?: string }>('PUT', path(pod), { body });
}

function ephemeralStatus({ status }: Pod, name: string): ContainerStatus | undefined {
  return status?.ephemeralContainerStatuses?.find((item) => item.name === name);
}

const waitForState = (pod: string, name: string, state: 'waiting' | 'running' | 'terminated') =>
  daemon.waitForExistingPod(pod, (seen) => ephemeralStatus(seen, name)?.state?.[state] !== undefined);

t.test('one comes into a running pod, is started once, and can be taken out when it has ended', async (t) => {
  await daemon.createPod(podManifest('host', [{ name: 'a', command: shell('') }]));
  const before = await daemon.waitForExistingPod('host', isReady);
  const patched = await debug('host', {
    name: 'look',
    command: ['sh', '-c', 'tr "\\0" " " </proc/1/cmdline; exit 3'],
    targetContainerName: 'a',
  });
  t.equal(patched.metadata.generation, 2);
  const ended = await waitForState('host', 'look', 'terminated');
  t.match(ephemeralStatus(ended, 'look'), {
    ready: false,
    restartCount: 0,
    image: DEMO_IMAGE,
    containerID: /^containerd:\/\/[0-9a-f]{64}$/,
    state: { terminated: { exitCode: 3, reason: 'Error' } },
  });
  t.match(await daemon.containerLog('host', 'look'), /^sh -c trap/, "it sees the target's first process as its own");
  t.ok(isReady(ended), 'its end is not the end of the pod');
  t.equal(ended.status?.phase, 'Running');
  t.strictSame(ended.status?.containerStatuses, before.status?.containerStatuses);
  const started = await waitForEvent(daemon, 'host', /^Started: /);
  t.ok(started);
  await waitFor('its event', async () => {
    const { items } = await daemon.api.expectOk<{
      items: { reason: string; involvedObject: { fieldPath?: string } }[];
    }>('GET', '/api/v1/namespaces/default/events');
    return items.some(
      ({ reason, involvedObject }) =>
        reason === 'Started' && involvedObject.fieldPath === 'spec.ephemeralContainers{look}',
    );
  });

  await debug('host', {
    name: 'alone',
    command: shell('echo "one=$(tr "\\0" " " </proc/1/cmdline)"; test -t 0 && echo tty'),
    stdin: true,
    tty: true,
  });
  const two = await waitForState('host', 'alone', 'running');
  t.strictSame(two.spec.ephemeralContainers?.map(({ name }) => name).sort(), ['alone', 'look']);
  await waitFor('its words', async () => /tty/.test(await daemon.containerLog('host', 'alone')));
  t.match(await daemon.containerLog('host', 'alone'), /^one=sh -c trap.*tty/s, 'without a target it sees itself');

  await daemon.restart('SIGKILL');
  const again = await daemon.waitForExistingPod('host', isReady);
  t.strictSame(
    again.status?.ephemeralContainerStatuses,
    two.status?.ephemeralContainerStatuses,
    'none is started again',
  );

  const [look, alone] = ['look', 'alone'].map((name) =>
    two.spec.ephemeralContainers?.find((container) => container.name === name),
  );
  const refused = await replace('host', [look ?? {}]);
  t.equal(refused.status, 422);
  t.match(refused.body.message, /existing ephemeral containers "alone" may not be removed before they have ended/);
  const changed = await replace('host', [look ?? {}, { ...alone, command: ['true'] }]);
  t.equal(changed.status, 422);
  t.match(changed.body.message, /existing ephemeral containers "alone" may not be changed/);

  const uid = before.metadata.uid ?? '';
  const logs = join(daemon.podLogsDir, `default_host_${uid}`, 'look/0.log');
  t.ok(existsSync(logs));
  t.equal((await replace('host', [alone ?? {}])).status, 200);
  const left = await daemon.waitForExistingPod('host', (pod) => ephemeralStatus(pod, 'look') === undefined);
  t.ok(ephemeralStatus(left, 'alone')?.state?.running);
  const isInRuntime = async () => (await inRuntime(runtime, uid)).containers.some(({ name }) => name === 'look');
  await waitFor('the dead container to go', async () => !(await isInRuntime()));
  t.notOk(existsSync(logs));
  await daemon.deletePod('host');
  t.strictSame(await inRuntime(runtime, uid), { sandboxes: [], containers: [] }, 'they end with their pod');
});

t.test('one does not wait for init containers, but for its target', async (t) => {
  const directory = join(daemon.root.path, 'gate');
  mkdirSync(directory);
  const gate = { name: 'gate', mountPath: '/gate' };
  const manifest = podManifest('early', [{ name: 'a', command: shell('') }], {
    volumes: [{ name: 'gate', hostPath: { path: directory } }],
  });
  const wait = ['sh', '-c', 'until [ -e /gate/open ]; do sleep 0.05; done'];
  const init = { name: 'init', image: DEMO_IMAGE, command: wait, volumeMounts: [gate] };
  await daemon.createPod({ ...manifest, spec: { ...manifest.spec, initContainers: [init] } });
  await debug('early', { name: 'now', command: ['true'] });
  await debug('early', { name: 'later', command: shell(''), targetContainerName: 'a' });
  const early = await waitForState('early', 'now', 'terminated');
  t.equal(early.status?.phase, 'Pending');
  t.match(ephemeralStatus(early, 'later')?.state, {
    waiting: { reason: 'CreateContainerConfigError', message: 'target container "a" is not running' },
  });
  writeFileSync(join(directory, 'open'), '');
  const running = await waitForState('early', 'later', 'running');
  t.equal(running.status?.phase, 'Running');
  await daemon.deletePod('early');
});

t.test('a pod whose containers have ended is over, whatever still looks into it', async (t) => {
  const directory = join(daemon.root.path, 'end');
  mkdirSync(directory);
  await daemon.createPod(
    podManifest(
      'done',
      [
        {
          name: 'a',
          command: ['sh', '-c', 'until [ -e /gate/open ]; do sleep 0.05; done'],
          volumeMounts: [{ name: 'gate', mountPath: '/gate' }],
        },
      ],
      { restartPolicy: 'Never', volumes: [{ name: 'gate', hostPath: { path: directory } }] },
    ),
  );
  await daemon.waitForExistingPod('done', isReady);
  await debug('done', { name: 'watcher', command: shell('') });
  await waitForState('done', 'watcher', 'running');
  writeFileSync(join(directory, 'open'), '');
  const over = await daemon.waitForExistingPod(
    'done',
    (pod) => isOver(pod) && Boolean(ephemeralStatus(pod, 'watcher')?.state?.terminated),
  );
  t.equal(over.status?.phase, 'Succeeded');
  t.equal(statusOf(over, 'a').state?.terminated?.exitCode, 0);
  await daemon.deletePod('done');
});

t.test('what Kubernetes refuses is refused', async (t) => {
  const create = await daemon.api.request('POST', '/api/v1/namespaces/default/pods', {
    body: podManifest('wrong', [{ name: 'a' }], { ephemeralContainers: [debuggerOf({ name: 'x' })] }),
  });
  t.equal(create.status, 422);
  t.match(create.text, /spec.ephemeralContainers: Forbidden: cannot be set on create/);
  await daemon.createPod(podManifest('strict', [{ name: 'a', command: shell('') }]));
  const rows: [object, RegExp][] = [
    [{ name: 'a' }, /Duplicate value/],
    [{ name: 'x', targetContainerName: 'none' }, /targetContainerName: Not found/],
    [{ name: 'x', ports: [{ containerPort: 80 }] }, /ports: Forbidden: cannot be set for an Ephemeral Container/],
    [{ name: 'x', lifecycle: { preStop: { sleep: { seconds: 1 } } } }, /lifecycle: Forbidden/],
    [{ name: 'x', resources: { limits: { cpu: '1' } } }, /resources: Forbidden/],
    [{ name: 'x', volumeDevices: [{ name: 'v', devicePath: '/dev/x' }] }, /volumeDevices/],
  ];
  for (const [container, message] of rows) {
    const response = await replace('strict', [{ image: DEMO_IMAGE, ...container }]);
    t.equal(response.status, 422, JSON.stringify(container));
    t.match(response.text, message);
  }
  const { spec } = await daemon.getPod('strict');
  t.notOk(spec.ephemeralContainers);
  await daemon.deletePod('strict');
});

t.test('kubectl debug', async (t) => {
  await daemon.createPod(podManifest('web', [{ name: 'a', command: shell('') }]));
  await daemon.waitForExistingPod('web', isReady);
  const run = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await daemon.kubectl(args);
    t.equal(exitCode, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  await run(
    'debug',
    'web',
    `--image=${DEMO_IMAGE}`,
    '--target=a',
    '--container=dbg',
    '--attach=false',
    '--',
    'sh',
    '-c',
    'echo hello',
  );
  await waitForState('web', 'dbg', 'terminated');
  t.equal(await run('logs', 'web', '-c', 'dbg'), 'hello');
  t.match(await run('describe', 'pod', 'web'), /Ephemeral Containers:\n +dbg:/);
  await daemon.deletePod('web');
});
