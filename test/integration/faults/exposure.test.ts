// Any runtime will do.
// What the daemon shows to those who have no business with it.
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { openFiles } from '../support/processes.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

const tcpListening = '0A';

/** Where the daemon can be reached, as the kernel tells it: `127.0.0.1:10250`, or the path of a unix socket. */
function listeners(): string[] {
  const own = new Set(openFiles(daemon.pid).flatMap((file) => /^socket:\[(\d+)\]$/.exec(file)?.[1] ?? []));
  const table = (name: string) =>
    readFileSync(`/proc/${daemon.pid}/net/${name}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/));
  const tcp = (name: string) =>
    table(name).flatMap(([, address = '', , state, , , , , , inode = '']) =>
      own.has(inode) && (state === tcpListening || name.startsWith('udp')) ? [`${name} ${readAddress(address)}`] : [],
    );
  const unix = table('unix').flatMap(([, , , flags, , , inode = '', path = '']) =>
    own.has(inode) && flags === '00010000' ? [`unix ${path}`] : [],
  );
  return [...['tcp', 'tcp6', 'udp', 'udp6'].flatMap(tcp), ...unix].sort();
}

/** `0100007F:280A` is 127.0.0.1:10250: each 32 bits in the machine's own order. */
function readAddress(text: string): string {
  const [host = '', port = ''] = text.split(':');
  const bytes = [...Buffer.from(host, 'hex')].reverse();
  return `${host.length === 8 ? bytes.join('.') : host}:${Number.parseInt(port, 16)}`;
}

/** Every file of the state directory but the database, where the node's lease is renewed, with size and last change. */
function stateFiles(): string[] {
  return readdirSync(daemon.stateDir, { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.startsWith('store.db'))
    .map((path) => {
      const { size, mtimeNs } = lstatSync(join(daemon.stateDir, path), { bigint: true });
      return `${path} ${size} ${mtimeNs}`;
    })
    .sort();
}

const agent = new Agent({ keepAlive: true, maxSockets: 4, rejectUnauthorized: false });
t.teardown(() => agent.destroy());

function askAsNobody(method: string, path: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port: daemon.port, method, path, headers, agent }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0));
    });
    outgoing.once('error', reject);
    outgoing.end(method === 'POST' ? '{"kind":"Pod","metadata":{"name":"x"}}' : undefined);
  });
}

const expected = [`tcp 127.0.0.1:${daemon.port}`, `unix ${daemon.api.socketPath}`];

t.test('it listens on its socket and on the loopback, and nowhere else', async (t) => {
  t.strictSame(listeners(), expected);
});

t.test('no signal makes it open an inspector', async (t) => {
  // Node opens port 9229 on SIGUSR1 unless it is told not to: whoever reaches that runs code as root.
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) daemon.signal(signal);
  for (let i = 0; i < 20; i += 1) await daemon.api.expectOk('GET', '/api/v1/pods');
  t.strictSame(listeners(), expected);
});

t.test('options of Node in its environment are not followed', async (t) => {
  const other = await startDaemon({ runtime, env: { NODE_OPTIONS: '--inspect=127.0.0.1:0' } });
  t.teardown(() => other.stop());
  t.notMatch(other.log(), 'Debugger listening');
});

t.test('whoever has no credentials changes nothing, and finds nothing but health', async (t) => {
  const before = stateFiles();
  const paths = [
    '/healthz',
    '/livez',
    '/readyz',
    '/',
    '/api/v1/namespaces/default/pods',
    '/checkpoint/a/b/c',
    '/debug/pprof/heap',
  ];
  const codes = new Set<number>();
  const json = { 'content-type': 'application/json' };
  for (let i = 0; i < 210; i += 1) codes.add(await askAsNobody('POST', paths[i % paths.length] ?? '/', json));
  t.strictSame([...codes].sort(), [401, 405]);
  t.strictSame(stateFiles(), before, 'no file was written');
  t.match(await daemon.api.expectOk('GET', '/api/v1/pods'), { items: [] });
  for (const path of paths) t.equal(await askAsNobody('GET', path), /z$/.test(path) ? 200 : 401, path);
  for (const path of ['/debug/pprof/', '/debug/flags/v', '/debug/', '/logs/', '/checkpoint/default/a/b']) {
    t.equal((await daemon.api.request('GET', path)).status, 404, `${path} is not there for administrators either`);
  }
});
