import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { isReady, podManifest, shell } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import type { CommandResult } from '../support/kubectl.ts';
import { type Running, runKubectl, startKubectl, terminal } from '../support/kubectl-streams.ts';
import { waitFor } from '../support/wait.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

/** Both kubectls, and each in both of its ways to speak. */
const clients = [
  { suite: 'sid', webSockets: true },
  { suite: 'sid', webSockets: false },
  { suite: 'trixie', webSockets: true },
  { suite: 'trixie', webSockets: false },
] as const;
const titleOf = ({ suite, webSockets }: (typeof clients)[number]) =>
  `kubectl of Debian ${suite} by ${webSockets ? 'WebSocket' : 'SPDY'}`;

const httpd = 'mkdir -p /tmp/www; echo page > /tmp/www/index.html; httpd -h /tmp/www -p 127.0.0.1:8081';
await daemon.createPod(podManifest('one', [{ name: 'main', command: shell(httpd) }]));
await daemon.createPod(
  podManifest(
    'two',
    [
      { name: 'first', command: shell('') },
      {
        name: 'reader',
        command: ['sh', '-c', 'while read line; do echo "got $line"; done; echo no more'],
        stdin: true,
      },
      { name: 'done', command: ['true'] },
    ],
    { restartPolicy: 'Never' },
  ),
);
await daemon.createPod(podManifest('host', [{ name: 'main', command: shell('') }], { hostNetwork: true }));
for (const name of ['one', 'host']) await daemon.waitForExistingPod(name, isReady);
await daemon.waitForExistingPod('two', ({ status }) =>
  (status?.containerStatuses ?? []).some(({ name, state }) => name === 'done' && state?.terminated !== undefined),
);

/** What a pod with the host's network reaches on loopback. */
const onHost = createServer((_request, response) => response.end('from the host')).listen(0, '127.0.0.1');
await once(onHost, 'listening');
t.teardown(() => onHost.close());
const hostPort = (onHost.address() as AddressInfo).port;

for (const client of clients) {
  const run = (args: readonly string[], input?: Buffer | string) => runKubectl(daemon.kubeconfig, client, args, input);
  const start = (args: readonly string[]) => startKubectl(daemon.kubeconfig, client, args);

  t.test(`${titleOf(client)}: exec`, async (t) => {
    const failed = await run(['exec', 'one', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
    t.equal(failed.exitCode, 3);
    t.equal(failed.stdout, 'out\n');
    t.match(failed.stderr, /^err\n.*exit code 3/s);
    t.match(await run(['exec', 'one', '--', 'true']), { exitCode: 0, stdout: '', stderr: '' });

    const bytes = randomBytes(5_000_000);
    const echoed = await run(['exec', '-i', 'one', '--', 'sha256sum'], bytes);
    t.equal(
      echoed.stdout.split(' ')[0],
      createHash('sha256').update(bytes).digest('hex'),
      'stdin came whole, and ended',
    );
    t.equal((await run(['exec', '-i', 'one', '--', 'sh', '-c', 'cat; exit 7'], 'x'.repeat(100_000))).exitCode, 7);

    const missing = await run(['exec', 'one', '--', '/nonexistent']);
    t.not(missing.exitCode, 0);
    t.match(missing.stderr, /no such file or directory/);
  });

  t.test(`${titleOf(client)}: what cannot be done is refused in Kubernetes' words`, async (t) => {
    const refusals: [string[], RegExp][] = [
      [['exec', 'two', '-c', 'none', '--', 'true'], /container none (is not valid for pod two|not found in pod two)/],
      [['exec', 'nobody', '--', 'true'], /pods "nobody" not found/],
      [['exec', 'two', '-c', 'done', '--', 'true'], /container not found \("done"\)/],
      [['attach', 'two', '-c', 'done'], /container not found \("done"\)/],
    ];
    for (const [args, message] of refusals) {
      const { exitCode, stderr } = await run(args);
      t.not(exitCode, 0, args.join(' '));
      t.match(stderr, message, args.join(' '));
    }
  });

  t.test(`${titleOf(client)}: a terminal has its size, and follows when it changes`, async (t) => {
    const session = terminal(daemon.kubeconfig, client, ['exec', '-it', 'one', '--', 'sh'], { rows: 33, columns: 77 });
    t.teardown(() => session.stop());
    session.type('tty; stty size\n');
    await session.shows(/\/dev\/pts\/\d+\s+33 77/);
    session.resize(44, 99);
    await waitFor('the new size', async () => {
      session.type('stty size\n');
      return /44 99/.test(session.output());
    });
    session.type('exit 5\n');
    t.equal(await session.exitCode, 5);
  });

  t.test(`${titleOf(client)}: cp there and back`, async (t) => {
    const directory = join(daemon.root.path, `${client.suite}-${client.webSockets}`);
    mkdirSync(join(directory, 'sent/sub'), { recursive: true });
    const large = randomBytes(20_000_000);
    writeFileSync(join(directory, 'sent/large'), large);
    writeFileSync(join(directory, 'sent/sub/small'), 'small\n');
    const there = await run(['cp', join(directory, 'sent'), 'one:/tmp/copied']);
    t.match(there, { exitCode: 0 }, there.stderr);
    const back = await run(['cp', 'one:/tmp/copied', join(directory, 'back')]);
    t.match(back, { exitCode: 0 }, back.stderr);
    t.ok(readFileSync(join(directory, 'back/large')).equals(large));
    t.equal(readFileSync(join(directory, 'back/sub/small'), 'utf8'), 'small\n');
    await run(['exec', 'one', '--', 'rm', '-r', '/tmp/copied']);
  });

  t.test(
    `${titleOf(client)}: port-forward reaches what listens on loopback, by several connections at once`,
    async (t) => {
      const forward = start(['port-forward', 'pod/one', ':8081', ':9']);
      t.teardown(() => forward.stop());
      const [port, closedPort] = await forwardedPorts(forward, 2);
      const pages = await Promise.all(Array.from({ length: 12 }, () => page(port)));
      t.same(new Set(pages), new Set(['page\n']));
      await t.rejects(page(closedPort));
      await forward.prints(/an error occurred forwarding \d+ -> 9: .*refused/);

      const hosted = start(['port-forward', 'pod/host', `:${hostPort}`]);
      t.teardown(() => hosted.stop());
      const [toHost] = await forwardedPorts(hosted, 1);
      t.equal(await page(toHost), 'from the host', "the pod has the host's network");
    },
  );
}

t.test('kubectl spoke what it was told to, and did not fall back', async (t) => {
  for (const protocol of ['v5.channel.k8s.io', 'SPDY/3.1+portforward.k8s.io', 'portforward.k8s.io']) {
    t.match(daemon.log(), `"protocol":"${protocol}"`);
  }
});

t.test('attach joins a running process: its output, its input, and the end of that', async (t) => {
  const client = clients[0];
  const attached = startKubectl(daemon.kubeconfig, client, ['attach', '-i', 'two', '-c', 'reader']);
  t.teardown(() => attached.stop());
  await waitFor('the line to come back', () => {
    attached.type('hello\n');
    return attached.output().includes('got hello');
  });
  await attached.stop();
  const second = startKubectl(daemon.kubeconfig, clients[1], ['attach', '-i', 'two', '-c', 'reader']);
  t.teardown(() => second.stop());
  await waitFor('the second line to come back', () => {
    second.type('again\n');
    return second.output().includes('got again');
  });
});

t.test('run -it --rm shows a shell, gives its exit code, and leaves nothing', async (t) => {
  const args = ['run', 'shell', '-it', '--rm', '--restart=Never', '--image=mini-kubelet.local/demo:1', '--', 'sh'];
  const session = terminal(daemon.kubeconfig, clients[0], args, { rows: 24, columns: 80 });
  t.teardown(() => session.stop());
  await waitFor('the shell to answer', async () => {
    session.type('echo $((40+2))\n');
    return /^42/m.test(session.output());
  });
  session.type('exit 4\n');
  t.equal(await session.exitCode, 4);
  t.equal(await daemon.waitForPod('shell', (pod) => pod === undefined), undefined);
});

t.test('a client that does not read is waited for, and nothing is piled up', async (t) => {
  const slow = startKubectl(daemon.kubeconfig, clients[0], [
    'exec',
    'one',
    '--',
    'sh',
    '-c',
    'head -c 300000000 /dev/zero; echo end',
  ]);
  t.teardown(() => slow.stop());
  slow.pause();
  const before = residentMiB();
  await waitFor('the command to be blocked', async () => {
    const { stdout } = await runKubectl(daemon.kubeconfig, clients[1], ['exec', 'one', '--', 'ps', 'w']);
    const head = /^ *(\d+) .* head -c 300000000/m.exec(stdout)?.[1];
    if (head === undefined) return false;
    const at = () => runKubectl(daemon.kubeconfig, clients[1], ['exec', 'one', '--', 'cat', `/proc/${head}/stat`]);
    const [first, second] = [await at(), await at()];
    return cpuTicks(first) === cpuTicks(second);
  });
  t.ok(residentMiB() - before < 40, `${residentMiB() - before} MiB more`);
  slow.resume();
  t.equal(await slow.exitCode, 0);
  t.equal(slow.received, 300_000_004);
});

t.test('streams end with their pod, and with the daemon', async (t) => {
  await daemon.createPod(podManifest('brief', [{ name: 'main', command: shell('') }]));
  await daemon.waitForExistingPod('brief', isReady);
  const forward = startKubectl(daemon.kubeconfig, clients[0], ['port-forward', 'pod/brief', ':80']);
  const exec = startKubectl(daemon.kubeconfig, clients[1], ['exec', '-i', 'brief', '--', 'cat']);
  t.teardown(() => Promise.all([forward.stop(), exec.stop()]));
  await forwardedPorts(forward, 1);
  exec.type('there\n');
  await exec.prints(/there/);
  await daemon.deletePod('brief');
  t.equal(await exec.exitCode, 137, 'killed with its container');
  t.not(await forward.exitCode, 0);

  const staying = clients
    .slice(0, 2)
    .map((client) => startKubectl(daemon.kubeconfig, client, ['exec', '-i', 'one', '--', 'cat']));
  for (const session of staying) {
    session.type('there\n');
    await session.prints(/there/);
  }
  t.equal(await daemon.end(), 0);
  for (const session of staying) {
    t.not(await session.exitCode, 0);
    t.match(session.errors(), /the server is shutting down/);
  }
  t.notMatch(daemon.log(), /unhandled|a stream failed/i);
  await daemon.start();
});

async function forwardedPorts(forward: Running, count: number): Promise<[number, number]> {
  await waitFor('the ports to be forwarded', () => forward.output().match(/127\.0\.0\.1:\d+ ->/g)?.length === count);
  const [first = 0, second = 0] = [...forward.output().matchAll(/127\.0\.0\.1:(\d+) ->/g)].map(([, port]) =>
    Number(port),
  );
  return [first, second];
}

function page(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
  });
}

function residentMiB(): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1]) / 1024;
}

function cpuTicks({ stdout }: CommandResult): string {
  return stdout.split(' ').slice(13, 15).join(' ');
}
