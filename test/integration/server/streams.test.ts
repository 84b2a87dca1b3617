import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { duplexPair } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { podKind } from '../../../src/api/kinds.ts';
import { SpdyConnection, type SpdyStream } from '../../../src/spdy/connection.ts';
import { socketTransport } from '../../../src/spdy/transport.ts';
import { waitFor } from '../support/wait.ts';
import { manifest, podsPath, type RunningServer, startServer } from './server.ts';

/** Stands for the runtime's end of a stream: what was opened on it, and whether it was closed. */
class PlayedRuntime {
  readonly requests: string[] = [];
  readonly streams = new Map<string, SpdyStream>();
  readonly received = new Map<string, string>();
  isClosed = false;
  connection: SpdyConnection | undefined;

  open(what: string): SpdyConnection {
    this.requests.push(what);
    const [ours, theirs] = duplexPair();
    const connection = new SpdyConnection(socketTransport(theirs), { role: 'server', maxStreams: 10 });
    connection.start({
      onStream: (stream) => {
        const name = stream.headers.get('streamtype') ?? '';
        this.streams.set(name, stream);
        const add = (text: string) => this.received.set(name, (this.received.get(name) ?? '') + text);
        stream.handle({
          onData: (piece) => add(String(piece)),
          onEnd: () => add('<end>'),
          onReset: () => add('<reset>'),
        });
      },
      onDrain: () => {},
      onEnd: () => connection.end(),
      onClose: () => {
        this.isClosed = true;
      },
    });
    this.connection = connection;
    return new SpdyConnection(socketTransport(ours), { role: 'client', maxStreams: 0 });
  }
}

async function start(t: Test, changes: Parameters<typeof startServer>[1] = {}) {
  const server = await startServer(t, changes);
  const runtime = new PlayedRuntime();
  server.pods.openStreams = async (what) => runtime.open(what);
  await server.api.request('POST', podsPath, { body: manifest('web') });
  return { server, runtime };
}

const execPath = `${podsPath}/web/exec?command=sh&stdin=1&stdout=1`;
const spdyHeaders = 'Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n';
const webSocketHeaders =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n';

/** Sends it all at once, and gives all that came until the server closed. */
async function exchange({ config }: RunningServer, text: string): Promise<string> {
  const socket = connect(config.socketPath);
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

const answersIn = (text: string) => text.match(/HTTP\/1\.1 \d+/g) ?? [];

function openWebSocket(
  { config }: RunningServer,
  protocol: string,
  path = execPath,
  headers: Record<string, string> = {},
) {
  const webSocket = new WebSocket(`ws+unix://${config.socketPath}:${path}`, protocol, { headers });
  const messages: string[] = [];
  webSocket.on('message', (data: Buffer) => messages.push(`${data[0]} ${data.subarray(1)}`));
  webSocket.on('error', (error) => messages.push(error.message));
  const closed = new Promise<number>((resolve) => webSocket.on('close', resolve));
  return { webSocket, messages, closed };
}

t.test('a refused upgrade ends the connection: what was sent behind it is never read', async (t) => {
  const { server, runtime } = await start(t);
  const behind = `GET ${podsPath} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const cases: [string, string][] = [
    [`POST ${podsPath}/nobody/exec?command=sh&stdout=1 HTTP/1.1\r\nHost: x\r\n${spdyHeaders}\r\n`, '404'],
    [`GET ${podsPath}/nobody/exec?command=sh&stdout=1 HTTP/1.1\r\nHost: x\r\n${webSocketHeaders}\r\n`, '404'],
    [`POST ${podsPath}/web/exec?command=sh HTTP/1.1\r\nHost: x\r\n${spdyHeaders}\r\n`, '400'],
    [`POST ${podsPath}/web/exec?stdout=1 HTTP/1.1\r\nHost: x\r\n${spdyHeaders}\r\n`, '400'],
    [`POST ${execPath} HTTP/1.1\r\nHost: x\r\n${spdyHeaders.replace('v4.', 'v1.')}\r\n`, '403'],
    [`GET ${execPath} HTTP/1.1\r\nHost: x\r\n${webSocketHeaders.replace('v5.', 'v9.')}\r\n`, '403'],
    [`POST ${execPath} HTTP/1.1\r\nHost: x\r\n${spdyHeaders}Content-Length: 5\r\n\r\nhello`, '400'],
    [`POST ${execPath} HTTP/1.1\r\nHost: x\r\n${webSocketHeaders}\r\n`, '400'],
    [`GET ${execPath} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`, '400'],
    [`GET ${execPath} HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\n${webSocketHeaders}\r\n`, '403'],
  ];
  for (const [head, code] of cases) {
    const answer = await exchange(server, head + behind);
    t.same(answersIn(answer), [`HTTP/1.1 ${code}`], head.slice(0, 100));
    t.match(answer, /"kind":"Status"/);
    t.notMatch(answer, 'PodList');
  }
  t.same(runtime.requests, [], 'the runtime was never asked');
});

t.test('an upgrade anywhere else is no upgrade, and ends the connection as well', async (t) => {
  const { server } = await start(t);
  for (const path of [
    podsPath,
    `${podsPath}/web`,
    '/healthz',
    '/api',
    `${podsPath}/web/log`,
    `${podsPath}/web/exec/x`,
  ]) {
    for (const headers of [spdyHeaders, webSocketHeaders]) {
      const smuggled = `DELETE ${podsPath}/web HTTP/1.1\r\nHost: x\r\n\r\n`;
      const answer = await exchange(server, `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n${smuggled}`);
      t.equal(answersIn(answer).length, 1, `GET ${path}`);
      t.notMatch(answer, /^HTTP\/1\.1 101/);
    }
  }
  const { status } = await server.api.request('GET', `${podsPath}/web`);
  t.equal(status, 200);
});

t.test('without credentials there is no stream, by whatever way it is asked for', async (t) => {
  const { server, runtime } = await start(t);
  const ca = readFileSync(`${server.directory}/pki/ca.crt`);
  for (const subresource of ['exec?command=sh&stdout=1', 'attach?stdout=1', 'portforward']) {
    for (const [method, headers] of [
      ['GET', webSocketHeaders],
      ['POST', spdyHeaders],
    ] as const) {
      const socket = connectTls({ host: '127.0.0.1', port: server.config.tls.port, ca });
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      socket.write(`${method} ${podsPath}/web/${subresource} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
      await once(socket, 'close');
      t.match(answer, /^HTTP\/1\.1 401 /, `${method} ${subresource}`);
    }
  }
  t.same(runtime.requests, []);
});

t.test('channels of v5: input, its end, output, the outcome', async (t) => {
  const { server, runtime } = await start(t);
  const { webSocket, messages, closed } = openWebSocket(server, 'v5.channel.k8s.io');
  await once(webSocket, 'open');
  t.same(runtime.requests, ['exec c {"command":["sh"],"stdin":true,"stdout":true,"stderr":false,"tty":false}']);
  webSocket.send(Buffer.from('\0typed'));
  webSocket.send(Buffer.from([1, 65]));
  webSocket.send(Buffer.from([99]));
  webSocket.send(Buffer.from([]));
  webSocket.send(Buffer.from([255, 0]));
  await waitFor('the end of stdin', () => runtime.received.get('stdin') === 'typed<end>');
  runtime.streams.get('stdout')?.write(Buffer.from('shown'));
  runtime.streams.get('error')?.write(Buffer.from('{"status":"Success"}'));
  runtime.connection?.end();
  t.equal(await closed, 1000);
  t.same(messages, ['1 ', '1 shown', '3 {"status":"Success"}']);
  await waitFor('the runtime to be closed', () => runtime.isClosed);
});

t.test('v4 cannot tell that stdin has ended; a runtime that ends without a word is told of', async (t) => {
  const { server, runtime } = await start(t);
  const { webSocket, messages, closed } = openWebSocket(server, 'v4.channel.k8s.io');
  await once(webSocket, 'open');
  webSocket.send(Buffer.from([255, 0]));
  webSocket.send(Buffer.from('\0on'));
  await waitFor('stdin', () => runtime.received.get('stdin') === 'on');
  runtime.connection?.destroy();
  t.equal(await closed, 1000);
  t.match(messages.at(-1), /^3 \{.*"status":"Failure".*the container runtime ended the stream/);
});

t.test('a client that is gone takes the runtime with it', async (t) => {
  const { server, runtime } = await start(t);
  const { webSocket } = openWebSocket(server, 'v5.channel.k8s.io');
  await once(webSocket, 'open');
  webSocket.terminate();
  await waitFor('the runtime to be closed', () => runtime.isClosed);
});

t.test('a stream ends with its pod, when it is idle, and with the server', async (t) => {
  const { server, runtime } = await start(t, { streamIdleTimeoutMs: 500 });
  const idle = openWebSocket(server, 'v5.channel.k8s.io');
  t.equal(await idle.closed, 1000);
  t.match(idle.messages.at(-1), /the stream was idle/);
  await waitFor('the runtime to be closed', () => runtime.isClosed);

  const headers = webSocketHeaders.replace('v5.channel.k8s.io', 'SPDY/3.1+portforward.k8s.io');
  const forwarded = exchange(server, `GET ${podsPath}/web/portforward HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
  await waitFor('the port-forward', () => runtime.requests.includes('portforward'));
  server.store.delete(podKind, 'default', 'web');
  t.match(await forwarded, /^HTTP\/1\.1 101 .*\r\nSec-WebSocket-Protocol: SPDY\/3\.1\+portforward\.k8s\.io\r\n/s);

  await server.api.request('POST', podsPath, { body: manifest('web') });
  const last = openWebSocket(server, 'v5.channel.k8s.io');
  await once(last.webSocket, 'open');
  const began = performance.now();
  await server.server.stop();
  t.equal(await last.closed, 1000);
  t.match(last.messages.at(-1), /the server is shutting down/);
  t.ok(performance.now() - began < 5_000);
});

t.test('a message that is too large ends the session', async (t) => {
  const { server, runtime } = await start(t);
  const { webSocket, closed } = openWebSocket(server, 'v5.channel.k8s.io');
  await once(webSocket, 'open');
  webSocket.send(Buffer.alloc(9 * 1024 * 1024));
  t.equal(await closed, 1009);
  await waitFor('the runtime to be closed', () => runtime.isClosed);
});

t.test("a kubelet's own endpoints are streams as well, with the pod's uid and without", async (t) => {
  const { server, runtime } = await start(t);
  const { uid } = server.store.get(podKind, 'default', 'web')?.metadata ?? {};
  for (const pod of ['web', `web/${uid}`]) {
    const query = 'input=1&output=1';
    const exec = openWebSocket(server, 'v5.channel.k8s.io', `/exec/default/${pod}/c?command=sh&command=-i&${query}`);
    await once(exec.webSocket, 'open');
    runtime.streams.get('stdout')?.write(Buffer.from('shown'));
    runtime.connection?.end();
    t.equal(await exec.closed, 1000);
    t.ok(exec.messages.includes('1 shown'));
    const attach = openWebSocket(server, 'v4.channel.k8s.io', `/attach/default/${pod}/c?${query}`);
    await once(attach.webSocket, 'open');
    attach.webSocket.terminate();
    const spdy = spdyHeaders.replace('v4.channel', 'portforward');
    const forwarded = exchange(server, `POST /portForward/default/${pod} HTTP/1.1\r\nHost: x\r\n${spdy}\r\n`);
    await waitFor('the port-forward', () => runtime.requests.at(-1) === 'portforward');
    runtime.connection?.destroy();
    t.match(await forwarded, /^HTTP\/1\.1 101 .*X-Stream-Protocol-Version: portforward\.k8s\.io\r\n/s);
  }
  const streams = '"stdin":true,"stdout":true,"stderr":false,"tty":false}';
  const requests = [`exec c {"command":["sh","-i"],${streams}`, `attach c {${streams}`, 'portforward'];
  t.same(runtime.requests, [...requests, ...requests]);
});

t.test("a kubelet's streams are refused as all others: nothing behind them is read", async (t) => {
  const { server, runtime } = await start(t);
  const behind = `GET ${podsPath} HTTP/1.1\r\nHost: x\r\n\r\n`;
  for (const [path, code] of [
    ['/exec/default/nobody/c?command=sh&output=1', '404'],
    ['/exec/default/web/not-its-uid/c?command=sh&output=1', '404'],
    ['/exec/default/web/none?command=sh&output=1', '400'],
    ['/exec/default/web/c?command=sh', '400'],
    ['/exec/default/web/c?output=1', '400'],
    ['/attach/default/web/c', '400'],
    ['/portForward/other/web', '404'],
    ['/exec/', '404'],
  ]) {
    const answer = await exchange(server, `POST ${path} HTTP/1.1\r\nHost: x\r\n${spdyHeaders}\r\n${behind}`);
    t.same(answersIn(answer), [`HTTP/1.1 ${code}`], String(path));
  }
  t.same(runtime.requests, [], 'the runtime was never asked');
});
