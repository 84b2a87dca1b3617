import t from 'tap';
import type { NodeSpec } from '../../../src/api/node.ts';
import type { Pod, PodSpec } from '../../../src/api/pod.ts';
import { bySchedulingOrder, schedule } from '../../../src/node/scheduling.ts';
import { podWith } from '../pod/fixtures.ts';

const key = 'node.kubernetes.io/unschedulable';
const cordoned: NodeSpec = { unschedulable: true, taints: [{ key, effect: 'NoSchedule' }] };
const tainted = (effect: 'NoExecute' | 'NoSchedule' | 'PreferNoSchedule', taintKey = 'room'): NodeSpec => ({
  taints: [{ key: taintKey, value: 'cellar', effect }],
});
const requesting: Partial<PodSpec> = { containers: [{ name: 'a', image: 'i', resources: { requests: { cpu: '1' } } }] };

const rows: Record<string, { spec?: Partial<PodSpec>; node?: NodeSpec; waits?: [reason: string, message: RegExp] }> = {
  'everything is good: it comes to the node': {},
  'a cordoned node': {
    node: cordoned,
    waits: ['Unschedulable', /^0\/1 nodes are available: 1 node\(s\) were unschedulable\. /],
  },
  'a cordoned node that is tolerated': {
    node: cordoned,
    spec: { tolerations: [{ key, operator: 'Exists', effect: 'NoSchedule' }] },
  },
  'a taint': {
    node: tainted('NoSchedule'),
    waits: ['Unschedulable', /^0\/1 nodes are available: 1 node\(s\) had untolerated taint\(s\)\. /],
  },
  'a taint that also ends pods': { node: tainted('NoExecute'), waits: ['Unschedulable', /untolerated/] },
  'a taint that is a wish only': { node: tainted('PreferNoSchedule') },
  'a taint that is tolerated': {
    node: tainted('NoSchedule'),
    spec: { tolerations: [{ key: 'room', value: 'cellar' }] },
  },
  'a taint with another value': {
    node: tainted('NoSchedule'),
    spec: { tolerations: [{ key: 'room', value: 'attic' }] },
    waits: ['Unschedulable', /untolerated/],
  },
  'short memory, and a pod that requests nothing': {
    node: tainted('NoSchedule', 'node.kubernetes.io/memory-pressure'),
    waits: ['Unschedulable', /untolerated/],
  },
  'short memory, and a pod that requests something': {
    node: tainted('NoSchedule', 'node.kubernetes.io/memory-pressure'),
    spec: requesting,
  },
  'a gate, before anything else': {
    node: cordoned,
    spec: { schedulingGates: [{ name: 'example.com/quota' }] },
    waits: ['SchedulingGated', /^Scheduling is blocked due to non-empty scheduling gates$/],
  },
};

t.test('whether a pod comes to the node', async (t) => {
  for (const [name, { spec, node, waits }] of Object.entries(rows)) {
    const decision = schedule(podWith({ nodeName: undefined, ...spec }), node && { spec: node });
    t.match(decision, waits ? { kind: 'wait', reason: waits[0], message: waits[1] } : { kind: 'bind' }, name);
  }
});

t.test('those that waited come by priority, then by age', async (t) => {
  const pod = (name: string, priority: number, creationTimestamp: string): Pod =>
    podWith({ priority }, {}, { name, creationTimestamp });
  const pods = [
    pod('late', 0, '2026-01-01T00:00:02Z'),
    pod('early', 0, '2026-01-01T00:00:01Z'),
    pod('critical', 2_000_000_000, '2026-01-01T00:00:03Z'),
  ];
  t.same(
    pods.sort(bySchedulingOrder).map(({ metadata }) => metadata.name),
    ['critical', 'early', 'late'],
  );
});
