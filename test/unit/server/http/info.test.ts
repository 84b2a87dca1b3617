import t from 'tap';
import { podManifest, podsUrl, setStatus, startApi } from '../support.ts';

t.test('aggregated discovery has the content type that kubectl looks for', async (t) => {
  const { request } = await startApi(t);
  const accept =
    'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json';
  const core = await request('GET', '/api', undefined, { accept });
  t.equal(core.headers['content-type'], 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
  t.equal(core.headers.vary, 'Accept');
  t.match(core.body, { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2' });
  const [{ versions }] = core.body.items;
  const pods = versions[0].resources.find(({ resource }: { resource: string }) => resource === 'pods');
  t.match(pods, {
    responseKind: { group: '', version: 'v1', kind: 'Pod' },
    scope: 'Namespaced',
    singularResource: 'pod',
    shortNames: ['po'],
    categories: ['all'],
  });
  t.same(
    pods.subresources.map(({ subresource }: { subresource: string }) => subresource),
    ['attach', 'ephemeralcontainers', 'eviction', 'exec', 'log', 'portforward', 'resize', 'status'],
  );
  const groups = await request('GET', '/apis', undefined, { accept });
  const names = groups.body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
  for (const name of ['node.k8s.io', 'policy', 'authentication.k8s.io']) t.ok(names.includes(name), name);
  t.equal(new Set(names).size, names.length);
  t.notOk(names.includes(''));
  const beta = await request('GET', '/api', undefined, {
    accept: 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  });
  t.equal(beta.body.apiVersion, 'apidiscovery.k8s.io/v2beta1');
  t.equal((await request('GET', '/api', undefined, { accept: 'text/html' })).code, 406);
});

t.test('legacy discovery for older clients', async (t) => {
  const { request } = await startApi(t);
  t.match((await request('GET', '/api')).body, { kind: 'APIVersions', versions: ['v1'] });
  t.match((await request('GET', '/apis')).body, { kind: 'APIGroupList', groups: [] });
  const list = (await request('GET', '/api/v1')).body;
  t.match(list, { kind: 'APIResourceList', groupVersion: 'v1' });
  const names = list.resources.map(({ name }: { name: string }) => name);
  for (const name of ['pods', 'pods/log', 'pods/status', 'nodes', 'nodes/status', 'namespaces', 'events']) {
    t.ok(names.includes(name), name);
  }
});

t.test('a version that clients can parse', async (t) => {
  const { request } = await startApi(t);
  const { body } = await request('GET', '/version');
  t.match(body, { major: '1', minor: '36', gitVersion: /^v\d+\.\d+\.\d+\+[0-9A-Za-z.-]+$/ });
});

t.test('OpenAPI describes what is served, and tells kubectl that fields are validated', async (t) => {
  const { request } = await startApi(t);
  const index = (await request('GET', '/openapi/v3')).body;
  const { serverRelativeURL } = index.paths['api/v1'];
  t.match(serverRelativeURL, /^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{32}$/);
  const document = (await request('GET', serverRelativeURL)).body;
  const patch = document.paths['/api/v1/namespaces/{namespace}/pods/{name}'].patch;
  t.same(patch['x-kubernetes-group-version-kind'], { group: '', version: 'v1', kind: 'Pod' });
  t.ok(patch.parameters.some(({ name }: { name: string }) => name === 'fieldValidation'));
  const pod = document.components.schemas['io.k8s.api.core.v1.Pod'];
  t.same(pod['x-kubernetes-group-version-kind'], [{ group: '', version: 'v1', kind: 'Pod' }]);
  const spec = document.components.schemas['io.k8s.api.core.v1.PodSpec'];
  t.equal(spec.properties.containers['x-kubernetes-patch-merge-key'], 'name');
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
  t.ok(references.length > 50);
  for (const [, name = ''] of references) {
    if (!(name in document.components.schemas)) t.fail(`${name} is referred to and not there`);
  }
  t.notMatch(JSON.stringify(document), 'x-definition');
});

t.test('OpenAPI tells how an object is patched and applied', async (t) => {
  const { request } = await startApi(t);
  const { patch, put } = (await request('GET', '/openapi/v3/api/v1')).body.paths[
    '/api/v1/namespaces/{namespace}/services/{name}'
  ];
  const names = ({ parameters }: { parameters: { name: string }[] }) => parameters.map(({ name }) => name);
  t.same(names(patch), ['dryRun', 'fieldManager', 'fieldValidation', 'force']);
  t.same(names(put), ['dryRun', 'fieldManager', 'fieldValidation']);
  t.same(Object.keys(patch.requestBody.content).sort(), [
    'application/apply-patch+yaml',
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/strategic-merge-patch+json',
  ]);
});

t.test('kubectl explain has something to say of the fields of each kind', async (t) => {
  const { request } = await startApi(t);
  const { paths } = (await request('GET', '/openapi/v3')).body;
  interface Schema {
    readonly description?: string;
    readonly $ref?: string;
    readonly properties?: Readonly<Record<string, Schema>>;
    readonly 'x-kubernetes-group-version-kind'?: unknown;
  }
  for (const path of Object.keys(paths)) {
    const schemas: Record<string, Schema> = (await request('GET', `/openapi/v3/${path}`)).body.components.schemas;
    for (const [name, schema] of Object.entries(schemas)) {
      if (!schema['x-kubernetes-group-version-kind']) continue;
      t.ok(schema.description, name);
      const parts = ['', 'Spec', 'Status'].map((part) => [`${name}${part}`, schemas[`${name}${part}`]] as const);
      for (const [part, { properties = {} } = {}] of parts) {
        const silent = Object.entries(properties).filter(([, field]) => !field.description && !field.$ref);
        t.same(
          silent.map(([field]) => field).filter((field) => !isForLater(part, field)),
          [],
          part,
        );
      }
    }
  }
});

/** What is refused, or never set, needs no explanation. */
function isForLater(definition: string, field: string): boolean {
  if (definition.endsWith('.PersistentVolumeSpec')) return !/Mode|capacity|Class/.test(field);
  return /resourceClaim|ResourceClaim|extendedResource|allocatedResources/.test(field);
}

t.test('health: in one word for everybody, in detail for those who may know', async (t) => {
  let error: string | undefined;
  const health = () => [{ name: 'runtime', error }];
  const admin = await startApi(t, { health });
  const nobody = await startApi(t, { health, peerOf: () => ({ transport: 'tls', certificate: undefined }) });
  for (const path of ['/healthz', '/livez', '/readyz']) t.equal((await nobody.request('GET', path)).text, 'ok', path);
  t.equal((await admin.request('GET', '/readyz?verbose')).text, '[+]ping ok\n[+]runtime ok\nreadyz check passed\n');
  error = 'no answer from /run/containerd/containerd.sock';
  t.equal((await nobody.request('GET', '/livez')).code, 200, 'a daemon without a runtime is alive');
  const known = await admin.request('GET', '/readyz');
  t.equal(known.code, 500);
  t.match(known.text, `[-]runtime failed: ${error}\nreadyz check failed\n`);
  const unknown = await nobody.request('GET', '/readyz');
  t.equal(unknown.code, 500);
  t.match(unknown.text, '[-]runtime failed: reason withheld');
  t.notMatch(unknown.text, 'containerd');
});

t.test('metrics count requests by verb, resource and code', async (t) => {
  const { request } = await startApi(t);
  await request('POST', podsUrl, podManifest('web'));
  await request('GET', `${podsUrl}/web`);
  await request('GET', `${podsUrl}/nobody`);
  const { text, headers } = await request('GET', '/metrics');
  t.match(headers['content-type'], /^text\/plain/);
  for (const line of [
    'apiserver_request_total{verb="create",resource="pods",code="201"} 1',
    'apiserver_request_total{verb="get",resource="pods",code="200"} 1',
    'apiserver_request_total{verb="get",resource="pods",code="404"} 1',
    'apiserver_longrunning_requests 0',
  ]) {
    t.match(text, line);
  }
});

t.test('answers are indented for people and not for programs', async (t) => {
  const { request } = await startApi(t);
  const lines = async (url: string, agent: string) =>
    (await request('GET', url, undefined, { 'user-agent': agent })).text.split('\n').length;
  t.equal(await lines(podsUrl, 'kubectl/v1.32'), 1);
  t.ok((await lines(podsUrl, 'curl/7.88')) > 5);
  t.ok((await lines(`${podsUrl}?pretty=true`, 'kubectl/v1.32')) > 5);
  t.equal(await lines(`${podsUrl}?pretty=false`, 'curl/7.88'), 1);
});

t.test('logs: the right run with the right options', async (t) => {
  const { request, store, pods } = await startApi(t);
  await request('POST', podsUrl, podManifest('web'));
  t.match((await request('GET', `${podsUrl}/web/log`)).body, {
    code: 400,
    message: 'container "c" in pod "web" is not available',
  });
  setStatus(store, 'web', {
    containerStatuses: [
      {
        name: 'c',
        ready: true,
        restartCount: 2,
        image: 'i',
        imageID: 'x',
        containerID: 'containerd://1',
        state: { running: {} },
      },
    ],
  });
  const log = await request('GET', `${podsUrl}/web/log?tailLines=5&timestamps&limitBytes=100&sinceSeconds=60`);
  t.equal(log.code, 200);
  t.equal(log.headers['content-type'], 'text/plain');
  t.equal(log.text, 'hello\n');
  t.match(pods.logRequests, [
    {
      run: { containerName: 'c', containerID: 'containerd://1', restartCount: 2 },
      options: {
        follow: false,
        tailLines: 5,
        timestamps: true,
        limitBytes: 100,
        sinceTimeMs: Date.parse('2025-12-31T23:59:00Z'),
        stream: 'All',
      },
    },
  ]);
  t.match((await request('GET', `${podsUrl}/web/log?previous=true`)).body, {
    code: 400,
    message: 'previous terminated container "c" in pod "web" not found',
  });
  t.match((await request('GET', `${podsUrl}/web/log?container=x`)).body, {
    code: 400,
    message: 'container x is not valid for pod web',
  });
  t.equal((await request('GET', `${podsUrl}/nobody/log`)).code, 404);
  for (const query of [
    'tailLines=-1',
    'limitBytes=0',
    'sinceSeconds=0',
    'sinceTime=yesterday',
    'stream=Stdin',
    'sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z',
  ]) {
    t.match(
      (await request('GET', `${podsUrl}/web/log?${query}`)).body,
      { code: 422, reason: 'Invalid', details: { kind: 'PodLogOptions' } },
      query,
    );
  }
  t.equal((await request('GET', `${podsUrl}/web/log?tailLines=x`)).code, 400);
});

t.test('a log that cannot be read is an error that tells no paths', async (t) => {
  const { request, store, pods } = await startApi(t);
  await request('POST', podsUrl, podManifest('web'));
  setStatus(store, 'web', {
    containerStatuses: [
      {
        name: 'c',
        ready: true,
        restartCount: 0,
        image: 'i',
        imageID: 'x',
        containerID: 'containerd://1',
        state: { running: {} },
      },
    ],
  });
  // biome-ignore lint/correctness/useYield: it fails before the first byte
  pods.log = async function* () {
    throw new Error('/var/log/pods/x is a symbolic link');
  };
  const broken = await request('GET', `${podsUrl}/web/log`);
  t.equal(broken.code, 500);
  t.notMatch(broken.text, '/var/log');
  // biome-ignore lint/correctness/useYield: it fails before the first byte
  pods.log = async function* () {
    throw Object.assign(new Error('ENOENT: /var/log/pods/x'), { code: 'ENOENT' });
  };
  t.equal((await request('GET', `${podsUrl}/web/log`)).code, 404);
});

t.test('who asks for what pods cannot do yet learns which it is', async (t) => {
  const { request } = await startApi(t);
  for (const [method, subresource] of [
    ['GET', 'proxy'],
    ['POST', 'binding'],
  ] as const) {
    t.match((await request(method, `${podsUrl}/web/${subresource}`)).body, {
      code: 404,
      reason: 'NotFound',
      message: `the server could not find the requested resource: pods/${subresource} is not supported by mini-kubelet yet`,
    });
  }
});
