import fastify from 'fastify';
import t, { type Test } from 'tap';
import type { RouteAccess } from '../../../../src/server/access/attributes.ts';
import { requireAccess } from '../../../../src/server/http/authorize.ts';
import { podManifest, startApi } from '../support.ts';

const group = 'rbac.authorization.k8s.io';
const rbac = `/apis/${group}/v1`;
const podsOf = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;

/** An API in which the header `x-user` says who asks: `nobody`, `admin`, or any name, of the group `<name>s`. */
async function startRbac(t: Test) {
  const api = await startApi(t, {
    peerOf: ({ headers }) => {
      const user = String(headers['x-user'] ?? 'admin');
      if (user === 'nobody') return { transport: 'tls', certificate: undefined };
      return { transport: 'tls', certificate: { user, groups: [user === 'admin' ? 'system:masters' : `${user}s`] } };
    },
  });
  const as = (user: string, method: string, url: string, body?: unknown, headers: Record<string, string> = {}) =>
    api.request(method, url, body, { 'x-user': user, ...headers });
  const bind = (user: string, role: string, namespace?: string) => {
    const binding = {
      metadata: { name: `${user}-${role}` },
      subjects: [{ kind: 'User', name: user }],
      roleRef: { kind: 'ClusterRole', name: role },
    };
    const url =
      namespace === undefined ? `${rbac}/clusterrolebindings` : `${rbac}/namespaces/${namespace}/rolebindings`;
    return as('admin', 'POST', url, binding);
  };
  for (const namespace of ['a', 'b']) {
    await as('admin', 'POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    await as('admin', 'POST', podsOf(namespace), podManifest('web'));
  }
  return { ...api, as, bind };
}

t.test('a route that does not say which right it takes is a mistake', async (t) => {
  const app = fastify({ exposeHeadRoutes: false });
  requireAccess(app);
  t.throws(() => app.get('/open', () => 'x'), /GET \/open does not say which right/);
  const access: RouteAccess = { kind: 'path' };
  app.get('/path', { config: { access } }, () => 'x');
  t.same([...app.routeAccess], [['GET /path', access]]);
});

/** Read by whoever is known. */
const forAll = /^(GET|POST) \/(api|apis|version|openapi|healthz|livez|readyz)/;

t.test('every route by every method: nobody, somebody without rights, the administrator', async (t) => {
  const { app, as } = await startRbac(t);
  t.ok(app.routeAccess.size > 100);
  for (const [route, access] of app.routeAccess) {
    const [method = '', pattern = ''] = route.split(' ');
    const url = pattern.replace(':namespace', 'a').replace(':name', 'web-x').replace('*', 'x');
    const [byNobody, byStranger, byAdmin] = [
      (await as('nobody', method, url)).code,
      (await as('stranger', method, url)).code,
      (await as('admin', method, url)).code,
    ];
    if (access.kind === 'public') {
      t.equal(byNobody, 200, route);
      continue;
    }
    t.equal(byNobody, 401, `${route} by nobody`);
    t.ok(byAdmin !== 401 && byAdmin !== 403, `${route} by the administrator: ${byAdmin}`);
    const isOpen =
      (access.kind === 'path' && forAll.test(route)) ||
      (access.kind === 'resource' && access.resource.startsWith('selfsubject'));
    if (isOpen) t.not(byStranger, 403, `${route} by a stranger`);
    else t.equal(byStranger, 403, `${route} by a stranger`);
  }
  for (const path of ['/', '/nonexistent', '/debug/pprof', '/metrics', '/logs/']) {
    t.equal((await as('nobody', 'GET', path)).code, 401, path);
    t.equal((await as('stranger', 'GET', path)).code, 403, path);
  }
});

t.test('rights in one namespace, to read and to write', async (t) => {
  const { as, bind } = await startRbac(t);
  await bind('viewer', 'view', 'a');
  await bind('editor', 'edit', 'a');
  await bind('scraper', 'system:monitoring');
  const upgrade = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-protocol': 'v5.channel.k8s.io' };
  const cases: [user: string, method: string, url: string, isAllowed: boolean][] = [
    ['viewer', 'GET', podsOf('a'), true],
    ['viewer', 'GET', `${podsOf('a')}/web`, true],
    ['viewer', 'GET', `${podsOf('a')}/web/log`, true],
    ['viewer', 'GET', `${podsOf('a')}/web/exec?command=sh&stdout=1`, false],
    ['viewer', 'GET', `${podsOf('a')}/web/portforward`, false],
    ['viewer', 'PATCH', `${podsOf('a')}/web`, false],
    ['viewer', 'DELETE', podsOf('a'), false],
    ['viewer', 'GET', '/api/v1/namespaces/a/secrets', false],
    ['viewer', 'GET', '/api/v1/pods', false],
    ['viewer', 'GET', '/api/v1/pods?fieldSelector=metadata.namespace%3Da', false],
    ['viewer', 'GET', '/api/v1/pods?watch=1&timeoutSeconds=1', false],
    ['viewer', 'GET', podsOf('b'), false],
    ['viewer', 'GET', `${podsOf('b')}?watch=1&timeoutSeconds=1`, false],
    ['viewer', 'GET', '/api/v1/namespaces/a', true],
    ['viewer', 'GET', '/api/v1/nodes', false],
    ['viewer', 'GET', '/metrics', false],
    ['editor', 'GET', `${podsOf('a')}/web/exec?command=sh&stdout=1`, true],
    ['editor', 'GET', `${podsOf('b')}/web/exec?command=sh&stdout=1`, false],
    ['editor', 'GET', '/api/v1/namespaces/a/secrets', true],
    ['editor', 'PUT', `${podsOf('a')}/web/status`, false],
    ['editor', 'POST', `${rbac}/namespaces/a/roles`, false],
    ['editor', 'DELETE', podsOf('a'), true],
    ['editor', 'DELETE', podsOf('b'), false],
    ['scraper', 'GET', '/metrics', true],
    ['scraper', 'GET', '/api/v1/pods', false],
  ];
  for (const [user, method, url, isAllowed] of cases) {
    const { code, text } = await as(user, method, url, undefined, url.includes('exec') ? upgrade : {});
    t.equal(code !== 403, isAllowed, `${user} ${method} ${url}: ${code} ${text.slice(0, 200)}`);
  }
  t.match((await as('viewer', 'GET', `${podsOf('a')}/web/exec?command=sh&stdout=1`, undefined, upgrade)).body, {
    reason: 'Forbidden',
    message:
      'pods "web" is forbidden: User "viewer" cannot create resource "pods/exec" in API group "" in the namespace "a"',
    details: { name: 'web', kind: 'pods' },
  });
});

t.test('nobody gives what they have not', async (t) => {
  const { as, bind } = await startRbac(t);
  await bind('boss', 'admin', 'a');
  const roles = `${rbac}/namespaces/a/roles`;
  const bindings = `${rbac}/namespaces/a/rolebindings`;
  const role = (name: string, ...rules: object[]) => ({ metadata: { name }, rules });
  const readPods = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };
  const readNodes = { verbs: ['get'], apiGroups: [''], resources: ['nodes'] };
  const to = (name: string, roleRef: object) => ({
    metadata: { name },
    subjects: [{ kind: 'User', name: 'x' }],
    roleRef,
  });
  t.equal((await as('boss', 'POST', roles, role('mine', readPods))).code, 201);
  t.match((await as('boss', 'POST', roles, role('more', readPods, readNodes))).body, {
    code: 403,
    message:
      /roles.rbac.authorization.k8s.io "more" is forbidden: user "boss" \(groups=\["bosss","system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["nodes"\], Verbs:\["get"\]\}/,
  });
  const patch = [{ op: 'add', path: '/rules/-', value: readNodes }];
  const json = { 'content-type': 'application/json-patch+json' };
  t.equal((await as('boss', 'PATCH', `${roles}/mine`, patch, json)).code, 403, 'nor by a patch');
  t.equal((await as('boss', 'PUT', `${roles}/mine`, role('mine', readNodes))).code, 403, 'nor by an update');
  t.equal((await as('boss', 'POST', bindings, to('ok', { kind: 'Role', name: 'mine' }))).code, 201);
  t.equal((await as('boss', 'POST', bindings, to('view', { kind: 'ClusterRole', name: 'view' }))).code, 201);
  t.equal((await as('boss', 'POST', bindings, to('all', { kind: 'ClusterRole', name: 'cluster-admin' }))).code, 403);
  t.equal((await as('boss', 'POST', bindings, to('no', { kind: 'ClusterRole', name: 'missing' }))).code, 404);
  const changed = { ...to('ok', { kind: 'ClusterRole', name: 'view' }), metadata: { name: 'ok' } };
  t.match((await as('boss', 'PUT', `${bindings}/ok`, changed)).body, { code: 422, message: /cannot change roleRef/ });

  // The verbs for that.
  const rights = role('grant', {
    verbs: ['bind', 'escalate'],
    apiGroups: [group],
    resources: ['roles', 'clusterroles'],
  });
  t.equal((await as('boss', 'POST', roles, rights)).code, 403, 'these are no exception');
  await as('admin', 'POST', `${rbac}/clusterroles`, rights);
  await bind('boss', 'grant', 'a');
  t.equal((await as('boss', 'POST', roles, role('more', readPods, readNodes))).code, 201);
  t.equal((await as('boss', 'POST', bindings, to('all', { kind: 'ClusterRole', name: 'cluster-admin' }))).code, 201);
});

t.test('roles that are made of others', async (t) => {
  const { as, bind } = await startRbac(t);
  const clusterRoles = `${rbac}/clusterroles`;
  const labels = { [`${group}/aggregate-to-view`]: 'true' };
  const crons = { verbs: ['get'], apiGroups: ['stable.example.com'], resources: ['crons'] };
  await as('admin', 'POST', clusterRoles, { metadata: { name: 'crons', labels }, rules: [crons] });
  const rulesOf = async (name: string) =>
    JSON.stringify((await as('admin', 'GET', `${clusterRoles}/${name}`)).body.rules);
  for (const name of ['view', 'edit', 'admin']) t.match(await rulesOf(name), 'stable.example.com', name);
  t.match(await rulesOf('admin'), 'rolebindings');
  t.notMatch(await rulesOf('view'), 'pods/exec');
  await as('admin', 'DELETE', `${clusterRoles}/crons`);
  for (const name of ['view', 'edit', 'admin']) t.notMatch(await rulesOf(name), 'stable.example.com', name);

  // Two that want each other, and nothing: no end without an end.
  for (const [name, other] of [
    ['left', 'right'],
    ['right', 'left'],
  ] as const) {
    const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { of: other } }] };
    const metadata = { name, labels: { of: name } };
    t.equal((await as('admin', 'POST', clusterRoles, { metadata, rules: [crons], aggregationRule })).code, 201);
  }
  t.equal(await rulesOf('left'), '[]');

  await as('admin', 'POST', clusterRoles, {
    metadata: { name: 'role-maker' },
    rules: [{ verbs: ['*'], apiGroups: [group], resources: ['clusterroles'] }],
  });
  await bind('maker', 'role-maker');
  const greedy = {
    metadata: { name: 'greedy' },
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
  };
  t.equal((await as('maker', 'POST', clusterRoles, greedy)).code, 201, 'all verbs are escalate, too');
  await bind('helper', 'admin');
  t.equal((await as('helper', 'POST', clusterRoles, greedy)).code, 403);
});

t.test('mistakes in roles and bindings are all named', async (t) => {
  const { as } = await startRbac(t);
  const roles = `${rbac}/namespaces/a/roles`;
  const bad = await as('admin', 'POST', roles, {
    metadata: { name: 'a/b' },
    rules: [{}, { verbs: ['get'], nonResourceURLs: ['/x'] }],
  });
  t.equal(bad.code, 422);
  for (const text of [
    `metadata.name: Invalid value: "a/b": may not contain '/'`,
    'rules[0].verbs: Required value: verbs must contain at least one value',
    'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
    'rules[0].resources: Required value: resource rules must supply at least one resource',
    'rules[1].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
  ]) {
    t.ok(bad.body.message.includes(text), text);
  }
  const binding = await as('admin', 'POST', `${rbac}/clusterrolebindings`, {
    metadata: { name: 'x' },
    subjects: [{ kind: 'Robot', name: 'r' }, { kind: 'ServiceAccount', name: 'UP' }, { kind: 'User' }],
    roleRef: { kind: 'Role', name: '', apiGroup: 'x' },
  });
  t.equal(binding.code, 422);
  for (const text of [
    'roleRef.apiGroup: Unsupported value: "x": supported values: "rbac.authorization.k8s.io"',
    'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
    'roleRef.name: Required value',
    'subjects[0].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"',
    'subjects[1].name: Invalid value: "UP"',
    'subjects[1].namespace: Required value',
    'subjects[2].name: Required value',
  ]) {
    t.ok(binding.body.message.includes(text), text);
  }
});

t.test('reviews answer from the same rules', async (t) => {
  const { as, bind } = await startRbac(t);
  await bind('viewer', 'view', 'a');
  const reviews = '/apis/authorization.k8s.io/v1';
  const resourceAttributes = { verb: 'list', resource: 'pods', namespace: 'a' };
  const self = (user: string, spec: object) => as(user, 'POST', `${reviews}/selfsubjectaccessreviews`, { spec });
  t.match((await self('viewer', { resourceAttributes })).body.status, {
    allowed: true,
    reason: 'RBAC: allowed by RoleBinding "viewer-view/a" of ClusterRole "view" to User "viewer"',
  });
  t.same((await self('viewer', { resourceAttributes: { ...resourceAttributes, namespace: 'b' } })).body.status, {
    allowed: false,
  });
  t.match((await self('viewer', { nonResourceAttributes: { verb: 'get', path: '/version' } })).body.status, {
    allowed: true,
  });
  const rules = (await as('viewer', 'POST', `${reviews}/selfsubjectrulesreviews`, { spec: { namespace: 'a' } })).body;
  t.ok(rules.status.resourceRules.some(({ resources }: { resources: string[] }) => resources.includes('pods/log')));
  const spec = { user: 'viewer', resourceAttributes };
  t.equal((await as('viewer', 'POST', `${reviews}/subjectaccessreviews`, { spec })).code, 403);
  t.match((await as('admin', 'POST', `${reviews}/subjectaccessreviews`, { spec })).body.status, { allowed: true });
  const local = `${reviews}/namespaces/a/localsubjectaccessreviews`;
  t.match((await as('admin', 'POST', local, { spec })).body.status, { allowed: true });
  const elsewhere = { user: 'viewer', resourceAttributes: { ...resourceAttributes, namespace: 'b' } };
  t.match((await as('admin', 'POST', local, { spec: elsewhere })).body, {
    code: 422,
    message: /must match metadata.names/,
  });
  t.match((await as('admin', 'POST', `${reviews}/subjectaccessreviews`, { spec: { resourceAttributes } })).body, {
    code: 422,
    message: /at least one of user or group must be specified/,
  });
});

t.test('tokens are reviewed for the audience that they are for', async (t) => {
  const { as } = await startRbac(t);
  const accounts = '/api/v1/namespaces/a/serviceaccounts';
  await as('admin', 'POST', accounts, { metadata: { name: 'robot' } });
  const made = await as('admin', 'POST', `${accounts}/robot/token`, { spec: { audiences: ['vault'] } });
  const { token } = made.body.status;
  const review = async (spec: object, user = 'admin') =>
    (await as(user, 'POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec })).body;
  t.match((await review({ token, audiences: ['x', 'vault'] })).status, {
    authenticated: true,
    user: { username: 'system:serviceaccount:a:robot', uid: /./ },
    audiences: ['vault'],
  });
  for (const spec of [{ token }, { token, audiences: ['x'] }, { token: `${token}x`, audiences: ['vault'] }]) {
    const { status } = await review(spec);
    t.notOk(status.authenticated);
    t.same(status.user, {});
  }
  t.match((await review({ token: 'the-token' })).status, { user: { username: 'mini-kubelet-admin' } });
  t.match(await review({ token }, 'stranger'), { code: 403 });
});

t.test('impersonation takes the right to it, and then counts alone', async (t) => {
  const { as, bind } = await startRbac(t);
  await bind('viewer', 'view', 'a');
  const asViewer = { 'impersonate-user': 'viewer' };
  t.equal((await as('admin', 'GET', podsOf('a'), undefined, asViewer)).code, 200);
  t.equal((await as('admin', 'GET', podsOf('b'), undefined, asViewer)).code, 403);
  t.equal((await as('nobody', 'GET', podsOf('a'), undefined, asViewer)).code, 401);
  t.match((await as('viewer', 'GET', podsOf('a'), undefined, { 'impersonate-user': 'admin' })).body, {
    code: 403,
    message:
      'users "admin" is forbidden: User "viewer" cannot impersonate resource "users" in API group "" at the cluster scope',
  });
  t.equal((await as('viewer', 'GET', podsOf('a'), undefined, { 'impersonate-group': 'system:masters' })).code, 403);
  const rules = [{ verbs: ['impersonate'], apiGroups: [''], resources: ['users'] }];
  await as('admin', 'POST', `${rbac}/clusterroles`, { metadata: { name: 'actor' }, rules });
  await bind('actor', 'actor');
  t.equal((await as('actor', 'GET', podsOf('a'), undefined, asViewer)).code, 200);
  const masters = { 'impersonate-user': 'x', 'impersonate-group': 'system:masters' };
  t.equal((await as('actor', 'GET', podsOf('a'), undefined, masters)).code, 403, 'groups take a right of their own');
});

t.test('whoever applies what is not there needs the right to make it', async (t) => {
  const { as } = await startRbac(t);
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['patch', 'get'] }];
  await as('admin', 'POST', `${rbac}/namespaces/a/roles`, { metadata: { name: 'changer' }, rules });
  await as('admin', 'POST', `${rbac}/namespaces/a/rolebindings`, {
    metadata: { name: 'changer' },
    subjects: [{ kind: 'User', name: 'joe' }],
    roleRef: { kind: 'Role', name: 'changer' },
  });
  const url = '/api/v1/namespaces/a/configmaps/settings?fieldManager=joe';
  const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { a: '1' } };
  const apply = (user: string) => as(user, 'PATCH', url, config, { 'content-type': 'application/apply-patch+yaml' });
  t.match((await apply('joe')).body, { code: 403, message: /cannot create resource "configmaps"/ });
  t.equal((await apply('admin')).code, 201);
  t.equal((await apply('joe')).code, 200);
});
