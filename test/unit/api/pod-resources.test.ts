import t from 'tap';
import { podLimits, podRequests } from '../../../src/api/pod-resources.ts';
import { qosClass } from '../../../src/api/qos.ts';
import { manifest, preparedPod } from './pod-fixture.ts';

interface Needs {
  requests?: Record<string, string>;
  limits?: Record<string, string>;
}

interface Shape {
  containers?: Needs[];
  init?: (Needs & { isSidecar?: boolean })[];
  pod?: Needs;
  overhead?: Record<string, string>;
}

function podOf({ containers = [{}], init = [], pod, overhead }: Shape) {
  const named = (prefix: string, list: readonly (Needs & { isSidecar?: boolean })[]) =>
    list.map(({ isSidecar, ...resources }, index) => ({
      name: `${prefix}${index}`,
      image: 'x',
      resources,
      ...(isSidecar && { restartPolicy: 'Always' }),
    }));
  return preparedPod(
    manifest({
      spec: { containers: named('c', containers), initContainers: named('i', init), resources: pod, overhead },
    }),
  );
}

const cpu = (amount: string): Needs => ({ requests: { cpu: amount } });

t.test('what a pod requests', async (t) => {
  const cases: [what: string, shape: Shape, want: Record<string, string>][] = [
    ['nothing', {}, {}],
    ['the sum of its containers', { containers: [cpu('500m'), cpu('1')] }, { cpu: '1500m' }],
    ['limits where there are no requests', { containers: [{ limits: { memory: '1Gi' } }, {}] }, { memory: '1Gi' }],
    [
      'the greatest init container, if that is more',
      { containers: [cpu('1')], init: [cpu('3'), cpu('2')] },
      { cpu: '3' },
    ],
    ['its containers, if they are more', { containers: [cpu('4')], init: [cpu('3')] }, { cpu: '4' }],
    ['sidecars as well', { containers: [cpu('1')], init: [{ ...cpu('1'), isSidecar: true }] }, { cpu: '2' }],
    [
      'an init container beside the sidecars before it',
      { containers: [cpu('1')], init: [{ ...cpu('2'), isSidecar: true }, cpu('3'), { ...cpu('1'), isSidecar: true }] },
      { cpu: '5' },
    ],
    [
      'what it says of itself',
      { containers: [{ requests: { cpu: '1', 'ephemeral-storage': '1Gi' } }], pod: cpu('2') },
      { cpu: '2', 'ephemeral-storage': '1Gi' },
    ],
    [
      'overhead on top',
      { containers: [cpu('1')], overhead: { cpu: '250m', memory: '1Mi' } },
      { cpu: '1250m', memory: '1Mi' },
    ],
  ];
  for (const [what, shape, want] of cases) t.same(podRequests(podOf(shape)), want, what);
  const pod = podOf({ containers: [cpu('1')], overhead: { cpu: '1' } });
  t.same(podRequests(pod, { excludeOverhead: true }), { cpu: '1' });
});

t.test('what a pod may use', async (t) => {
  const limit = (amount: string): Needs => ({ limits: { cpu: amount } });
  t.same(podLimits(podOf({ containers: [limit('1'), limit('1'), {}] })), { cpu: '2' });
  t.same(podLimits(podOf({ containers: [limit('1')], pod: limit('3') })), { cpu: '3' });
  t.same(
    podLimits(podOf({ containers: [limit('1')], overhead: { cpu: '1', memory: '1Mi' } })),
    { cpu: '2' },
    'overhead limits nothing that has no limit',
  );
});

t.test('quality of service', async (t) => {
  const both = (amount: string, memory = '1Gi'): Needs => ({ limits: { cpu: amount, memory } });
  const cases: [what: string, shape: Shape, want: string][] = [
    ['nothing', {}, 'BestEffort'],
    ['zero', { containers: [{ requests: { cpu: '0' } }] }, 'BestEffort'],
    ['only storage', { containers: [{ requests: { 'ephemeral-storage': '1' } }] }, 'BestEffort'],
    ['a request', { containers: [cpu('1')] }, 'Burstable'],
    ['limits of all', { containers: [both('1'), both('2')] }, 'Guaranteed'],
    ['limits of one', { containers: [both('1'), {}] }, 'Burstable'],
    ['limits of the containers but not the init container', { containers: [both('1')], init: [{}] }, 'Burstable'],
    ['limits of one resource', { containers: [{ limits: { cpu: '1' } }] }, 'Burstable'],
    ['requests below limits', { containers: [{ ...both('1'), requests: { cpu: '500m' } }] }, 'Burstable'],
    [
      'requests written otherwise',
      { containers: [{ ...both('1'), requests: { cpu: '1000m', memory: '1024Mi' } }] },
      'Guaranteed',
    ],
    ['limits of the pod', { containers: [cpu('1')], pod: both('1') }, 'Guaranteed'],
    ['a request of the pod', { containers: [both('1')], pod: cpu('2') }, 'Burstable'],
  ];
  for (const [what, shape, want] of cases) t.equal(qosClass(podOf(shape)), want, what);
});
