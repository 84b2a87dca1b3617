// Asks real servers on the loopback, well-behaved and not.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import type { Probe } from '../../../src/api/pod.ts';
import { NetworkClient } from '../../../src/probes/network-client.ts';
import type { ProbeOutcome } from '../../../src/probes/outcome.ts';
import { PROBE_USER_AGENT, Prober } from '../../../src/probes/prober.ts';
import { HealthClient } from '../../../src/runtime/health-client.ts';
import { loadHealthProto } from '../../../src/runtime/proto.ts';
import { RuntimeError } from '../../../src/runtime/runtime-error.ts';
import { createAuthority } from '../../../src/server/pki/certificates.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { waitFor } from '../support/wait.ts';

const success = { kind: 'success' };

type ExecSync = (
  id: string,
  command: readonly string[],
  seconds: number,
) => Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }>;

function makeProber(execSync: ExecSync = () => Promise.reject(new Error('no command is expected'))): Prober {
  return new Prober({
    client: { execSync },
    network: new NetworkClient(),
    health: new HealthClient({ userAgent: PROBE_USER_AGENT }),
    clock: systemClock,
  });
}

const prober = makeProber();

function ask(probe: Probe, of: Prober = prober): Promise<ProbeOutcome> {
  const container = { name: 'web', env: [{ name: 'WORD', value: 'hello' }] };
  return of.ask({ probe: { timeoutSeconds: 1, ...probe }, container, containerId: 'c1', podIP: '127.0.0.1' }).outcome;
}

async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

const serve = (t: Test, listener: RequestListener) => listen(t, createServer(listener));

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

t.test('an HTTP status from 200 to 399 is success', async (t) => {
  const port = await serve(t, ({ url = '' }, response) => response.writeHead(Number(url.slice(1))).end('body'));
  const outcomes: Readonly<Record<number, object>> = {
    200: success,
    204: success,
    299: success,
    304: { kind: 'success', warning: 'Probe terminated redirects, Response body: ' },
    399: { kind: 'success', warning: 'Probe terminated redirects, Response body: body' },
    400: { kind: 'failure', message: 'HTTP probe failed with statuscode: 400' },
    503: { kind: 'failure', message: 'HTTP probe failed with statuscode: 503' },
  };
  for (const [status, outcome] of Object.entries(outcomes)) {
    t.strictSame(await ask({ httpGet: { port, path: `/${status}` } }), outcome, status);
  }
});

t.test('the server gets the headers, once, and the connection is not used again', async (t) => {
  const seen: IncomingMessage[] = [];
  const port = await serve(t, (request, response) => {
    seen.push(request);
    response.end('ok');
  });
  const httpHeaders = [
    { name: 'Host', value: 'shop.test' },
    { name: 'X-Word', value: 'grüße' },
  ];
  await ask({ httpGet: { port, path: '/a?b=c', httpHeaders } });
  const [first] = seen;
  t.equal(seen.length, 1);
  t.match(first, { method: 'GET', url: '/a?b=c' });
  t.match(first?.headers, { host: 'shop.test', 'user-agent': 'kube-probe/1.36', accept: '*/*', connection: 'close' });
  t.equal(Buffer.from(String(first?.headers['x-word']), 'latin1').toString('utf8'), 'grüße');
  t.match(await ask({ httpGet: { port, httpHeaders: [{ name: 'X', value: 'a\r\nY: b' }] } }), { kind: 'failure' });
  t.equal(seen.length, 1, 'a header that would be two is not sent');
});

t.test('redirects to the same host are followed, up to ten; others are success with a warning', async (t) => {
  const hosts: string[] = [];
  const port = await serve(t, ({ url = '', headers }, response) => {
    const redirect = (location: string) => response.writeHead(302, { location }).end(`to ${location}`);
    const count = /^\/count\/(\d+)$/.exec(url)?.[1];
    if (count && count !== '0') return redirect(`/count/${Number(count) - 1}`);
    if (url === '/away') return redirect('http://169.254.169.254/secret');
    if (url === '/bad') return redirect('/500');
    if (url === '/file') return redirect('file:///etc/passwd');
    hosts.push(headers.host ?? '');
    return response.writeHead(url === '/500' ? 500 : 200).end();
  });
  const httpHeaders = [{ name: 'Host', value: 'shop.test' }];
  t.strictSame(await ask({ httpGet: { port, path: '/count/9', httpHeaders } }), success);
  t.strictSame(hosts, ['shop.test'], 'the host that the user names stays');
  t.match(await ask({ httpGet: { port, path: '/count/10' } }), {
    kind: 'failure',
    message: /stopped after 10 redirects$/,
  });
  t.match(await ask({ httpGet: { port, path: '/bad' } }), { kind: 'failure', message: /500$/ });
  for (const [path, to] of Object.entries({
    '/away': 'http://169.254.169.254/secret',
    '/file': 'file:///etc/passwd',
  })) {
    const warning = `Probe terminated redirects, Response body: to ${to}`;
    t.strictSame(await ask({ httpGet: { port, path } }), { kind: 'success', warning });
  }
});

t.test('at most 10 KiB of an answer are read', async (t) => {
  let written = 0;
  const port = await serve(t, (_request, response) => {
    response.writeHead(200);
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384))) written += 16_384;
      response.once('drain', more);
    };
    more();
  });
  t.strictSame(await ask({ httpGet: { port } }), success);
  t.ok(written < 16 * 1024 * 1024, `${written} bytes were sent before the connection was closed`);
});

t.test('HTTPS is asked whatever its certificate says', async (t) => {
  const { key, certificate } = await createAuthority('elsewhere', Date.now());
  const names: unknown[] = [];
  const server = createTlsServer({ key, cert: certificate }, (request, response) => {
    names.push((request.socket as { servername?: unknown }).servername);
    response.writeHead(request.url === '/' ? 200 : 500).end();
  });
  const port = await listen(t, server);
  const httpHeaders = [{ name: 'Host', value: 'shop.test' }];
  t.strictSame(await ask({ httpGet: { port, scheme: 'HTTPS', httpHeaders } }), success);
  t.strictSame(names, [false], 'TLS is asked for no name at an address');
  t.match(await ask({ httpGet: { port, scheme: 'HTTPS', path: '/no' } }), { kind: 'failure' });
  const plain = await serve(t, (_request, response) => response.end());
  const wrong = await ask({ httpGet: { port: plain, scheme: 'HTTPS' } });
  t.match(wrong, { kind: 'failure', message: /server gave HTTP response to HTTPS client$/ });
});

t.test('servers that do not answer, or not in full', async (t) => {
  let open = 0;
  const silent = await listen(
    t,
    createTcpServer((socket) => {
      open += 1;
      socket
        .on('error', () => {})
        .on('close', () => {
          open -= 1;
        });
      socket.resume();
    }),
  );
  const cut = await listen(
    t,
    createTcpServer((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab')),
  );
  const noise = await listen(
    t,
    createTcpServer((socket) => socket.end('SSH-2.0-x\r\n')),
  );
  const hung = await serve(t, (_request, response) => response.writeHead(200).write('begin'));
  const closed = await closedPort();
  const url = (port: number) => `Get "http://127.0.0.1:${port}/":`;
  const outcomes = await Promise.all([silent, cut, noise, hung, closed].map((port) => ask({ httpGet: { port } })));
  t.match(outcomes[0], { kind: 'failure', message: `${url(silent)} context deadline exceeded` });
  t.match(outcomes[1], { kind: 'unknown', message: /reading the answer/ });
  t.match(outcomes[2], { kind: 'failure', message: `${url(noise)} malformed HTTP response` });
  t.match(outcomes[3], { kind: 'failure', message: `${url(hung)} context deadline exceeded` });
  t.match(await ask({ grpc: { port: silent } }), { kind: 'failure', message: /did not complete within 1s$/ });
  await waitFor('connections to the silent server to be closed', () => open === 0);
  const refused = `${url(closed)} dial tcp 127.0.0.1:${closed}: connect: connection refused`;
  t.strictSame(outcomes[4], { kind: 'failure', message: refused });
});

t.test('TCP succeeds when a connection can be made', async (t) => {
  const port = await listen(t, createTcpServer());
  t.strictSame(await ask({ tcpSocket: { port } }), success);
  t.strictSame(await ask({ tcpSocket: { port, host: 'localhost' } }), success);
  const closed = await closedPort();
  const message = `dial tcp 127.0.0.1:${closed}: connect: connection refused`;
  t.strictSame(await ask({ tcpSocket: { port: closed } }), { kind: 'failure', message });
  t.match(await ask({ tcpSocket: { port: 'http' } }), {
    kind: 'unknown',
    message: 'container web has no port named http',
  });
});

t.test('gRPC succeeds when the health service says SERVING', async (t) => {
  const server = new grpc.Server();
  const agents: unknown[] = [];
  server.addService(loadHealthProto().grpc.health.v1.Health.service, {
    Check: (
      call: grpc.ServerUnaryCall<{ service: string }, { status: string }>,
      callback: grpc.sendUnaryData<{ status: string }>,
    ) => {
      agents.push(call.metadata.get('user-agent')[0]);
      const { service } = call.request;
      if (service === 'hang') return;
      if (service === 'other') callback({ code: grpc.status.NOT_FOUND, details: 'unknown service' });
      else callback(null, { status: service === '' ? 'SERVING' : 'NOT_SERVING' });
    },
  });
  t.teardown(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  t.strictSame(await ask({ grpc: { port, service: '' } }), success);
  t.match(agents[0], /^kube-probe\/1\.36/);
  const failures: Readonly<Record<string, string>> = {
    db: 'service unhealthy (responded with "NOT_SERVING")',
    other: 'error: health rpc probe failed: rpc error: code = NotFound desc = unknown service',
    hang: 'timeout: health rpc did not complete within 1s',
  };
  for (const [service, message] of Object.entries(failures)) {
    t.strictSame(await ask({ grpc: { port, service } }), { kind: 'failure', message }, service);
  }
  const bare = new grpc.Server();
  t.teardown(() => bare.forceShutdown());
  const barePort = await new Promise<number>((resolve) =>
    bare.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (_error, bound) => resolve(bound)),
  );
  t.match(await ask({ grpc: { port: barePort } }), { kind: 'failure', message: /does not implement the grpc health/ });
  const closed = await closedPort();
  const refused = `rpc error: code = Unavailable desc = dial tcp 127.0.0.1:${closed}: connect: connection refused`;
  t.strictSame(await ask({ grpc: { port: closed } }), {
    kind: 'failure',
    message: `error: health rpc probe failed: ${refused}`,
  });
  const http1 = await serve(t, (_request, response) => response.end());
  t.match(await ask({ grpc: { port: http1 } }), { kind: 'failure', message: /^error: health rpc probe failed: / });
});

t.test('a command', async (t) => {
  const output = (exitCode: number, stdout = '', stderr = '') => ({
    exitCode,
    stdout: Buffer.from(stdout),
    stderr: Buffer.from(stderr),
  });
  const error = (code: 'UNKNOWN' | 'UNAVAILABLE' | 'DEADLINE_EXCEEDED' | 'RESOURCE_EXHAUSTED') =>
    Promise.reject(new RuntimeError('ExecSync', code, 'boom'));
  const exec = async (run: ExecSync) => {
    const commands: (readonly string[])[] = [];
    const asked = makeProber((id, command, seconds) => {
      commands.push(command);
      return run(id, command, seconds);
    });
    const outcome = await ask({ exec: { command: ['say', '$(WORD)', '$(OTHER)'] } }, asked);
    return { outcome, commands };
  };
  const { outcome, commands } = await exec(async () => output(0));
  t.strictSame(outcome, success);
  t.strictSame(commands, [['say', 'hello', '$(OTHER)']], 'literal variables are filled in');
  t.strictSame((await exec(async () => output(3, 'out', 'err'))).outcome, { kind: 'failure', message: 'outerr' });
  const long = (await exec(async () => output(1, 'x'.repeat(20_000)))).outcome;
  t.equal(long.kind === 'failure' && long.message.length, 10_240);

  const unknown = await exec(() => error('UNKNOWN'));
  t.match(unknown.outcome, { kind: 'unknown', message: /boom/ });
  t.equal(unknown.commands.length, 3, 'what could not be asked is asked three times');
  const away = await exec(() => error('UNAVAILABLE'));
  t.strictSame(away.outcome, { kind: 'unknown', message: undefined });
  const late = 'command timed out: "say hello $(OTHER)" timed out after 1s';
  t.strictSame((await exec(() => error('DEADLINE_EXCEEDED'))).outcome, { kind: 'failure', message: late });
  t.match((await exec(() => error('RESOURCE_EXHAUSTED'))).outcome, { kind: 'failure' });

  let end: (() => void) | undefined;
  const stuck = makeProber(() => new Promise((resolve) => (end = () => resolve(output(0)))));
  const container = { name: 'web' };
  const asking = stuck.ask({
    probe: { exec: { command: ['x'] }, timeoutSeconds: 1 },
    container,
    containerId: 'c',
    podIP: undefined,
  });
  t.match(await asking.outcome, { kind: 'failure', message: 'command timed out: "x" timed out after 1s' });
  let isOver = false;
  const over = asking.ended.then(() => {
    isOver = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(isOver, 'its failure is known, and it still runs');
  end?.();
  await over;
});

t.test('an answer that came while this process stood still is not a failure', async (t) => {
  const port = await listen(
    t,
    createTcpServer((socket) => t.teardown(() => socket.destroy())),
  );
  const outcome = ask({ httpGet: { port } });
  await new Promise((resolve) => setTimeout(resolve, 100));
  // As a stopped and continued process, or one that gets no CPU.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
  t.strictSame(await outcome, { kind: 'unknown', message: undefined });
});
