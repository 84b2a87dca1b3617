import t from 'tap';
import { clusterIPProblems, giveClusterIP, type ServiceNetwork } from '../../../src/api/cluster-ip.ts';
import { formatFieldError } from '../../../src/api/field-error.ts';
import { serviceKind } from '../../../src/api/kinds.ts';
import type { Service } from '../../../src/api/service.ts';
import { checkStructure } from '../../../src/api/structural.ts';

const noNetwork: ServiceNetwork = { cidr: '', family: 'IPv4' };
const network: ServiceNetwork = { cidr: '10.96.0.0/29', family: 'IPv4' };

function service(spec: object, name = 'web'): Service {
  const document = { metadata: { name, namespace: 'default' }, spec };
  const { object, errors } = checkStructure<Service>(serviceKind, document, { fieldValidation: 'Strict' });
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  serviceKind.prepareForCreate(object);
  serviceKind.applyDefaults(object);
  return object;
}

const problems = (spec: object, name?: string) => serviceKind.validateCreate(service(spec, name)).map(formatFieldError);

const refused: readonly [what: string, spec: object, problems: string[]][] = [
  ['no ports', {}, ['spec.ports: Required value']],
  [
    'several ports of which one has no name',
    { ports: [{ port: 1 }, { port: 2, name: 'b' }] },
    ['spec.ports[0].name: Required value'],
  ],
  [
    'names and numbers twice',
    {
      ports: [
        { port: 80, name: 'a' },
        { port: 80, name: 'a' },
      ],
    },
    ['spec.ports[1].name: Duplicate value: "a"', 'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}'],
  ],
  [
    'ports that are none',
    { ports: [{ port: 0, targetPort: 'A_B' }] },
    [
      'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
      'spec.ports[0].targetPort: Invalid value: "A_B": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
      'spec.ports[0].targetPort: Invalid value: "A_B": must contain at least one letter (a-z)',
    ],
  ],
  [
    'what belongs to another type',
    { ports: [{ port: 80, nodePort: 30000 }], externalTrafficPolicy: 'Local', loadBalancerClass: 'a/b' },
    [
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
      'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
      "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
  ],
  [
    'an address that is none',
    { ports: [{ port: 80 }], clusterIP: '10.0.0.300' },
    ['spec.clusterIPs[0]: Invalid value: "10.0.0.300": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ],
  [
    'a type that nobody knows',
    { ports: [{ port: 80 }], type: 'Node' },
    ['spec.type: Unsupported value: "Node": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'],
  ],
  [
    'a type that is not supported',
    { ports: [{ port: 80 }], type: 'NodePort' },
    [
      'spec.type: Forbidden: not supported by mini-kubelet yet: nothing forwards ports of the node; a pod can have a hostPort',
    ],
  ],
  [
    'addresses from outside',
    { ports: [{ port: 80 }], externalIPs: ['1.2.3.4'] },
    ['spec.externalIPs: Forbidden: not supported by mini-kubelet yet: nothing forwards them'],
  ],
  [
    'two families of addresses',
    { ports: [{ port: 80 }], ipFamilyPolicy: 'RequireDualStack' },
    ['spec.ipFamilyPolicy: Forbidden: not supported by mini-kubelet yet: services have addresses of one family'],
  ],
];
for (const [what, spec, expected] of refused) {
  t.test(`refused: ${what}`, async (t) => {
    t.same(problems(spec), expected);
  });
}

t.test('what is fine', async (t) => {
  t.same(problems({ ports: [{ port: 80 }] }), []);
  t.same(problems({ clusterIP: 'None' }), []);
  t.same(problems({ ports: [{ port: 80, targetPort: 'http' }], sessionAffinity: 'ClientIP' }), []);
  t.match(problems({ ports: [{ port: 80 }] }, '1web')[0], /^metadata.name: Invalid value: "1web": a DNS-1035 label/);
});

t.test('defaults', async (t) => {
  t.match(service({ ports: [{ port: 80 }], sessionAffinity: 'ClientIP' }).spec, {
    type: 'ClusterIP',
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
    internalTrafficPolicy: 'Cluster',
  });
});

t.test('without a range a service is headless, and the client is told', async (t) => {
  const { spec } = service({ ports: [{ port: 80 }] });
  const warnings = giveClusterIP(spec, noNetwork, new Set(), 0);
  t.match(warnings, [/the service is headless/]);
  t.match(spec, { clusterIP: 'None', clusterIPs: ['None'], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' });
  t.same(giveClusterIP(service({ clusterIP: 'None' }).spec, noNetwork, new Set(), 0), []);
});

t.test('an address that a client gives is kept, and the client is told that nobody forwards it', async (t) => {
  const { spec } = service({ ports: [{ port: 80 }], clusterIP: 'fd00::a' });
  t.match(giveClusterIP(spec, noNetwork, new Set(), 0), [/does not forward it/]);
  t.match(spec, { clusterIP: 'fd00::a', clusterIPs: ['fd00::a'], ipFamilies: ['IPv6'] });
});

t.test('addresses come from the range, each once, never its first or last', async (t) => {
  const used = new Set<string>();
  for (let count = 0; count < 6; count++) {
    const { spec } = service({ ports: [{ port: 80 }] });
    t.same(giveClusterIP(spec, network, used, 0.5), []);
    used.add(spec.clusterIP ?? '');
  }
  t.same(
    [...used].toSorted(),
    [1, 2, 3, 4, 5, 6].map((last) => `10.96.0.${last}`),
  );
  t.throws(() => giveClusterIP(service({ ports: [{ port: 80 }] }).spec, network, used, 0), {
    message: 'all addresses of 10.96.0.0/29 are in use',
  });
  const { spec } = service({ ports: [{ port: 80 }] });
  giveClusterIP(spec, { cidr: 'fd00:1::/108', family: 'IPv6' }, new Set(), 0.999_999);
  t.match(spec, { clusterIP: 'fd00:1::f:fffd', ipFamilies: ['IPv6'] });
});

t.test('an address that is taken, or of elsewhere, cannot be had', async (t) => {
  const wants = (clusterIP: string) => service({ ports: [{ port: 80 }], clusterIP });
  const why = (clusterIP: string, at: ServiceNetwork, used: string[] = []) =>
    clusterIPProblems(wants(clusterIP), at, new Set(used)).map(formatFieldError);
  t.match(why('10.96.0.2', network, ['10.96.0.2']), [/failed to allocate IP 10.96.0.2: provided IP is already/]);
  t.match(why('fd00:0::1', noNetwork, ['fd00::1']), [/already allocated/]);
  t.match(why('10.97.0.2', network), [/does not match the range/]);
  t.match(why('fd00::1', network), [/does not match the range/]);
  t.same(why('10.96.0.3', network, ['10.96.0.2']), []);
});

t.test('the manifest that made a service is no change of it; its address cannot change', async (t) => {
  const current = service({ ports: [{ port: 80 }] });
  giveClusterIP(current.spec, network, new Set(), 0);
  const update = (spec: object) => {
    const next = service(spec);
    serviceKind.prepareForUpdate(next, current);
    serviceKind.applyDefaults(next);
    return { spec: next.spec, problems: serviceKind.validateUpdate(next, current).map(formatFieldError) };
  };
  t.same(update({ ports: [{ port: 80 }] }), { spec: current.spec, problems: [] });
  t.match(update({ ports: [{ port: 80 }], clusterIP: '10.96.0.5' }).problems, [
    'spec.clusterIPs[0]: Invalid value: ["10.96.0.5"]: may not change once set',
  ]);
});

t.test('the table', async (t) => {
  const web = service({
    ports: [{ port: 80 }, { port: 53, protocol: 'UDP', name: 'dns' }],
    clusterIP: '10.0.0.1',
    selector: { b: '2', a: '1' },
  });
  const now = Date.parse('2026-01-01T01:00:00Z');
  web.metadata.creationTimestamp = '2026-01-01T00:00:00Z';
  t.same(serviceKind.row(web, now), ['web', 'ClusterIP', '10.0.0.1', '<none>', '80/TCP,53/UDP', '60m', 'a=1,b=2']);
  t.same(serviceKind.row(service({}), now).slice(2, 5), ['None', '<none>', '<none>']);
});
