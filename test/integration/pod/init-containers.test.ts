// Init containers, sidecars, rules for exit codes and the deadline: in which order containers run, and what the pod says.
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Container, Pod, PodSpec } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { killAll } from '../support/processes.ts';
import { Timeline, type TimelineScript, timelineCommand } from '../support/timeline.ts';
import { waitFor } from '../support/wait.ts';
import { DEMO_IMAGE, isOver, isReady, podManifest, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

type Named = Partial<Container> & { name: string };

const volumeMounts = [{ name: 'timeline', mountPath: '/timeline' }];

/** A container that notes what it does in the pod's timeline. */
function noting(name: string, script: TimelineScript = {}, more: Partial<Container> = {}): Container {
  return { name, image: DEMO_IMAGE, command: timelineCommand(name, script), volumeMounts, ...more };
}

/** Notes its start, runs a script, notes its end, and ends with the script's exit code. */
function script(name: string, text: string, more: Partial<Container> = {}): Container {
  const log = `log() { read up rest </proc/uptime; echo "$up ${name} $1" >>/timeline/events; }`;
  const command = ['sh', '-c', `${log}\nlog start\n( ${text} )\ncode=$?\nlog exit\nexit $code`];
  return { name, image: DEMO_IMAGE, command, volumeMounts, ...more };
}

const sidecar = (name: string, how: TimelineScript = {}, more: Partial<Container> = {}) =>
  noting(name, how, { restartPolicy: 'Always', ...more });

function restartRule(action: 'Restart' | 'RestartAllContainers', exitCode: number) {
  return { action, exitCodes: { operator: 'In' as const, values: [exitCode] } };
}

const directoryOf = (pod: string) => join(daemon.root.path, pod);

async function create(
  name: string,
  containers: Named[],
  spec: Partial<PodSpec>,
  metadata: Partial<Pod['metadata']> = {},
) {
  mkdirSync(directoryOf(name), { recursive: true });
  const volumes = [{ name: 'timeline', hostPath: { path: directoryOf(name) } }];
  await daemon.createPod(podManifest(name, containers, { volumes, ...spec }, metadata));
  return () => Timeline.read(directoryOf(name));
}

/** A container runs for a moment before it notes its start. */
async function started(timeline: () => Timeline, name: string, times = 1): Promise<Timeline> {
  await waitFor(`start ${times} of ${name}`, () => timeline().count(name, 'start') >= times);
  return timeline();
}

/** A registry that takes connections and answers none. */
async function silentPort(t: Test): Promise<number> {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const conditionOf = (pod: Pod, type: string) => pod.status?.conditions?.find((item) => item.type === type);
const isHeldBack = (pod: Pod, name: string) => statusOf(pod, name).state?.waiting?.reason === 'CrashLoopBackOff';

t.test('init containers run one after the other, each to success, before the apps', async (t) => {
  const timeline = await create('ordered', [noting('app'), noting('other')], {
    initContainers: [noting('first', { exitAfterSeconds: 1 }), noting('second', { exitAfterSeconds: 1 })],
  });
  const during = await daemon.waitForExistingPod(
    'ordered',
    (pod) => statusOf(pod, 'first').state?.running !== undefined,
  );
  t.equal(during.status?.phase, 'Pending');
  t.match(conditionOf(during, 'Initialized'), {
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: 'containers with incomplete status: [first second]',
  });
  t.match(statusOf(during, 'app').state, { waiting: { reason: 'PodInitializing' } });
  const table = await daemon.kubectl(['get', 'pod', 'ordered', '--no-headers']);
  t.match(table.stdout, /ordered +0\/2 +Init:[01]\/2/);

  const pod = await daemon.waitForExistingPod('ordered', isReady);
  t.match(conditionOf(pod, 'Initialized'), { status: 'True' });
  t.match(statusOf(pod, 'second'), { ready: true, restartCount: 0, state: { terminated: { reason: 'Completed' } } });
  await started(timeline, 'app');
  const seen = await started(timeline, 'other');
  t.ok(seen.exitsBeforeStart('first', 'second'), String(seen));
  t.ok(seen.exitsBeforeStart('second', 'app'), String(seen));
  t.ok(seen.exitsBeforeStart('second', 'other'), String(seen));

  const log = await daemon.kubectl(['logs', 'ordered', '-c', 'first']);
  t.equal(log.exitCode, 0, log.stderr);
  await daemon.restart('SIGKILL');
  const after = await daemon.waitForExistingPod('ordered', isReady);
  t.equal(statusOf(after, 'app').containerID, statusOf(pod, 'app').containerID);
  t.equal(timeline().count('first', 'start'), 1, 'a restart of the daemon initializes nothing again');
  await daemon.deletePod('ordered');
});

t.test('an init container that fails is tried again as the policy says, and nothing starts before', async (t) => {
  const passing = '[ -e /timeline/passed ]';
  const again = await create('again', [noting('app')], {
    initContainers: [script('init', '[ -e /timeline/tried ] || { touch /timeline/tried; exit 1; }')],
    restartPolicy: 'OnFailure',
  });
  const held = await create('held', [noting('app')], { initContainers: [script('init', passing)] });
  const never = await create('never', [noting('app')], {
    initContainers: [sidecar('side'), script('init', passing)],
    restartPolicy: 'Never',
  });
  const restarted = await daemon.waitForExistingPod('again', isReady);
  t.match(statusOf(restarted, 'init'), { restartCount: 1, ready: true, state: { terminated: { exitCode: 0 } } });
  t.ok((await started(again, 'app')).exitsBeforeStart('init', 'app'));

  const pod = await daemon.waitForExistingPod('held', (seen) => isHeldBack(seen, 'init'));
  t.equal(pod.status?.phase, 'Pending');
  t.match(statusOf(pod, 'init').state?.waiting?.message, /back-off 10s restarting failed container=init/);
  t.equal(held().count('app', 'start'), 0);
  t.match((await daemon.kubectl(['get', 'pod', 'held', '--no-headers'])).stdout, /Init:CrashLoopBackOff/);

  const failed = await daemon.waitForExistingPod('never', isOver);
  t.match(failed.status, { phase: 'Failed' });
  t.match(statusOf(failed, 'side').state, { terminated: { exitCode: 0 } }, 'the sidecar ended too');
  t.match(statusOf(failed, 'app').state, { waiting: { reason: 'PodInitializing' } });
  t.equal(never().count('app', 'start'), 0);
  await Promise.all(['again', 'held', 'never'].map((name) => daemon.deletePod(name)));
});

t.test('sidecars start in their place, live beside the apps, and do not hold completion', async (t) => {
  const timeline = await create('side', [noting('app', { exitAfterSeconds: 2 })], {
    initContainers: [sidecar('proxy'), noting('init', { exitAfterSeconds: 1 }), sidecar('logger')],
    restartPolicy: 'Never',
  });
  const running = await daemon.waitForExistingPod('side', isReady);
  t.match(statusOf(running, 'proxy'), { ready: true, started: true });
  const pod = await daemon.waitForExistingPod('side', isOver);
  t.equal(pod.status?.phase, 'Succeeded');
  const seen = timeline();
  t.ok(seen.startsBefore('proxy', 'init'), String(seen));
  t.ok(seen.exitsBeforeStart('init', 'logger'), String(seen));
  t.ok(seen.startsBefore('logger', 'app'), String(seen));
  t.ok(seen.exitsBefore('app', 'proxy'), String(seen));
  t.ok(seen.exitsBefore('app', 'logger'), String(seen));
  for (const name of ['proxy', 'logger']) t.equal(seen.count(name, 'start'), 1, `${name} is not restarted at the end`);
  await daemon.deletePod('side');
});

t.test('a sidecar that ends is restarted, whatever the policy of the pod, and disturbs nobody', async (t) => {
  const timeline = await create('revived', [noting('app')], {
    initContainers: [
      script('side', '[ -e /timeline/ended ] || { touch /timeline/ended; sleep 1; exit 0; }; sleep 1000', {
        restartPolicy: 'Always',
      }),
      noting('init', { exitAfterSeconds: 0 }),
    ],
    restartPolicy: 'Never',
  });
  const pod = await daemon.waitForExistingPod(
    'revived',
    (seen) => isReady(seen) && statusOf(seen, 'side').restartCount === 1,
  );
  t.equal(pod.status?.phase, 'Running');
  t.match(conditionOf(pod, 'Initialized'), { status: 'True' });
  t.equal(timeline().count('init', 'start'), 1);
  t.equal(statusOf(pod, 'app').restartCount, 0);
  await daemon.deletePod('revived');
});

t.test('a new sandbox is initialized anew', async (t) => {
  const timeline = await create('anew', [noting('app')], {
    initContainers: [noting('init', { exitAfterSeconds: 0 }), sidecar('side')],
  });
  const before = await daemon.waitForExistingPod('anew', isReady);
  const { items } = await runtime.cri.call('ListPodSandbox', {
    filter: { labelSelector: { 'io.kubernetes.pod.uid': before.metadata.uid ?? '' } },
  });
  await killAll(items.map(({ id }) => runtime.containerPid(id)));
  const after = await daemon.waitForExistingPod(
    'anew',
    (pod) => isReady(pod) && statusOf(pod, 'app').restartCount === 1,
  );
  t.equal(statusOf(after, 'init').restartCount, 1);
  const seen = await started(timeline, 'app', 2);
  t.equal(seen.count('init', 'start'), 2, String(seen));
  t.equal(seen.count('app', 'start'), 2, String(seen));
  const starts = seen.events.filter(({ what }) => what === 'start').map(({ container }) => container);
  t.same(starts, ['init', 'side', 'app', 'init', 'side', 'app'], String(seen));
  await daemon.deletePod('anew');
});

t.test('a container has its own policy, and rules for exit codes before it', async (t) => {
  const counting = (name: string, codes: string) =>
    script(
      name,
      `n=$(cat /timeline/${name} 2>/dev/null || echo 0); echo $((n + 1)) >/timeline/${name}; set -- ${codes}; shift $n; exit $1`,
    );
  const inRule = restartRule('Restart', 42);
  const own = await create(
    'rules',
    [
      { ...counting('never', '3'), restartPolicy: 'Never' },
      { ...counting('rule', '42 0'), restartPolicy: 'Never', restartPolicyRules: [inRule] },
      { ...counting('failing', '1 0'), restartPolicy: 'OnFailure' },
    ],
    { restartPolicy: 'Never' },
  );
  const pod = await daemon.waitForExistingPod('rules', isOver);
  t.equal(pod.status?.phase, 'Failed');
  for (const [name, starts, exitCode] of [
    ['never', 1, 3],
    ['rule', 2, 0],
    ['failing', 2, 0],
  ] as const) {
    t.equal(own().count(name, 'start'), starts, name);
    t.match(statusOf(pod, name), { restartCount: starts - 1, state: { terminated: { exitCode } } });
  }
  await daemon.deletePod('rules');
});

t.test('an exit code restarts all containers, in the same sandbox, with back-off', async (t) => {
  const rule = restartRule('RestartAllContainers', 88);
  const worker = script('worker', 'sleep 1; [ -e /timeline/once ] || { touch /timeline/once; exit 88; }; sleep 1000', {
    restartPolicy: 'Never',
    restartPolicyRules: [rule],
  });
  const timeline = await create('all', [worker, noting('other')], {
    initContainers: [noting('init', { exitAfterSeconds: 0 }), sidecar('side')],
    restartPolicy: 'Never',
  });
  const first = await daemon.waitForExistingPod('all', isReady);
  const pod = await daemon.waitForExistingPod(
    'all',
    (seen) => isReady(seen) && statusOf(seen, 'other').restartCount === 1,
  );
  t.equal(pod.status?.podIP, first.status?.podIP);
  await started(timeline, 'worker', 2);
  await started(timeline, 'other', 2);
  const starts = timeline()
    .events.filter(({ what }) => what === 'start')
    .map(({ container }) => container);
  t.same(starts.slice(0, 2), ['init', 'side'], String(timeline()));
  t.same(starts.slice(4, 6), ['init', 'side'], String(timeline()));
  t.equal(starts.length, 8, String(timeline()));
  for (const name of ['init', 'side', 'worker', 'other']) t.equal(statusOf(pod, name).restartCount, 1, name);
  t.match(statusOf(pod, 'worker').lastState, { terminated: { exitCode: 88 } });
  t.match(conditionOf(pod, 'AllContainersRestarting'), { status: 'False' });
  const previous = await daemon.kubectl(['logs', 'all', '-c', 'other', '--previous']);
  t.equal(previous.exitCode, 0, previous.stderr);
  await daemon.deletePod('all');

  const looping = await create(
    'all-again',
    [script('worker', 'exit 88', { restartPolicy: 'Never', restartPolicyRules: [rule] }), noting('other')],
    {},
  );
  const held = await daemon.waitForExistingPod('all-again', (seen) =>
    /back-off 10s/.test(statusOf(seen, 'other').state?.waiting?.message ?? ''),
  );
  t.equal(statusOf(held, 'other').state?.waiting?.reason, 'RestartingAllContainers');
  t.match(conditionOf(held, 'AllContainersRestarting'), { status: 'True' });
  t.equal(held.status?.phase, 'Running');
  t.equal(looping().count('worker', 'start'), 2);
  await daemon.deletePod('all-again');
});

t.test('a pod whose time is over ends', async (t) => {
  await create('deadline', [noting('app')], { activeDeadlineSeconds: 2 });
  await create('deadline-init', [noting('app')], { activeDeadlineSeconds: 2, initContainers: [noting('init')] });
  // A step towards the start that hangs does not put the end off.
  await create('deadline-pull', [{ ...noting('app'), image: `127.0.0.1:${await silentPort(t)}/x:1` }], {
    activeDeadlineSeconds: 2,
  });
  for (const name of ['deadline', 'deadline-init', 'deadline-pull']) {
    const pod = await daemon.waitForExistingPod(name, isOver);
    const message = 'Pod was active on the node longer than the specified deadline';
    t.match(pod.status, { phase: 'Failed', reason: 'DeadlineExceeded', message }, name);
    const events = await daemon.kubectl([
      'get',
      'events',
      '--field-selector',
      `involvedObject.name=${name},reason=DeadlineExceeded`,
      '-o',
      'name',
    ]);
    t.match(events.stdout, /event\//);
    await daemon.deletePod(name);
  }
});

t.test('the delay of restarts can be bounded for one pod', async (t) => {
  const annotations = { 'mini-kubelet.io/crash-loop-max-seconds': '2' };
  await create('quick', [script('app', 'exit 1')], {}, { annotations });
  const pod = await daemon.waitForExistingPod('quick', (seen) => statusOf(seen, 'app').restartCount === 3);
  t.ok(pod);
  await t.rejects(
    create('bad', [noting('app')], {}, { annotations: { 'mini-kubelet.io/crash-loop-max-seconds': 'x' } }),
    /mini-kubelet.io\/crash-loop-max-seconds/,
  );
  await daemon.deletePod('quick');
});

t.test('a sidecar publishes its host port', async (t) => {
  writeFileSync(join(daemon.root.path, 'index.html'), 'from the sidecar\n');
  const hostPort = 18_231;
  await daemon.createPod(
    podManifest('port', [{ name: 'app', command: ['sleep', '1000'] }], {
      initContainers: [
        {
          name: 'web',
          image: DEMO_IMAGE,
          restartPolicy: 'Always',
          command: ['httpd', '-f', '-p', '80', '-h', '/www'],
          ports: [{ containerPort: 80, hostPort }],
          volumeMounts: [{ name: 'www', mountPath: '/www' }],
        },
      ],
      volumes: [{ name: 'www', hostPath: { path: daemon.root.path } }],
    }),
  );
  const pod = await daemon.waitForExistingPod('port', isReady);
  const answer = await fetch(`http://${pod.status?.hostIP}:${hostPort}/index.html`);
  t.equal(await answer.text(), 'from the sidecar\n');
  await daemon.deletePod('port');
});
