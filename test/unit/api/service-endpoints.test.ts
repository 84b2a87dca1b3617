import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import type { Service } from '../../../src/api/service.ts';
import { endpointSubsets, serviceSlices } from '../../../src/api/service-endpoints.ts';

function service(spec: Partial<Service['spec']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', uid: 's' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ipFamilies: ['IPv4'], ...spec },
  };
}

interface PodChanges {
  readonly name?: string;
  readonly ip?: string;
  readonly ready?: boolean;
  readonly phase?: 'Running' | 'Failed' | 'Succeeded';
  readonly labels?: Record<string, string>;
  readonly deleted?: boolean;
  readonly ports?: readonly { name: string; containerPort: number }[];
}

function pod({ name = 'a', ip = '10.0.0.1', ready = true, phase = 'Running', ...rest }: PodChanges = {}): Pod {
  const { labels = { app: 'web', tier: 'front' }, deleted, ports = [] } = rest;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      labels,
      ...(deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: { nodeName: 'node', containers: [{ name: 'c', ports: [...ports] }] },
    status: {
      phase,
      podIPs: ip === '' ? [] : [{ ip }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  } as Pod;
}

const endpoints = (pods: Pod[], spec: Partial<Service['spec']> = {}) =>
  (serviceSlices(service(spec), pods) ?? []).flatMap((slice) =>
    slice.endpoints.map(({ addresses, conditions }) => [...addresses, conditions]),
  );

t.test('a service without a selector is left to others', async (t) => {
  t.equal(serviceSlices(service({ selector: {} }), [pod()]), undefined);
});

t.test('a service without pods has an empty slice', async (t) => {
  t.same(serviceSlices(service(), [pod({ labels: { app: 'other' } })]), [
    { addressType: 'IPv4', ports: [], endpoints: [] },
  ]);
});

t.test('a pod that is ready', async (t) => {
  t.same(serviceSlices(service(), [pod()]), [
    {
      addressType: 'IPv4',
      ports: [{ name: '', protocol: 'TCP', port: 8080 }],
      endpoints: [
        {
          addresses: ['10.0.0.1'],
          conditions: { ready: true, serving: true, terminating: false },
          targetRef: { kind: 'Pod', namespace: 'default', name: 'a', uid: 'a' },
          nodeName: 'node',
        },
      ],
    },
  ]);
});

t.test('which pods get connections', async (t) => {
  t.same(endpoints([pod({ ready: false })]), [['10.0.0.1', { ready: false, serving: false, terminating: false }]]);
  t.same(endpoints([pod({ deleted: true })]), [['10.0.0.1', { ready: false, serving: true, terminating: true }]]);
  t.match(endpoints([pod({ ready: false })], { publishNotReadyAddresses: true }), [['10.0.0.1', { ready: true }]]);
  t.same(endpoints([pod({ phase: 'Failed' }), pod({ phase: 'Succeeded' }), pod({ ip: '' })]), []);
});

t.test('families of addresses', async (t) => {
  t.same(endpoints([pod({ ip: 'fd00::1' })]), []);
  t.match(serviceSlices(service({ ipFamilies: ['IPv6'] }), [pod({ ip: 'fd00::1' })]), [
    { addressType: 'IPv6', endpoints: [{ addresses: ['fd00::1'] }] },
  ]);
});

t.test('pods that give a name to different ports are in different slices', async (t) => {
  const pods = [80, 81, 80].map((containerPort, index) =>
    pod({ name: `p${index}`, ip: `10.0.0.${index}`, ports: [{ name: 'http', containerPort }] }),
  );
  const slices = serviceSlices(service({ ports: [{ port: 1, targetPort: 'http' }] }), [...pods, pod()]);
  t.same(
    slices?.map(({ ports, endpoints }) => [ports.map(({ port }) => port), endpoints.length]),
    [
      [[80], 2],
      [[81], 1],
      [[], 1],
    ],
  );
});

t.test('a slice has a hundred pods at the most', async (t) => {
  const pods = Array.from({ length: 250 }, (_, index) => pod({ name: `p${index}`, ip: `10.0.1.${index}` }));
  t.same(
    serviceSlices(service(), pods)?.map((slice) => slice.endpoints.length),
    [100, 100, 50],
  );
});

const subsets = (pods: Pod[], spec: Partial<Service['spec']> = {}) => {
  const of = service(spec);
  return endpointSubsets(of.spec, serviceSlices(of, pods) ?? []);
};

t.test('the same pods as Endpoints: by their ports, ready and not ready, without those that go', async (t) => {
  const pods = [
    pod(),
    pod({ name: 'b', ip: '10.0.0.2', ready: false }),
    pod({ name: 'c', ip: '10.0.0.3', deleted: true }),
    pod({ name: 'd', ip: 'fd00::1' }),
  ];
  const target = (name: string) => ({ kind: 'Pod', namespace: 'default', name, uid: name });
  t.same(subsets(pods), {
    subsets: [
      {
        addresses: [{ ip: '10.0.0.1', nodeName: 'node', targetRef: target('a') }],
        notReadyAddresses: [{ ip: '10.0.0.2', nodeName: 'node', targetRef: target('b') }],
        ports: [{ port: 8080, protocol: 'TCP' }],
      },
    ],
    isTruncated: false,
  });
  t.same(subsets([]), { subsets: [], isTruncated: false });
  t.match(subsets([pod()], { ports: [] }).subsets, [{ addresses: [{ ip: '10.0.0.1' }] }], 'a service without ports');
  t.same(subsets([pod()], { ports: [{ port: 1, targetPort: 'http' }] }).subsets, [], 'a pod without the port');
});

t.test('a thousand addresses are told, those of pods that are ready first', async (t) => {
  const many = (count: number, ready: boolean) =>
    Array.from({ length: count }, (_, i) =>
      pod({ name: `p${i}`, ip: `10.${ready ? 1 : 2}.${i >> 8}.${i & 255}`, ready }),
    );
  const { subsets: told, isTruncated } = subsets([...many(700, false), ...many(600, true)]);
  t.same(
    told.map(({ addresses, notReadyAddresses }) => [addresses?.length, notReadyAddresses?.length]),
    [[600, 400]],
  );
  t.equal(isTruncated, true);
});
