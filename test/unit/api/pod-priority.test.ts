import t from 'tap';
import { formatFieldError } from '../../../src/api/field-error.ts';
import { priorityClassKind } from '../../../src/api/kinds.ts';
import type { Pod, PodSpec } from '../../../src/api/pod.ts';
import { applyPriorityClass } from '../../../src/api/pod-priority.ts';
import type { PriorityClass } from '../../../src/api/priority-class.ts';

function priorityClass(name: string, value: number, rest: Partial<PriorityClass> = {}): PriorityClass {
  return {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name, uid: name },
    value,
    preemptionPolicy: 'PreemptLowerPriority',
    ...rest,
  };
}

const high = priorityClass('high', 1000, { preemptionPolicy: 'Never' });
const usual = priorityClass('usual', 10, { globalDefault: true });

/** What the pod's spec becomes, or why it is refused. */
function applied(spec: Partial<PodSpec>, classes: PriorityClass[]): unknown {
  const pod = { spec: { containers: [], ...spec } } as unknown as Pod;
  const problem = applyPriorityClass(pod, classes);
  if (problem !== undefined) return problem;
  const { containers: _, ...rest } = pod.spec;
  return rest;
}

t.test('a pod gets what its class says', async (t) => {
  t.strictSame(applied({}, []), { priority: 0, preemptionPolicy: 'PreemptLowerPriority' });
  t.strictSame(applied({ priorityClassName: 'high' }, [high, usual]), {
    priorityClassName: 'high',
    priority: 1000,
    preemptionPolicy: 'Never',
  });
  t.match(applied({ priorityClassName: 'high', priority: 1000 }, [high]), { priority: 1000 });
});

t.test('a pod that names no class is of the default one', async (t) => {
  t.match(applied({}, [high, usual]), { priorityClassName: 'usual', priority: 10 });
  t.match(applied({}, [usual, priorityClass('least', -1, { globalDefault: true })]), { priorityClassName: 'least' });
});

t.test('what is refused, in the words of Kubernetes', async (t) => {
  t.equal(applied({ priorityClassName: 'none' }, [high]), 'no PriorityClass with name none was found');
  t.equal(
    applied({ priority: 7 }, []),
    'the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
  );
  t.equal(
    applied({ preemptionPolicy: 'Never' }, []),
    'the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass name',
  );
});

t.test('classes that are refused', async (t) => {
  const problems = (item: PriorityClass) => priorityClassKind.validateCreate(item).map(formatFieldError);
  t.same(problems(high), []);
  t.same(problems(priorityClass('system-node-critical', 2_000_001_000)), []);
  t.same(problems(priorityClass('mine', 1_000_000_001)), [
    'value: Forbidden: maximum allowed value of a user defined priority is 1000000000',
  ]);
  t.match(problems(priorityClass('system-mine', 1)), [/^metadata.name: Forbidden: .*is not a known system priority/]);
  t.match(problems(priorityClass('system-node-critical', 1)), [/^metadata.name: Forbidden/]);
  t.same(priorityClassKind.validateUpdate({ ...high, value: 1 }, high).map(formatFieldError), [
    'value: Forbidden: may not be changed in an update.',
  ]);
});
