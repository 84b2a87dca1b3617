import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect, createServer } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import t from 'tap';
import { listenOnTls } from '../../../src/server/listeners/tls-listener.ts';
import { listenOnUnixSocket } from '../../../src/server/listeners/unix-listener.ts';
import { createAuthority, issueClientCertificate } from '../../../src/server/pki/certificates.ts';
import { readKubeconfig } from '../../../src/server/pki/kubeconfig.ts';
import { freePort, manifest, podsPath, type RunningServer, startServer } from './server.ts';

interface TlsAnswer {
  code: number;
  text: string;
}

/** One HTTPS request; an answer's code, or 0 when the connection failed. */
function overTls(
  { config, directory }: RunningServer,
  path: string,
  options: ConnectionOptions & { headers?: Record<string, string>; method?: string } = {},
): Promise<TlsAnswer> {
  const ca = readFileSync(`${directory}/pki/ca.crt`);
  return new Promise((resolve) => {
    const outgoing = request(
      { host: '127.0.0.1', port: config.tls.port, path, ca, agent: false, ...options },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('end', () => resolve({ code: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
      },
    );
    outgoing.once('error', (error) => resolve({ code: 0, text: error.message }));
    outgoing.end();
  });
}

function rawRequest(socketPath: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()));
    socket.on('error', reject);
    socket.write(text);
  });
}

t.test('the socket is for root and its group, in a directory for the same', async (t) => {
  const umask = process.umask(0);
  const { config, directory } = await startServer(t);
  process.umask(umask);
  t.equal(statSync(config.socketPath).mode & 0o777, 0o660);
  t.equal(statSync(`${directory}/run`).mode & 0o777, 0o750);
});

t.test('a port that is taken is named, with what to do', async (t) => {
  const { config, directory } = await startServer(t);
  const pem = (name: string) => readFileSync(`${directory}/pki/${name}`, 'utf8');
  const server = { certificate: pem('server.crt'), key: pem('server.key') };
  const pki = { authority: pem('ca.crt'), server, tokenHash: Buffer.alloc(32) };
  await t.rejects(
    listenOnTls(config.tls, pki, (_request, response) => response.end(), 10),
    {
      message: `port ${config.tls.port} of 127.0.0.1 is in use by another program: stop it, or choose another port (setting port, flag --port)`,
    },
  );
});

t.test("a dead daemon's socket is replaced, a living one's is not, nor anything else", async (t) => {
  const { config, directory, api } = await startServer(t);
  const listen = (path: string) => listenOnUnixSocket(path, (_request, response) => response.end('new'), 10);
  await t.rejects(listen(config.socketPath), { message: /another daemon answers/ });
  t.equal((await api.request('GET', '/healthz')).text, 'ok', 'the living one lives on');

  const stale = `${directory}/stale.sock`;
  // A server that closes removes its socket: let one go without closing.
  const dead = createServer().listen(stale);
  await new Promise((resolve) => dead.once('listening', resolve));
  await t.rejects(listen(stale), { message: /another daemon answers/ });
  renameSync(stale, `${stale}.kept`);
  await new Promise((resolve) => dead.close(resolve));
  renameSync(`${stale}.kept`, stale);
  const server = await listen(stale);
  t.teardown(() => server.close());

  writeFileSync(`${directory}/file`, '');
  await t.rejects(listen(`${directory}/file`), { message: /is no socket/ });
  await t.rejects(listen(`${directory}/${'x'.repeat(100)}`), { message: /longer than 107 bytes/ });
});

t.test('a server on all addresses is asked for by one of them', async (t) => {
  const directory = t.testdir();
  const kubeconfigPath = `${directory}/admin.kubeconfig`;
  const tls = { host: '0.0.0.0', port: await freePort(), pkiDirectory: `${directory}/pki`, kubeconfigPath };
  const server = await startServer(t, { tls: { ...tls, extraNames: ['127.0.0.2'] } });
  const kubeconfig = readKubeconfig(readFileSync(kubeconfigPath, 'utf8'));
  t.equal(kubeconfig.server, `https://127.0.0.1:${tls.port}`);
  const headers = { authorization: `Bearer ${kubeconfig.token}` };
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    t.equal((await overTls({ ...server, directory }, podsPath, { host, headers })).code, 200, host);
  }
  t.equal((await overTls({ ...server, directory }, podsPath, { headers: { ...headers, host: '0.0.0.0' } })).code, 421);
});

t.test('over TLS: who gets in, and with what', async (t) => {
  const server = await startServer(t);
  const { directory, config } = server;
  const kubeconfig = readKubeconfig(readFileSync(config.tls.kubeconfigPath, 'utf8'));
  const admin = { cert: kubeconfig.clientCertificate, key: kubeconfig.clientKey };
  const authority = {
    certificate: readFileSync(`${directory}/pki/ca.crt`, 'utf8'),
    key: readFileSync(`${directory}/pki/ca.key`, 'utf8'),
  };
  const pair = async (issuer: typeof authority, groups: string[], now = Date.now()) => {
    const { certificate, key } = await issueClientCertificate(issuer, 'somebody', groups, now);
    return { cert: certificate, key };
  };
  const foreign = await createAuthority('foreign', Date.now());
  const cases: [string, Parameters<typeof overTls>[2], number][] = [
    ['nothing', {}, 401],
    ["the administrator's certificate", admin, 200],
    ['the token', { headers: { authorization: `Bearer ${kubeconfig.token}` } }, 200],
    ['a wrong token', { headers: { authorization: 'Bearer x' } }, 401],
    ['a certificate of another group', await pair(authority, ['others']), 403],
    ['a certificate without groups', await pair(authority, []), 403],
    ['a certificate of another authority', await pair(foreign, ['system:masters']), 401],
    [
      'a certificate that has expired',
      await pair(authority, ['system:masters'], Date.now() - 400 * 24 * 3600_000),
      401,
    ],
    [
      'a certificate for servers',
      { cert: readFileSync(`${directory}/pki/server.crt`), key: readFileSync(`${directory}/pki/server.key`) },
      401,
    ],
    ['another host name', { ...admin, headers: { host: 'evil.example' }, servername: 'localhost' }, 421],
    ['another origin', { ...admin, headers: { origin: 'https://evil.example' } }, 403],
    ['TLS 1.1', { ...admin, maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }, 0],
    ['TLS 1.2', { ...admin, maxVersion: 'TLSv1.2' }, 200],
    [
      'a cipher without authentication of data',
      { ...admin, maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' },
      0,
    ],
  ];
  for (const [name, options, code] of cases) {
    const answer = await overTls(server, podsPath, options);
    t.equal(answer.code, code, `${name}: ${answer.text.slice(0, 100)}`);
  }
  for (const path of ['/healthz', '/livez', '/readyz']) t.equal((await overTls(server, path)).text, 'ok', path);
  t.equal((await overTls(server, '/healthz', { method: 'POST' })).code, 405);
});

t.test('a connection that is resumed is nobody by that alone', async (t) => {
  const server = await startServer(t);
  const { config } = server;
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { host: '127.0.0.1', port: config.tls.port, rejectUnauthorized: false, maxVersion };
    const session = await new Promise<Buffer | undefined>((resolve) => {
      const first = connectTls(options);
      let ticket: Buffer | undefined;
      first.on('session', (value) => {
        ticket = value;
      });
      first.once('close', () => resolve(ticket));
      first.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      first.resume();
    });
    const answer = await overTls(server, podsPath, { ...(session ? { session } : {}), maxVersion });
    t.equal(answer.code, 401, maxVersion);
  }
});

t.test('what is hardly HTTP is answered or cut off, and the server lives', async (t) => {
  const { config, api } = await startServer(t);
  const raw = (text: string) => rawRequest(config.socketPath, text);
  t.match(await raw('nonsense\r\n\r\n'), /^HTTP\/1.1 400 .*"kind":"Status"/s);
  t.match(
    await raw(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1.1 431 .*"kind":"Status"/s,
  );
  t.match(await raw('GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 400/, 'no host');
  t.match(
    await raw('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    /^HTTP\/1.1 400/,
  );
  const upgrade = `GET ${podsPath}/x/exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n`;
  t.match(await raw(upgrade), /^HTTP\/1.1 404/, 'an upgrade is a request like any other');
  t.equal((await api.request('GET', '/readyz')).status, 200);
});

t.test('a full listener makes room, and leaves the other one alone', async (t) => {
  const server = await startServer(t, { maxConnections: 20 });
  const { config, api } = server;
  const sockets = await Promise.all(
    Array.from(
      { length: 60 },
      () =>
        new Promise<ReturnType<typeof connect>>((resolve) => {
          const socket = connect(config.tls.port, '127.0.0.1', () => resolve(socket));
          socket.on('error', () => {});
        }),
    ),
  );
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  t.equal((await api.request('GET', '/readyz')).status, 200, 'the unix socket has places of its own');
  await api.expectOk('POST', podsPath, { body: manifest('still-works') });
  // Idle connections that have spoken once are closed for new ones.
  const idle = await Promise.all(
    Array.from(
      { length: 40 },
      () =>
        new Promise<ReturnType<typeof connect>>((resolve) => {
          const socket = connect(config.socketPath);
          socket.on('error', () => {});
          socket.once('data', () => resolve(socket));
          socket.once('close', () => resolve(socket));
          socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
        }),
    ),
  );
  t.equal((await api.request('GET', '/readyz')).status, 200);
  for (const socket of idle) socket.destroy();
});

t.test('a stop is quick and clean: watches end, the socket goes, requests under way finish', async (t) => {
  const { server, api, config } = await startServer(t);
  const watch = await api.stream(`${podsPath}?watch=true`);
  const ended = new Promise((resolve) => {
    watch.once('end', () => resolve('end'));
    watch.once('error', (error) => resolve(error));
  });
  watch.resume();
  const begin = performance.now();
  await server.stop();
  t.equal(await ended, 'end');
  t.ok(performance.now() - begin < 2_500);
  await t.rejects(api.request('GET', '/readyz'), { code: 'ENOENT' });
  t.ok(config);
});
