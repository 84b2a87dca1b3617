import t from 'tap';
import type { Pod, PodSpec } from '../../../src/api/pod.ts';
import { applyRuntimeClass } from '../../../src/api/pod-runtime-class.ts';
import type { RuntimeClass } from '../../../src/api/runtime-class.ts';
import { runtimeClassKind } from '../../../src/api/runtime-class-kind.ts';

function runtimeClass(rest: Partial<RuntimeClass> = {}): RuntimeClass {
  return {
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name: 'vm', uid: 'u' },
    handler: 'kata',
    ...rest,
  };
}

/** What the pod's spec becomes, or why it is refused. */
function applied(spec: Partial<PodSpec>, found?: RuntimeClass): unknown {
  const pod = { spec: { containers: [], ...spec } } as unknown as Pod;
  const problem = applyRuntimeClass(pod, found);
  if (problem !== undefined) return problem;
  const { containers: _, runtimeClassName: __, ...rest } = pod.spec;
  return rest;
}

t.test('a pod gets what its class says', async (t) => {
  t.strictSame(applied({}), {});
  t.equal(applied({ runtimeClassName: 'vm' }), 'pod rejected: RuntimeClass "vm" not found');
  t.strictSame(applied({ runtimeClassName: 'vm' }, runtimeClass()), {});
  const heavy = runtimeClass({ overhead: { podFixed: { memory: '128Mi', cpu: '250m' } } });
  t.strictSame(applied({ runtimeClassName: 'vm' }, heavy), { overhead: { memory: '128Mi', cpu: '250m' } });
  const same = { memory: '134217728', cpu: '0.25' };
  t.match(applied({ runtimeClassName: 'vm', overhead: same }, heavy), { overhead: { memory: '128Mi' } });
  t.equal(
    applied({ runtimeClassName: 'vm', overhead: { memory: '1Mi' } }, heavy),
    "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
  );
  for (const [name, found] of [
    [undefined, undefined],
    ['vm', runtimeClass()],
  ] as const) {
    t.equal(
      applied({ overhead: { memory: '1Mi' }, ...(name ? { runtimeClassName: name } : {}) }, found),
      'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
    );
  }
});

t.test('where pods of a class run', async (t) => {
  const toleration = { key: 'vm', operator: 'Exists' as const };
  const here = runtimeClass({ scheduling: { nodeSelector: { vm: 'yes' }, tolerations: [toleration] } });
  t.strictSame(applied({ runtimeClassName: 'vm', nodeSelector: { a: 'b' }, tolerations: [{ key: 'x' }] }, here), {
    nodeSelector: { a: 'b', vm: 'yes' },
    tolerations: [{ key: 'x' }, toleration],
  });
  t.match(applied({ runtimeClassName: 'vm', nodeSelector: { vm: 'yes' }, tolerations: [toleration] }, here), {
    tolerations: [toleration],
  });
  t.equal(
    applied({ runtimeClassName: 'vm', nodeSelector: { vm: 'no' } }, here),
    'conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no',
  );
});

t.test('a class is checked', async (t) => {
  const problems = (changed: Partial<RuntimeClass>) =>
    runtimeClassKind.validateCreate(runtimeClass(changed)).map(({ type, field }) => `${type} ${field}`);
  t.strictSame(problems({}), []);
  for (const handler of ['', 'Runc', '../x', 'a.b', '-a']) {
    t.strictSame(problems({ handler }), ['FieldValueInvalid handler'], handler);
  }
  t.strictSame(problems({ overhead: { podFixed: { cpu: '-1' } } }), ['FieldValueInvalid overhead.limits[cpu]']);
  t.match(problems({ scheduling: { nodeSelector: { 'a b': 'c' } } }), [/scheduling\.nodeSelector/]);
  t.match(problems({ metadata: { name: '../x', uid: 'u' } }), [/metadata\.name/]);
  t.match(runtimeClassKind.validateUpdate(runtimeClass({ handler: 'other' }), runtimeClass()), [{ field: 'handler' }]);
});
