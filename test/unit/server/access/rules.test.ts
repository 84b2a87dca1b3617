import fc from 'fast-check';
import t from 'tap';
import type { PolicyRule } from '../../../../src/api/rbac/rbac.ts';
import {
  type Attributes,
  attributesOf,
  type RouteAccess,
  refusalText,
} from '../../../../src/server/access/attributes.ts';
import { allows, missingRules, ruleText } from '../../../../src/server/access/rules.ts';

const rule = (verbs: string, groups: string, resources: string, names = ''): PolicyRule => ({
  verbs: verbs.split(','),
  apiGroups: groups.split(','),
  resources: resources.split(','),
  ...(names === '' ? {} : { resourceNames: names.split(',') }),
});
const paths = (...nonResourceURLs: string[]): PolicyRule => ({ verbs: ['get'], nonResourceURLs });

/** `get pods/log x` in the core group, `get /path`. */
function wanted(text: string): Attributes {
  const [verb = '', what = '', name = ''] = text.split(' ');
  if (what.startsWith('/')) return { verb, path: what };
  const [full = '', group = ''] = what.split('@');
  const [resource = '', subresource = ''] = full.split('/');
  return { verb, group, resource, subresource, namespace: 'a', name };
}

t.test('what a rule lets pass', async (t) => {
  const cases: [PolicyRule, string[], string[]][] = [
    [
      rule('get,list', '', 'pods'),
      ['get pods x', 'list pods'],
      ['watch pods', 'get pods/log x', 'get pods@apps x', 'get pod x', 'delete pods x', 'get /pods'],
    ],
    [rule('get', '', 'pods/log'), ['get pods/log x'], ['get pods x', 'get pods/status x']],
    [rule('get', '', '*/log'), ['get pods/log x', 'get nodes/log x'], ['get pods x']],
    [rule('get', '', '*'), ['get pods/log x', 'get nodes x'], ['get deployments@apps x', 'list pods']],
    [rule('*', '*', '*'), ['delete secrets@x x', 'create pods/exec x'], ['get /metrics']],
    [
      rule('get,list,watch', '', 'secrets', 'a,b'),
      ['get secrets a', 'list secrets b'],
      ['get secrets c', 'list secrets'],
    ],
    [paths('/metrics'), ['get /metrics'], ['get /metrics/probes', 'post /metrics', 'get metrics']],
    [paths('/api/*'), ['get /api/v1', 'get /api/'], ['get /api', 'get /apis/x']],
    [paths('*'), ['get /anything'], ['delete /anything']],
  ];
  for (const [held, yes, no] of cases) {
    for (const text of yes) t.ok(allows(held, wanted(text)), `${ruleText(held)}: ${text}`);
    for (const text of no) t.notOk(allows(held, wanted(text)), `${ruleText(held)}: not ${text}`);
  }
});

t.test('which rights are missing to give others', async (t) => {
  const cases: [string, PolicyRule[], PolicyRule[], number][] = [
    ['nothing is wanted', [], [], 0],
    ['the same', [rule('get', '', 'pods')], [rule('get', '', 'pods')], 0],
    ['from two rules', [rule('get', '', 'pods'), rule('list', '', 'pods')], [rule('get,list', '', 'pods')], 0],
    ['one verb more', [rule('get', '', 'pods')], [rule('get,list', '', 'pods')], 1],
    ['all verbs', [rule('get,list,watch', '', 'pods')], [rule('*', '', 'pods')], 1],
    ['all names', [rule('get', '', 'pods', 'a')], [rule('get', '', 'pods')], 1],
    ['fewer names', [rule('get', '', 'pods')], [rule('get', '', 'pods', 'a')], 0],
    ['another name', [rule('get', '', 'pods', 'a')], [rule('get', '', 'pods', 'b')], 1],
    ['subresources by star', [rule('get', '', '*/log')], [rule('get', '', 'pods/log')], 0],
    ['all groups', [rule('get', '', 'pods')], [rule('get', '*', 'pods')], 1],
    ['a path below', [paths('/a/*')], [paths('/a/b', '/a/b/*')], 0],
    ['all paths', [paths('/a/*')], [paths('/*')], 1],
    ['paths are no resources', [rule('*', '*', '*')], [paths('/metrics')], 1],
    ['many are shown in part', [], [rule('a,b,c,d,e,f,g', '', 'pods')], 5],
  ];
  for (const [name, held, asked, count] of cases) t.equal(missingRules(held, asked).length, count, name);
  const many = Array.from({ length: 300 }, (_, i) => `x${i}`).join(',');
  t.throws(() => missingRules([], [rule(many, many, 'pods')]), RangeError);
});

t.test('whoever holds what a role needs may do all that the role may', async () => {
  const words = (...all: string[]) => fc.uniqueArray(fc.constantFrom(...all), { minLength: 1, maxLength: 3 });
  const anyRule: fc.Arbitrary<PolicyRule> = fc.record({
    verbs: words('get', 'list', '*'),
    apiGroups: words('', 'apps', '*'),
    resources: words('pods', 'pods/log', '*/log', '*'),
    resourceNames: fc.uniqueArray(fc.constantFrom('x', 'y'), { maxLength: 2 }),
  });
  const anyWanted = fc
    .tuple(fc.constantFrom('get', 'list'), fc.constantFrom('pods', 'pods/log', 'pods@apps'), fc.constantFrom('x', 'z'))
    .map((parts) => wanted(parts.join(' ')));
  fc.assert(
    fc.property(fc.array(anyRule, { maxLength: 3 }), anyRule, anyWanted, (held, given, what) => {
      if (missingRules(held, [given]).length > 0 || !allows(given, what)) return true;
      return held.some((one) => allows(one, what));
    }),
    { numRuns: 2_000 },
  );
});

t.test('which right a request takes', async (t) => {
  const pods: RouteAccess = { kind: 'resource', group: '', resource: 'pods' };
  const exec: RouteAccess = { ...pods, subresource: 'exec', verb: 'create' };
  const stats: RouteAccess = { kind: 'node', subresources: ['stats', 'proxy'], orPath: true };
  const cases: [RouteAccess, string, string, string[]][] = [
    [pods, 'GET', 'a/x', ['User "u" cannot get resource "pods" in API group "" in the namespace "a"']],
    [pods, 'GET', 'a/', ['User "u" cannot list resource "pods" in API group "" in the namespace "a"']],
    [pods, 'GET', '/?watch', ['User "u" cannot watch resource "pods" in API group "" at the cluster scope']],
    [pods, 'GET', '/?watch=0', ['User "u" cannot list resource "pods" in API group "" at the cluster scope']],
    [pods, 'DELETE', 'a/', ['User "u" cannot deletecollection resource "pods" in API group "" in the namespace "a"']],
    [pods, 'DELETE', 'a/x', ['User "u" cannot delete resource "pods" in API group "" in the namespace "a"']],
    [exec, 'GET', 'a/x', ['User "u" cannot create resource "pods/exec" in API group "" in the namespace "a"']],
    [exec, 'POST', 'a/x', ['User "u" cannot create resource "pods/exec" in API group "" in the namespace "a"']],
    [{ kind: 'path' }, 'GET', '/', ['User "u" cannot get path "/p"']],
    [{ kind: 'public' }, 'GET', '/', []],
    [
      stats,
      'GET',
      '/',
      [
        'User "u" cannot get path "/p"',
        'User "u" cannot get resource "nodes/stats" in API group "" at the cluster scope',
        'User "u" cannot get resource "nodes/proxy" in API group "" at the cluster scope',
      ],
    ],
    [
      { kind: 'resource', group: '', resource: 'namespaces' },
      'PATCH',
      '/a',
      ['User "u" cannot patch resource "namespaces" in API group "" in the namespace "a"'],
    ],
  ];
  const factsOf = (method: string, target: string) => {
    const [place = '', search = ''] = target.split('?');
    const [namespace = '', name = ''] = place.split('/');
    const params = { ...(namespace === '' ? {} : { namespace }), ...(name === '' ? {} : { name }) };
    return { method, path: '/p', params, query: Object.fromEntries(new URLSearchParams(search)), nodeName: 'node' };
  };
  for (const [access, method, target, texts] of cases) {
    const found = attributesOf(access, factsOf(method, target)).map((attributes) => refusalText('u', attributes));
    t.same(found, texts, `${method} ${target}`);
  }
  for (const [selector, name] of [
    ['metadata.name=x', 'x'],
    ['metadata.name!=x', ''],
    ['status.phase=Running', ''],
    ['=', ''],
  ] as const) {
    const facts = factsOf('GET', `a/?fieldSelector=${encodeURIComponent(selector)}`);
    t.match(attributesOf(pods, facts), [{ verb: 'list', name }], selector);
  }
});
