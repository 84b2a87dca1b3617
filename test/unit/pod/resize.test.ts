import t from 'tap';
import { formatFieldError } from '../../../src/api/field-error.ts';
import { podKind } from '../../../src/api/kinds.ts';
import type { Container, ContainerStatus, Pod, ResourceRequirements } from '../../../src/api/pod.ts';
import { largerResources, podCgroupResources } from '../../../src/cgroups/formulas.ts';
import { resizeProblem } from '../../../src/node/admission.ts';
import { plan } from '../../../src/pod/plan.ts';
import { countedPod, isResized, withPresentResources } from '../../../src/pod/resize.ts';
import { statusOf } from '../../../src/pod/status.ts';
import { container, ended, factsWith, NOW, observed, podWith, sandbox, show } from './fixtures.ts';

const small: ResourceRequirements = { requests: { cpu: '100m', memory: '16Mi' }, limits: { memory: '32Mi' } };
const large: ResourceRequirements = { requests: { cpu: '200m', memory: '16Mi' }, limits: { memory: '64Mi' } };

/** A pod whose container a has what `has` says, and is to have what `wants` says. */
function resized(has: ResourceRequirements, wants: ResourceRequirements, change: Partial<Container> = {}): Pod {
  const status = { name: 'a', containerID: 'containerd://a0', resources: has } as ContainerStatus;
  const pod = podWith({}, { phase: 'Running', startTime: '2026-01-01T00:00:00Z', containerStatuses: [status] });
  const containers = pod.spec.containers
    .filter(({ name }) => name === 'a')
    .map((item) => ({ ...item, ...change, resources: wants }));
  return { ...pod, spec: { ...pod.spec, containers } };
}

const running = observed([sandbox()], [container('a')]);
const settings = { maxRestartDelaySeconds: 300 };
const actions = (pod: Pod, seen = running, facts = factsWith()) => plan(pod, seen, facts, settings, NOW);
const conditions = (pod: Pod, facts = factsWith()) => {
  const all = { ...settings, runtimeName: 'containerd', terminationMessages: new Map(), hostIPs: [] };
  const { conditions = [], containerStatuses } = statusOf(pod, running, facts, all, NOW);
  const shown = conditions.filter(({ type }) => type.startsWith('PodResize'));
  return [shown.map(({ type, reason, message }) => [type, reason, message]), containerStatuses?.[0]?.resources];
};

t.test('what is planned', async (t) => {
  t.same(actions(resized(small, small)).actions.map(show), [], 'everything is good: do nothing');
  t.same(actions(resized(small, large)).actions.map(show), ['resize a0']);
  const pod = resized(small, large);
  t.same(actions(pod, running, factsWith({ resizedContainers: new Map([['a0', large]]) })).actions, [], 'just done');
  const failed = factsWith({ resizeFailure: { message: 'too small', retryAtMs: NOW + 5_000 } });
  t.same(actions(pod, running, failed), { actions: [], wakeAtMs: NOW + 5_000 }, 'not again at once');
});

t.test('a container whose policy says so is started anew, at once and whatever the restart policy', async (t) => {
  const memory = { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' as const }] };
  const cpu = { resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' as const }] };
  const moreMemory = { ...small, limits: { memory: '64Mi' } };
  t.match(actions(resized(small, moreMemory, memory)).actions.map(show), [/^kill a0/]);
  t.same(actions(resized(small, moreMemory, cpu)).actions.map(show), ['resize a0']);
  const pod = resized(small, moreMemory, memory);
  const over = { ...pod, spec: { ...pod.spec, restartPolicy: 'OnFailure' as const } };
  t.match(actions(over, observed([sandbox()], [ended('a', 0)])).actions.map(show), [/^run in s0: a#1/]);
});

t.test('what the status says', async (t) => {
  t.same(conditions(resized(small, small)), [[], small]);
  t.same(conditions(resized(small, large)), [[['PodResizeInProgress', undefined, undefined]], small]);
  t.same(conditions(resized(small, large), factsWith({ resizedContainers: new Map([['a0', large]]) })), [[], large]);
  const failed = factsWith({ resizeFailure: { message: 'too small', retryAtMs: NOW } });
  t.same(conditions(resized(small, large), failed), [[['PodResizeInProgress', 'Error', 'too small']], small]);
  const pending = factsWith({ resizePending: { reason: 'Deferred', message: 'full' } });
  const waiting = withPresentResources(resized(small, large));
  t.same(conditions(waiting, pending), [[['PodResizePending', 'Deferred', 'full']], small]);
});

t.test('what waits is made and counted with what is there', async (t) => {
  const pod = resized(small, large);
  t.equal(isResized(pod), true);
  t.equal(isResized(resized(small, small)), false);
  t.equal(isResized(podWith({})), false, 'a pod that was not started gets what it wants');
  t.same(withPresentResources(pod).spec.containers[0]?.resources, small);
  const considered = { ...pod, metadata: { ...pod.metadata, generation: 2 } };
  const status = (change: object) => ({ ...considered, status: { ...considered.status, ...change } });
  const counted = (seen: Pod) => countedPod(seen).spec.containers[0]?.resources;
  t.same(counted(status({ observedGeneration: 1 })), small, 'nobody has looked at it yet');
  t.same(counted(status({ observedGeneration: 2 })), large);
  const conditions = [{ type: 'PodResizePending', status: 'True' as const }];
  t.same(counted(status({ observedGeneration: 2, conditions })), small);
});

t.test('what fits', async (t) => {
  const wants = (cpu: string, uid = 'x'): Pod => {
    const pod = resized(small, { requests: { cpu } });
    return { ...pod, metadata: { ...pod.metadata, uid } };
  };
  const allocatable = { cpu: '2', memory: '1Gi' };
  t.equal(resizeProblem(wants('2'), [], allocatable), undefined);
  t.match(resizeProblem(wants('3'), [], allocatable), {
    reason: 'Infeasible',
    message: "Node didn't have enough capacity: cpu, requested: 3000, capacity: 2000",
  });
  t.match(resizeProblem(wants('1500m'), [wants('1', 'y')], allocatable), {
    reason: 'Deferred',
    message: "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000",
  });
});

t.test("the pod's cgroup has room for both while containers change", async (t) => {
  const options = { podPidsLimit: -1, cpuCfsQuota: true, hugepageSizes: [] };
  const of = (resources: ResourceRequirements) => podCgroupResources(resized(small, resources), options);
  t.same(largerResources(of(small), of(large)), of(large));
  t.same(largerResources(of(large), of(small)), of(large));
  t.notOk('memoryBytes' in largerResources(of(small), of({ requests: small.requests ?? {} })));
});

t.test('what may be changed by pods/resize', async (t) => {
  const rules = podKind.subresourceRules?.resize;
  const current = resized(small, small);
  podKind.applyDefaults(current);
  const problems = (change: (next: Pod) => void) => {
    const next = structuredClone(current);
    change(next);
    rules?.prepareForUpdate(next, current);
    podKind.applyDefaults(next);
    return { next, problems: rules?.validateUpdate(next, current).map(formatFieldError) };
  };
  const set = (resources: ResourceRequirements) => (pod: Pod) => {
    for (const item of pod.spec.containers) item.resources = resources;
  };
  t.same(problems(set(large)).problems, []);
  const other = problems((pod) => {
    pod.spec.containers[0] = { ...large, name: 'a', image: 'other', resources: large };
  });
  t.match(other.next.spec.containers[0], { image: current.spec.containers[0]?.image, resources: large });
  t.match(problems(set({ requests: { cpu: '100m', memory: '16Mi' } })).problems, [
    'spec.containers[0].resources.limits[memory]: Forbidden: resource limits cannot be removed',
  ]);
  const equal = { cpu: '100m', memory: '32Mi' };
  t.same(problems(set({ requests: equal, limits: equal })).problems, [
    'spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing',
  ]);
  t.match(
    problems(set({ ...small, limits: { memory: '32Mi', 'hugepages-2Mi': '2Mi' } })).problems?.at(-1),
    /only cpu and/,
  );
});
