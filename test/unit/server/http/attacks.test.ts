import t from 'tap';
import { LongRunning } from '../../../../src/server/http/long-running.ts';
import { podManifest, podsUrl, setStatus, startApi } from '../support.ts';

const json = { 'content-type': 'application/json' };
const yaml = { 'content-type': 'application/yaml' };

/** A pod with `inner` as the text of its annotations. */
function podText(inner: string): string {
  return `{"metadata":{"name":"x","annotations":${inner}},"spec":{"containers":[{"name":"c","image":"i"}]}}`;
}

t.test(
  'malformed, huge, deep and hostile bodies are refused quickly, never with 500, and nothing is stored',
  async (t) => {
    const { request, store } = await startApi(t);
    const cases: [string, string | Buffer, Record<string, string>, number[]][] = [
      ['nothing', '', json, [400]],
      ['nothing as YAML', '', yaml, [400]],
      ['half of an object', '{"metadata":', json, [400]],
      ['more after the object', `${podText('{}')} {}`, json, [400]],
      ['two YAML documents', 'a: 1\n---\nb: 2\n', yaml, [400]],
      ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00, 0x80]), json, [400]],
      ['a deep list', '['.repeat(100_000), json, [400]],
      ['a deep object', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, json, [400]],
      ['deep YAML', 'a: '.repeat(100_000), yaml, [400]],
      ['deep flow YAML', '['.repeat(100_000), yaml, [400]],
      [
        'a bomb of aliases',
        `a: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghij'].map((c, i) => `${c}: &${c} [${`*${String.fromCharCode(97 + i)},`.repeat(9)}]`).join('\n')}`,
        yaml,
        [400],
      ],
      ['three million digits', '1'.repeat(3_000_000), json, [400]],
      ['a list of zeros', `[${'0,'.repeat(1_000_000)}0]`, json, [400]],
      ['too many bytes', Buffer.alloc(3 * 1024 * 1024 + 1, 0x20), json, [413]],
      ['too many bytes of YAML', Buffer.alloc(3 * 1024 * 1024 + 1, 0x61), yaml, [413]],
      ['a form', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }, [415]],
      ['text', podText('{}'), { 'content-type': 'text/plain' }, [415]],
      ['no type', podText('{}'), {}, [415]],
      ['protobuf', 'k8s\0', { 'content-type': 'application/vnd.kubernetes.protobuf' }, [415]],
      ['compressed', podText('{}'), { ...json, 'content-encoding': 'gzip' }, [415]],
      ['a type of nonsense', podText('{}'), { 'content-type': ';;;' }, [415]],
      ['a number for the name', '{"metadata":{"name":5}}', json, [400]],
      ['null', 'null', json, [400]],
      ['an integer beyond all', '{"metadata":{"name":"x","generation":99999999999999999999}}', json, [400]],
      ['a long annotation', podText(`{"a":"${'x'.repeat(1_000_000)}"}`), json, [422]],
      ['a name of 3 MB', `{"metadata":{"name":"${'x'.repeat(3_000_000)}"}}`, json, [422]],
    ];
    const before = store.resourceVersion;
    for (const [name, body, headers, codes] of cases) {
      const begin = performance.now();
      const answer = await request('POST', podsUrl, body, headers);
      t.ok(codes.includes(answer.code), `${name}: ${answer.code} ${answer.text.slice(0, 200)}`);
      t.equal(answer.body.kind, 'Status', name);
      t.ok(answer.text.length < 100_000, `${name}: an answer of ${answer.text.length} bytes`);
      t.ok(performance.now() - begin < 15_000, `${name}: in ${performance.now() - begin} ms`);
    }
    t.equal(store.resourceVersion, before);
  },
);

t.test('members called __proto__ and the like are nothing but members', async (t) => {
  const { request } = await startApi(t);
  const body =
    '{"__proto__":{"privileged":true},"constructor":{"prototype":{"privileged":true}},' +
    '"metadata":{"name":"x","labels":{"__proto__":"a","constructor":"b"},"annotations":{"toString":"c"}},' +
    '"spec":{"__proto__":{"hostNetwork":true},"containers":[{"name":"c","image":"i","__proto__":{"securityContext":{"privileged":true}}}]}}';
  const created = await request('POST', podsUrl, body, json);
  t.equal(Reflect.get({}, 'privileged'), undefined);
  if (created.code === 201) {
    t.notMatch(created.text, 'privileged');
    t.notMatch(created.text, 'hostNetwork');
  } else {
    t.equal(created.code, 422, created.text);
  }
  await request('POST', podsUrl, podManifest('y'));
  for (const [type, patch] of [
    ['merge-patch', '{"metadata":{"__proto__":{"labels":{"p":"1"}}},"__proto__":{"privileged":true}}'],
    ['strategic-merge-patch', '{"metadata":{"labels":{"__proto__":"x"}},"__proto__":{"privileged":true}}'],
    ['json-patch', '[{"op":"add","path":"/metadata/__proto__","value":{"privileged":true}}]'],
    ['json-patch', '[{"op":"add","path":"/metadata/constructor/prototype/privileged","value":true}]'],
  ] as const) {
    const patched = await request('PATCH', `${podsUrl}/y`, patch, { 'content-type': `application/${type}+json` });
    t.ok(patched.code === 200 || patched.code === 422, `${type}: ${patched.code} ${patched.text.slice(0, 200)}`);
    t.equal(Reflect.get({}, 'privileged'), undefined, type);
  }
  const selected = await request('GET', `${podsUrl}?labelSelector=constructor,toString`);
  t.same(selected.body.items, []);
  t.equal((await request('GET', `${podsUrl}?__proto__=x&constructor=y&watch=false`)).code, 200);
});

t.test('patches that grow are stopped', async (t) => {
  const { request } = await startApi(t);
  await request('POST', podsUrl, podManifest('y', { metadata: { name: 'y', annotations: { a: 'x'.repeat(1000) } } }));
  const doubling = Array.from({ length: 60 }, (_, i) => ({
    op: 'copy',
    from: i === 0 ? '/metadata' : `/m${i - 1}`,
    path: i === 0 ? '/m0' : `/m${i}`,
  })).flatMap((copy, i) => [copy, { op: 'copy', from: `/m${i}`, path: `/m${i}/again` }]);
  const deep = `${'{"a":'.repeat(900)}1${'}'.repeat(900)}`;
  const cases: [string, string, string][] = [
    [
      'json-patch',
      JSON.stringify(Array.from({ length: 10_001 }, () => ({ op: 'test', path: '', value: 1 }))),
      'too many operations',
    ],
    ['json-patch', JSON.stringify(doubling), 'doubling'],
    ['merge-patch', deep, 'deep'],
    ['strategic-merge-patch', deep, 'deep'],
    ['merge-patch', '{"spec":{"containers":9223372036854775807}}', 'a 64-bit number'],
    ['strategic-merge-patch', '{"spec":{"containers":[9223372036854775807]}}', 'a 64-bit number in a list'],
    ['json-patch', '[{"op":"add","path":"/spec/x","value":18446744073709551615}]', 'an unsigned number'],
  ];
  for (const [type, body, name] of cases) {
    const begin = performance.now();
    const answer = await request('PATCH', `${podsUrl}/y`, body, { 'content-type': `application/${type}+json` });
    t.ok(
      answer.code === 200 || (answer.code >= 400 && answer.code < 500),
      `${name}: ${answer.code} ${answer.text.slice(0, 200)}`,
    );
    t.ok(performance.now() - begin < 15_000, `${name}: in ${performance.now() - begin} ms`);
  }
});

t.test('names that are paths lead nowhere', async (t) => {
  const { request, store } = await startApi(t);
  await request('POST', podsUrl, podManifest('web'));
  const before = store.resourceVersion;
  const names = [
    '..',
    '.',
    'a%2Fb',
    '%2e%2e',
    '%2e%2e%2f..',
    'a%00b',
    'é',
    'UPPER',
    'x'.repeat(254),
    'web.',
    '%',
    '%zz',
    '%25',
    'a%5Cb',
    '__proto__',
  ];
  for (const name of names) {
    for (const url of [
      `${podsUrl}/${name}`,
      `${podsUrl}/${name}/log`,
      `${podsUrl}/${name}/status`,
      `/api/v1/namespaces/${name}/pods/web`,
    ]) {
      for (const method of ['GET', 'PUT', 'DELETE'] as const) {
        const answer = await request(method, url, method === 'PUT' ? podManifest('web') : undefined);
        t.ok(answer.code >= 400 && answer.code < 500, `${method} ${url}: ${answer.code} ${answer.text.slice(0, 100)}`);
      }
    }
    const created = await request('POST', podsUrl, podManifest(decode(name)));
    t.ok(created.code >= 400 && created.code < 500, `POST ${name}: ${created.code}`);
  }
  t.equal(store.resourceVersion, before);
});

t.test('nobody gets in without credentials', async (t) => {
  const nobody = await startApi(t, { peerOf: () => ({ transport: 'tls', certificate: undefined }) });
  const paths = [
    '/',
    '/api',
    '/apis',
    '/api/v1',
    '/version',
    '/metrics',
    '/openapi/v3',
    '/api/v1/pods',
    podsUrl,
    `${podsUrl}/x`,
    `${podsUrl}/x/log`,
    '/logs',
    '/debug/pprof',
    '/healthz/x',
    '/readyz/',
  ];
  for (const path of paths) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD']) {
      t.equal((await nobody.request(method, path)).code, 401, `${method} ${path}`);
    }
  }
  t.match((await nobody.request('GET', '/api/v1/pods')).body, { kind: 'Status', reason: 'Unauthorized', code: 401 });
  t.equal((await nobody.request('GET', '/api/v1/pods', undefined, { authorization: 'Bearer the-token' })).code, 200);
  t.equal((await nobody.request('GET', '/api/v1/pods', undefined, { authorization: 'Bearer the-tokem' })).code, 401);
  for (const path of ['/healthz', '/livez', '/readyz', '/readyz?verbose']) {
    t.equal((await nobody.request('GET', path)).code, 200, path);
    t.equal((await nobody.request('HEAD', path)).code, 200, path);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
      t.equal((await nobody.request(method, path)).code, 405, `${method} ${path}`);
  }
});

t.test('web pages cannot reach in', async (t) => {
  const { request } = await startApi(t);
  t.match((await request('GET', podsUrl, undefined, { host: 'evil.example' })).body, { kind: 'Status', code: 421 });
  t.equal((await request('GET', podsUrl, undefined, { origin: 'http://evil.example' })).code, 403);
  const fine = await request('GET', podsUrl, undefined, { origin: 'http://localhost:8001' });
  t.equal(fine.code, 200);
  t.notOk(Object.keys(fine.headers).some((name) => name.startsWith('access-control')));
  t.equal(fine.headers['x-content-type-options'], 'nosniff');
  const overSocket = await startApi(t, { peerOf: () => ({ transport: 'unix' }) });
  t.equal((await overSocket.request('GET', podsUrl, undefined, { host: 'anything' })).code, 200);
  t.equal((await overSocket.request('GET', podsUrl, undefined, { origin: 'http://evil.example' })).code, 403);
});

t.test('wrong paths and methods are told apart', async (t) => {
  const { request } = await startApi(t);
  for (const path of [
    '/',
    '/api/v2',
    '/api/v1/podtemplates',
    '/api/v1/namespaces/default/pods/x/exec',
    '/logs/',
    '/checkpoint/a/b/c',
    '/nope',
    '//',
    '/api/v1/namespaces//pods',
    `${podsUrl}/`,
  ]) {
    t.match((await request('GET', path)).body, { kind: 'Status', code: 404, reason: 'NotFound' }, path);
  }
  for (const [method, path] of [
    ['PUT', podsUrl],
    ['POST', '/api/v1/pods'],
    ['DELETE', '/api/v1/pods'],
    ['POST', `${podsUrl}/x`],
    ['DELETE', `${podsUrl}/x/status`],
    ['POST', `${podsUrl}/x/log`],
  ] as const) {
    t.match(
      (await request(method, path)).body,
      { kind: 'Status', code: 405, reason: 'MethodNotAllowed' },
      `${method} ${path}`,
    );
  }
  t.equal((await request('GET', `/api/v1/pods?labelSelector=${'a'.repeat(9_000)}`)).code, 414);
});

t.test('a thousand odd paths leave no trace in the metrics', async (t) => {
  const { request } = await startApi(t);
  await request('GET', '/odd/0');
  const before = (await request('GET', '/metrics')).text.split('\n').length;
  for (let i = 1; i < 300; i++) await request('GET', `/odd/${i}?a=${i}`, undefined, { 'user-agent': `agent-${i}` });
  const after = (await request('GET', '/metrics')).text.split('\n').length;
  t.ok(after - before < 30, `${after - before} more lines`);
});

t.test('too many requests at the same time are told to come again, and then there is room again', async (t) => {
  const { request, pods, store } = await startApi(t, { longRunning: new LongRunning(1_000) });
  await request('POST', podsUrl, podManifest('web'));
  setStatus(store, 'web', {
    containerStatuses: [
      {
        name: 'c',
        ready: true,
        restartCount: 0,
        image: 'i',
        imageID: 'x',
        containerID: 'c://1',
        state: { running: {} },
      },
    ],
  });
  const waiting: (() => void)[] = [];
  pods.openLog = () =>
    new Promise((resolve) => {
      waiting.push(() => resolve((async function* () {})()));
    });
  const held = Array.from({ length: 400 }, () => request('GET', `${podsUrl}/web/log`));
  while (waiting.length < 400) await new Promise((resolve) => setImmediate(resolve));
  const refused = await request('GET', podsUrl);
  t.match(refused.body, { kind: 'Status', code: 429, reason: 'TooManyRequests' });
  t.equal(refused.headers['retry-after'], '1');
  t.equal((await request('GET', '/readyz')).code, 200, 'health is always answered');
  t.equal((await request('POST', podsUrl, podManifest('other'))).code, 201, 'writes have places of their own');
  for (const release of waiting) release();
  await Promise.all(held);
  t.equal((await request('GET', podsUrl)).code, 200);
});

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
