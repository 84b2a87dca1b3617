import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { leaksSince, takeSnapshot } from '../support/leaks.ts';
import { waitFor } from '../support/wait.ts';
import { isOver, isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime, config: { containerLogMaxSize: '64Ki', containerLogMaxFiles: 3 } });
t.teardown(() => daemon.stop());

const script = (text: string) => ['sh', '-c', text];
const log = (pod: string, query = '', container = 'a') => daemon.containerLog(pod, container, query);

function logPath(pod: Pod, name: string): string {
  const { metadata } = pod;
  return join(daemon.podLogsDir, `default_${metadata.name}_${metadata.uid}`, name);
}

/** What a followed log gives until it ends. */
async function follow(pod: string, query = ''): Promise<string> {
  const response = await daemon.api.stream(
    `${podPath(pod)}/log?container=a&follow=true${query}`,
    AbortSignal.timeout(40_000),
  );
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

t.test('a log is given whole, from its end, by time, with times, by stream, or cut', async (t) => {
  await daemon.createPod(
    podManifest('words', [
      {
        name: 'a',
        command: shell(
          'for n in 1 2 3; do echo "old $n"; done; echo oops >&2; sleep 2.1; for n in 1 2; do echo "new $n"; done; echo end',
        ),
      },
    ]),
  );
  await waitFor('the last word', async () => (await log('words')).endsWith('end\n'));
  const whole = 'old 1\nold 2\nold 3\noops\nnew 1\nnew 2\nend\n';
  // The runtime keeps the order of each stream, not that of both.
  const lines = (text: string) => text.split('\n').sort();
  t.strictSame(lines(await log('words')), lines(whole));
  t.equal(await log('words', 'tailLines=2'), 'new 2\nend\n');
  t.equal(await log('words', 'tailLines=0'), '');
  t.equal(await log('words', 'limitBytes=4'), (await log('words')).slice(0, 4));
  t.equal(await log('words', 'stream=Stderr'), 'oops\n');
  t.equal(await log('words', 'stream=Stdout'), whole.replace('oops\n', ''));

  const stamped = (await log('words', 'timestamps=true')).trimEnd().split('\n');
  const pattern = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|[+-]\d\d:\d\d)) (.*)$/;
  t.strictSame(stamped.map((line) => pattern.exec(line)?.[2]).sort(), lines(whole.trimEnd()));
  const since = pattern.exec(stamped.find((line) => line.endsWith('new 1')) ?? '')?.[1] ?? '';
  t.equal(await log('words', `sinceTime=${encodeURIComponent(since)}`), 'new 1\nnew 2\nend\n');
  t.equal(await log('words', `sinceTime=${encodeURIComponent(since)}&tailLines=1`), 'end\n');
  const seconds = Math.ceil((Date.now() - Date.parse(since)) / 1000);
  t.equal(await log('words', `sinceSeconds=${seconds}`), 'new 1\nnew 2\nend\n');
  await daemon.deletePod('words');
});

t.test('whatever bytes a container writes are given as they are, long lines in one piece', async (t) => {
  await daemon.createPod(
    podManifest(
      'bytes',
      [
        {
          name: 'a',
          command: script('head -c 50000 /dev/zero | tr "\\0" y; echo; printf "\\377\\000\\033[1m\\n"; echo "日本"'),
        },
      ],
      { restartPolicy: 'Never' },
    ),
  );
  await daemon.waitForExistingPod('bytes', isOver);
  const response = await daemon.api.stream(`${podPath('bytes')}/log`);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const expected = Buffer.concat([
    Buffer.from(`${'y'.repeat(50_000)}\n`),
    Buffer.from([0xff, 0, 0x1b]),
    Buffer.from('[1m\n日本\n'),
  ]);
  t.ok(Buffer.concat(chunks).equals(expected));
  t.match(response.headers['content-type'], 'text/plain');
  await daemon.deletePod('bytes');
});

t.test('the log of the run before can be read, and only that one', async (t) => {
  await daemon.createPod(
    podManifest(
      'runs',
      [
        {
          name: 'a',
          command: shell(
            'n=$(cat /count/n 2>/dev/null || echo 0); echo "run $n"; echo $((n + 1)) >/count/n; [ $n = 1 ] || exit 1',
          ),
          volumeMounts: [{ name: 'count', mountPath: '/count' }],
        },
      ],
      { volumes: [{ name: 'count', emptyDir: {} }] },
    ),
  );
  const pod = await daemon.waitForExistingPod(
    'runs',
    (seen) => isReady(seen) && statusOf(seen, 'a').restartCount === 1,
  );
  await waitFor('its word', async () => (await log('runs')) === 'run 1\n');
  t.equal(await log('runs', 'previous=true'), 'run 0\n');
  t.ok(existsSync(logPath(pod, 'a/1.log')) && existsSync(logPath(pod, 'a/0.log')), 'where log agents look');
  await daemon.deletePod('runs');
  t.notOk(existsSync(logPath(pod, '')), 'no log is left of a pod that is gone');
});

t.test('following gives each line at once, and ends when the container does', async (t) => {
  await daemon.createPod(
    podManifest(
      'follow',
      [{ name: 'a', command: script('n=0; while [ $n -lt 10 ]; do echo "line $n"; n=$((n + 1)); sleep 0.2; done') }],
      { restartPolicy: 'Never' },
    ),
  );
  await daemon.waitForExistingPod('follow', ({ status }) => status?.phase === 'Running');
  const response = await daemon.api.stream(`${podPath('follow')}/log?follow=true`, AbortSignal.timeout(20_000));
  const arrivals: string[] = [];
  for await (const chunk of response) arrivals.push(String(chunk));
  const endedAt = Date.now();
  t.equal(arrivals.join(''), Array.from({ length: 10 }, (_, n) => `line ${n}\n`).join(''));
  t.ok(arrivals.length >= 4, `line by line: ${arrivals.length} pieces`);
  const pod = await daemon.waitForExistingPod('follow', isOver);
  const finishedAt = Date.parse(statusOf(pod, 'a').state?.terminated?.finishedAt ?? '');
  t.ok(endedAt - finishedAt < 4000, `ended ${endedAt - finishedAt} ms after the container's last whole second`);
  t.equal(await follow('follow', '&tailLines=1'), 'line 9\n', 'of a container that ended: what there is');
  await daemon.deletePod('follow');
});

t.test(
  'following ends with a pod that is deleted, with the bytes that were asked for, and with its client',
  async (t) => {
    const before = await takeSnapshot({ runtime, daemon });
    await daemon.createPod(podManifest('ends', [{ name: 'a', command: shell('echo hello') }]));
    await daemon.waitForExistingPod('ends', isReady);
    await waitFor('its word', async () => (await log('ends')) === 'hello\n');
    const abort = new AbortController();
    const left = await daemon.api.stream(`${podPath('ends')}/log?follow=true`, abort.signal);
    left.once('error', () => undefined);
    await new Promise((resolve) => left.once('data', resolve));
    abort.abort();
    t.equal(await follow('ends', '&limitBytes=3'), 'hel');
    const followed = follow('ends');
    await daemon.deletePod('ends');
    t.equal(await followed, 'hello\n');
    t.strictSame(await leaksSince(before, { runtime, daemon }), [], 'no file stays open');
  },
);

t.test('a follower sees every line of a log that is rotated meanwhile', async (t) => {
  const directory = join(daemon.root.path, 'gate');
  mkdirSync(directory);
  const line = 'x'.repeat(200);
  const flood = `n=0; until [ -e /gate/stop ]; do i=0; while [ $i -lt 40 ]; do echo "$n ${line}"; n=$((n + 1)); i=$((i + 1)); done; sleep 0.2; done; echo "$n"`;
  await daemon.createPod(
    podManifest(
      'flood',
      [{ name: 'a', command: script(flood), volumeMounts: [{ name: 'gate', mountPath: '/gate' }] }],
      { restartPolicy: 'Never', volumes: [{ name: 'gate', hostPath: { path: directory } }] },
    ),
  );
  const pod = await daemon.waitForExistingPod('flood', ({ status }) => status?.phase === 'Running');
  const files = () => readdirSync(logPath(pod, 'a'));
  const followed = follow('flood');
  await waitFor('a rotation', () => files().length === 2, 30_000);
  const sizeAtRotation = statSync(logPath(pod, 'a/0.log')).size;
  await waitFor('lines after it', () => statSync(logPath(pod, 'a/0.log')).size > sizeAtRotation);
  writeFileSync(join(directory, 'stop'), '');
  await daemon.waitForExistingPod('flood', isOver);
  const numbers = (await followed)
    .trimEnd()
    .split('\n')
    .map((text) => Number(text.split(' ')[0]));
  t.strictSame(
    numbers,
    Array.from({ length: numbers.length }, (_, n) => n),
  );
  t.equal(await log('flood', 'tailLines=1'), `${numbers.at(-1)}\n`);
  await daemon.deletePod('flood');
});

t.test('a log that cannot be given is explained', async (t) => {
  await daemon.createPod(
    podManifest('two', [
      { name: 'a', command: shell('') },
      { name: 'b', image: 'mini-kubelet.local/missing:1', imagePullPolicy: 'Never' },
    ]),
  );
  await daemon.waitForExistingPod('two', (pod) => statusOf(pod, 'b').state?.waiting?.reason === 'ErrImageNeverPull');
  const cases: [path: string, status: number, message: RegExp][] = [
    ['none/log', 404, /pods "none" not found/],
    ['two/log', 400, /a container name must be specified for pod two, choose one of: \[a b\]/],
    ['two/log?container=c', 400, /container c is not valid for pod two/],
    ['two/log?container=b', 400, /container "b" in pod "two" is waiting to start: ErrImageNeverPull/],
    ['two/log?container=a&previous=true', 400, /previous terminated container "a" in pod "two" not found/],
    ['two/log?container=a&tailLines=-1', 422, /tailLines: Invalid value: -1/],
    ['two/log?container=a&limitBytes=0', 422, /limitBytes: Invalid value: 0/],
    ['two/log?container=a&sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z', 422, /sinceSeconds|sinceTime/],
    ['two/log?container=a&sinceTime=yesterday', 422, /sinceTime: Invalid value: "yesterday"/],
  ];
  for (const [path, status, message] of cases) {
    const { status: actual, body } = await daemon.api.request('GET', podPath(path));
    t.match({ actual, body }, { actual: status, body: { kind: 'Status', message } }, path);
  }
  await daemon.deletePod('two');
});
