// Any runtime will do.
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { Timeline, timelineCommand } from '../support/timeline.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime, config: { fileCheckFrequency: '1s' } });
t.teardown(() => daemon.stop());

/** The name in the API of the static pod `name`. */
const fullName = (name: string) => `${name}-${daemon.root.name}`;
const file = (name: string) => join(daemon.manifestsDir, name);
const drop = (name: string, content: unknown) =>
  writeFileSync(file(name), typeof content === 'string' ? content : JSON.stringify(content));

const manifest = (name: string, script = '') => podManifest(name, [{ name: 'a', command: shell(script) }]);
const running = (name: string) => daemon.waitForExistingPod(fullName(name), isReady);
const gone = (name: string) => daemon.waitForPod(fullName(name), (pod) => pod === undefined);

/** What must stay the same of a pod that nothing was to happen to. */
function identity(pod: Pod) {
  const { containerID, restartCount, state } = statusOf(pod, 'a');
  return { uid: pod.metadata.uid, containerID, restartCount, startedAt: state?.running?.startedAt };
}

/** A container that writes its timeline into a directory of the host. */
function timelineManifest(name: string, directory: string, container: string, termSeconds = 0) {
  return podManifest(
    name,
    [
      {
        name: 'a',
        command: timelineCommand(container, { termSeconds }),
        volumeMounts: [{ name: 'timeline', mountPath: '/timeline' }],
      },
    ],
    { terminationGracePeriodSeconds: 20, volumes: [{ name: 'timeline', hostPath: { path: directory } }] },
  );
}

function timelineDirectory(name: string): string {
  const directory = join(daemon.root.path, name);
  mkdirSync(directory);
  return directory;
}

t.test(
  'a manifest that is dropped runs, a changed one replaces its pod, and a removed one ends it in grace',
  async (t) => {
    const directory = timelineDirectory('life');
    drop('web.json', timelineManifest('web', directory, 'first', 1));
    const first = await running('web');
    t.match(first.metadata.annotations, {
      'kubernetes.io/config.source': 'file',
      'mini-kubelet.io/manifest': 'web.json',
    });

    drop('web.json', timelineManifest('web', directory, 'second', 1));
    const second = await daemon.waitForExistingPod(
      fullName('web'),
      (pod) => pod.metadata.uid !== first.metadata.uid && isReady(pod),
    );
    t.not(statusOf(second, 'a').containerID, statusOf(first, 'a').containerID);

    rmSync(file('web.json'));
    await gone('web');
    const timeline = Timeline.read(directory);
    const happened = timeline.events.map(({ container, what }) => `${container} ${what}`);
    t.strictSame(
      happened,
      ['first start', 'first term', 'first exit', 'second start', 'second term', 'second exit'],
      timeline.toString(),
    );
  },
);

t.test('a file may hold several pods, as documents or as a list, in YAML, and may be reached by a link', async (t) => {
  const yaml = (name: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: a, image: mini-kubelet.local/demo:1, command: [sleep, "1000000"]}]
`;
  const target = join(daemon.root.path, 'target.yaml');
  writeFileSync(target, yaml('linked'));
  symlinkSync(target, file('link.yaml'));
  drop('several.yaml', `${yaml('doc1')}---\n${yaml('doc2')}`);
  drop('list.json', { apiVersion: 'v1', kind: 'List', items: [manifest('item1'), manifest('item2')] });
  const names = ['doc1', 'doc2', 'item1', 'item2', 'linked'];
  for (const name of names) t.ok(await running(name), name);
  rmSync(target);
  for (const name of ['several.yaml', 'list.json', 'link.yaml']) rmSync(file(name));
  await Promise.all(names.map(gone));
});

interface Mistake {
  readonly name: string;
  make(path: string): void;
  /** What the user is told. */
  readonly message: RegExp;
}

const text = (content: string) => (path: string) => writeFileSync(path, content);
const json = (content: unknown) => text(JSON.stringify(content));

const mistakes: readonly Mistake[] = [
  { name: 'broken.yaml', make: text('apiVersion: v1\nkind: Pod\nmetadata: {name: x'), message: /line 3|line 4/ },
  { name: 'empty-name.json', make: json({ ...manifest('x'), metadata: {} }), message: /metadata\.name/ },
  { name: 'typing.json', make: json({ ...manifest('x'), sepc: {} }), message: /unknown field "sepc"/ },
  { name: 'invalid.json', make: json(podManifest('x', [])), message: /spec\.containers: Required value/ },
  { name: 'kind.json', make: json({ apiVersion: 'apps/v1', kind: 'Deployment' }), message: /"Deployment"/ },
  {
    name: 'list.json',
    make: json({ apiVersion: 'v1', kind: 'List', items: [manifest('good'), podManifest('B_d', [{ name: 'a' }])] }),
    message: /items\[1\].*B_d/,
  },
  { name: 'latin1.yaml', make: (path) => writeFileSync(path, Buffer.from([0x61, 0x3a, 0xe9, 0x0a])), message: /UTF-8/ },
  { name: 'fifo.yaml', make: (path) => execFileSync('mkfifo', [path]), message: /not a regular file/ },
  { name: 'loop.yaml', make: (path) => symlinkSync('loop.yaml', path), message: /ELOOP/ },
  { name: 'dangling.yaml', make: (path) => symlinkSync('/nonexistent/file', path), message: /ENOENT/ },
  { name: 'device.yaml', make: (path) => symlinkSync('/dev/zero', path), message: /not a regular file/ },
  {
    name: 'large.json',
    make: (path) => writeFileSync(path, JSON.stringify(manifest('large')).padEnd(10 * 2 ** 20 + 1)),
    message: /larger than 10 MiB/,
  },
];

async function manifestEvents(): Promise<Event[]> {
  const { items } = await daemon.api.expectOk<{ items: Event[] }>(
    'GET',
    '/api/v1/events?fieldSelector=reason%3DInvalidManifest',
  );
  return items;
}

t.test('a broken manifest is told by log and event, and disturbs nothing else', async (t) => {
  drop('good.json', manifest('good'));
  await daemon.createPod(manifest('by-api'));
  const before = [identity(await running('good')), identity(await daemon.waitForExistingPod('by-api', isReady))];
  for (const { name, make } of mistakes) make(file(name));
  // Of these nothing is told: editors and package managers leave such files.
  for (const name of ['.hidden.yaml', 'backup.yaml~', '#edited.yaml#', 'old.yaml.bak', 'half.tmp'])
    drop(name, 'broken: [');
  mkdirSync(file('directory'));
  drop('directory/inner.json', manifest('inner'));

  for (const { name, message } of mistakes) {
    const event = await waitFor(`the event of ${name}`, async () =>
      (await manifestEvents()).find((item) => item.message?.startsWith(`${name}: `)),
    );
    t.match(event, { type: 'Warning', involvedObject: { kind: 'Node', name: daemon.root.name }, message }, name);
    t.match(daemon.log(), `"file":"${name}"`, `${name} is in the log`);
  }
  // The largest of 10 MiB is none too large.
  drop('zz-last.json', JSON.stringify(manifest('last')).padEnd(10 * 2 ** 20));
  await running('last');
  const told = (await manifestEvents()).map(({ message = '' }) => message.replace(/:.*/s, ''));
  t.strictSame(
    told.sort(),
    mistakes.map(({ name }) => name).sort(),
    'one event for each mistake, and for nothing else',
  );
  t.notMatch(daemon.log(), 'hidden.yaml');
  t.strictSame([identity(await daemon.getPod(fullName('good'))), identity(await daemon.getPod('by-api'))], before);
  const { items } = await daemon.api.expectOk<{ items: Pod[] }>('GET', '/api/v1/pods');
  t.strictSame(
    items.map(({ metadata }) => metadata.name).sort(),
    ['by-api', fullName('good'), fullName('last')].sort(),
  );

  for (const { name } of mistakes) rmSync(file(name));
  rmSync(file('zz-last.json'));
  await gone('last');
  await daemon.deletePod('by-api');
});

t.test('a running pod lives on while its manifest is broken, and follows when it is right again', async (t) => {
  const before = identity(await running('good'));
  const whole = JSON.stringify(manifest('good', 'echo changed'));
  drop('good.json', whole.slice(0, whole.length / 2));
  await waitFor('the half to be told', async () =>
    (await manifestEvents()).some(({ message = '' }) => message.startsWith('good.json: ')),
  );
  t.strictSame(identity(await daemon.getPod(fullName('good'))), before);
  drop('good.json', whole);
  const after = await daemon.waitForExistingPod(
    fullName('good'),
    (pod) => pod.metadata.uid !== before.uid && isReady(pod),
  );
  await waitFor('the new script', async () => (await daemon.containerLog(fullName('good'), 'a')) === 'changed\n');
  // Laid out otherwise it is the same; and so it is after a move into place, as editors do.
  writeFileSync(`${file('good.json')}.tmp`, JSON.stringify(JSON.parse(whole), undefined, 4));
  renameSync(`${file('good.json')}.tmp`, file('good.json'));
  drop('next.json', manifest('next'));
  await running('next');
  t.strictSame(identity(await daemon.getPod(fullName('good'))), identity(after));
  rmSync(file('next.json'));
  await gone('next');
});

t.test('of two files with the same pod the first counts, and the other is told', async (t) => {
  const before = identity(await running('good'));
  drop('other.json', manifest('good', 'echo other'));
  const event = await waitFor('the event', async () =>
    (await manifestEvents()).find(({ message = '' }) => message.startsWith('other.json: ')),
  );
  t.match(event.message, /is in good\.json already/);
  t.strictSame(identity(await daemon.getPod(fullName('good'))), before);
  rmSync(file('other.json'));
});

t.test('a static pod that is deleted through the API comes back as another', async (t) => {
  const before = await running('good');
  await daemon.api.expectOk('DELETE', podPath(fullName('good')));
  const after = await daemon.waitForExistingPod(
    fullName('good'),
    (pod) => pod.metadata.uid !== before.metadata.uid && isReady(pod),
  );
  t.not(statusOf(after, 'a').containerID, statusOf(before, 'a').containerID);
});

t.test('a restart of the daemon leaves static pods alone, but for what changed meanwhile', async (t) => {
  drop('changed.json', manifest('changed'));
  drop('removed.json', manifest('removed'));
  const [same, changed] = [identity(await running('good')), await running('changed')];
  await running('removed');
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await daemon.restart(signal);
    drop('marker.json', manifest(`after-${signal.toLowerCase()}`));
    // The directory was read when this one runs.
    await running(`after-${signal.toLowerCase()}`);
    t.strictSame(identity(await daemon.getPod(fullName('good'))), same, signal);
  }
  await daemon.end();
  drop('changed.json', manifest('changed', 'echo changed'));
  rmSync(file('removed.json'));
  rmSync(file('marker.json'));
  await daemon.start();
  await gone('removed');
  await daemon.waitForExistingPod(
    fullName('changed'),
    (pod) => pod.metadata.uid !== changed.metadata.uid && isReady(pod),
  );
  t.strictSame(identity(await running('good')), same);
});

t.test('while the directory is away its pods stay', async (t) => {
  const before = identity(await running('good'));
  const away = `${daemon.manifestsDir}.away`;
  renameSync(daemon.manifestsDir, away);
  await waitFor('the loss to be told', async () =>
    (await manifestEvents()).some(({ message = '' }) => message.includes('the directory cannot be read')),
  );
  t.strictSame(identity(await daemon.getPod(fullName('good'))), before);
  renameSync(away, daemon.manifestsDir);
  drop('back.json', manifest('back'));
  await running('back');
  t.strictSame(identity(await daemon.getPod(fullName('good'))), before);
});
