import type { ContainerStatus, Pod, PodCondition } from '../api/pod.ts';
import type { ObservedPod } from '../runtime/observed.ts';
import { ATOMIC_START_CONDITION, atomicStart } from './atomic-start.ts';
import { usableSandbox } from './instances.ts';
import type { PodPhase } from './phase.ts';
import { rfc3339 } from './times.ts';

type ConditionState = Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'>;

/**
 * The pod's conditions (pkg/kubelet/status/generate.go). Those of types that are not ours stay as they are stored;
 * a condition that did not change keeps its lastTransitionTime. PURE.
 */
export function conditionsOf(
  pod: Pod,
  observed: ObservedPod,
  phase: PodPhase,
  statuses: readonly ContainerStatus[],
  now: number,
): PodCondition[] {
  const stored = pod.status?.conditions ?? [];
  const containersReady = containersReadyState(phase, statuses);
  const beforeReady: ConditionState[] = [
    { type: 'PodReadyToStartContainers', status: usableSandbox(pod, observed) ? 'True' : 'False' },
    { type: 'Initialized', status: 'True', ...(phase === 'Succeeded' ? { reason: 'PodCompleted' } : {}) },
  ];
  const afterReady: ConditionState[] = [
    containersReady,
    { type: 'PodScheduled', status: 'True' },
    ...atomicStartState(pod, observed, now),
  ];
  const types = new Set(['Ready', ...[...beforeReady, ...afterReady].map((condition) => condition.type)]);
  const foreign = stored.filter((condition) => !types.has(condition.type));
  const ready = readyState(pod, containersReady, [...beforeReady, ...afterReady, ...foreign]);
  const ours = [...beforeReady, ready, ...afterReady];
  return [...ours.map((condition) => withTimes(condition, stored, pod, now)), ...foreign];
}

/** Ready is what the containers are, and with them every condition that the pod names as a readiness gate. */
function readyState(pod: Pod, containersReady: ConditionState, others: readonly ConditionState[]): ConditionState {
  const type = 'Ready';
  if (containersReady.status !== 'True') return { ...containersReady, type };
  const messages = (pod.spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const status = others.find((condition) => condition.type === conditionType)?.status;
    if (status === undefined) {
      return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    }
    return status === 'True'
      ? []
      : [`the status of pod readiness gate "${conditionType}" is not "True", but ${status}`];
  });
  if (messages.length === 0) return { type, status: 'True' };
  return { type, status: 'False', reason: 'ReadinessGatesNotReady', message: messages.join(', ') };
}

function containersReadyState(phase: PodPhase, statuses: readonly ContainerStatus[]): ConditionState {
  const type = 'ContainersReady';
  if (phase === 'Succeeded') return { type, status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { type, status: 'False', reason: 'PodFailed' };
  const unready = statuses.filter((status) => !status.ready).map((status) => status.name);
  if (unready.length === 0) return { type, status: 'True' };
  return {
    type,
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
}

function atomicStartState(pod: Pod, observed: ObservedPod, now: number): ConditionState[] {
  const state = atomicStart(pod, observed, now);
  const type = ATOMIC_START_CONDITION;
  switch (state.kind) {
    case 'none':
      return [];
    case 'done':
      return [{ type, status: 'True' }];
    case 'waiting':
      return [{ type, status: 'False', reason: 'Starting' }];
    case 'failed':
      return [{ type, status: 'False', reason: state.reason, message: state.message }];
  }
}

function withTimes(condition: ConditionState, stored: readonly PodCondition[], pod: Pod, now: number): PodCondition {
  const before = stored.find((item) => item.type === condition.type);
  const isUnchanged = before?.status === condition.status && before.lastTransitionTime;
  return {
    ...condition,
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
    lastTransitionTime: isUnchanged ? before.lastTransitionTime : rfc3339(now),
  };
}
