import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import type { Container, LifecycleHandler, Pod } from '../../../src/api/pod.ts';
import { createAuthority } from '../../../src/server/pki/certificates.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { Timeline } from '../support/timeline.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, podManifest, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

type Part = Partial<Container> & { name: string };

const note = (container: string, what: string) =>
  `read up rest </proc/uptime; echo "$up ${container} ${what}" >>/timeline/events`;
const execHook = (script: string): LifecycleHandler => ({ exec: { command: ['sh', '-c', script] } });

/** Notes its start and SIGTERM; ends on SIGTERM. */
const logged = (name: string, lifecycle: Container['lifecycle'], before = ''): Part => ({
  name,
  command: [
    'sh',
    '-c',
    `trap '${note(name, 'term')}; exit 0' TERM\n${note(name, 'start')}\n${before}\nsleep 1000000 & wait $!`,
  ],
  ...(lifecycle ? { lifecycle } : {}),
  volumeMounts: [{ name: 'timeline', mountPath: '/timeline' }],
});

async function create(name: string, containers: Part[], spec: Partial<Pod['spec']> = {}) {
  const directory = join(daemon.root.path, name);
  mkdirSync(directory, { recursive: true });
  await daemon.createPod(
    podManifest(name, containers, {
      // A busy machine takes long to run a hook.
      terminationGracePeriodSeconds: 10,
      ...spec,
      volumes: [{ name: 'timeline', hostPath: { path: directory } }],
    }),
  );
  return () => Timeline.read(directory);
}

interface EventList {
  items: { type: string; reason: string; message: string; involvedObject: { name: string; fieldPath?: string } }[];
}

/** The events of a pod with this reason, `message` each. */
async function events(pod: string, reason: string): Promise<string[]> {
  const { items } = await daemon.api.expectOk<EventList>('GET', '/api/v1/namespaces/default/events');
  return items.filter((item) => item.involvedObject.name === pod && item.reason === reason).map((item) => item.message);
}

const what = (timeline: Timeline) => timeline.events.map((event) => `${event.container} ${event.what}`);

t.test('a container waits for its postStart hook, and so does the next container', async (t) => {
  const directory = join(daemon.root.path, 'post-start');
  const hook = execHook(`${note('a', 'hook')}; until [ -e /timeline/go ]; do sleep 0.05; done; ${note('a', 'hooked')}`);
  const timeline = await create('post-start', [logged('a', { postStart: hook }), logged('b', undefined)]);
  await waitFor('the hook to run', () => timeline().count('a', 'hook') === 1);
  const waiting = await daemon.waitForExistingPod('post-start', (pod) => Boolean(statusOf(pod, 'a').containerID));
  t.match(statusOf(waiting, 'a').state, { waiting: { reason: 'ContainerCreating' } });
  t.equal(statusOf(waiting, 'a').ready, false);
  t.equal(waiting.status?.phase, 'Pending');
  t.equal(timeline().count('b', 'start'), 0);
  mkdirSync(join(directory, 'go'));
  await daemon.waitForExistingPod('post-start', isReady);
  await waitFor('b', () => timeline().count('b', 'start') === 1);
  const order = what(timeline()).filter((item) => item !== 'a start');
  t.strictSame(order, ['a hook', 'a hooked', 'b start'], String(timeline()));
  await daemon.restart();
  await daemon.waitForExistingPod('post-start', isReady);
  t.equal(timeline().count('a', 'hook'), 1, 'a restart of the daemon does not run it again');
});

t.test('a container whose postStart hook fails is killed and started again after its back-off', async (t) => {
  const timeline = await create('post-fails', [
    logged('a', { postStart: execHook('echo no luck; exit 3'), preStop: execHook(note('a', 'pre')) }),
  ]);
  const failed = await daemon.waitForExistingPod(
    'post-fails',
    (seen) => statusOf(seen, 'a').state?.waiting?.reason === 'PostStartHookError',
  );
  t.match(statusOf(failed, 'a').state?.waiting?.message, /no luck/);
  const held = await daemon.waitForExistingPod(
    'post-fails',
    (seen) => statusOf(seen, 'a').state?.waiting?.reason === 'CrashLoopBackOff',
  );
  t.equal(statusOf(held, 'a').ready, false);
  t.equal(statusOf(held, 'a').restartCount, 1);
  t.match(statusOf(held, 'a').lastState?.terminated, { exitCode: 0 }, 'it had its grace period');
  t.match((await events('post-fails', 'FailedPostStartHook'))[0], /PostStartHook failed: .*exited with 3: no luck/);
  t.match(await events('post-fails', 'Killing'), [/^FailedPostStartHook$/]);
  t.strictSame(what(timeline()).slice(0, 3).sort(), ['a pre', 'a start', 'a term'], String(timeline()));
});

/** The host's address on the pods' bridge: what listens there is reached by daemon and pods. */
async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

t.test('hooks ask in HTTP and HTTPS, open connections, and sleep', async (t) => {
  const requests: { url: string | undefined; headers: IncomingMessage['headers']; encrypted: boolean }[] = [];
  const answer: RequestListener = (request, response) => {
    requests.push({ url: request.url, headers: request.headers, encrypted: 'encrypted' in request.socket });
    // Any answer will do.
    response.writeHead(500).end();
  };
  const pair = await createAuthority('nobody knows it', Date.now());
  const plain = await listen(t, createHttpServer(answer));
  const secure = await listen(t, createHttpsServer({ key: pair.key, cert: pair.certificate }, answer));
  let connections = 0;
  const tcp = await listen(
    t,
    createTcpServer((socket) => socket.destroy()).on('connection', () => (connections += 1)),
  );

  const host = '127.0.0.1';
  const header = (name: string, value: string) => ({ name, value });
  const get = (port: number, scheme: 'HTTP' | 'HTTPS', path: string): LifecycleHandler => ({
    httpGet: { host, port, scheme, path, httpHeaders: [header('X-Hook', path), header('Authorization', 'secret')] },
  });
  // The server inside the pod is reached at the pod's address, by its port's name.
  const inside: LifecycleHandler = { httpGet: { port: 'web', path: '/inside' } };
  const serve =
    'while :; do nc -l -p 8080 -e sh -c \'read line; echo "$line" >>/timeline/served; printf "HTTP/1.0 204 No Content\\r\\n\\r\\n"\'; done &';
  const start = 'until grep -q :1F90 /proc/net/tcp /proc/net/tcp6; do sleep 0.05; done';
  const timeline = await create('handlers', [
    logged('plain', { postStart: get(plain, 'HTTP', '/plain?x=1') }),
    logged('secure', { postStart: get(secure, 'HTTPS', '/secure') }),
    logged('fallback', { postStart: get(plain, 'HTTPS', '/fallback') }),
    logged('tcp', { postStart: { tcpSocket: { host, port: tcp } } }),
    logged('sleep', { postStart: { sleep: { seconds: 1 } } }),
    logged('last', undefined),
  ]);
  await daemon.waitForExistingPod('handlers', isReady);
  await waitFor('the last container', () => timeline().count('last', 'start') === 1);
  t.strictSame(
    requests.map(({ url, encrypted, headers }) => [url, encrypted, headers['x-hook'], headers.authorization]),
    [
      ['/plain?x=1', false, '/plain?x=1', 'secret'],
      ['/secure', true, '/secure', 'secret'],
      ['/fallback', false, '/fallback', undefined],
    ],
  );
  t.match(requests[0]?.headers['user-agent'], /^kube-lifecycle\//);
  t.match(await events('handlers', 'LifecycleHTTPFallback'), [new RegExp(`${host}:${plain} got HTTP response`)]);
  t.equal(connections, 1);
  t.ok(timeline().secondsBetween(['sleep', 'start'], ['last', 'start']) >= 0.9, String(timeline()));

  const served = await create(
    'inside',
    [
      {
        ...logged('a', { postStart: execHook(start), preStop: inside }, serve),
        ports: [{ name: 'web', containerPort: 8080 }],
      },
    ],
    { terminationGracePeriodSeconds: 20 },
  );
  await daemon.waitForExistingPod('inside', isReady);
  await daemon.deletePod('inside');
  t.match(readFileSync(join(daemon.root.path, 'inside/served'), 'utf8'), /^GET \/inside HTTP\/1\.1/m);
  t.equal(served().count('a', 'term'), 1);
});

t.test('a preStop hook is done before the stop signal, inside the grace period', async (t) => {
  const timeline = await create(
    'pre-stop',
    [
      logged('a', { preStop: execHook(`${note('a', 'pre')}; sleep 1; ${note('a', 'preDone')}`) }),
      logged('b', { preStop: execHook('exit 1') }),
      logged('slow', { preStop: execHook(`${note('slow', 'pre')}; sleep 60; ${note('slow', 'preDone')}`) }),
    ],
    { terminationGracePeriodSeconds: 4 },
  );
  await daemon.waitForExistingPod('pre-stop', isReady);
  await daemon.deletePod('pre-stop');
  const order = what(timeline());
  const of = (name: string) => order.filter((item) => item.startsWith(`${name} `));
  t.strictSame(of('a'), ['a start', 'a pre', 'a preDone', 'a term'], String(timeline()));
  t.strictSame(of('b'), ['b start', 'b term'], 'a failed hook changes nothing');
  t.strictSame(of('slow'), ['slow start', 'slow pre', 'slow term'], 'the signal comes when the grace period is over');
  const waited = timeline().secondsBetween(['slow', 'pre'], ['slow', 'term']);
  t.ok(waited > 2 && waited < 8, `${waited} s`);
  const failures = await events('pre-stop', 'FailedPreStopHook');
  t.match(failures.sort(), [/did not end within the grace period/, /PreStopHook failed: .*exited with 1/]);
});

t.test('a preStop hook that runs when the grace period is shortened is not run twice', async (t) => {
  const timeline = await create('shrinks', [logged('a', { preStop: execHook(`${note('a', 'pre')}; sleep 600`) })], {
    terminationGracePeriodSeconds: 600,
  });
  await daemon.waitForExistingPod('shrinks', isReady);
  await daemon.api.expectOk('DELETE', podPath('shrinks'));
  await waitFor('the hook', () => timeline().count('a', 'pre') === 1);
  await daemon.deletePod('shrinks', { gracePeriodSeconds: 2 });
  t.strictSame(what(timeline()), ['a start', 'a pre', 'a term'], String(timeline()));
});

t.test('a hook of a container that has ended is not run', async (t) => {
  const timeline = await create(
    'ended',
    [
      { ...logged('a', { preStop: execHook(note('a', 'pre')) }), command: ['true'] },
      logged('b', { preStop: execHook(note('b', 'pre')) }),
    ],
    { restartPolicy: 'Never' },
  );
  await daemon.waitForExistingPod('ended', (pod) =>
    Boolean(statusOf(pod, 'a').state?.terminated && statusOf(pod, 'b').ready),
  );
  await daemon.deletePod('ended');
  t.strictSame(what(timeline()), ['b start', 'b pre', 'b term'], String(timeline()));
});

t.test('a change of the image stops the container with its hook', async (t) => {
  const timeline = await create('changed', [logged('a', { preStop: execHook(note('a', 'pre')) })]);
  await daemon.waitForExistingPod('changed', isReady);
  const patch = { spec: { containers: [{ name: 'a', image: 'mini-kubelet.local/demo:2' }] } };
  await daemon.api.expectOk('PATCH', podPath('changed'), {
    body: patch,
    contentType: 'application/strategic-merge-patch+json',
  });
  await waitFor('the new one', () => timeline().count('a', 'start') === 2);
  t.strictSame(what(timeline()), ['a start', 'a pre', 'a term', 'a start'], String(timeline()));
});

t.test('a failed liveness probe stops the container with its hook, in the grace period of the probe', async (t) => {
  const timeline = await create(
    'unwell',
    [
      {
        ...logged('a', { preStop: execHook(`${note('a', 'pre')}; sleep 600`) }),
        livenessProbe: {
          exec: { command: ['false'] },
          periodSeconds: 1,
          failureThreshold: 1,
          terminationGracePeriodSeconds: 2,
        },
      },
    ],
    { terminationGracePeriodSeconds: 600 },
  );
  await waitFor('its end', () => timeline().count('a', 'term') > 0, 20_000);
  t.strictSame(what(timeline()).slice(0, 3), ['a start', 'a pre', 'a term'], String(timeline()));
  await daemon.deletePod('unwell', { gracePeriodSeconds: 0 });
});

t.test('the hook of a pod whose object is lost is found on its container', async (t) => {
  const timeline = await create('lost', [logged('a', { preStop: execHook(note('a', 'pre')) })], {
    terminationGracePeriodSeconds: 20,
  });
  await daemon.waitForExistingPod('lost', isReady);
  await daemon.end('SIGKILL');
  const database = new DatabaseSync(join(daemon.stateDir, 'store.db'));
  database.exec("DELETE FROM objects WHERE name = 'lost'");
  database.close();
  await daemon.start();
  await waitFor('its end', () => timeline().count('a', 'term') === 1);
  t.strictSame(what(timeline()), ['a start', 'a pre', 'a term'], String(timeline()));
});
