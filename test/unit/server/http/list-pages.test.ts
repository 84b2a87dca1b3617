import t from 'tap';
import { configMapKind } from '../../../../src/api/kinds.ts';
import type { KubeObject } from '../../../../src/api/meta.ts';
import { type Answer, startApi, type TestApi } from '../support.ts';

const url = '/api/v1/namespaces/default/configmaps';

interface Pages extends TestApi {
  put(name: string, value: string): Promise<Answer>;
  /** `name=value` of every object of a list. */
  shown(answer: Answer): string[];
  page(query: string): Promise<Answer>;
}

async function start(t: Parameters<typeof startApi>[0], changes: Parameters<typeof startApi>[1] = {}): Promise<Pages> {
  const api = await startApi(t, changes);
  const put: Pages['put'] = async (name, value) => {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { value } }, data: { value } };
    const made = await api.request('POST', url, body);
    return made.code === 409 ? api.request('PUT', `${url}/${name}`, body) : made;
  };
  const shown: Pages['shown'] = ({ body }) =>
    body.items.map(({ metadata, data }: KubeObject & { data: { value: string } }) => `${metadata.name}=${data.value}`);
  for (const name of ['a', 'b', 'c', 'd']) await put(name, '1');
  return { ...api, put, shown, page: (query) => api.request('GET', `${url}?${query}`) };
}

const tokenOf = ({ body }: Answer): string => encodeURIComponent(body.metadata.continue);

t.test('all pages show the state at the first one, whatever happens in between', async (t) => {
  const { request, put, shown, page } = await start(t);
  const first = await page('limit=2');
  t.same(shown(first), ['a=1', 'b=1']);
  t.equal(first.body.metadata.remainingItemCount, 2);
  await put('a', '2');
  await put('c', '2');
  await put('bb', '1');
  await request('DELETE', `${url}/d`);
  const second = await page(`limit=1&continue=${tokenOf(first)}`);
  t.same(shown(second), ['c=1']);
  t.equal(second.body.metadata.remainingItemCount, 1);
  t.equal(second.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
  await put('d', '3');
  const last = await page(`limit=1&continue=${tokenOf(second)}`);
  t.same(shown(last), ['d=1']);
  t.notOk('continue' in last.body.metadata);
  t.same(shown(await page('')), ['a=2', 'b=1', 'bb=1', 'c=2', 'd=3']);
});

t.test('pages of what a selector chose at first', async (t) => {
  const { put, shown, page } = await start(t);
  const selector = 'labelSelector=value%3D1';
  const first = await page(`limit=1&${selector}`);
  t.notOk('remainingItemCount' in first.body.metadata);
  await put('b', '2');
  await put('e', '1');
  t.same(shown(await page(`${selector}&continue=${tokenOf(first)}`)), ['b=1', 'c=1', 'd=1']);
});

t.test('pages of a kind that is a view of another', async (t) => {
  const { request } = await startApi(t);
  const eventsUrl = '/apis/events.k8s.io/v1/namespaces/default/events';
  const event = (name: string, reason: string) => ({
    metadata: { name },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'web' },
    reason,
  });
  for (const name of ['a', 'b']) await request('POST', '/api/v1/namespaces/default/events', event(name, 'Before'));
  const first = await request('GET', `${eventsUrl}?limit=1`);
  await request('PATCH', '/api/v1/namespaces/default/events/b', '{"reason":"After"}', {
    'content-type': 'application/merge-patch+json',
  });
  const second = await request('GET', `${eventsUrl}?limit=1&continue=${tokenOf(first)}`);
  t.match(second.body.items, [{ apiVersion: 'events.k8s.io/v1', metadata: { name: 'b' }, reason: 'Before' }]);
});

t.test('when the state is forgotten, the client is told, and may go on at the latest', async (t) => {
  const { store, shown, page, put } = await start(t);
  const first = await page('limit=2');
  // More changes than a kind's history holds.
  for (let i = 0; i <= 5_000; i++) {
    store.update(configMapKind, 'default', 'c', (object) => ({ ...object, data: { value: `${i}` } }));
  }
  const refused = await page(`limit=1&continue=${tokenOf(first)}`);
  t.match(refused, {
    code: 410,
    body: { kind: 'Status', code: 410, reason: 'Expired', message: /continue parameter is too old/ },
  });
  const next = await page(`limit=1&continue=${tokenOf(refused)}`);
  t.same(shown(next), ['c=5000']);
  t.equal(next.body.metadata.resourceVersion, store.resourceVersion, 'the state is the latest');
  await put('d', '2');
  t.same(shown(await page(`continue=${tokenOf(next)}`)), ['d=1'], 'which the next page shows too');
  const old = first.body.metadata.resourceVersion;
  t.match(await page(`resourceVersionMatch=Exact&resourceVersion=${old}`), {
    code: 410,
    body: { reason: 'Expired', message: 'The resourceVersion for the provided list is too old.' },
  });
});

t.test('a list at exactly the wanted resourceVersion', async (t) => {
  const { put, shown, page } = await start(t);
  const { resourceVersion } = (await page('')).body.metadata;
  await put('a', '2');
  await put('e', '1');
  const exact = await page(`resourceVersionMatch=Exact&resourceVersion=${resourceVersion}`);
  t.same(shown(exact), ['a=1', 'b=1', 'c=1', 'd=1']);
  t.equal(exact.body.metadata.resourceVersion, resourceVersion);
  const paged = await page(`limit=1&resourceVersion=${resourceVersion}`);
  t.same(shown(paged), ['a=1'], 'a page means that one too');
  t.same(shown(await page(`continue=${tokenOf(paged)}`)), ['b=1', 'c=1', 'd=1']);
  for (const query of ['', '&resourceVersionMatch=NotOlderThan', '&resourceVersionMatch=NotOlderThan&limit=9']) {
    t.equal(shown(await page(`resourceVersion=${resourceVersion}${query}`)).length, 5, `not older${query}`);
  }
  t.match(await page(`resourceVersion=${resourceVersion}&continue=${tokenOf(paged)}`), { code: 400 });
});

t.test('a collection is deleted page by page: what is gone meanwhile is no failure', async (t) => {
  const { request, put, shown, page } = await start(t);
  const first = await page('limit=2');
  await request('DELETE', `${url}/c`);
  await put('e', '1');
  t.equal((await request('DELETE', `${url}?continue=${tokenOf(first)}`)).code, 200);
  t.same(shown(await page('')), ['a=1', 'b=1', 'e=1']);
});
