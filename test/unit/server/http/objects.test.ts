import t from 'tap';
import { configMapKind, podKind } from '../../../../src/api/kinds.ts';
import { internalError } from '../../../../src/api/status-error.ts';
import { addNode, nodeName, podManifest, podsUrl, setStatus, startApi, time } from '../support.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

t.test('a pod is created with what the server adds, and found again', async (t) => {
  const { request } = await startApi(t);
  const created = await request('POST', podsUrl, podManifest('web'));
  t.equal(created.code, 201);
  t.equal(created.headers['content-type'], 'application/json');
  t.match(created.body, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: uuid,
      creationTimestamp: time,
      generation: 1,
      resourceVersion: /^\d+$/,
    },
    spec: {
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      containers: [{ imagePullPolicy: 'IfNotPresent' }],
    },
    status: { phase: 'Pending', qosClass: 'BestEffort' },
  });
  const found = await request('GET', `${podsUrl}/web`);
  t.equal(found.code, 200);
  t.same(found.body, created.body);
});

t.test('YAML is taken as well as JSON', async (t) => {
  const { request } = await startApi(t);
  const yaml = 'metadata: {name: web}\nspec:\n  containers:\n  - {name: c, image: busybox, command: [sleep, "1"]}\n';
  const created = await request('POST', podsUrl, yaml, { 'content-type': 'application/yaml' });
  t.equal(created.code, 201);
  t.match(created.body, { kind: 'Pod', apiVersion: 'v1', spec: { containers: [{ command: ['sleep', '1'] }] } });
});

t.test('what a client may not set it does not set', async (t) => {
  const { request } = await startApi(t);
  const created = await request(
    'POST',
    podsUrl,
    podManifest('web', {
      metadata: {
        name: 'web',
        uid: '../../../boot',
        creationTimestamp: '2001-01-01T00:00:00Z',
        deletionTimestamp: '2001-01-01T00:00:00Z',
        deletionGracePeriodSeconds: 5,
        generation: 7,
        selfLink: '/x',
      },
      status: { phase: 'Succeeded', podIP: '10.0.0.1' },
    }),
  );
  t.equal(created.code, 201);
  const { metadata, status } = created.body;
  t.match(metadata, { uid: uuid, creationTimestamp: time, generation: 1 });
  for (const field of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink']) {
    t.notOk(field in metadata, field);
  }
  t.equal(status.phase, 'Pending');
  t.notOk('podIP' in status);
});

t.test('a name is made when only its beginning is given', async (t) => {
  const { request } = await startApi(t);
  const names = new Set<string>();
  for (let i = 0; i < 5; i++) {
    const created = await request('POST', podsUrl, podManifest('', { metadata: { generateName: 'job-' } }));
    t.match(created.body.metadata.name, /^job-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    names.add(created.body.metadata.name);
  }
  t.equal(names.size, 5);
});

t.test('a pod is refused with the reason', async (t) => {
  const { request, store } = await startApi(t);
  await request('POST', podsUrl, podManifest('web'));
  const before = store.resourceVersion;
  const cases: [string, string, unknown, Record<string, unknown>][] = [
    [
      'that exists',
      podsUrl,
      podManifest('web'),
      { code: 409, reason: 'AlreadyExists', message: 'pods "web" already exists' },
    ],
    ['without a name', podsUrl, podManifest('', { metadata: {} }), { code: 422, reason: 'Invalid' }],
    ['with a bad name', podsUrl, podManifest('../x'), { code: 422, details: { causes: [{ field: 'metadata.name' }] } }],
    ['without containers', podsUrl, podManifest('x', { spec: { containers: [] } }), { code: 422 }],
    [
      'for another node',
      podsUrl,
      podManifest('x', { spec: { nodeName: 'other', containers: [{ name: 'c', image: 'i' }] } }),
      { code: 422, details: { causes: [{ field: 'spec.nodeName' }] } },
    ],
    [
      'in an unknown namespace',
      '/api/v1/namespaces/nowhere/pods',
      podManifest('x'),
      { code: 404, message: 'namespaces "nowhere" not found', details: { kind: 'namespaces', name: 'nowhere' } },
    ],
    [
      'of another namespace than the URL says',
      podsUrl,
      podManifest('x', { metadata: { name: 'x', namespace: 'kube-system' } }),
      { code: 400, message: 'the namespace of the provided object does not match the namespace sent on the request' },
    ],
    [
      'with a resourceVersion',
      podsUrl,
      podManifest('x', { metadata: { name: 'x', resourceVersion: '5' } }),
      { code: 400, message: 'resourceVersion should not be set on objects to be created' },
    ],
    [
      'of another kind',
      podsUrl,
      podManifest('x', { kind: 'Namespace' }),
      { code: 400, message: /does not match the expected kind/ },
    ],
    [
      'of another version',
      podsUrl,
      podManifest('x', { apiVersion: 'v2' }),
      { code: 400, message: /expected API version/ },
    ],
    ['that is a list', podsUrl, [podManifest('x')], { code: 400 }],
    ['that is text', podsUrl, '"pod"', { code: 400 }],
  ];
  for (const [name, url, body, expected] of cases) {
    const answer = await request('POST', url, body, { 'content-type': 'application/json' });
    t.match(answer.body, { kind: 'Status', apiVersion: 'v1', status: 'Failure', ...expected }, name);
    t.equal(answer.code, expected.code, name);
  }
  t.equal(store.resourceVersion, before, 'nothing was stored');
});

t.test('unknown and duplicate fields are warned of, refused or ignored, as the client wants', async (t) => {
  const { request } = await startApi(t);
  const body = (name: string) =>
    `{"metadata":{"name":"${name}","name":"${name}"},"spec":{"containers":[{"name":"c","image":"i","imagee":"é\\n\\""}]}}`;
  const json = { 'content-type': 'application/json' };
  const warned = await request('POST', podsUrl, body('a'), json);
  t.equal(warned.code, 201);
  t.same(warned.headers.warning, [
    '299 - "duplicate field \\"metadata.name\\""',
    '299 - "unknown field \\"spec.containers[0].imagee\\""',
  ]);
  t.notMatch(warned.text, 'imagee');
  const ignored = await request('POST', `${podsUrl}?fieldValidation=Ignore`, body('b'), json);
  t.equal(ignored.code, 201);
  t.notOk(ignored.headers.warning);
  const refused = await request('POST', `${podsUrl}?fieldValidation=Strict`, body('c'), json);
  t.equal(refused.code, 400);
  t.match(
    refused.body.message,
    'strict decoding error: duplicate field "metadata.name", unknown field "spec.containers[0].imagee"',
  );
  t.equal((await request('GET', `${podsUrl}/c`)).code, 404);
});

t.test('a warning with characters that no header holds does no harm', async (t) => {
  const { request } = await startApi(t);
  const manifest = podManifest('web', {
    'ключ\n\r"\\': 1,
    ...Object.fromEntries(Array.from({ length: 90 }, (_, i) => [`${i}`.repeat(99), 1])),
  });
  const created = await request('POST', podsUrl, manifest);
  t.equal(created.code, 201);
  const warnings = created.headers.warning as string[];
  t.ok(warnings.join('').length <= 4096);
  for (const warning of warnings) t.match(warning, /^299 - ".*"$/);
});

t.test('a dry run answers as the real thing and stores nothing', async (t) => {
  const { request, store } = await startApi(t);
  const created = await request('POST', `${podsUrl}?dryRun=All`, podManifest('web'));
  t.match(created.body, { metadata: { uid: uuid }, status: { phase: 'Pending' } });
  t.equal((await request('GET', `${podsUrl}/web`)).code, 404);
  await request('POST', podsUrl, podManifest('web'));
  t.equal((await request('POST', `${podsUrl}?dryRun=All`, podManifest('web'))).code, 409);
  const before = store.resourceVersion;
  const patched = await request('PATCH', `${podsUrl}/web?dryRun=All`, '{"metadata":{"labels":{"x":"y"}}}', {
    'content-type': 'application/merge-patch+json',
  });
  t.equal(patched.body.metadata.labels.x, 'y');
  t.equal((await request('DELETE', `${podsUrl}/web?dryRun=All`)).code, 200);
  t.equal(store.resourceVersion, before);
});

t.test('an update replaces what may change', async (t) => {
  const { request } = await startApi(t);
  const { body: pod } = await request('POST', podsUrl, podManifest('web'));
  const next = structuredClone(pod);
  next.metadata.labels = { app: 'other' };
  next.spec.containers[0].image = 'busybox:1.37';
  const updated = await request('PUT', `${podsUrl}/web`, next);
  t.equal(updated.code, 200);
  t.match(updated.body, { metadata: { labels: { app: 'other' }, generation: 2, uid: pod.metadata.uid } });
  const late = await request('PUT', `${podsUrl}/web`, next);
  t.match(late.body, { code: 409, reason: 'Conflict', message: /please apply your changes to the latest version/ });
  const labelled = await request(
    'PUT',
    `${podsUrl}/web`,
    podManifest('web', { spec: { containers: [{ name: 'c', image: 'busybox:1.37' }] } }),
  );
  t.equal(labelled.code, 200, 'without a resourceVersion it is taken as it is');
  t.equal(labelled.body.metadata.generation, 2, 'only a change of the spec raises the generation');
  const again = await request('PUT', `${podsUrl}/web`, labelled.body);
  t.equal(again.body.metadata.resourceVersion, labelled.body.metadata.resourceVersion, 'nothing changed');
});

t.test('an update is refused with the reason', async (t) => {
  const { request } = await startApi(t);
  const { body: pod } = await request('POST', podsUrl, podManifest('web'));
  const change = (edit: (next: typeof pod) => void) => {
    const next = structuredClone(pod);
    edit(next);
    return next;
  };
  const cases: [string, string, unknown, Record<string, unknown>][] = [
    ['an immutable field', 'web', change((p) => (p.spec.restartPolicy = 'Never')), { code: 422, reason: 'Invalid' }],
    [
      'another name',
      'web',
      change((p) => (p.metadata.name = 'b')),
      { code: 400, message: 'the name of the object (b) does not match the name on the URL (web)' },
    ],
    ['no name', 'web', change((p) => delete p.metadata.name), { code: 400, message: 'name must be provided' }],
    [
      'another namespace',
      'web',
      change((p) => (p.metadata.namespace = 'b')),
      { code: 400, message: /does not match the namespace on the URL \(default\)/ },
    ],
    [
      'another uid',
      'web',
      change((p) => (p.metadata.uid = 'b')),
      { code: 409, message: /Precondition failed: UID in precondition: b/ },
    ],
    [
      'a pod that is not there',
      'b',
      podManifest('b'),
      { code: 404, reason: 'NotFound', message: 'pods "b" not found' },
    ],
  ];
  for (const [name, target, body, expected] of cases) {
    const answer = await request('PUT', `${podsUrl}/${target}`, body);
    t.match(answer.body, expected, name);
  }
});

t.test('patches of every kind', async (t) => {
  const { request } = await startApi(t);
  await request('POST', podsUrl, podManifest('web'));
  const patch = (type: string, body: unknown, query = '') =>
    request('PATCH', `${podsUrl}/web${query}`, JSON.stringify(body), { 'content-type': type });
  const merge = await patch('application/merge-patch+json', { metadata: { labels: { app: null, m: '1' } } });
  t.same(merge.body.metadata.labels, { m: '1' });
  const json = await patch('application/json-patch+json', [{ op: 'add', path: '/metadata/labels/j', value: '1' }]);
  t.same(json.body.metadata.labels, { m: '1', j: '1' });
  const strategic = await patch('application/strategic-merge-patch+json', {
    spec: { containers: [{ name: 'c', image: 'busybox:1.37' }] },
  });
  t.match(strategic.body, {
    metadata: { generation: 2 },
    spec: { containers: [{ name: 'c', image: 'busybox:1.37', imagePullPolicy: 'IfNotPresent' }] },
  });

  const refusals: [string, unknown, Record<string, unknown>, string?][] = [
    ['application/json-patch+json', [{ op: 'test', path: '/metadata/name', value: 'x' }], { code: 422 }],
    ['application/json-patch+json', { op: 'add' }, { code: 400 }],
    ['application/json-patch+json', [{ op: 'replace', path: '', value: 1 }], { code: 422 }],
    ['application/json-patch+json', [{ op: 'remove', path: '' }], { code: 422 }],
    ['application/json-patch+json', [{ op: 'replace', path: '/metadata/name', value: 'x' }], { code: 400 }],
    ['application/merge-patch+json', [], { code: 400 }],
    ['application/merge-patch+json', { metadata: { resourceVersion: '1' } }, { code: 409 }],
    ['application/merge-patch+json', { spec: { containers: null } }, { code: 422 }],
    ['application/merge-patch+json', { spec: { hostNetwork: 'yes' } }, { code: 422 }],
    [
      'application/merge-patch+json',
      { spec: { foo: 1 } },
      { code: 422, message: /strict decoding error: unknown field "spec.foo"/ },
      '?fieldValidation=Strict',
    ],
    ['application/strategic-merge-patch+json', { metadata: { labels: { $patch: 'burn' } } }, { code: 400 }],
    ['application/strategic-merge-patch+json', { spec: { containers: [{ image: 'x' }] } }, { code: 400 }],
    ['application/json', {}, { code: 415, reason: 'UnsupportedMediaType' }],
  ];
  for (const [type, body, expected, query] of refusals) {
    const answer = await patch(type, body, query);
    t.match(answer.body, { kind: 'Status', ...expected }, `${type} ${JSON.stringify(body)}`);
  }
  const warned = await patch('application/merge-patch+json', { spec: { foo: 1 } });
  t.same(warned.headers.warning, ['299 - "unknown field \\"spec.foo\\""']);
  t.equal(
    (await request('PATCH', `${podsUrl}/nobody`, '{}', { 'content-type': 'application/merge-patch+json' })).code,
    404,
  );
});

t.test('the status is written by its own path and nothing else with it', async (t) => {
  const { request } = await startApi(t);
  await request('POST', podsUrl, podManifest('web'));
  const patched = await request(
    'PATCH',
    `${podsUrl}/web/status`,
    JSON.stringify({
      metadata: { labels: { x: 'y' } },
      spec: { restartPolicy: 'Never' },
      status: { conditions: [{ type: 'example.com/gate', status: 'True' }] },
    }),
    { 'content-type': 'application/strategic-merge-patch+json' },
  );
  t.equal(patched.code, 200);
  t.equal(patched.body.spec.restartPolicy, 'Always');
  t.equal(patched.body.metadata.generation, 1);
  t.same(patched.body.status.conditions.map((condition: { type: string }) => condition.type).sort(), [
    'example.com/gate',
  ]);
  t.equal((await request('GET', `${podsUrl}/web/status`)).body.kind, 'Pod');
  const plain = await request('PUT', `${podsUrl}/web`, { ...patched.body, status: { phase: 'Failed' } });
  t.equal(plain.body.status.phase, 'Pending');
});

t.test('a deletion marks a pod and answers with it', async (t) => {
  const { request, pods } = await startApi(t);
  await request('POST', podsUrl, podManifest('web'));
  const options = { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 5, propagationPolicy: 'Background' };
  const deleted = await request('DELETE', `${podsUrl}/web`, options);
  t.equal(deleted.code, 200);
  t.match(deleted.body, { kind: 'Pod', metadata: { deletionTimestamp: time, deletionGracePeriodSeconds: 5 } });
  t.equal((await request('GET', `${podsUrl}/web`)).code, 200, 'it is there until its containers are gone');
  t.equal((await request('DELETE', `${podsUrl}/nobody`)).code, 404);
  t.ok(pods);
});

t.test('many pods are deleted by selector', async (t) => {
  const { request } = await startApi(t);
  for (const name of ['a', 'b', 'c']) await request('POST', podsUrl, podManifest(name));
  const deleted = await request('DELETE', `${podsUrl}?labelSelector=app in (a,b)`);
  t.equal(deleted.body.kind, 'PodList');
  const { body } = await request('GET', podsUrl);
  const ending = body.items.filter((pod: { metadata: object }) => 'deletionTimestamp' in pod.metadata);
  t.same(
    ending.map((pod: { metadata: { name: string } }) => pod.metadata.name),
    ['a', 'b'],
  );
});

t.test('lists: of a namespace, of all, by selector, in pages', async (t) => {
  const { request } = await startApi(t);
  for (const name of ['a', 'b', 'c', 'd', 'e']) await request('POST', podsUrl, podManifest(name));
  await request('POST', '/api/v1/namespaces/kube-system/pods', podManifest('z'));
  const names = async (url: string): Promise<string[]> => {
    const { body } = await request('GET', url);
    t.match(body, { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: /^\d+$/ } });
    return body.items.map((pod: { metadata: { name: string } }) => pod.metadata.name);
  };
  t.same(await names(podsUrl), ['a', 'b', 'c', 'd', 'e']);
  t.same(await names('/api/v1/pods'), ['a', 'b', 'c', 'd', 'e', 'z']);
  t.same(await names('/api/v1/namespaces/nowhere/pods'), []);
  t.same(await names(`${podsUrl}?labelSelector=app%21%3Da,app+notin+(b)`), ['c', 'd', 'e']);
  t.same(await names('/api/v1/pods?fieldSelector=metadata.namespace=kube-system'), ['z']);
  t.same(await names(`/api/v1/pods?fieldSelector=spec.nodeName=,metadata.name!=a&limit=0`), ['b', 'c', 'd', 'e', 'z']);

  const first = (await request('GET', `${podsUrl}?limit=2`)).body;
  t.equal(first.metadata.remainingItemCount, 3);
  await request('DELETE', '/api/v1/namespaces/kube-system/pods/z');
  const seen = [...first.items];
  for (let page = first; page.metadata.continue; ) {
    page = (await request('GET', `${podsUrl}?limit=2&continue=${encodeURIComponent(page.metadata.continue)}`)).body;
    t.equal(page.metadata.resourceVersion, first.metadata.resourceVersion, 'a watch from there misses nothing');
    seen.push(...page.items);
  }
  t.same(
    seen.map((pod: { metadata: { name: string } }) => pod.metadata.name),
    ['a', 'b', 'c', 'd', 'e'],
  );

  for (const [query, code] of [
    ['labelSelector=a%3D%3D%3Db', 400],
    ['fieldSelector=spec.color=red', 400],
    ['fieldSelector=constructor=x', 400],
    ['continue=nonsense', 400],
    ['resourceVersion=x', 400],
    ['resourceVersion=999999', 504],
    ['resourceVersionMatch=Exact', 422],
    ['limit=-1', 400],
  ] as const) {
    const answer = await request('GET', `${podsUrl}?${query}`);
    t.equal(answer.code, code, query);
    t.equal(answer.body.kind, 'Status', query);
  }
  t.equal(
    (await request('GET', '/api/v1/namespaces/empty/pods?fieldSelector=spec.color=red')).code,
    400,
    'also where nothing is',
  );
});

t.test('tables and metadata for those who ask for them', async (t) => {
  const { request, store } = await startApi(t);
  await request('POST', podsUrl, podManifest('web'));
  setStatus(store, 'web', { phase: 'Running' });
  const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
  const list = (await request('GET', podsUrl, undefined, table)).body;
  t.match(list, { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: /\d/ } });
  t.same(
    list.columnDefinitions.slice(0, 5).map(({ name }: { name: string }) => name),
    ['Name', 'Ready', 'Status', 'Restarts', 'Age'],
  );
  t.equal(list.rows[0].cells[0], 'web');
  t.match(list.rows[0].object, { kind: 'PartialObjectMetadata', metadata: { name: 'web' } });
  t.notOk('spec' in list.rows[0].object);
  const one = (await request('GET', `${podsUrl}/web?includeObject=Object`, undefined, table)).body;
  t.match(one.rows[0].object, { kind: 'Pod', spec: { restartPolicy: 'Always' } });
  t.equal((await request('GET', `${podsUrl}?includeObject=None`, undefined, table)).body.rows[0].object, null);
  t.equal((await request('GET', `${podsUrl}?includeObject=Some`, undefined, table)).code, 400);

  const metadata = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' };
  const partial = (await request('GET', podsUrl, undefined, metadata)).body;
  t.match(partial, { kind: 'PartialObjectMetadataList', items: [{ kind: 'PartialObjectMetadata' }] });
  t.notMatch(JSON.stringify(partial), '"spec"');
  t.equal((await request('GET', podsUrl, undefined, { accept: 'text/html' })).code, 406);
});

t.test('a namespace goes with everything in it, its pods first', async (t) => {
  const { request, store } = await startApi(t);
  const url = '/api/v1/namespaces';
  const created = await request('POST', url, { metadata: { name: 'mine' } });
  t.equal(created.code, 201);
  t.match(created.body, {
    status: { phase: 'Active' },
    metadata: { labels: { 'kubernetes.io/metadata.name': 'mine' } },
  });
  await request('POST', `${url}/mine/pods`, podManifest('web'));
  await request('POST', `${url}/mine/configmaps`, { metadata: { name: 'settings' } });
  t.match((await request('DELETE', `${url}/default`)).body, {
    code: 403,
    message: 'namespaces "default" is forbidden: this namespace may not be deleted',
  });
  const other = { preconditions: { uid: 'another' } };
  t.match((await request('DELETE', `${url}/mine`, other)).body, { code: 409, message: /UID in precondition/ });
  const terminating = { status: { phase: 'Terminating' }, metadata: { name: 'mine', deletionTimestamp: time } };
  t.match(await request('DELETE', `${url}/mine`), { code: 200, body: { kind: 'Namespace', ...terminating } });
  t.match((await request('DELETE', `${url}/mine`)).body, terminating);
  t.match((await request('GET', `${url}/mine/pods/web`)).body.metadata, { deletionTimestamp: time });
  t.equal((await request('GET', `${url}/mine/configmaps/settings`)).code, 200, 'pods may still need it');
  t.match((await request('POST', `${url}/mine/pods`, podManifest('late'))).body, {
    code: 403,
    message: 'pods "late" is forbidden: unable to create new content in namespace mine because it is being terminated',
    details: { causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] },
  });
  store.delete(podKind, 'mine', 'web');
  await new Promise((resolve) => setImmediate(resolve));
  t.equal((await request('GET', `${url}/mine`)).code, 404);
  t.equal(store.list(configMapKind, { namespace: 'mine' }).items.length, 0);
  t.match((await request('POST', `${url}/mine/configmaps`, { metadata: { name: 'settings' } })).body, {
    code: 404,
    message: 'namespaces "mine" not found',
  });
});

t.test('the node can be labelled, not made or deleted', async (t) => {
  const { request, store } = await startApi(t);
  addNode(store);
  const patched = await request('PATCH', `/api/v1/nodes/${nodeName}`, '{"metadata":{"labels":{"a":"b"}}}', {
    'content-type': 'application/strategic-merge-patch+json',
  });
  t.equal(patched.body.metadata.labels.a, 'b');
  t.equal((await request('POST', '/api/v1/nodes', {})).code, 405);
  t.equal((await request('DELETE', `/api/v1/nodes/${nodeName}`)).code, 405);
});

t.test('nobody is told of a write before it is on the disk', async (t) => {
  const { request, store } = await startApi(t);
  await request('POST', podsUrl, podManifest('old'));
  const writes: [string, string, unknown, Record<string, string>?][] = [
    ['POST', podsUrl, podManifest('web')],
    ['PUT', `${podsUrl}/old`, podManifest('old', { metadata: { name: 'old', labels: { a: 'b' } } })],
    [
      'PATCH',
      `${podsUrl}/old`,
      '{"metadata":{"labels":{"c":"d"}}}',
      { 'content-type': 'application/merge-patch+json' },
    ],
    ['DELETE', `${podsUrl}/old`, undefined],
    ['DELETE', podsUrl, undefined],
  ];
  for (const [method, url, body, headers] of writes) {
    const disk = Promise.withResolvers<void>();
    store.flushed = () => disk.promise;
    let isAnswered = false;
    const answer = request(method, url, body, headers).then((result) => {
      isAnswered = true;
      return result;
    });
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    t.notOk(isAnswered, `${method} ${url} waits`);
    disk.resolve();
    t.ok((await answer).code < 300, `${method} ${url}`);
  }
  store.flushed = () => Promise.reject(internalError('the store could not be written: EIO'));
  t.match((await request('POST', podsUrl, podManifest('lost'))).body, { code: 500, reason: 'InternalError' });
});
