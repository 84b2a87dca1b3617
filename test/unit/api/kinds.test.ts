import t from 'tap';
import type { Event } from '../../../src/api/event.ts';
import { eventKind, findKind, kinds, namespaceKind, nodeKind, podKind } from '../../../src/api/kinds.ts';
import type { Namespace } from '../../../src/api/namespace.ts';
import type { Node } from '../../../src/api/node.ts';
import { manifest, preparedPod, shown } from './pod-fixture.ts';

const now = Date.parse('2026-01-01T01:00:00Z');
const creationTimestamp = '2026-01-01T00:00:00Z';

t.test('kinds are found by their path', async (t) => {
  t.same(
    kinds.map(({ plural, shortNames, namespaced }) => [plural, ...shortNames, namespaced]),
    [
      ['pods', 'po', true],
      ['nodes', 'no', false],
      ['namespaces', 'ns', false],
      ['events', 'ev', true],
      ['configmaps', 'cm', true],
      ['secrets', true],
      ['serviceaccounts', 'sa', true],
      ['runtimeclasses', false],
      ['services', 'svc', true],
      ['endpointslices', true],
      ['endpoints', 'ep', true],
      ['priorityclasses', 'pc', false],
      ['leases', true],
      ['events', 'ev', true],
      ['roles', true],
      ['rolebindings', true],
      ['clusterroles', false],
      ['clusterrolebindings', false],
      ['poddisruptionbudgets', 'pdb', true],
      ['persistentvolumes', 'pv', false],
      ['persistentvolumeclaims', 'pvc', true],
      ['storageclasses', 'sc', false],
    ],
  );
  t.equal(findKind('', 'v1', 'pods')?.kind, 'Pod');
  t.equal(findKind('', 'v2', 'pods'), undefined);
  t.equal(findKind('apps', 'v1', 'pods'), undefined);
  t.equal(findKind('', 'v1', 'constructor'), undefined);
});

t.test('fields of pods that selectors know', async (t) => {
  const pod = preparedPod(manifest({ spec: { nodeName: 'node', hostNetwork: true } }));
  pod.status = { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }] };
  t.same(podKind.selectableFields(pod), {
    'metadata.name': 'web',
    'metadata.namespace': 'default',
    'spec.nodeName': 'node',
    'spec.restartPolicy': 'Always',
    'spec.schedulerName': 'default-scheduler',
    'spec.serviceAccountName': '',
    'spec.hostNetwork': 'true',
    'status.phase': 'Running',
    'status.podIP': '10.0.0.1',
    'status.nominatedNodeName': '',
  });
});

t.test('nodes', async (t) => {
  const node = (fields: Partial<Node> = {}): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node', uid: '1', creationTimestamp },
    ...fields,
  });
  const ready = { type: 'Ready', status: 'True' as const };
  const full = node({
    metadata: {
      name: 'node',
      uid: '1',
      creationTimestamp,
      labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/': '', 'kubernetes.io/role': 'a' },
    },
    spec: { unschedulable: true },
    status: {
      conditions: [ready],
      addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
    },
  });
  t.same(nodeKind.row(full, now), [
    'node',
    'Ready,SchedulingDisabled',
    'a,worker',
    '60m',
    '',
    '10.0.0.1',
    '<none>',
    '<unknown>',
    '<unknown>',
    '<unknown>',
  ]);
  t.same(nodeKind.row(node(), now).slice(1, 3), ['Unknown', '<none>']);
  t.equal(nodeKind.row(node({ status: { conditions: [{ ...ready, status: 'False' }] } }), now)[1], 'NotReady');
  t.same(nodeKind.selectableFields(full), { 'metadata.name': 'node', 'spec.unschedulable': 'true' });

  const withCapacity = node({ status: { capacity: { cpu: '2' } } });
  nodeKind.applyDefaults(withCapacity);
  t.same(withCapacity.status?.allocatable, { cpu: '2' }, 'all of the capacity can be used, unless said otherwise');

  const tainted = (...taints: object[]) => shown(nodeKind.validateCreate(node({ spec: { taints } } as Partial<Node>)));
  const taint = { key: 'a', value: 'b', effect: 'NoSchedule' };
  t.same(tainted(taint, { ...taint, effect: 'NoExecute' }), []);
  t.same(tainted(taint, taint), ['FieldValueDuplicate spec.taints[1]']);
  t.same(tainted({ ...taint, key: 'a b' }), ['FieldValueInvalid spec.taints[0].key']);
  t.same(tainted({ ...taint, value: 'a b' }), ['FieldValueInvalid spec.taints[0].value']);
  t.same(tainted({ ...taint, effect: '' }), ['FieldValueRequired spec.taints[0].effect']);
  t.same(tainted({ ...taint, effect: 'x' }), ['FieldValueNotSupported spec.taints[0].effect']);
  t.same(shown(nodeKind.validateUpdate(node({ metadata: { name: 'b', uid: '1', creationTimestamp } }), node())), [
    'FieldValueInvalid metadata.name',
  ]);
});

t.test('namespaces', async (t) => {
  const namespace = (name: string): Namespace => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, uid: '1', creationTimestamp },
  });
  const mine = namespace('mine');
  namespaceKind.prepareForCreate(mine);
  namespaceKind.applyDefaults(mine);
  t.match(mine, {
    metadata: { labels: { 'kubernetes.io/metadata.name': 'mine' } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  });
  t.same(namespaceKind.row(mine, now), ['mine', 'Active', '60m']);
  t.same(shown(namespaceKind.validateCreate(mine)), []);
  t.same(shown(namespaceKind.validateCreate(namespace('a.b'))), ['FieldValueInvalid metadata.name']);
  t.equal(namespaceKind.selectableFields(mine)['status.phase'], 'Active');

  const next = namespace('mine');
  next.status = { phase: 'Terminating' };
  namespaceKind.prepareForUpdate(next, mine);
  t.equal(next.status?.phase, 'Active', 'its phase is not up to clients');
});

t.test('events', async (t) => {
  const event = (fields: Partial<Event> = {}): Event => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'web.1', namespace: 'default', uid: '1', creationTimestamp },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'web', fieldPath: 'spec.containers{app}' },
    reason: 'Started',
    message: ' Started container app\n',
    type: 'Normal',
    source: { component: 'kubelet', host: 'node' },
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:59:30Z',
    count: 3,
    reportingComponent: '',
    reportingInstance: '',
    ...fields,
  });
  t.same(eventKind.row(event(), now), [
    '30s',
    'Normal',
    'Started',
    'pod/web',
    'spec.containers{app}',
    'kubelet, node',
    'Started container app',
    '60m',
    '3',
    'web.1',
  ]);
  const modern = event({
    firstTimestamp: undefined,
    lastTimestamp: undefined,
    count: undefined,
    source: {},
    eventTime: '2026-01-01T00:59:00.000000Z',
    reportingComponent: 'mine',
    reportingInstance: 'here',
  } as Partial<Event>);
  const cells = eventKind.row(modern, now);
  t.same([cells[0], cells[5], cells[7], cells[8]], ['60s', 'mine, here', '60s', '1'], 'an event of the newer kind');

  t.match(eventKind.selectableFields(event()), {
    'involvedObject.kind': 'Pod',
    'involvedObject.name': 'web',
    'involvedObject.namespace': 'default',
    'involvedObject.uid': '',
    'involvedObject.fieldPath': 'spec.containers{app}',
    reason: 'Started',
    source: 'kubelet',
    reportingComponent: 'kubelet',
    type: 'Normal',
  });
  t.same(shown(eventKind.validateCreate(event())), []);
  t.same(shown(eventKind.validateCreate(event({ involvedObject: { kind: 'Node', name: 'node' } }))), [], 'of a node');
  t.same(shown(eventKind.validateCreate(event({ involvedObject: { namespace: 'other' } }))), [
    'FieldValueInvalid involvedObject.namespace',
  ]);
});
