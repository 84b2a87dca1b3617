import t from 'tap';
import type { HTTPGetAction } from '../../../src/api/pod.ts';
import { AddressError, hostPort, resolvePort } from '../../../src/probes/address.ts';
import { httpTarget } from '../../../src/probes/http-target.ts';
import { describeNetworkError } from '../../../src/probes/network-error.ts';

const web = {
  name: 'web',
  ports: [
    { name: 'http', containerPort: 8080 },
    { name: 'admin', containerPort: 9090 },
  ],
};
const target = (action: Partial<HTTPGetAction>) =>
  httpTarget({ port: 80, path: '/', scheme: 'HTTP', ...action }, web, '10.0.0.9', 'kube-probe/1.36');
const headersOf = (...httpHeaders: { name: string; value: string }[]) => target({ httpHeaders }).headers;

t.test('a port is a number, a name of the container, or a number in text', async (t) => {
  t.equal(resolvePort(80, web), 80);
  t.equal(resolvePort('admin', web), 9090);
  t.equal(resolvePort('81', web), 81);
  t.throws(() => resolvePort('metrics', web), new AddressError('container web has no port named metrics'));
  t.throws(() => resolvePort('70000', web), new AddressError('invalid port number: 70000'));
  t.throws(() => resolvePort(0, web), new AddressError('invalid port number: 0'));
});

t.test('the pod is asked unless a host is named', async (t) => {
  t.match(target({}), { scheme: 'http', host: '10.0.0.9', port: 80, path: '/' });
  t.match(target({ host: 'localhost', scheme: 'HTTPS', port: 'http' }), {
    scheme: 'https',
    host: 'localhost',
    port: 8080,
  });
  t.throws(() => httpTarget({ port: 80 }, web, undefined, 'x'), new AddressError('the pod has no address yet'));
});

t.test('a path goes on the wire as it is, and what no request line may have is encoded', async (t) => {
  const paths: Readonly<Record<string, string>> = {
    '/healthz?full=1&x=%20': '/healthz?full=1&x=%20',
    healthz: '/healthz',
    '': '/',
    '/a b\r\nHost: evil': '/a%20b%0D%0AHost:%20evil',
    '/ü': '/%C3%BC',
    '/a#fragment': '/a',
    '//elsewhere.test/x': '/x',
    'http://elsewhere.test/x?y': '/x?y',
    '/a/../b//c': '/a/../b//c',
  };
  for (const [given, sent] of Object.entries(paths)) t.equal(target({ path: given }).path, sent, given);
});

t.test('headers of the user stand beside the defaults, or in their place', async (t) => {
  t.strictSame(headersOf(), ['Host', '10.0.0.9:80', 'User-Agent', 'kube-probe/1.36', 'Accept', '*/*']);
  t.strictSame(headersOf({ name: 'X-A', value: '1' }, { name: 'x-a', value: '2' }).slice(6), ['X-A', '1', 'x-a', '2']);
  t.strictSame(headersOf({ name: 'host', value: 'shop.test' }).slice(0, 2), ['Host', 'shop.test']);
  t.strictSame(headersOf({ name: 'user-agent', value: 'me' }, { name: 'Accept', value: '' }), [
    'Host',
    '10.0.0.9:80',
    'user-agent',
    'me',
  ]);
  t.notMatch(headersOf({ name: 'Content-Length', value: '5' }), /length/i, 'what frames a message is not sent');
});

t.test('network errors are told in the words of Kubernetes', async (t) => {
  const error = (code: string, message = 'x') => Object.assign(new Error(message), { code });
  const words = (of: unknown) => describeNetworkError(of, '10.0.0.9:80');
  t.equal(words(error('ECONNREFUSED')), 'dial tcp 10.0.0.9:80: connect: connection refused');
  t.equal(words(new AggregateError([error('EHOSTUNREACH')])), 'dial tcp 10.0.0.9:80: connect: no route to host');
  t.equal(words(error('ENOTFOUND')), 'dial tcp: lookup 10.0.0.9: no such host');
  t.equal(words(error('ECONNRESET', 'socket hang up')), 'EOF');
  t.equal(words(error('EPROTO', 'ssl: wrong version number')), 'http: server gave HTTP response to HTTPS client');
  t.equal(hostPort('fd00::1', 80), '[fd00::1]:80');
});
