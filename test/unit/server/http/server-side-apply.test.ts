import t from 'tap';
import { type Answer, podManifest, podsUrl, setStatus, startApi, type TestApi } from '../support.ts';

const configMaps = '/api/v1/namespaces/default/configmaps';
const settings = `${configMaps}/settings`;

interface Entry {
  readonly manager: string;
  readonly operation: string;
  readonly subresource?: string;
  readonly time: string;
  readonly fieldsV1: Record<string, unknown>;
}

function apply(api: TestApi, url: string, manager: string, body: unknown, query = ''): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return api.request('PATCH', `${url}?fieldManager=${manager}${query}`, text, {
    'content-type': 'application/apply-patch+yaml',
  });
}

function configMap(data: Record<string, string>, metadata: Record<string, unknown> = {}): Record<string, unknown> {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', ...metadata }, data };
}

/** Manager, operation and fields of each entry. */
function managers(answer: Answer): Record<string, unknown> {
  const entries: Entry[] = answer.body.metadata.managedFields ?? [];
  return Object.fromEntries(
    entries.map(({ manager, operation, subresource, fieldsV1 }) => [
      [manager, operation, subresource].filter(Boolean).join(' '),
      fieldsV1,
    ]),
  );
}

t.test('what is created and updated has its managers', async (t) => {
  const api = await startApi(t);
  const created = await api.request('POST', `${configMaps}?fieldManager=maker`, configMap({ a: '1', b: '1' }));
  t.same(created.body.metadata.managedFields, [
    {
      manager: 'maker',
      operation: 'Update',
      apiVersion: 'v1',
      time: '2026-01-01T00:00:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:data': { '.': {}, 'f:a': {}, 'f:b': {} } },
    },
  ]);
  const updated = await api.request('PUT', settings, configMap({ a: '2', c: '1' }), { 'user-agent': 'curl/8' });
  t.same(managers(updated), {
    'maker Update': { 'f:data': {} },
    'curl Update': { 'f:data': { 'f:a': {}, 'f:c': {} } },
  });
  const patched = await api.request('PATCH', settings, '{"metadata":{"labels":{"x":"1"}}}', {
    'content-type': 'application/merge-patch+json',
  });
  t.same(managers(patched)['lightMyRequest Update'], { 'f:metadata': { 'f:labels': { '.': {}, 'f:x': {} } } });
});

t.test('the creator of a pod has its defaults, but not what the server decided', async (t) => {
  const { request } = await startApi(t);
  const created = await request('POST', `${podsUrl}?fieldManager=maker`, podManifest('web'));
  t.same(managers(created), {
    'maker Update': {
      'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
      'f:spec': {
        'f:containers': {
          'k:{"name":"c"}': {
            '.': {},
            'f:image': {},
            'f:imagePullPolicy': {},
            'f:name': {},
            'f:resources': {},
            'f:terminationMessagePath': {},
            'f:terminationMessagePolicy': {},
          },
        },
        'f:dnsPolicy': {},
        'f:enableServiceLinks': {},
        'f:restartPolicy': {},
        'f:schedulerName': {},
        'f:securityContext': {},
        'f:terminationGracePeriodSeconds': {},
      },
    },
  });
});

t.test('the daemon itself is no manager; who writes a status is one of the subresource', async (t) => {
  const { request, store } = await startApi(t);
  await request('POST', `${podsUrl}?fieldManager=maker`, podManifest('web'));
  setStatus(store, 'web', { phase: 'Running', podIP: '10.0.0.1' });
  const body = { status: { conditions: [{ type: 'example.com/gate', status: 'True' }] } };
  const patched = await request('PATCH', `${podsUrl}/web/status?fieldManager=gate`, JSON.stringify(body), {
    'content-type': 'application/strategic-merge-patch+json',
  });
  const { 'gate Update status': gate, ...others } = managers(patched);
  t.same(gate, {
    'f:status': {
      'f:conditions': { '.': {}, 'k:{"type":"example.com/gate"}': { '.': {}, 'f:status': {}, 'f:type': {} } },
    },
  });
  t.same(Object.keys(others), ['maker Update']);
});

t.test('apply makes an object, changes it, and changes nothing the second time', async (t) => {
  const api = await startApi(t);
  const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, labels: {x: "1"}}\ndata:\n  a: "1"\n';
  const made = await apply(api, settings, 'me', yaml);
  t.equal(made.code, 201);
  t.same(managers(made), { 'me Apply': { 'f:data': { 'f:a': {} }, 'f:metadata': { 'f:labels': { 'f:x': {} } } } });
  const again = await apply(api, settings, 'me', yaml);
  t.equal(again.code, 200);
  t.same(again.body, made.body);
  const changed = await apply(api, settings, 'me', configMap({ a: '2', b: '1' }));
  t.same(changed.body.data, { a: '2', b: '1' });
  t.notOk('labels' in changed.body.metadata, 'what it does not apply any more is gone');
});

t.test('a dry run makes and changes nothing', async (t) => {
  const api = await startApi(t);
  const dry = await apply(api, settings, 'me', configMap({ a: '1' }), '&dryRun=All');
  t.equal(dry.code, 201);
  t.equal((await api.request('GET', settings)).code, 404);
  await apply(api, settings, 'me', configMap({ a: '1' }));
  t.same((await apply(api, settings, 'me', configMap({ a: '2' }), '&dryRun=All')).body.data, { a: '2' });
  t.same((await api.request('GET', settings)).body.data, { a: '1' });
});

t.test('a field that another manager has is changed by force only', async (t) => {
  const api = await startApi(t);
  await api.request('POST', `${configMaps}?fieldManager=maker`, configMap({ a: '1', b: '1' }));
  const one = await apply(api, settings, 'me', configMap({ a: '2' }));
  t.match(one.body, {
    code: 409,
    reason: 'Conflict',
    message: 'Apply failed with 1 conflict: conflict with "maker" using v1: .data.a',
    details: {
      causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "maker" using v1', field: '.data.a' }],
    },
  });
  await apply(api, settings, 'other', configMap({ c: '1' }));
  const several = await apply(api, settings, 'me', configMap({ a: '2', b: '2', c: '2' }));
  t.equal(
    several.body.message,
    'Apply failed with 3 conflicts: conflicts with "maker" using v1:\n- .data.a\n- .data.b\nconflicts with "other":\n- .data.c',
  );
  const forced = await apply(api, settings, 'me', configMap({ a: '2' }), '&force=true');
  t.same(managers(forced), {
    'me Apply': { 'f:data': { 'f:a': {} } },
    'other Apply': { 'f:data': { 'f:c': {} } },
    'maker Update': { 'f:data': { '.': {}, 'f:b': {} } },
  });
});

t.test('the same value is shared, and stays until nobody has it', async (t) => {
  const api = await startApi(t);
  await apply(api, settings, 'one', configMap({ a: '1', b: '1' }));
  t.equal((await apply(api, settings, 'two', configMap({ a: '1' }))).code, 200);
  t.same((await apply(api, settings, 'one', configMap({ b: '1' }))).body.data, { a: '1', b: '1' });
  t.same((await apply(api, settings, 'two', configMap({}))).body.data, { b: '1' });
  t.notOk('data' in (await apply(api, settings, 'one', configMap({}))).body);
});

t.test('containers, ports and environment merge by their keys', async (t) => {
  const api = await startApi(t);
  const ports = [{ containerPort: 80 }, { containerPort: 80, protocol: 'UDP' }];
  const env = [{ name: 'A', value: '1' }];
  const pod = podManifest('web', { spec: { containers: [{ name: 'c', image: 'busybox:1', ports, env }] } });
  const made = await apply(api, `${podsUrl}/web`, 'me', pod);
  t.equal(made.code, 201);
  t.match(managers(made), {
    'me Apply': {
      'f:spec': {
        'f:containers': {
          'k:{"name":"c"}': {
            '.': {},
            'f:env': { 'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
            'f:ports': {
              'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} },
              'k:{"containerPort":80,"protocol":"UDP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} },
            },
          },
        },
      },
    },
  });
  t.equal(
    (await apply(api, `${podsUrl}/web`, 'me', pod)).body.metadata.resourceVersion,
    made.body.metadata.resourceVersion,
  );
  const image = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' } };
  const other = { ...image, spec: { containers: [{ name: 'c', image: 'busybox:2' }] } };
  const refused = await apply(api, `${podsUrl}/web`, 'other', other);
  t.match(refused.body, { code: 409, details: { causes: [{ field: '.spec.containers[name="c"].image' }] } });
  const forced = await apply(api, `${podsUrl}/web`, 'other', other, '&force=true');
  t.match(forced.body, { spec: { containers: [{ image: 'busybox:2', ports: [{}, {}], env: [{ name: 'A' }] }] } });
});

t.test('what an update may not change, apply may not either', async (t) => {
  const api = await startApi(t);
  await apply(api, `${podsUrl}/web`, 'me', podManifest('web'));
  const changed = podManifest('web', { spec: { hostNetwork: true, containers: [{ name: 'c', image: 'busybox:1' }] } });
  t.match((await apply(api, `${podsUrl}/web`, 'me', changed)).body, { code: 422, reason: 'Invalid' });
});

t.test('who applies a status has it, and makes no pod', async (t) => {
  const api = await startApi(t);
  const gate = (status: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web' },
    status: { conditions: [{ type: 'example.com/gate', status }] },
  });
  t.equal((await apply(api, `${podsUrl}/web/status`, 'gate', gate('True'))).code, 404);
  await apply(api, `${podsUrl}/web`, 'me', podManifest('web'));
  const applied = await apply(api, `${podsUrl}/web/status`, 'gate', gate('True'));
  t.equal(applied.code, 200);
  t.same(Object.keys(managers(applied)).sort(), ['gate Apply status', 'me Apply']);
  const other = await apply(api, `${podsUrl}/web/status`, 'other', gate('False'));
  t.equal(
    other.body.message,
    'Apply failed with 1 conflict: conflict with "gate" with subresource "status": .status.conditions[type="example.com/gate"].status',
  );
});

t.test('a text that is applied to a Secret is owned as its data', async (t) => {
  const api = await startApi(t);
  const secret = (rest: object) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, ...rest });
  const url = '/api/v1/namespaces/default/secrets/s';
  t.same(managers(await apply(api, url, 'me', secret({ stringData: { a: 'x', b: 'y' } }))), {
    'me Apply': { 'f:data': { 'f:a': {}, 'f:b': {} } },
  });
  t.same((await apply(api, url, 'me', secret({ stringData: { a: 'z' } }))).body.data, { a: 'eg==' });
});

t.test('what cannot be applied is refused with the reason', async (t) => {
  const api = await startApi(t);
  const pod = `${podsUrl}/web`;
  const containers = (...list: object[]) => podManifest('web', { spec: { containers: list } });
  const cases: [string, string, unknown, Record<string, unknown>][] = [
    [
      'another name',
      settings,
      configMap({}, { name: 'x' }),
      { code: 400, message: /does not match the name on the URL/ },
    ],
    [
      'another namespace',
      settings,
      configMap({}, { namespace: 'kube-system' }),
      { code: 400, message: /does not match the namespace/ },
    ],
    ['no name', settings, { apiVersion: 'v1', kind: 'ConfigMap' }, { code: 400, message: 'name must be provided' }],
    [
      'managers',
      settings,
      configMap({}, { managedFields: [] }),
      { code: 400, message: 'metadata.managedFields must be nil' },
    ],
    [
      'another version',
      settings,
      { ...configMap({}), apiVersion: 'v2' },
      { code: 400, message: 'Incorrect version specified in apply patch. Specified patch version: v2, expected: v1' },
    ],
    [
      'no version',
      settings,
      { kind: 'ConfigMap', metadata: { name: 'settings' } },
      { code: 400, message: 'Incorrect version specified in apply patch. Specified patch version: , expected: v1' },
    ],
    [
      'no kind',
      settings,
      { apiVersion: 'v1', metadata: { name: 'settings' } },
      { code: 400, message: /the kind in the data/ },
    ],
    [
      'an unknown field',
      settings,
      { ...configMap({}), dato: {} },
      {
        code: 400,
        message:
          'failed to create typed patch object (default/settings; v1, Kind=ConfigMap): .dato: field not declared in schema',
      },
    ],
    ['a list', settings, [], { code: 400 }],
    [
      'a number for a text',
      settings,
      { ...configMap({}), data: { a: 1 } },
      { code: 400, message: /cannot unmarshal number/ },
    ],
    [
      'the same container twice',
      pod,
      containers({ name: 'c' }, { name: 'c' }),
      { code: 400, message: /duplicate entries for key \[name="c"\]/ },
    ],
    [
      'a container without a name',
      pod,
      containers({ image: 'x' }),
      { code: 400, message: /omits all key fields \["name"\]/ },
    ],
    [
      'an invalid pod',
      pod,
      containers({ name: 'c' }),
      { code: 422, details: { causes: [{ field: 'spec.containers[0].image' }] } },
    ],
    ['a namespace that is not there', '/api/v1/namespaces/no/configmaps/settings', configMap({}), { code: 404 }],
    [
      'a node that is not there',
      '/api/v1/nodes/x',
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'x' } },
      { code: 404 },
    ],
    ['a uid that is not there', settings, configMap({}, { uid: 'x' }), { code: 409, message: /uid mismatch/ }],
  ];
  for (const [name, url, body, expected] of cases) t.match((await apply(api, url, 'me', body)).body, expected, name);
  const manager = await api.request('PATCH', settings, '{}', { 'content-type': 'application/apply-patch+yaml' });
  t.match(manager.body, { code: 422, details: { causes: [{ field: 'fieldManager' }] } });
  const cbor = await api.request('PATCH', settings, '{}', { 'content-type': 'application/apply-patch+cbor' });
  t.match(cbor.body, { code: 415, message: /application\/apply-patch\+yaml/ });
  const force = await api.request('PATCH', `${settings}?force=true`, '{}', {
    'content-type': 'application/merge-patch+json',
  });
  t.match(force.body, { code: 422, message: /force: Forbidden: may not be specified for non-apply patch/ });
});

t.test('a key that is set twice is refused or warned of, as asked', async (t) => {
  const api = await startApi(t);
  const twice = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata:\n  a: "1"\n  a: "2"\n';
  const strict = await apply(api, settings, 'me', twice, '&fieldValidation=Strict');
  t.match(strict.body, { code: 400, message: /error strict decoding YAML: line 6: key "a" already set in map/ });
  const warned = await apply(api, settings, 'me', twice);
  t.match(String(warned.headers.warning), /key \\"a\\" already set in map/);
  t.equal((await apply(api, settings, 'me', twice, '&fieldValidation=Ignore')).headers.warning, undefined);
});

t.test('a client can set the managers itself, or forget them', async (t) => {
  const api = await startApi(t);
  await apply(api, settings, 'me', configMap({ a: '1' }));
  const patch = (value: unknown) =>
    api.request('PATCH', settings, JSON.stringify([{ op: 'replace', path: '/metadata/managedFields', value }]), {
      'content-type': 'application/json-patch+json',
    });
  const entry = { manager: 'x', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1' };
  const set = await patch([{ ...entry, fieldsV1: { 'f:data': { 'f:a': {} } } }]);
  t.same(managers(set), { 'x Apply': { 'f:data': { 'f:a': {} } } });
  t.same(managers(await patch([])), managers(set), 'an empty list forgets nothing');
  t.same(managers(await patch([{}])), {});
  t.same((await api.request('GET', settings)).body.data, { a: '1' });
  for (const [value, field] of [
    [[{ ...entry, operation: 'Steal' }], 'metadata.managedFields[0].operation'],
    [[{ ...entry, fieldsType: undefined }], 'metadata.managedFields[0].fieldsType'],
    [[{ ...entry, apiVersion: '' }], 'metadata.managedFields[0].apiVersion'],
    [[{ ...entry, fieldsV1: { 'x:a': {} } }], 'metadata.managedFields[0].fieldsV1'],
    [[{ ...entry, fieldsV1: { 'k:[': {} } }], 'metadata.managedFields[0].fieldsV1'],
    [Array(101).fill(entry), 'metadata.managedFields'],
  ] as const) {
    t.match(
      (await patch(value)).body,
      { code: 422, details: { causes: [{ field }] } },
      JSON.stringify(value).slice(0, 100),
    );
  }
});

t.test('the eleventh to update is one of many', async (t) => {
  const api = await startApi(t);
  await api.request('POST', `${configMaps}?fieldManager=maker`, configMap({ all: '1' }));
  let last: Answer | undefined;
  for (let i = 0; i < 15; i++) {
    last = await api.request('PATCH', `${settings}?fieldManager=m${i}`, `{"data":{"k${i}":"1"}}`, {
      'content-type': 'application/merge-patch+json',
    });
  }
  const entries: Entry[] = last?.body.metadata.managedFields;
  t.equal(entries.length, 10);
  t.ok(entries.some(({ manager }) => manager === 'ancient-changes'));
  const owned = new Set(entries.flatMap(({ fieldsV1 }) => Object.keys(fieldsV1['f:data'] as object)));
  for (let i = 0; i < 15; i++) t.ok(owned.has(`f:k${i}`), `k${i}`);
});

t.test('kubectl takes over what it has applied on the client side', async (t) => {
  const api = await startApi(t);
  const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
  const plain = configMap({ a: '1', b: '1' });
  const annotated = configMap({ a: '1', b: '1' }, { annotations: { [lastApplied]: `${JSON.stringify(plain)}\n` } });
  await api.request('POST', `${configMaps}?fieldManager=kubectl-client-side-apply`, annotated);
  t.equal((await apply(api, settings, 'helm', configMap({ a: '2' }))).code, 409, 'others ask');
  await api.request('PATCH', `${settings}?fieldManager=editor`, '{"data":{"b":"changed"}}', {
    'content-type': 'application/merge-patch+json',
  });
  const refused = await apply(api, settings, 'kubectl', configMap({ a: '2', b: '2' }));
  t.equal(refused.body.message, 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.b');
  const taken = await apply(api, settings, 'kubectl', configMap({ a: '2' }));
  t.equal(taken.code, 200);
  t.same(JSON.parse(taken.body.metadata.annotations[lastApplied]), configMap({ a: '2' }));
});

t.test('keys that mean something to JavaScript are keys like others', async (t) => {
  const api = await startApi(t);
  const applied =
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"},"data":{"__proto__":"1","constructor":"1"}}';
  const made = await apply(api, settings, 'me', applied);
  t.equal(made.code, 201);
  t.match(made.text, '"data":{"__proto__":"1","constructor":"1"}');
  t.equal((await apply(api, settings, 'me', applied)).text, made.text);
  t.equal((await apply(api, settings, 'other', applied.replace('"__proto__":"1"', '"__proto__":"2"'))).code, 409);
  const given = await apply(api, settings, 'me', configMap({ constructor: '1' }));
  t.same(given.body.data, { constructor: '1' });
  t.equal(({} as Record<string, unknown>).a, undefined);
});

t.test('what is nested deeply or has very many fields gets an answer', async (t) => {
  const api = await startApi(t);
  const nested = `${'{"a":'.repeat(900)}1${'}'.repeat(900)}`;
  t.equal((await apply(api, settings, 'me', nested)).code, 400);
  await apply(api, settings, 'me', configMap({ a: '1' }));
  const deep = `${'{"f:a":'.repeat(900)}{}${'}'.repeat(900)}`;
  const entry = `{"manager":"x","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":${deep}}`;
  const set = await api.request('PATCH', settings, `{"metadata":{"managedFields":[${entry}]}}`, {
    'content-type': 'application/merge-patch+json',
  });
  t.equal(set.code, 200);
  t.equal((await apply(api, settings, 'x', configMap({ a: '1' }))).code, 200);
  const many = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`key-${i}`, '']));
  for (const manager of ['x', 'y']) t.equal((await apply(api, settings, manager, configMap(many))).code, 200);
});
