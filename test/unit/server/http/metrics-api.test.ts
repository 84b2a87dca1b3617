import t from 'tap';
import { podKind } from '../../../../src/api/kinds.ts';
import { addNode, nodeName, podManifest, podsUrl, startApi, type TestApi } from '../support.ts';

const base = '/apis/metrics.k8s.io/v1beta1';

/** With the pods of which usage is told, `web` and `other/db`. */
async function start(t: Parameters<typeof startApi>[0]): Promise<TestApi> {
  const api = await startApi(t);
  addNode(api.store);
  await api.request('POST', '/api/v1/namespaces', { metadata: { name: 'other' } });
  await api.request('POST', podsUrl, podManifest('web'));
  await api.request('POST', '/api/v1/namespaces/other/pods', podManifest('db'));
  for (const [namespace, name] of [
    ['default', 'web'],
    ['other', 'db'],
  ] as const) {
    const pod = api.store.get(podKind, namespace, name);
    if (!pod) throw new Error(`${name} was not made`);
    api.store.delete(podKind, namespace, name);
    api.store.create(podKind, { ...pod, metadata: { ...pod.metadata, uid: `uid-of-${name}`, resourceVersion: '' } });
  }
  return api;
}

t.test('discovery tells of metrics, so that kubectl top asks', async (t) => {
  const { request } = await startApi(t);
  const { body: groups } = await request('GET', '/apis');
  t.ok(groups.groups.some(({ name }: { name: string }) => name === 'metrics.k8s.io'));
  const { body } = await request('GET', base);
  t.same(
    body.resources.map(({ name, namespaced, verbs }: Record<string, unknown>) => [name, namespaced, verbs]),
    [
      ['nodes', false, ['get', 'list']],
      ['pods', true, ['get', 'list']],
    ],
  );
});

t.test('the node', async (t) => {
  const { request } = await start(t);
  const { code, body } = await request('GET', `${base}/nodes`);
  t.equal(code, 200);
  t.equal(body.kind, 'NodeMetricsList');
  t.match(body.items, [
    {
      metadata: { name: nodeName },
      timestamp: '2026-01-01T00:00:00Z',
      window: '15s',
      usage: { cpu: '1500000000n', memory: '2000000Ki' },
    },
  ]);
  t.equal((await request('GET', `${base}/nodes/${nodeName}`)).body.kind, 'NodeMetrics');
  t.equal((await request('GET', `${base}/nodes/other`)).code, 404);
});

t.test('pods: of all namespaces, of one, by label, by name', async (t) => {
  const { request } = await start(t);
  const names = async (path: string) => {
    const { body } = await request('GET', `${base}/${path}`);
    return body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
  };
  t.same(await names('pods'), ['web', 'db']);
  t.same(await names('namespaces/other/pods'), ['db']);
  t.same(await names('pods?labelSelector=app=web'), ['web']);
  t.same(await names('pods?fieldSelector=metadata.namespace=other'), ['db']);
  const { body } = await request('GET', `${base}/namespaces/default/pods/web`);
  t.match(body, {
    kind: 'PodMetrics',
    metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
    window: '15.043s',
    containers: [
      { name: 'main', usage: { cpu: '12345n', memory: '5Ki' } },
      { name: 'side', usage: { cpu: '12345n', memory: '5Ki' } },
    ],
  });
  t.match((await request('GET', `${base}/namespaces/default/pods/db`)).body, {
    code: 404,
    message: 'pods.metrics.k8s.io "db" not found',
  });
});

t.test('as a table', async (t) => {
  const { request } = await start(t);
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const { body } = await request('GET', `${base}/pods`, undefined, { accept });
  t.same(
    body.rows.map(({ cells }: { cells: unknown }) => cells),
    [
      ['web', '24690n', '10Ki', '15.043s'],
      ['db', '12345n', '5Ki', '15.043s'],
    ],
  );
});

t.test('a pod that took the name of one that was measured is not told as that one', async (t) => {
  const { request } = await startApi(t);
  await request('POST', podsUrl, podManifest('web'));
  t.same((await request('GET', `${base}/pods`)).body.items, []);
});

t.test('nothing can be written or watched there', async (t) => {
  const { request } = await startApi(t);
  t.equal((await request('POST', `${base}/namespaces/default/pods`, {})).code, 405);
  t.equal((await request('DELETE', `${base}/nodes/${nodeName}`)).code, 405);
  t.equal((await request('GET', `${base}/pods?watch=true`)).code, 405);
});
