import t from 'tap';
import { checkVerdicts, type Manifest } from './pod-fixture.ts';

t.test('names of the pod in the network', async (t) => {
  const over = (spec: object): Manifest => ({ spec: { hostnameOverride: 'a.b', ...spec } });
  const aliases = (...hostAliases: object[]): Manifest => ({ spec: { hostAliases } });
  const h = 'spec.hostnameOverride';
  checkVerdicts(t, [
    ['a host name', { spec: { hostname: 'a', subdomain: 'b', setHostnameAsFQDN: true } }],
    ['a host name with a dot', { spec: { hostname: 'a.b' } }, ['FieldValueInvalid spec.hostname']],
    ['a subdomain', { spec: { subdomain: 'A' } }, ['FieldValueInvalid spec.subdomain']],
    ['another host name', over({})],
    ['a bad one', over({ hostnameOverride: 'A' }), [`FieldValueInvalid ${h}`]],
    ['a long one', over({ hostnameOverride: 'a'.repeat(65) }), [`FieldValueTooLong ${h}`]],
    ['one on the host network', over({ hostNetwork: true }), [`FieldValueForbidden ${h}`]],
    ['one and a full name', over({ setHostnameAsFQDN: true }), [`FieldValueForbidden ${h}`]],
    ['aliases', aliases({ ip: '::1', hostnames: ['a.b'] })],
    ['no address', aliases({ ip: '1.2.3' }), ['FieldValueInvalid spec.hostAliases[0].ip']],
    [
      'a bad alias',
      aliases({ ip: '1.2.3.4', hostnames: ['a', 'A'] }),
      ['FieldValueInvalid spec.hostAliases[0].hostnames[1]'],
    ],
  ]);
});

t.test('DNS', async (t) => {
  const dns = (dnsConfig: object, dnsPolicy = 'None'): Manifest => ({ spec: { dnsPolicy, dnsConfig } });
  const nameservers = ['1.1.1.1'];
  const d = 'spec.dnsConfig';
  checkVerdicts(t, [
    [
      'a configuration',
      dns({ nameservers, searches: ['a.b', '_x.y.', '.'], options: [{ name: 'ndots', value: '1' }] }),
    ],
    ['none', { spec: { dnsPolicy: 'None' } }, [`FieldValueRequired ${d}`]],
    ['no server', dns({}), [`FieldValueRequired ${d}.nameservers`]],
    ['no server, as the cluster has some', dns({}, 'ClusterFirst')],
    [
      'four servers',
      dns({ nameservers: ['1.1.1.1', '1.1.1.2', '1.1.1.3', '1.1.1.4'] }),
      [`FieldValueInvalid ${d}.nameservers`],
    ],
    ['no address', dns({ nameservers: ['a'] }), [`FieldValueInvalid ${d}.nameservers[0]`]],
    ['32 domains', dns({ nameservers, searches: new Array(32).fill('a') })],
    ['33 domains', dns({ nameservers, searches: new Array(33).fill('a') }), [`FieldValueInvalid ${d}.searches`]],
    [
      'long domains',
      dns({ nameservers, searches: new Array(9).fill('a'.repeat(230)) }),
      [`FieldValueInvalid ${d}.searches`],
    ],
    ['a bad domain', dns({ nameservers, searches: ['a..b'] }), [`FieldValueInvalid ${d}.searches[0]`]],
    ['no option', dns({ nameservers, options: [{ value: 'x' }] }), [`FieldValueRequired ${d}.options[0]`]],
  ]);
});

t.test('node selectors and affinity to nodes', async (t) => {
  const required = 'requiredDuringSchedulingIgnoredDuringExecution';
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
  const node = (nodeAffinity: object): Manifest => ({ spec: { affinity: { nodeAffinity } } });
  const term = (...matchExpressions: object[]) => node({ [required]: { nodeSelectorTerms: [{ matchExpressions }] } });
  const field = (expression: object) =>
    node({ [required]: { nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', ...expression }] }] } });
  const a = 'spec.affinity.nodeAffinity';
  const e = `${a}.${required}.nodeSelectorTerms[0].matchExpressions[0]`;
  const f = `${a}.${required}.nodeSelectorTerms[0].matchFields[0]`;
  checkVerdicts(t, [
    ['a selector', { spec: { nodeSelector: { 'example.com/disk': 'ssd' } } }],
    ['a bad selector', { spec: { nodeSelector: { 'a b': '' } } }, ['FieldValueInvalid spec.nodeSelector']],
    ['terms', term({ key: 'a', operator: 'In', values: ['x', 'y'] }, { key: 'b', operator: 'Gt', values: ['1'] })],
    [
      'no terms',
      node({ [required]: { nodeSelectorTerms: [] } }),
      [`FieldValueRequired ${a}.${required}.nodeSelectorTerms`],
    ],
    ['an operator', term({ key: 'a', operator: 'x' }), [`FieldValueInvalid ${e}.operator`]],
    ['no values', term({ key: 'a', operator: 'In' }), [`FieldValueRequired ${e}.values`]],
    ['values too many', term({ key: 'a', operator: 'Exists', values: ['x'] }), [`FieldValueForbidden ${e}.values`]],
    ['two limits', term({ key: 'a', operator: 'Lt', values: ['1', '2'] }), [`FieldValueRequired ${e}.values`]],
    ['a bad key', term({ key: 'a b', operator: 'Exists' }), [`FieldValueInvalid ${e}.key`]],
    ['a node', field({ operator: 'In', values: ['node'] })],
    ['two nodes', field({ operator: 'In', values: ['a', 'b'] }), [`FieldValueRequired ${f}.values`]],
    ['a bad node', field({ operator: 'In', values: ['A'] }), [`FieldValueInvalid ${f}.values[0]`]],
    ['an operator of fields', field({ operator: 'Exists' }), [`FieldValueInvalid ${f}.operator`]],
    ['another field', field({ key: 'metadata.uid', operator: 'In', values: ['a'] }), [`FieldValueInvalid ${f}.key`]],
    [
      'a weight',
      node({ [preferred]: [{ weight: 101, preference: { matchExpressions: [] } }] }),
      [`FieldValueInvalid ${a}.${preferred}[0].weight`],
    ],
  ]);
});

t.test('affinity to other pods', async (t) => {
  const required = 'requiredDuringSchedulingIgnoredDuringExecution';
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
  const term = { topologyKey: 'zone', labelSelector: { matchLabels: { a: 'b' } } };
  const affinity = (fields: object): Manifest => ({
    metadata: { labels: { app: 'web' } },
    spec: { affinity: { podAntiAffinity: { [required]: [{ ...term, ...fields }] } } },
  });
  const p = `spec.affinity.podAntiAffinity.${required}[0]`;
  checkVerdicts(t, [
    ['a term', affinity({ namespaces: ['a'], namespaceSelector: {} })],
    [
      'no topology',
      affinity({ topologyKey: '' }),
      [
        `FieldValueRequired ${p}.topologyKey`,
        `FieldValueInvalid ${p}.topologyKey`,
        `FieldValueInvalid ${p}.topologyKey`,
      ],
    ],
    ['a bad namespace', affinity({ namespaces: ['A'] }), [`FieldValueInvalid ${p}.namespace`]],
    [
      'a bad label',
      affinity({ labelSelector: { matchLabels: { 'a b': '' } } }),
      [`FieldValueInvalid ${p}.labelSelector.matchLabels`],
    ],
    [
      'a bad operator',
      affinity({ namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'x' }] } }),
      [`FieldValueInvalid ${p}.namespaceSelector.matchExpressions[0].operator`],
    ],
    ['labels of the pod itself', affinity({ matchLabelKeys: ['app'] })],
    [
      'labels of nobody',
      affinity({ labelSelector: undefined, matchLabelKeys: ['app'] }),
      [`FieldValueForbidden ${p}.matchLabelKeys`],
    ],
    [
      'labels that are and are not alike',
      affinity({ matchLabelKeys: ['x'], mismatchLabelKeys: ['x'] }),
      [`FieldValueInvalid ${p}.matchLabelKeys[0]`],
    ],
    [
      'a label that the selector has',
      affinity({ labelSelector: { matchLabels: { app: 'x' } }, matchLabelKeys: ['app'] }),
      [`FieldValueInvalid ${p}[0]`],
    ],
    [
      'a weight',
      { spec: { affinity: { podAffinity: { [preferred]: [{ weight: 0, podAffinityTerm: term }] } } } },
      [`FieldValueInvalid spec.affinity.podAffinity.${preferred}[0].weight`],
    ],
  ]);
});

t.test('tolerations', async (t) => {
  const tolerate = (...tolerations: object[]): Manifest => ({ spec: { tolerations } });
  const p = 'spec.tolerations[0]';
  checkVerdicts(t, [
    ['a taint', tolerate({ key: 'a', operator: 'Equal', value: 'b', effect: 'NoSchedule' })],
    ['all taints', tolerate({ operator: 'Exists' })],
    ['for a while', tolerate({ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: -1 })],
    ['no key', tolerate({ operator: 'Equal', value: 'b' }), [`FieldValueInvalid ${p}.operator`]],
    ['a bad key', tolerate({ key: 'a b' }), [`FieldValueInvalid ${p}.key`]],
    ['a value of any', tolerate({ key: 'a', operator: 'Exists', value: 'b' }), [`FieldValueInvalid ${p}.operator`]],
    ['a bad value', tolerate({ key: 'a', value: 'b c' }), [`FieldValueInvalid ${p}.operator`]],
    ['an operator', tolerate({ key: 'a', operator: 'x' }), [`FieldValueNotSupported ${p}.operator`]],
    ['an effect', tolerate({ key: 'a', effect: 'x' }), [`FieldValueNotSupported ${p}.effect`]],
    [
      'a while of nothing',
      tolerate({ key: 'a', effect: 'NoSchedule', tolerationSeconds: 1 }),
      [`FieldValueInvalid ${p}.effect`],
    ],
  ]);
});

t.test('spread over topologies', async (t) => {
  const constraint = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' };
  const spread = (...fields: object[]): Manifest => ({
    spec: { topologySpreadConstraints: fields.map((more) => ({ ...constraint, ...more })) },
  });
  const p = 'spec.topologySpreadConstraints[0]';
  checkVerdicts(t, [
    ['a constraint', spread({ minDomains: 1, nodeTaintsPolicy: 'Honor' })],
    ['no skew', spread({ maxSkew: 0 }), [`FieldValueInvalid ${p}.maxSkew`]],
    ['no topology', spread({ topologyKey: '' }), [`FieldValueRequired ${p}.topologyKey`]],
    ['no way out', spread({ whenUnsatisfiable: 'x' }), [`FieldValueNotSupported ${p}.whenUnsatisfiable`]],
    ['no domains', spread({ minDomains: 0 }), [`FieldValueInvalid ${p}.minDomains`]],
    [
      'domains for nothing',
      spread({ minDomains: 1, whenUnsatisfiable: 'ScheduleAnyway' }),
      [`FieldValueInvalid ${p}.minDomains`],
    ],
    ['a policy', spread({ nodeAffinityPolicy: 'x' }), [`FieldValueNotSupported ${p}.nodeAffinityPolicy`]],
    [
      'a bad label',
      spread({ labelSelector: { matchLabels: { a: 'b c' } } }),
      [`FieldValueInvalid ${p}.labelSelector.matchLabels`],
    ],
    ['labels of nobody', spread({ matchLabelKeys: ['a'] }), [`FieldValueForbidden ${p}.matchLabelKeys`]],
    ['one topology twice', spread({}, {}), [`FieldValueDuplicate ${p}.{topologyKey, whenUnsatisfiable}`]],
  ]);
});
