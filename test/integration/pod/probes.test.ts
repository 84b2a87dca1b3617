import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Container, Pod, PodSpec, Probe } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { DEMO_IMAGE, isOver, isReady, podManifest, shell, statusOf } from './pods.ts';
import { HANDLERS, type HandlerName, ProbeServers } from './probe-servers.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());
const servers = new ProbeServers(join(daemon.root.path, 'switches'));
await servers.start();
t.teardown(() => servers.stop());

const often = { periodSeconds: 1, failureThreshold: 2 };

/** In the host's network, where this process serves; commands look into the directory of switches. */
const onHost: Partial<PodSpec> = {
  hostNetwork: true,
  volumes: [{ name: 'switches', hostPath: { path: servers.directory } }],
};
const volumeMounts = [{ name: 'switches', mountPath: '/switches' }];

interface Event {
  readonly reason: string;
  readonly message: string;
  readonly type: string;
  readonly involvedObject: { readonly name: string; readonly fieldPath?: string };
}

async function eventsOf(pod: string): Promise<Event[]> {
  const { items } = await daemon.api.expectOk<{ items: Event[] }>('GET', '/api/v1/namespaces/default/events');
  return items.filter(({ involvedObject }) => involvedObject.name === pod);
}

/** Waits for an event whose reason and message are such, and returns its words. */
async function eventOf(pod: string, reason: string, message: RegExp, container?: string): Promise<Event> {
  return waitFor(
    `${reason} ${message} of ${pod}`,
    async () =>
      (await eventsOf(pod)).find(
        (event) =>
          event.reason === reason &&
          message.test(event.message) &&
          (!container || event.involvedObject.fieldPath === `spec.containers{${container}}`),
      ),
    15_000,
  );
}

const everyStatus = (pod: Pod, predicate: (name: HandlerName) => boolean) =>
  pod.status?.containerStatuses?.length === HANDLERS.length && HANDLERS.every((name) => predicate(name));
const nameOf = (handler: HandlerName) => handler.toLowerCase();

t.test('every kind of probe by every handler', async (t) => {
  const probe = (handler: HandlerName, kind: 'startup' | 'liveness' | 'readiness'): Probe => ({
    ...often,
    ...servers.handler(handler, kind),
  });
  await servers.setAll('liveness', true);
  await daemon.createPod(
    podManifest(
      'matrix',
      HANDLERS.map((handler) => ({
        name: nameOf(handler),
        command: shell(''),
        volumeMounts,
        startupProbe: { ...probe(handler, 'startup'), failureThreshold: 100 },
        livenessProbe: { ...probe(handler, 'liveness'), failureThreshold: 3 },
        readinessProbe: probe(handler, 'readiness'),
      })),
      onHost,
    ),
  );
  const wait = (predicate: (pod: Pod, name: string) => boolean) =>
    daemon.waitForExistingPod('matrix', (pod) => everyStatus(pod, (handler) => predicate(pod, nameOf(handler))));
  const wordsOfFailure: Readonly<Record<HandlerName, RegExp>> = {
    exec: /^Startup probe failed: cat: can't open '\/switches\/startup'/,
    httpGet: /^Startup probe failed: HTTP probe failed with statuscode: 500$/,
    tcpSocket: /^Startup probe failed: dial tcp [\d.]+:\d+: connect: connection refused$/,
    grpc: /^Startup probe failed: service unhealthy \(responded with "NOT_SERVING"\)$/,
  };
  for (const handler of HANDLERS) {
    const event = await eventOf('matrix', 'Unhealthy', wordsOfFailure[handler], nameOf(handler));
    t.equal(event.type, 'Warning', handler);
  }
  const before = await wait((pod, name) => statusOf(pod, name).state?.running !== undefined);
  for (const handler of HANDLERS) t.match(statusOf(before, nameOf(handler)), { started: false, ready: false }, handler);
  t.equal(servers.requestsOf('/readiness').length, 0, 'the startup probe holds back the others');
  t.equal(servers.requestsOf('/liveness').length, 0);

  await servers.setAll('startup', true);
  const started = await wait((pod, name) => statusOf(pod, name).started === true);
  t.notOk(isReady(started));
  await servers.setAll('readiness', true);
  const ready = await wait((pod, name) => statusOf(pod, name).ready);
  t.ok(isReady(ready));
  await servers.setAll('readiness', false);
  const unready = await wait((pod, name) => !statusOf(pod, name).ready);
  t.notOk(isReady(unready));
  t.match(
    unready.status?.conditions?.find(({ type }) => type === 'ContainersReady'),
    { status: 'False', reason: 'ContainersNotReady' },
  );
  for (const handler of HANDLERS) {
    t.match(statusOf(unready, nameOf(handler)), { started: true, restartCount: 0 }, handler);
  }

  await servers.setAll('readiness', true);
  await servers.setAll('liveness', false);
  // Each is well again as soon as it was restarted once, or it would be killed once more.
  await Promise.all(
    HANDLERS.map(async (handler) => {
      await daemon.waitForExistingPod('matrix', (pod) => statusOf(pod, nameOf(handler)).restartCount > 0);
      await servers.set(handler, 'liveness', true);
    }),
  );
  // So many containers have more to tell than one pod may: some of the later events are dropped.
  const killing = await eventOf('matrix', 'Killing', /probe/);
  t.match(killing.message, /^Container \w+ failed liveness probe, will be restarted$/);
  const again = await daemon.waitForExistingPod('matrix', isReady, { timeoutMs: 60_000 });
  t.match(statusOf(again, 'httpget').lastState?.terminated, { exitCode: 0 }, 'it ended on SIGTERM');
});

t.test('a restart of the daemon keeps what was ready, and probes go on', async (t) => {
  const before = await daemon.waitForExistingPod('matrix', isReady);
  const readySince = (pod: Pod) => pod.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
  await daemon.restart('SIGKILL');
  const asked = servers.requestsOf('/liveness').length;
  await waitFor('probes to go on', () => servers.requestsOf('/liveness').length > asked + 1);
  const after = await daemon.getPod('matrix');
  t.ok(isReady(after), JSON.stringify(after.status?.containerStatuses));
  t.equal(readySince(after), readySince(before), 'at no time was it not ready');
  for (const handler of HANDLERS) {
    const name = nameOf(handler);
    t.equal(statusOf(after, name).restartCount, statusOf(before, name).restartCount);
  }
  await servers.set('grpc', 'readiness', false);
  await daemon.waitForExistingPod('matrix', (pod) => !statusOf(pod, 'grpc').ready);
  await servers.set('grpc', 'readiness', true);
  await daemon.deletePod('matrix');
});

t.test(
  'a sidecar has all three probes: its startup holds back the app, its readiness counts, it is restarted alone',
  async (t) => {
    await servers.set('exec', 'startup', false);
    await servers.set('exec', 'readiness', false);
    const probe = (kind: 'startup' | 'liveness' | 'readiness') => ({ ...often, ...servers.handler('exec', kind) });
    await daemon.createPod(
      podManifest('sidecar', [{ name: 'app', command: shell('') }], {
        ...onHost,
        initContainers: [
          {
            name: 'proxy',
            image: DEMO_IMAGE,
            restartPolicy: 'Always',
            command: shell(''),
            volumeMounts,
            startupProbe: { ...probe('startup'), failureThreshold: 100 },
            livenessProbe: probe('liveness'),
            readinessProbe: probe('readiness'),
          },
        ],
      }),
    );
    const proxyOf = (pod: Pod) => pod.status?.initContainerStatuses?.find(({ name }) => name === 'proxy');
    const event = await eventOf('sidecar', 'Unhealthy', /^Startup probe failed: /);
    t.equal(event.involvedObject.fieldPath, 'spec.initContainers{proxy}');
    const held = await daemon.getPod('sidecar');
    t.match(statusOf(held, 'app').state, { waiting: { reason: 'PodInitializing' } });
    await servers.set('exec', 'startup', true);
    const started = await daemon.waitForExistingPod('sidecar', (pod) => statusOf(pod, 'app').ready);
    t.match(proxyOf(started), { started: true, ready: false });
    t.notOk(isReady(started));
    await servers.set('exec', 'readiness', true);
    await daemon.waitForExistingPod('sidecar', isReady);
    await servers.set('exec', 'liveness', false);
    await daemon.waitForExistingPod('sidecar', (pod) => (proxyOf(pod)?.restartCount ?? 0) > 0);
    await servers.set('exec', 'liveness', true);
    const again = await daemon.waitForExistingPod('sidecar', isReady);
    t.equal(statusOf(again, 'app').restartCount, 0);
    await daemon.deletePod('sidecar');
  },
);

t.test('HTTP: named ports, HTTPS, headers, redirects, a delay, and images without any program', async (t) => {
  const tlsPort = await servers.serve((_request, response) => response.end('ok'), { tls: true });
  const port = await servers.serve(({ url }, response) => {
    if (url === '/near') response.writeHead(302, { location: '/end' }).end();
    else if (url === '/far') response.writeHead(302, { location: 'http://203.0.113.1/' }).end('go there');
    else response.end('ok');
  });
  const asks = (name: string, readinessProbe: Probe, change: Partial<Container> = {}) => ({
    name,
    command: shell(''),
    readinessProbe: { periodSeconds: 1, ...readinessProbe },
    ...change,
  });
  const httpHeaders = [
    { name: 'Host', value: 'shop.test' },
    { name: 'X-Word', value: 'hello' },
  ];
  await daemon.createPod(
    podManifest(
      'http-host',
      [
        asks('tls', { httpGet: { port: tlsPort, path: '/tls', scheme: 'HTTPS' } }),
        asks('headers', { httpGet: { port, path: '/headers', httpHeaders } }),
        asks('near', { httpGet: { port, path: '/near' } }),
        asks('far', { httpGet: { port, path: '/far' } }),
        asks('delayed', { httpGet: { port, path: '/delayed' }, initialDelaySeconds: 2 }),
      ],
      onHost,
    ),
  );
  // The pod's own network: the demo image serves, and the sandbox's image, which has no program but its own, is asked.
  await daemon.createPod(
    podManifest('http-pod', [
      {
        ...asks('web', { httpGet: { port: 'http', path: '/page' } }),
        command: shell('mkdir -p /srv; echo hi >/srv/page; httpd -p 8080 -h /srv'),
        ports: [{ name: 'http', containerPort: 8080 }],
      },
      {
        name: 'bare',
        image: 'mini-kubelet.local/pause:1',
        ports: [{ name: 'neighbour', containerPort: 8080 }],
        startupProbe: { ...often, failureThreshold: 30, tcpSocket: { port: 'neighbour' } },
        livenessProbe: { periodSeconds: 1, httpGet: { port: 'neighbour', path: '/page' } },
        readinessProbe: { periodSeconds: 1, successThreshold: 2, httpGet: { port: 'neighbour', path: '/page' } },
      },
      asks('unnamed', { httpGet: { port: 'nowhere' } }),
    ]),
  );
  const host = await daemon.waitForExistingPod('http-host', isReady);
  const [asked] = servers.requestsOf('/headers');
  t.match(asked?.headers, { host: 'shop.test', 'x-word': 'hello', 'user-agent': 'kube-probe/1.36', accept: '*/*' });
  t.equal(servers.requestsOf('/end').length >= 1, true, 'the redirect was followed');
  const warning = await eventOf('http-host', 'ProbeWarning', /redirects/);
  t.equal(warning.message, 'Readiness probe warning: Probe terminated redirects, Response body: go there');
  const startedAtMs = Date.parse(statusOf(host, 'delayed').state?.running?.startedAt ?? '');
  const firstMs = servers.requestsOf('/delayed')[0]?.atMs ?? 0;
  t.ok(firstMs >= startedAtMs + 2000, `first asked ${firstMs - startedAtMs} ms after its start`);

  const pod = await daemon.waitForExistingPod(
    'http-pod',
    (seen) => statusOf(seen, 'web').ready && statusOf(seen, 'bare').ready,
  );
  t.match(statusOf(pod, 'unnamed'), { ready: false, restartCount: 0 }, 'what cannot be asked is not ready');
  const unnamed = await eventOf('http-pod', 'Unhealthy', /errored/);
  t.match(unnamed.message, /^Readiness probe errored and resulted in unknown state: .*nowhere/);
  const metrics = await daemon.api.request('GET', '/metrics/probes');
  t.match(
    metrics.text,
    /prober_probe_total\{probe_type="Liveness",container="bare",pod="http-pod",namespace="default",result="successful",pod_uid="[^"]+"\} [1-9]/,
  );
  t.match(metrics.text, /prober_probe_duration_seconds_count\{probe_type="Startup",container="bare"/);
  await Promise.all(['http-host', 'http-pod'].map((name) => daemon.deletePod(name)));
  // A pod is gone for clients a moment before its worker has put everything away.
  await waitFor('the numbers to go with the pod', async () => {
    const { text } = await daemon.api.request('GET', '/metrics/probes');
    return !text.includes('http-pod');
  });
});

t.test('a probe that hangs fails in its time, never twice at once, and hurts nobody else', async (t) => {
  const silence = await servers.serveSilence();
  const port = await servers.serve((_request, response) => response.end());
  const hangs = (name: string, readinessProbe: Probe): Partial<Container> & { name: string } => ({
    name,
    command: shell(''),
    readinessProbe: { periodSeconds: 1, timeoutSeconds: 1, ...readinessProbe },
  });
  await daemon.createPod(
    podManifest(
      'hanging',
      [
        hangs('http', { httpGet: { port: silence.port } }),
        hangs('grpc', { grpc: { port: silence.port } }),
        hangs('exec', { exec: { command: ['sleep', '1000'] } }),
        // Its child keeps the output open.
        hangs('child', { exec: { command: ['sh', '-c', 'sleep 4 & exit 1'] } }),
        hangs('well', { httpGet: { port, path: '/beside' } }),
      ],
      onHost,
    ),
  );
  await waitFor('ten answers', () => servers.requestsOf('/beside').length >= 10, 30_000);
  const times = servers.requestsOf('/beside').map(({ atMs }) => atMs);
  const gaps = times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0));
  t.ok(
    gaps.every((gap) => gap < 2000),
    `the healthy one is asked in each period: ${gaps.join(', ')} ms`,
  );
  // The server sees a connection's end at the earliest when the next one begins.
  t.ok(silence.mostAtOnce() <= 4, `connections to the silent server at once, of two probes: ${silence.mostAtOnce()}`);
  await eventOf('hanging', 'Unhealthy', /^Readiness probe failed: Get .* context deadline exceeded/, 'http');
  await eventOf('hanging', 'Unhealthy', /^Readiness probe failed: timeout: health rpc did not complete/, 'grpc');
  const late = /^Readiness probe failed: command timed out: "sleep 1000" timed out after 1s$/;
  await eventOf('hanging', 'Unhealthy', late, 'exec');
  await eventOf('hanging', 'Unhealthy', /^Readiness probe failed: /, 'child');
  const pod = await daemon.getPod('hanging');
  t.strictSame(
    pod.status?.containerStatuses?.filter(({ ready }) => ready).map(({ name }) => name),
    ['well'],
  );
  await daemon.deletePod('hanging');
});

t.test("a probe's own grace period ends what ignores SIGTERM, and the pod's policy holds", async (t) => {
  const deaf = ['sh', '-c', "trap '' TERM; while :; do sleep 1; done"];
  const fails = { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 1 };
  await daemon.createPod(
    podManifest(
      'startless',
      [{ name: 'a', command: deaf, startupProbe: { ...fails, terminationGracePeriodSeconds: 1 } }],
      { restartPolicy: 'Never', terminationGracePeriodSeconds: 600 },
    ),
  );
  const pod = await daemon.waitForExistingPod('startless', isOver);
  t.equal(pod.status?.phase, 'Failed');
  t.match(statusOf(pod, 'a').state?.terminated, { exitCode: 137 });
  const killing = await eventOf('startless', 'Killing', /probe/);
  t.equal(killing.message, 'Container a failed startup probe');
  await daemon.deletePod('startless');
});

t.test('a pod that ends is not restarted by its probes, and tells when it is not ready any more', async (t) => {
  const port = await servers.serve((_request, response) => response.end());
  await daemon.createPod(
    podManifest(
      'leaving',
      [
        {
          name: 'a',
          command: ['sh', '-c', 'touch /ready; trap "rm /ready; sleep 4; exit 0" TERM; sleep 1000000 & wait; wait'],
          readinessProbe: { exec: { command: ['cat', '/ready'] }, periodSeconds: 1, failureThreshold: 1 },
          livenessProbe: { httpGet: { port, path: '/alive' }, periodSeconds: 1, failureThreshold: 1 },
        },
      ],
      { ...onHost, terminationGracePeriodSeconds: 30 },
    ),
  );
  await daemon.waitForExistingPod('leaving', isReady);
  await daemon.api.expectOk('DELETE', '/api/v1/namespaces/default/pods/leaving');
  const asked = servers.requestsOf('/alive').length;
  const pod = await daemon.waitForExistingPod('leaving', (seen) => !isReady(seen));
  t.ok(statusOf(pod, 'a').state?.running, 'while it still runs');
  await daemon.waitForPod('leaving', (seen) => seen === undefined);
  t.ok(servers.requestsOf('/alive').length <= asked + 1, 'liveness is not asked any more');
});

t.test('what is the fault of the runtime or of the daemon is not counted against a container', async (t) => {
  const port = await servers.serve((_request, response) => response.end());
  const strict = { periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 1 };
  const paused = join(servers.directory, 'well');
  writeFileSync(paused, '');
  await daemon.createPod(
    podManifest(
      'faultless',
      [
        {
          name: 'exec',
          command: shell(''),
          volumeMounts,
          livenessProbe: { ...strict, exec: { command: ['cat', '/switches/well'] } },
        },
        {
          name: 'http',
          command: shell(''),
          livenessProbe: { ...strict, httpGet: { port, path: '/faultless' } },
        },
        { name: 'missing', command: shell(''), livenessProbe: { ...strict, exec: { command: ['/no/such/program'] } } },
      ],
      onHost,
    ),
  );
  await daemon.waitForExistingPod('faultless', isReady);
  await eventOf('faultless', 'Unhealthy', /^Liveness probe errored and resulted in unknown state: /, 'missing');
  await runtime.kill();
  const asked = servers.requestsOf('/faultless').length;
  await waitFor('probes without a runtime', () => servers.requestsOf('/faultless').length > asked + 2);
  await runtime.start();
  await daemon.waitUntilReady();

  daemon.signal('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 2500));
  daemon.signal('SIGCONT');
  const resumed = servers.requestsOf('/faultless').length;
  await waitFor('probes to go on', () => servers.requestsOf('/faultless').length > resumed + 2);
  const pod = await daemon.getPod('faultless');
  for (const name of ['exec', 'http', 'missing']) t.match(statusOf(pod, name), { restartCount: 0, ready: true }, name);
  t.strictSame(
    (await eventsOf('faultless')).filter(({ reason }) => reason === 'Killing'),
    [],
  );
  await daemon.deletePod('faultless');
});
