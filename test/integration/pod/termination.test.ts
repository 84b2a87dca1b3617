import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { buildDemoVariants } from '../../../scripts/images.ts';
import type { Container, Pod } from '../../../src/api/pod.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { Timeline, timelineCommand } from '../support/timeline.ts';
import { waitFor } from '../support/wait.ts';
import { DEMO_IMAGE, isOver, isReady, podManifest, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

type Part = Partial<Container> & { name: string };
const mount = { volumeMounts: [{ name: 'timeline', mountPath: '/timeline' }] };
const timed = (name: string, script: Parameters<typeof timelineCommand>[1] = {}): Part => ({
  name,
  command: timelineCommand(name, script),
  ...mount,
});
const sidecar = (name: string): Container => ({ image: DEMO_IMAGE, restartPolicy: 'Always', ...timed(name) });
const note = (container: string, what: string) =>
  `read up rest </proc/uptime; echo "$up ${container} ${what}" >>/timeline/events`;
/** Notes each of these signals; ends on the last one of them. */
const noting = (name: string, signals: readonly string[]): Part => ({
  name,
  command: [
    'sh',
    '-c',
    [
      ...signals.map((signal, index) => {
        const isLast = index === signals.length - 1;
        return `trap '${note(name, signal)}${isLast ? '; exit 0' : ''}' ${signal}`;
      }),
      note(name, 'start'),
      'while :; do sleep 1000000 & wait $!; done',
    ].join('\n'),
  ],
  ...mount,
});

async function create(name: string, containers: Part[], spec: Partial<Pod['spec']> = {}) {
  const directory = join(daemon.root.path, name);
  mkdirSync(directory);
  await daemon.createPod(
    podManifest(name, containers, {
      terminationGracePeriodSeconds: 20,
      ...spec,
      volumes: [{ name: 'timeline', hostPath: { path: directory } }],
    }),
  );
  return () => Timeline.read(directory);
}

const started = (timeline: () => Timeline, ...names: string[]) =>
  waitFor(`${names} to start`, () => names.every((name) => timeline().count(name, 'start') > 0));

/** The words in the order in which they were written, of these kinds. */
const order = (timeline: Timeline, ...kinds: string[]) =>
  timeline.events.filter(({ what }) => kinds.includes(what)).map(({ container, what }) => `${container} ${what}`);

t.test('sidecars stop after the app containers, the last one first', async (t) => {
  const timeline = await create('ordered', [timed('a', { termSeconds: 1 })], {
    initContainers: [sidecar('one'), sidecar('two')],
  });
  await daemon.waitForExistingPod('ordered', isReady);
  await started(timeline, 'a', 'one', 'two');
  await daemon.deletePod('ordered');
  const wanted = ['a term', 'a exit', 'two term', 'two exit', 'one term', 'one exit'];
  t.strictSame(order(timeline(), 'term', 'exit'), wanted, String(timeline()));
});

t.test('also when the daemon is killed in between', async (t) => {
  const timeline = await create('killed', [timed('a', { termSeconds: 3 })], { initContainers: [sidecar('one')] });
  await daemon.waitForExistingPod('killed', isReady);
  await started(timeline, 'a', 'one');
  await daemon.api.expectOk('DELETE', podPath('killed'));
  await waitFor('the signal', () => timeline().count('a', 'term') > 0);
  await daemon.kill9();
  await daemon.start();
  await daemon.waitForPod('killed', (pod) => pod === undefined);
  t.strictSame(order(timeline(), 'exit'), ['a exit', 'one exit'], String(timeline()));
  t.ok(timeline().secondsBetween(['a', 'exit'], ['one', 'term']) >= 0, String(timeline()));
});

t.test('one clock for all: when it is over, the sidecars go as well', async (t) => {
  const timeline = await create('late', [timed('a', { termSeconds: 60 })], {
    initContainers: [sidecar('one'), sidecar('two')],
    terminationGracePeriodSeconds: 4,
  });
  await daemon.waitForExistingPod('late', isReady);
  await started(timeline, 'a', 'one', 'two');
  await daemon.deletePod('late');
  t.equal(timeline().count('a', 'exit'), 0, 'it was killed');
  for (const name of ['one', 'two']) {
    const seconds = timeline().secondsBetween(['a', 'term'], [name, 'term']);
    t.ok(seconds > 2 && seconds < 9, `${name}: ${seconds} s\n${timeline()}`);
  }
});

t.test('when the app containers have done their work, the sidecars end and the pod has succeeded', async (t) => {
  const timeline = await create('done', [timed('a', { exitAfterSeconds: 1 })], {
    initContainers: [sidecar('one'), sidecar('two')],
    restartPolicy: 'Never',
  });
  const pod = await daemon.waitForExistingPod('done', isOver);
  t.equal(pod.status?.phase, 'Succeeded');
  const wanted = ['a exit', 'two term', 'two exit', 'one term', 'one exit'];
  t.strictSame(order(timeline(), 'term', 'exit'), wanted, String(timeline()));
});

t.test('an init container that runs is stopped with all others', async (t) => {
  const timeline = await create('early', [timed('a')], {
    initContainers: [sidecar('one'), { image: DEMO_IMAGE, ...timed('setup', { exitAfterSeconds: 1000 }) }],
  });
  await started(timeline, 'setup', 'one');
  await daemon.deletePod('early');
  t.strictSame(order(timeline(), 'term').sort(), ['one term', 'setup term'], String(timeline()));
});

t.test('containers are stopped with the signal of their manifest or image', async (t) => {
  const image = 'mini-kubelet.local/demo:stopsignal';
  const archive = join(daemon.root.path, 'stopsignal.tar');
  buildDemoVariants(archive, { [image]: { StopSignal: 'SIGUSR2' } });
  await runtime.ctr('images', 'import', archive);
  const signals = ['USR1', 'USR2', 'TERM'];
  const timeline = await create(
    'signals',
    [
      { ...noting('manifest', signals), lifecycle: { stopSignal: 'SIGUSR1' } },
      { ...noting('image', signals), image, imagePullPolicy: 'Never' },
      { ...noting('both', signals), image, imagePullPolicy: 'Never', lifecycle: { stopSignal: 'SIGUSR1' } },
      { ...noting('realtime', ['36', 'TERM']), lifecycle: { stopSignal: 'SIGRTMIN+2' } },
      noting('neither', signals),
    ],
    { terminationGracePeriodSeconds: 3 },
  );
  const pod = await daemon.waitForExistingPod('signals', isReady);
  t.equal(statusOf(pod, 'manifest').stopSignal, 'SIGUSR1');
  await started(timeline, 'manifest', 'image', 'both', 'realtime', 'neither');
  await daemon.deletePod('signals');
  const got = (name: string) => order(timeline(), ...signals, '36').filter((item) => item.startsWith(`${name} `));
  t.strictSame(got('manifest'), ['manifest USR1']);
  t.strictSame(got('image'), ['image USR2']);
  t.strictSame(got('both'), ['both USR1']);
  t.strictSame(got('realtime'), ['realtime 36']);
  t.strictSame(got('neither'), ['neither TERM'], String(timeline()));
});

t.test('a grace period of 0 counts as one second, in which hooks run', async (t) => {
  const hook = { exec: { command: ['sh', '-c', `${note('a', 'pre')}; sleep 0.2; ${note('a', 'done')}`] } };
  const timeline = await create('zero', [{ ...timed('a'), lifecycle: { preStop: hook } }], {
    terminationGracePeriodSeconds: 0,
  });
  await daemon.waitForExistingPod('zero', isReady);
  await started(timeline, 'a');
  await daemon.deletePod('zero');
  t.strictSame(order(timeline(), 'pre', 'done', 'term'), ['a pre', 'a done', 'a term'], String(timeline()));
});

t.test('the last words of containers are told, within limits', async (t) => {
  const write = (bytes: number) => `head -c ${bytes} /dev/zero | tr '\\0' x >/dev/termination-log`;
  const fallback = { terminationMessagePolicy: 'FallbackToLogsOnError' as const };
  const part = (name: string, script: string, change: Partial<Container> = {}): Part => ({
    name,
    command: ['sh', '-c', script],
    ...change,
  });
  await daemon.createPod(
    podManifest(
      'words',
      [
        part('file', `${write(8000)}; exit 1`),
        part('lines', 'seq 1 200; exit 1', fallback),
        part('bytes', "head -c 5000 /dev/zero | tr '\\0' y; exit 1", fallback),
      ],
      { restartPolicy: 'Never' },
    ),
  );
  await daemon.createPod(
    podManifest(
      'many-words',
      ['a', 'b', 'c', 'd'].map((name) => part(name, `${write(4096)}; exit 0`)),
      { restartPolicy: 'Never' },
    ),
  );
  const words = await daemon.waitForExistingPod('words', isOver);
  const message = (pod: Pod, name: string) => statusOf(pod, name).state?.terminated?.message ?? '';
  t.equal(message(words, 'file').length, 4096);
  t.strictSame(message(words, 'lines').trim().split('\n').slice(0, 1), ['121'], 'the last 80 lines');
  t.equal(message(words, 'bytes').length, 2048);
  const many = await daemon.waitForExistingPod('many-words', isOver);
  for (const name of ['a', 'b', 'c', 'd']) t.equal(message(many, name).length, 3072, `${name}: its share of 12 KiB`);
});
