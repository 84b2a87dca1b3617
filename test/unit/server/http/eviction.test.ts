import t, { type Test } from 'tap';
import { protobufBody } from '../../api/decode/protobuf-bodies.ts';
import { podManifest, podsUrl, setStatus, startApi } from '../support.ts';

const budgetsUrl = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
const eviction = (name: string, deleteOptions?: object) => ({
  apiVersion: 'policy/v1',
  kind: 'Eviction',
  metadata: { name, namespace: 'default' },
  ...(deleteOptions ? { deleteOptions } : {}),
});
const budget = (name: string, spec: object) => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name },
  spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
});

/** An API with ready pods of these names, all of the app `web`. */
async function start(t: Test, ...names: string[]) {
  const api = await startApi(t);
  for (const name of names) {
    await api.request('POST', podsUrl, podManifest(name, { metadata: { name, labels: { app: 'web' } } }));
    setStatus(api.store, name, { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] });
  }
  const evict = (name: string, deleteOptions?: object, query = '') =>
    api.request('POST', `${podsUrl}/${name}/eviction${query}`, eviction(name, deleteOptions));
  return { ...api, evict };
}

t.test('an eviction begins the end of the pod, and says on it why', async (t) => {
  const { evict, request } = await start(t, 'a');
  const answer = await evict('a', { gracePeriodSeconds: 7 });
  t.equal(answer.code, 201, answer.text);
  t.match(answer.body, { kind: 'Status', status: 'Success' });
  const { metadata, status } = (await request('GET', `${podsUrl}/a`)).body;
  t.equal(metadata.deletionGracePeriodSeconds, 7);
  t.match(
    status.conditions.find(({ type }: { type: string }) => type === 'DisruptionTarget'),
    { status: 'True', reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' },
  );
});

t.test('a budget is kept, whoever comes first', async (t) => {
  const { evict, request } = await start(t, 'a', 'b', 'c');
  t.equal((await request('POST', budgetsUrl, budget('web', { minAvailable: 2 }))).code, 201);
  const codes = await Promise.all(['a', 'b', 'c'].map(async (name) => (await evict(name)).code));
  t.same(codes.sort(), [201, 429, 429]);
  const refused = await evict('c');
  t.match(refused.body, {
    code: 429,
    reason: 'TooManyRequests',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      causes: [
        {
          reason: 'DisruptionBudget',
          message: 'The disruption budget web needs 2 healthy pods and has 2 currently',
        },
      ],
    },
  });
  const deleted = await request('DELETE', `${podsUrl}/c`);
  t.equal(deleted.code, 200, 'a deletion asks no budget');
});

t.test('two budgets for one pod are one too many', async (t) => {
  const { evict, request } = await start(t, 'a');
  for (const name of ['one', 'two']) await request('POST', budgetsUrl, budget(name, { minAvailable: 0 }));
  t.match(await evict('a'), { code: 500, body: { message: /more than one PodDisruptionBudget/ } });
});

t.test('what an eviction may ask for', async (t) => {
  const { evict, request, store } = await start(t, 'a');
  const before = store.resourceVersion;
  t.equal((await evict('a', {}, '?dryRun=All')).code, 201);
  t.equal((await evict('a', { dryRun: ['All'] })).code, 201);
  t.equal((await evict('a', { preconditions: { uid: 'other' } })).code, 409);
  t.equal((await evict('a', { preconditions: { resourceVersion: '1' } })).code, 409);
  t.equal((await evict('nobody')).code, 404);
  t.equal((await request('POST', `${podsUrl}/a/eviction`, eviction('b'))).code, 400);
  t.equal((await evict('a', { gracePeriodSeconds: 'soon' })).code, 400);
  t.equal((await evict('a', { grace: 1 }, '?fieldValidation=Strict')).code, 400);
  t.equal((await request('GET', `${podsUrl}/a/eviction`)).code, 405);
  t.equal(store.resourceVersion, before, 'nothing was written');
  const { uid, resourceVersion } = (await request('GET', `${podsUrl}/a`)).body.metadata;
  t.equal((await evict('a', { preconditions: { uid, resourceVersion } })).code, 201);
});

t.test('an eviction in protobuf', async (t) => {
  const { request } = await start(t, 'a');
  const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' };
  const body = protobufBody(eviction('a', { gracePeriodSeconds: 5 }));
  const answer = await request('POST', `${podsUrl}/a/eviction`, body, headers);
  t.equal(answer.code, 201, answer.text);
  t.equal((await request('GET', `${podsUrl}/a`)).body.metadata.deletionGracePeriodSeconds, 5);
});

t.test('clients find out that pods can be evicted', async (t) => {
  const { request } = await startApi(t);
  const { resources } = (await request('GET', '/api/v1')).body;
  t.match(
    resources.find(({ name }: { name: string }) => name === 'pods/eviction'),
    { group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
  );
});
