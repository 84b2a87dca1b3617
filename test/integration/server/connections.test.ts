// Any runtime will do.
// Waits for long.
// Connections that ask for nothing, or very slowly: the daemon gets rid of them, and everybody else is served.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { isReady, podManifest, shell } from '../pod/pods.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { openFiles } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

/** Of each listener; docs/api.md says so. */
const maxConnections = 4_096;

/** How many files this process and the daemon may have open. */
function descriptorLimit(): number {
  return Math.min(
    ...['self', daemon.pid].map((pid) =>
      Number(/Max open files +(\d+)/.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]),
    ),
  );
}

/** Sockets of one test: what has become of them. */
class Crowd {
  readonly sockets: Socket[] = [];
  answers = '';
  #open = 0;

  get open(): number {
    return this.#open;
  }

  add(socket: Socket): void {
    this.sockets.push(socket);
    this.#open += 1;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.answers = (this.answers + chunk.toString('latin1')).slice(-10_000);
    });
    socket.once('close', () => {
      this.#open -= 1;
    });
  }

  leave(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

/** Opens them some at a time: a listener's queue is shorter than a crowd. */
async function gather(t: Test, count: number, open: (ready: () => void) => Socket): Promise<Crowd> {
  const crowd = new Crowd();
  t.teardown(() => crowd.leave());
  while (crowd.sockets.length < count) {
    const some = Array.from(
      { length: Math.min(200, count - crowd.sockets.length) },
      () =>
        new Promise<void>((resolve) => {
          const socket = open(resolve);
          socket.once('close', resolve);
          crowd.add(socket);
        }),
    );
    await Promise.all(some);
  }
  return crowd;
}

const overTcp = (ready: () => void) => connect(daemon.port, '127.0.0.1', ready);
const overTls = (ready: () => void) =>
  connectTls({ host: '127.0.0.1', port: daemon.port, rejectUnauthorized: false }, ready);
const overUnix = (ready: () => void) => connect(daemon.api.socketPath, ready);

const sockets = () => openFiles(daemon.pid).filter((file) => file.startsWith('socket:')).length;

/** kubectl comes over TLS, curl over the socket. */
async function isServed(t: Test, message: string): Promise<void> {
  t.equal((await daemon.api.request('GET', '/readyz')).status, 200, message);
  const { stdout, stderr } = await daemon.kubectl(['get', 'ns', 'default', '-o=name']);
  t.equal(stdout, 'namespace/default', `${message}: ${stderr}`);
}

t.test('a listener holds so many connections and no more, and the other listener notices nothing', async (t) => {
  const { pid } = daemon;
  const before = sockets();
  const wanted = Math.min(10_000, Math.floor(descriptorLimit() / 2));
  t.comment(`${wanted} connections: 10,000, or half of the ${descriptorLimit()} files that a process here may open`);
  const crowd = await gather(t, wanted, overTcp);
  t.ok(sockets() <= before + maxConnections, 'no more than its limit');
  await waitFor('those beyond the limit to be closed', () => crowd.open <= maxConnections, 60_000);
  t.equal((await daemon.api.request('GET', '/readyz')).status, 200, 'whoever comes by the socket is served');
  await daemon.api.expectOk('GET', '/api/v1/pods');
  await waitFor('those that never say anything to be closed', () => crowd.open === 0, 60_000);
  await isServed(t, 'and then everybody is');
  t.equal(daemon.pid, pid);
});

t.test('connections that were used make room when a listener fills up', async (t) => {
  const wanted = Math.min(5_000, Math.floor(descriptorLimit() / 2));
  const crowd = await gather(t, wanted, (ready) => {
    const socket = overUnix(() => socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'));
    socket.once('data', ready);
    return socket;
  });
  t.ok(crowd.open < maxConnections, `${crowd.open} of ${wanted} are left`);
  await isServed(t, 'while they are there');
});

t.test('who sends a byte every five seconds is cut off, and everybody else is served meanwhile', async (t) => {
  const each = Math.min(1_000, Math.floor(descriptorLimit() / 20));
  const head = 'GET /api/v1/pods HTTP/1.1\r\nHost: localhost\r\nX-Slow: ';
  const body =
    'POST /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n';
  const slow = async (count: number, open: typeof overUnix, first: string) => {
    const crowd = await gather(t, count, open);
    for (const socket of crowd.sockets) socket.write(first);
    return crowd;
  };
  const byHeader = [await slow(each, overUnix, head), await slow(each, overTls, head)];
  const byHandshake = await slow(each, overTcp, '\x16\x03\x01');
  const byBody = await slow(each / 10, overUnix, body);
  const all = [...byHeader, byHandshake, byBody];
  const dripping = setInterval(() => {
    for (const { sockets } of all) for (const socket of sockets) if (socket.writable) socket.write('a');
  }, 5_000);
  t.teardown(() => clearInterval(dripping));
  await isServed(t, 'while they drip');
  await waitFor('those without a handshake to be closed', () => byHandshake.open === 0, 60_000);
  await waitFor('those with slow headers to be closed', () => byHeader.every(({ open }) => open === 0), 60_000);
  for (const { answers } of byHeader) t.match(answers, 'HTTP/1.1 408 Request Timeout', 'and told why');
  await isServed(t, 'after the most of them');
  await waitFor('those with a slow body to be closed', () => byBody.open === 0, 90_000);
});

t.test('sessions that are torn off leave nothing behind', async (t) => {
  await daemon.createPod(podManifest('shell', [{ name: 'a', command: shell('') }]));
  await daemon.waitForExistingPod('shell', isReady);
  const path = '/api/v1/namespaces/default/pods/shell/exec?command=cat&stdin=1&stdout=1';
  const tearOff = async (tty: boolean) => {
    const url = `ws+unix://${daemon.api.socketPath}:${path}${tty ? '&tty=1' : ''}`;
    const session = new WebSocket(url, 'v5.channel.k8s.io');
    await once(session, 'open');
    if (tty) session.send(Buffer.from('\x04{"Width":80,"Height":24}'));
    session.send(Buffer.from('\0typed\n'));
    await once(session, 'message');
    session.terminate();
  };
  // What is opened once and kept, such as the connection to the runtime, is there before it counts.
  await tearOff(true);
  const before = sockets();
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(Array.from({ length: 6 }, (_, index) => tearOff(index % 2 === 0)));
  }
  const left = await waitFor('their connections to be closed', () => sockets() <= before + 2 && sockets(), 60_000);
  t.comment(`${left} sockets, ${before} before`);
  await daemon.deletePod('shell');
});
