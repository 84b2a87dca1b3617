import t from 'tap';
import { formatFieldError } from '../../../src/api/field-error.ts';
import { podKind } from '../../../src/api/kinds.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { validatePodUpdate } from '../../../src/api/pod-update.ts';
import { checkStructure } from '../../../src/api/structural.ts';
import { type Manifest, manifest, preparedPod, shown } from './pod-fixture.ts';

const options = { allowPrivileged: false };
const c = 'spec.containers[0]';
const changed = 'FieldValueForbidden spec';

/** The stored pod, as it comes back from the store. */
function stored(parts: Manifest = {}): Pod {
  const pod = preparedPod(manifest(parts));
  pod.metadata.uid = '1';
  pod.spec.nodeName = 'node';
  pod.status = { phase: 'Running' };
  return JSON.parse(JSON.stringify(pod)) as Pod;
}

/** What a client sends to replace it. */
function replacement(parts: Manifest, current: Pod): Pod {
  const { object } = checkStructure<Pod>(podKind, manifest(parts), { fieldValidation: 'Strict' });
  object.metadata.uid = current.metadata.uid;
  object.metadata.generation = current.metadata.generation;
  podKind.prepareForUpdate(object, current);
  podKind.applyDefaults(object);
  return object;
}

function verdict(before: Manifest, after: Manifest): string[] {
  const current = stored(before);
  return shown(validatePodUpdate(replacement(after, current), current, options));
}

t.test('what may change', async (t) => {
  const tolerations = [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }];
  const more = [
    { ...tolerations[0], tolerationSeconds: 9 },
    { key: 'b', operator: 'Exists' },
  ];
  const resizePolicy = [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }];
  const restarted = { name: 'i', image: 'x', resizePolicy };
  const cases: [what: string, before: Manifest, after: Manifest][] = [
    ['nothing', {}, {}],
    ['the image', {}, { container: { image: 'other:1' } }],
    ['labels and annotations', {}, { metadata: { labels: { a: 'b' }, annotations: { c: 'd' } } }],
    ['a deadline that comes', {}, { spec: { activeDeadlineSeconds: 9 } }],
    ['a deadline that comes nearer', { spec: { activeDeadlineSeconds: 9 } }, { spec: { activeDeadlineSeconds: 8 } }],
    ['more tolerations', { spec: { tolerations } }, { spec: { tolerations: more } }],
    [
      'a negative grace period that becomes 1',
      { spec: { terminationGracePeriodSeconds: -1 } },
      { spec: { terminationGracePeriodSeconds: 1 } },
    ],
    [
      'a label beside what is refused only in new pods',
      { spec: { initContainers: [restarted] } },
      { spec: { initContainers: [restarted] }, metadata: { labels: { a: 'b' } } },
    ],
    ['empty lists are no lists', { spec: { hostAliases: [] } }, {}],
    [
      'gates that go',
      { spec: { schedulingGates: [{ name: 'a' }, { name: 'b' }] } },
      { spec: { schedulingGates: [{ name: 'b' }] } },
    ],
  ];
  for (const [what, before, after] of cases) t.same(verdict(before, after), [], what);
});

t.test('what may not change is named', async (t) => {
  const one = { key: 'a', operator: 'Exists' };
  const cases: [what: string, before: Manifest, after: Manifest, want: string[]][] = [
    ['variables', {}, { container: { env: [{ name: 'A' }] } }, [changed, `FieldValueForbidden ${c}.env`]],
    [
      'two fields',
      {},
      { container: { command: ['a'] }, spec: { restartPolicy: 'Never' } },
      [changed, `FieldValueForbidden ${c}.command`, 'FieldValueForbidden spec.restartPolicy'],
    ],
    ['the name of a container', {}, { container: { name: 'b' } }, [changed, `FieldValueForbidden ${c}.name`]],
    ['the node', {}, { spec: { nodeName: 'other' } }, [changed, 'FieldValueForbidden spec.nodeName']],
    ['no image', {}, { container: { image: '' } }, [`FieldValueRequired ${c}.image`]],
    [
      'another container',
      {},
      {
        spec: {
          containers: [
            { name: 'app', image: 'busybox:1.36' },
            { name: 'b', image: 'x' },
          ],
        },
      },
      ['FieldValueForbidden spec.containers'],
    ],
    [
      'the grace period',
      {},
      { spec: { terminationGracePeriodSeconds: 1 } },
      [changed, 'FieldValueForbidden spec.terminationGracePeriodSeconds'],
    ],
    [
      'a deadline that goes',
      { spec: { activeDeadlineSeconds: 9 } },
      {},
      ['FieldValueInvalid spec.activeDeadlineSeconds'],
    ],
    [
      'a deadline that goes away',
      { spec: { activeDeadlineSeconds: 9 } },
      { spec: { activeDeadlineSeconds: 10 } },
      ['FieldValueInvalid spec.activeDeadlineSeconds'],
    ],
    ['fewer tolerations', { spec: { tolerations: [one] } }, {}, ['FieldValueForbidden spec.tolerations']],
    [
      'another toleration',
      { spec: { tolerations: [one] } },
      { spec: { tolerations: [{ ...one, key: 'b' }] } },
      ['FieldValueForbidden spec.tolerations'],
    ],
    [
      'gates that come',
      {},
      { spec: { schedulingGates: [{ name: 'a' }] } },
      ['FieldValueForbidden spec.schedulingGates[0].name'],
    ],
    [
      'an AppArmor profile that goes',
      { metadata: { annotations: { 'container.apparmor.security.beta.kubernetes.io/app': '' } } },
      {},
      ['FieldValueForbidden metadata.annotations[container.apparmor.security.beta.kubernetes.io/app]'],
    ],
    [
      'a mirror pod that it was not',
      {},
      { metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } } },
      ['FieldValueForbidden metadata.annotations[kubernetes.io/config.mirror]'],
    ],
  ];
  for (const [what, before, after, want] of cases) t.same(verdict(before, after), want.toSorted(), what);
});

t.test('metadata that may not change', async (t) => {
  const current = stored();
  const change = (edit: (pod: Pod) => void) => {
    const next = structuredClone(current);
    edit(next);
    return shown(validatePodUpdate(next, current, options));
  };
  t.same(
    change(({ metadata }) => Object.assign(metadata, { name: 'b' })),
    ['FieldValueInvalid metadata.name'],
  );
  t.same(
    change(({ metadata }) => Object.assign(metadata, { namespace: 'b' })),
    ['FieldValueInvalid metadata.namespace'],
  );
  t.same(
    change(({ metadata }) => Object.assign(metadata, { uid: '2' })),
    ['FieldValueInvalid metadata.uid'],
  );
  t.same(
    change(({ metadata }) => Object.assign(metadata, { creationTimestamp: '2026-01-01T00:00:00Z' })),
    ['FieldValueInvalid metadata.creationTimestamp'],
  );
  t.same(
    change(({ metadata }) => Object.assign(metadata, { generation: 0 })),
    ['FieldValueInvalid metadata.generation'],
  );
  current.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
  t.same(
    change(({ metadata }) => Object.assign(metadata, { finalizers: ['example.com/a'] })),
    ['FieldValueForbidden metadata.finalizers'],
  );
});

t.test("Kubernetes' own words come first", async (t) => {
  const current = stored();
  const next = replacement({ container: { env: [{ name: 'A' }] } }, current);
  const [first, second] = validatePodUpdate(next, current, options).map(formatFieldError);
  t.match(first, /^spec: Forbidden: pod updates may not change fields other than `spec\.containers\[\*\]\.image`,/);
  t.equal(second, `${c}.env: Forbidden: field is immutable`);
});

t.test('a deadline may come with a change', async (t) => {
  const current = stored();
  const next = replacement({ spec: { activeDeadlineSeconds: 5 } }, current);
  t.same(shown(podKind.validateUpdate(next, current)), []);
});

t.test('the status stays when the pod changes, and the pod when the status changes', async (t) => {
  const current = stored();
  const next = replacement({}, current);
  next.status = { phase: 'Failed' };
  podKind.prepareForUpdate(next, current);
  t.equal(next.status?.phase, 'Running');

  const changedStatus = structuredClone(current);
  changedStatus.spec.restartPolicy = 'Never';
  changedStatus.status = { phase: 'Failed' };
  podKind.prepareForStatusUpdate(changedStatus, current);
  t.equal(changedStatus.spec.restartPolicy, 'Always');
  t.equal(changedStatus.status.phase, 'Failed');
  t.same(podKind.validateStatusUpdate(changedStatus, current), []);
});

t.test('a client writes conditions and may end a pod; what the daemon observes stays', async (t) => {
  const current = stored();
  const own: Pod['status'] = {
    phase: 'Running',
    startTime: '2026-01-01T00:00:00Z',
    podIP: '10.0.0.2',
    podIPs: [{ ip: '10.0.0.2' }],
    containerStatuses: [
      { name: 'c', state: {}, lastState: {}, ready: true, restartCount: 3, image: 'a', imageID: 'b' },
    ],
  };
  current.status = own;
  const write = (status: Pod['status'], before = current) => {
    const next = { ...structuredClone(before), status };
    podKind.prepareForStatusUpdate(next, before);
    return next.status;
  };
  const conditions = [{ type: 'example.com/a', status: 'True' as const }];
  t.same(write({ conditions }), { ...own, conditions });
  t.same(write({ phase: 'Pending', reason: 'x', podIPs: [], containerStatuses: [], hostIP: '1.1.1.1' }), own);
  t.same(write({ phase: 'Failed', reason: 'x', message: 'y' }), { ...own, phase: 'Failed', reason: 'x', message: 'y' });
  const failed = { ...current, status: { ...own, phase: 'Failed' as const, reason: 'x' } };
  t.same(write({ phase: 'Running', reason: 'y' }, failed), failed.status, 'what has ended stays so');
});

t.test('addresses in a status', async (t) => {
  const current = stored();
  const next = structuredClone(current);
  next.status = { podIPs: [{ ip: '10.0.0.1' }, { ip: '10.0.0.1' }], hostIPs: [{ ip: 'x' }] };
  t.same(shown(podKind.validateStatusUpdate(next, current)), [
    'FieldValueDuplicate status.podIPs[1]',
    'FieldValueInvalid status.hostIPs[0]',
  ]);
});
