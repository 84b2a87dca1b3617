import { Registry } from 'prom-client';
import t from 'tap';
import { podKind } from '../../../../src/api/kinds.ts';
import type { ObservedContainer } from '../../../../src/runtime/observed.ts';
import { fakeKubelet, nodeName, podManifest, podsUrl, setStatus, startApi } from '../support.ts';

const json = { accept: 'application/json' };

t.test('/stats/summary tells of node, pods and containers', async (t) => {
  const { request } = await startApi(t);
  const { code, body } = await request('GET', '/stats/summary');
  t.equal(code, 200);
  t.match(body.node, {
    nodeName,
    startTime: '2025-12-31T00:00:00Z',
    cpu: { time: '2026-01-01T00:00:00Z', usageNanoCores: 1_500_000_000, usageCoreNanoSeconds: 5e12 },
    memory: { availableBytes: 5_952_000_000, workingSetBytes: 2_048_000_000 },
    network: { name: 'eth0', rxBytes: 1000, interfaces: [{ name: 'eth0', txBytes: 2000 }] },
    fs: { capacityBytes: 1000, usedBytes: 300 },
    runtime: { imageFs: { availableBytes: 600 } },
    rlimit: { maxpid: 32_768, curproc: 300 },
  });
  const [web, db] = body.pods;
  t.match(web, {
    podRef: { name: 'web', namespace: 'default', uid: 'uid-of-web' },
    cpu: { usageNanoCores: 12_345 },
    memory: { workingSetBytes: 5120, availableBytes: 5120 },
    network: { rxBytes: 100 },
    process_stats: { process_count: 2 },
  });
  const measuredAt = '2026-01-01T00:00:30Z';
  t.match(web.volume, [
    { name: 'scratch', time: measuredAt, usedBytes: 20, inodesUsed: 2, capacityBytes: 1000 },
    { name: 'data', pvcRef: { name: 'data-of-web', namespace: 'default' }, usedBytes: 300, capacityBytes: 5000 },
  ]);
  t.notOk('pvcRef' in web.volume[0], 'one of no claim');
  t.same(
    web['ephemeral-storage'],
    {
      time: measuredAt,
      availableBytes: 600,
      capacityBytes: 1000,
      usedBytes: 21 + 30 + 77,
      inodesFree: 60,
      inodes: 100,
      inodesUsed: 4 + 3 + 7,
    },
    'volumes, logs and layers together',
  );
  t.match(web.containers[0].logs, { time: measuredAt, usedBytes: 30, inodesUsed: 3, capacityBytes: 1000 });
  for (const part of ['volume', 'ephemeral-storage']) t.notOk(part in body.pods[1], `${part} of one not measured`);
  t.match(web.containers, [
    { name: 'main', rootfs: { usedBytes: 77, inodesUsed: 7, capacityBytes: 1000 }, memory: { rssBytes: 4096 } },
    { name: 'side' },
  ]);
  t.notOk('rootfs' in web.containers[1], 'what the runtime does not tell is left out');
  t.equal(db.podRef.namespace, 'other');
});

t.test('only CPU and memory, for who asks often', async (t) => {
  const layers = () => Promise.reject(new Error('the runtime is not asked'));
  const podDisks = () => Promise.reject(new Error('no disk is measured'));
  const { request } = await startApi(t, { usage: { ...fakeKubelet.usage, layers, podDisks } });
  const { body } = await request('GET', '/stats/summary?only_cpu_and_memory=true');
  t.same(Object.keys(body.node).sort(), ['cpu', 'memory', 'nodeName', 'startTime']);
  t.same(Object.keys(body.pods[0]).sort(), ['containers', 'cpu', 'memory', 'podRef', 'startTime']);
});

t.test('/metrics/resource, with times', async (t) => {
  const { request } = await startApi(t);
  const { headers, text } = await request('GET', '/metrics/resource');
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const at = Date.parse('2026-01-01T00:00:00Z');
  for (const line of [
    `node_cpu_usage_seconds_total 5000 ${at}`,
    `node_memory_working_set_bytes 2048000000 ${at}`,
    `container_cpu_usage_seconds_total{container="main",namespace="default",pod="web"} 2 ${at}`,
    `container_start_time_seconds{container="side",namespace="default",pod="web"} 1767222000 ${at}`,
    `pod_memory_working_set_bytes{namespace="other",pod="db"} 5120 ${at}`,
    'resource_scrape_error 0',
  ]) {
    t.ok(text.includes(`${line}\n`), line);
  }
});

t.test('/metrics/cadvisor, with the labels that dashboards know', async (t) => {
  const { request } = await startApi(t);
  const { text } = await request('GET', '/metrics/cadvisor');
  const container =
    'container="main",image="busybox:1.36",name="id-of-web-main",namespace="default",pod="web",id="/kubepods/podweb/id-of-web-main"';
  const pod = 'container="",image="",name="",namespace="default",pod="web",id="/kubepods/podweb"';
  for (const line of [
    `container_cpu_usage_seconds_total{${container},cpu="total"} 2 `,
    `container_memory_working_set_bytes{${container}} 5120 `,
    `container_spec_memory_limit_bytes{${container}} 10240 `,
    `container_network_receive_bytes_total{${pod},interface="eth0"} 100 `,
    `container_fs_usage_bytes{${container},device=""} 77 `,
    `container_fs_writes_bytes_total{${container}} 8192 `,
    'container_cpu_usage_seconds_total{container="",image="",name="",namespace="",pod="",id="/",cpu="total"} 5000 ',
    'machine_cpu_cores 4',
  ]) {
    t.ok(text.includes(line), line);
  }
});

t.test('/pods has what is stored, /runningpods what the runtime has', async (t) => {
  const running = (pod: string, containerName: string) =>
    ({
      pod: { name: pod, namespace: 'default', uid: `uid-of-${pod}` },
      containerName,
      image: 'busybox',
    }) as ObservedContainer;
  const runningContainers = () => [running('web', 'main'), running('orphan', 'main'), running('web', 'side')];
  const { request } = await startApi(t, { usage: { ...fakeKubelet.usage, runningContainers } });
  await request('POST', podsUrl, podManifest('web'));
  const { body: pods } = await request('GET', '/pods', undefined, json);
  t.match(pods, { kind: 'PodList', apiVersion: 'v1', items: [{ kind: 'Pod', metadata: { name: 'web' } }] });
  for (const path of ['/runningpods', '/runningpods/']) {
    const { body } = await request('GET', path);
    t.match(body, {
      kind: 'PodList',
      items: [
        { metadata: { name: 'web', uid: 'uid-of-web' }, spec: { containers: [{ name: 'main' }, { name: 'side' }] } },
        { metadata: { name: 'orphan' } },
      ],
    });
  }
});

t.test('/configz and the checks below /healthz', async (t) => {
  let problem: string | undefined;
  const { request } = await startApi(t, { syncLoopProblem: () => problem });
  t.same((await request('GET', '/configz')).body, { kubeletconfig: { nodeName } });
  for (const path of ['/healthz', '/healthz/ping', '/healthz/log', '/healthz/syncloop']) {
    t.match(await request('GET', path), { code: 200, text: 'ok' }, path);
  }
  problem = 'it is stuck';
  t.match(await request('GET', '/healthz/syncloop'), { code: 500, text: /syncloop failed: it is stuck/ });
});

t.test('what is read is also below the node, as an API server passes it on', async (t) => {
  const { request } = await startApi(t);
  const proxy = `/api/v1/nodes/${nodeName}/proxy`;
  for (const path of [
    '/stats/summary',
    '/metrics',
    '/metrics/resource',
    '/metrics/cadvisor',
    '/pods',
    '/configz',
    '/healthz/ping',
  ]) {
    t.equal((await request('GET', proxy + path)).code, 200, path);
    t.equal((await request('POST', proxy + path, {})).code, 404, `POST ${path}`);
  }
  t.equal((await request('GET', '/api/v1/nodes/other/proxy/stats/summary')).code, 404, 'another node');
  for (const path of ['/exec/default/web/c', '/run/default/web/c', '/containerLogs/default/web/c', '/logs/', '/']) {
    t.equal((await request('GET', proxy + path)).code, 404, path);
  }
});

t.test('only for administrators, and nothing else of a kubelet is there', async (t) => {
  const { request } = await startApi(t, { peerOf: () => ({ transport: 'tls', certificate: undefined }) });
  for (const path of [
    '/pods',
    '/runningpods/',
    '/stats/summary',
    '/metrics',
    '/metrics/cadvisor',
    '/configz',
    '/healthz/ping',
  ]) {
    t.equal((await request('GET', path)).code, 401, path);
  }
  const admin = await startApi(t);
  for (const path of [
    '/logs/',
    '/logs/syslog',
    '/debug/pprof/',
    '/debug/flags/v',
    '/checkpoint/default/web/c',
    '/stats/',
    '/spec/',
  ]) {
    t.equal((await admin.request('GET', path)).code, 404, path);
    t.equal((await admin.request('POST', path, {})).code, 404, `POST ${path}`);
  }
});

t.test('/run and /containerLogs', async (t) => {
  const { store, request } = await startApi(t);
  await request('POST', podsUrl, podManifest('web'));
  const { uid } = store.get(podKind, 'default', 'web')?.metadata ?? {};
  const expected = 'run c ["sh","-c","x"]\n';
  t.match(await request('POST', '/run/default/web/c?cmd=sh%20-c%20x'), { code: 200, text: expected });
  t.match(await request('POST', `/run/default/web/${uid}/c?cmd=sh%20-c%20x`), { code: 200, text: expected });
  t.equal((await request('POST', '/run/default/web/c')).code, 400, 'without a command');
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  t.match(await request('POST', '/run/default/web/c', 'cmd=ls', form), { code: 400, text: /a body is not read/ });
  t.equal((await request('GET', '/run/default/web/c?cmd=sh')).code, 404);
  t.equal((await request('POST', '/run/default/web/other-uid/c?cmd=sh')).code, 404);
  t.equal((await request('POST', '/run/default/nobody/c?cmd=sh')).code, 404);

  t.equal((await request('GET', '/containerLogs/default/web/c')).code, 400, 'it has not run');
  setStatus(store, 'web', {
    containerStatuses: [
      {
        name: 'c',
        state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
        lastState: {},
        containerID: 'containerd://1',
        image: '',
        imageID: '',
        ready: true,
        restartCount: 0,
      },
    ],
  });
  t.match(await request('GET', '/containerLogs/default/web/c?tailLines=5'), { code: 200, text: 'hello\n' });
  t.equal((await request('GET', '/containerLogs/default/web/none')).code, 400);
});

t.test('what runs in a pod takes another right than reading it', async (t) => {
  const { app } = await startApi(t);
  const rightsTo = (path: string) =>
    [...app.routeAccess].flatMap(([route, access]) =>
      route.includes(` /${path}/`) && access.kind === 'node' ? [access] : [],
    );
  for (const path of ['exec', 'attach', 'portForward', 'run']) {
    const rights = rightsTo(path);
    t.ok(rights.length > 0, path);
    for (const right of rights) t.match(right, { verb: 'create', subresources: ['proxy'] }, path);
  }
  t.same(rightsTo('containerLogs'), [{ kind: 'node', subresources: ['proxy'] }]);
});

t.test('paths, methods and agents that nobody knows add nothing to the metrics', async (t) => {
  const registry = new Registry();
  const { app, request } = await startApi(t, { registry });
  const hostile = async (n: number) => {
    const headers = { host: 'localhost', 'user-agent': `agent-${n}` };
    const methods = ['GET', 'POST', 'DELETE', 'OPTIONS', 'SEARCH', 'PROPFIND'] as const;
    for (const method of methods) {
      await app.inject({ method: method as 'GET', url: `/metrics/${n}`, headers });
      await app.inject({ method: method as 'GET', url: `/stats/summary?${n}=${n}`, headers });
      await app.inject({
        method: method as 'GET',
        url: `/apis/metrics.k8s.io/v1beta1/namespaces/n${n}/pods/p${n}`,
        headers,
      });
      await app.inject({ method: method as 'GET', url: `/api/v1/nodes/n${n}/proxy/pods`, headers });
    }
  };
  const lines = async () => (await request('GET', '/metrics')).text.split('\n').length;
  for (let n = 0; n < 5; n += 1) await hostile(n);
  await lines();
  const before = await lines();
  for (let n = 5; n < 100; n += 1) await hostile(n);
  t.equal(await lines(), before);
  const { text } = await request('GET', '/metrics');
  t.match(
    text,
    /kubelet_http_requests_total\{method="GET",path="stats",server_type="readwrite",long_running="false"\} \d+/,
  );
  t.notMatch(text, /n99|p99|agent/);
});
