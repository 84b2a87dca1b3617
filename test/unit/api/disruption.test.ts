import t from 'tap';
import { budgetStatus, evictionProblem, isBudgetOf, isFreeToEvict } from '../../../src/api/disruption.ts';
import type { Pod } from '../../../src/api/pod.ts';
import type { PodDisruptionBudget } from '../../../src/api/pod-disruption-budget.ts';
import { podDisruptionBudgetKind } from '../../../src/api/pod-disruption-budget-kind.ts';

const now = '2026-01-01T00:00:00Z';

function budget(spec: PodDisruptionBudget['spec'], rest: Partial<PodDisruptionBudget> = {}): PodDisruptionBudget {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'web', namespace: 'default', uid: 'b', generation: 3 },
    spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
    ...rest,
  };
}

function pod(ready: boolean, rest: { deletionTimestamp?: string; phase?: string } = {}): Pod {
  const { phase = 'Running', ...metadata } = rest;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', uid: 'p', labels: { app: 'web' }, ...metadata },
    spec: { containers: [] },
    status: { phase, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  } as Pod;
}

const [ready, unready, leaving] = [pod(true), pod(false), pod(true, { deletionTimestamp: now })];

t.test('what a budget allows', async (t) => {
  const rows: [spec: PodDisruptionBudget['spec'], pods: Pod[], allowed: number, desired: number][] = [
    [{ minAvailable: 1 }, [ready, ready], 1, 1],
    [{ minAvailable: 2 }, [ready, ready], 0, 2],
    [{ minAvailable: 2 }, [ready], 0, 2],
    [{ minAvailable: '50%' }, [ready, ready, ready], 1, 2],
    [{ maxUnavailable: 1 }, [ready, ready], 1, 1],
    [{ maxUnavailable: 1 }, [ready, unready], 0, 1],
    [{ maxUnavailable: 1 }, [ready, leaving], 0, 1],
    [{ maxUnavailable: '30%' }, [ready, ready, ready, ready], 2, 2],
    [{ maxUnavailable: 5 }, [ready], 1, 0],
    [{}, [ready], 1, 0],
    [{ minAvailable: 0 }, [], 0, 0],
  ];
  for (const [spec, pods, disruptionsAllowed, desiredHealthy] of rows) {
    const status = budgetStatus(budget(spec), pods, now);
    const name = `${JSON.stringify(spec)} of ${pods.length}`;
    t.match(status, { observedGeneration: 3, expectedPods: pods.length, disruptionsAllowed, desiredHealthy }, name);
    const [condition] = status.conditions ?? [];
    t.equal(condition?.reason, disruptionsAllowed > 0 ? 'SufficientPods' : 'InsufficientPods', name);
  }
});

t.test('a condition that stays keeps its time', async (t) => {
  const before = budgetStatus(budget({ minAvailable: 1 }), [ready, ready], now);
  const later = '2026-01-01T00:01:00Z';
  const timeFor = (pods: Pod[]) =>
    budgetStatus(budget({ minAvailable: 1 }, { status: before }), pods, later).conditions?.[0]?.lastTransitionTime;
  t.equal(timeFor([ready, ready, ready]), now);
  t.equal(timeFor([ready]), later);
});

t.test('which evictions a budget stops', async (t) => {
  const needs = 'The disruption budget web needs 2 healthy pods and has 2 currently';
  t.equal(evictionProblem(ready, budget({ minAvailable: 2 }), [ready, ready]), needs);
  t.equal(evictionProblem(ready, budget({ minAvailable: 1 }), [ready, ready]), undefined);
  t.equal(evictionProblem(unready, budget({ minAvailable: 1 }), [ready, unready]), undefined, 'it is not missed');
  t.ok(evictionProblem(unready, budget({ minAvailable: 2 }), [ready, unready]), 'it may be needed');
  const always = budget({ minAvailable: 2, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
  t.equal(evictionProblem(unready, always, [ready, unready]), undefined);
  t.ok(evictionProblem(ready, always, [ready, unready]));
});

t.test('pods that no budget is asked for', async (t) => {
  t.notOk(isFreeToEvict(ready));
  t.notOk(isFreeToEvict(unready));
  for (const phase of ['Pending', 'Succeeded', 'Failed']) t.ok(isFreeToEvict(pod(false, { phase })), phase);
  t.ok(isFreeToEvict(leaving));
});

t.test('which pods a budget counts', async (t) => {
  const counts = (selector: NonNullable<PodDisruptionBudget['spec']>['selector']) =>
    isBudgetOf({ ...budget({}), spec: selector === undefined ? {} : { selector } }, ready);
  t.notOk(counts(undefined), 'without a selector none');
  t.ok(counts({}), 'with an empty one all');
  t.ok(counts({ matchLabels: { app: 'web' } }));
  t.notOk(counts({ matchLabels: { app: 'db' } }));
  const by = (key: string, operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', ...values: string[]) =>
    counts({ matchExpressions: [{ key, operator, values }] });
  t.same(
    [by('app', 'In', 'web'), by('app', 'NotIn', 'web'), by('app', 'Exists'), by('app', 'DoesNotExist')],
    [true, false, true, false],
  );
  t.same([by('constructor', 'Exists'), by('constructor', 'NotIn', 'x')], [false, true]);
});

t.test('budgets that are refused', async (t) => {
  const fields = (spec: PodDisruptionBudget['spec']) =>
    podDisruptionBudgetKind.validateCreate(budget(spec)).map(({ field, type }) => `${type} ${field}`);
  t.same(fields({ minAvailable: 1 }), []);
  t.same(fields({ maxUnavailable: '25%' }), []);
  t.same(fields({ minAvailable: 1, maxUnavailable: 1 }), ['FieldValueInvalid spec']);
  t.same(fields({ minAvailable: -1 }), ['FieldValueInvalid spec.minAvailable']);
  t.same(fields({ minAvailable: '101%' }), ['FieldValueInvalid spec.minAvailable']);
  t.same(fields({ maxUnavailable: 'half' }), ['FieldValueInvalid spec.maxUnavailable']);
  t.same(fields({ unhealthyPodEvictionPolicy: 'Never' as never }), [
    'FieldValueNotSupported spec.unhealthyPodEvictionPolicy',
  ]);
});
