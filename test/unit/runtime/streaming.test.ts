import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { connectStream, streamingAddress } from '../../../src/runtime/streaming.ts';

t.test('only URLs that lead to this machine are followed', async (t) => {
  t.same(streamingAddress('Exec', 'http://127.0.0.1:1234/exec/token'), {
    host: '127.0.0.1',
    port: 1234,
    path: '/exec/token',
  });
  t.same(streamingAddress('Exec', 'http://[::1]:1234/a?b=c'), { host: '::1', port: 1234, path: '/a?b=c' });
  t.same(streamingAddress('Exec', 'http://localhost:80/x').host, '127.0.0.1');
  for (const url of [
    'http://169.254.169.254/latest',
    'http://10.0.0.1:80/exec/x',
    'http://127.0.0.1.evil.example:80/x',
    'http://localhost.evil.example/x',
    'http://127.0.0.1@evil.example/x',
    'http://user@127.0.0.1:1/x',
    'http://0.0.0.0:1/x',
    'http://[::ffff:10.0.0.1]/x',
    'https://127.0.0.1:1/x',
    'ftp://127.0.0.1/x',
    'unix:///run/x.sock',
    '//127.0.0.1/x',
    '',
  ]) {
    t.throws(() => streamingAddress('Exec', url), { name: 'RuntimeError', code: 'FAILED_PRECONDITION' }, url);
  }
});

async function serve(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/exec/token`;
}

const open = (url: string) => connectStream('Exec', url, 'v4.channel.k8s.io', AbortSignal.timeout(10_000));

t.test('a redirect is not followed, and nothing else than an upgrade to SPDY will do', async (t) => {
  const asked: string[] = [];
  const target = await serve(t, (request, response) => {
    asked.push(String(request.url));
    response.end();
  });
  const cases: [number, Record<string, string>, RegExp][] = [
    [302, { location: target }, /answered 302/],
    [307, { location: target }, /answered 307/],
    [200, {}, /answered 200: words/],
    [404, {}, /answered 404/],
  ];
  for (const [code, headers, message] of cases) {
    const url = await serve(t, (_request, response) =>
      response.writeHead(code, { ...headers, connection: 'close' }).end('words'),
    );
    await t.rejects(open(url), { name: 'RuntimeError', message });
  }
  t.same(asked, []);
});

t.test('an upgrade to something else is refused', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  server.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  await once(server, 'listening');
  t.teardown(() => server.close());
  await t.rejects(open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`), { message: /speaks websocket/ });
});
