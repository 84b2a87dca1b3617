import type { ContainerStatus, Pod, PodCondition } from '../api/pod.ts';
import type { ObservedPod } from '../runtime/observed.ts';
import { ATOMIC_START_CONDITION, atomicStart } from './atomic-start.ts';
import { roleOf } from './containers.ts';
import type { PodFacts } from './facts.ts';
import { STOPPING_CONDITION } from './grace-period.ts';
import { isAlive, usableSandbox } from './instances.ts';
import { type ContainerStatuses, endOf, isEnding, type PodPhase } from './phase.ts';
import { RESIZE_IN_PROGRESS, RESIZE_PENDING, resizeConditions } from './resize.ts';
import type { RestartAll } from './restart-all.ts';
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
  statuses: ContainerStatuses,
  restartAll: RestartAll | undefined,
  isOver: boolean,
  facts: PodFacts,
  now: number,
): PodCondition[] {
  const stored = pod.status?.conditions ?? [];
  const sidecars = statuses.init.filter((status) => roleOf(pod, status) === 'sidecar');
  const containersReady = containersReadyState(phase, [...sidecars, ...statuses.apps]);
  const beforeReady: ConditionState[] = [
    { type: 'PodReadyToStartContainers', status: usableSandbox(pod, observed) ? 'True' : 'False' },
    initializedState(pod, phase, statuses),
  ];
  const afterReady: ConditionState[] = [
    containersReady,
    // Of a pod that waits for a node the scheduler tells.
    ...(pod.spec.nodeName ? [{ type: 'PodScheduled', status: 'True' } as const] : []),
    ...atomicStartState(pod, observed, facts, now),
    ...restartAllState(stored, restartAll),
    ...stoppingState(pod, observed, isOver),
    ...resizeConditions(pod, observed, facts),
  ];
  // Those of a change of resources go with it, and that of stopping with the end.
  const types = new Set([
    'Ready',
    STOPPING_CONDITION,
    RESIZE_PENDING,
    RESIZE_IN_PROGRESS,
    ...[...beforeReady, ...afterReady].map((condition) => condition.type),
  ]);
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

/** Once an app container has started, the pod stays initialized, also while a sidecar is down. */
function initializedState(pod: Pod, phase: PodPhase, { init, apps }: ContainerStatuses): ConditionState {
  const type = 'Initialized';
  if (phase === 'Succeeded') return { type, status: 'True', reason: 'PodCompleted' };
  const hasAppStarted = apps.some((status) => status.state?.running || endOf(status));
  const incomplete = init.filter((status) => !(roleOf(pod, status) === 'sidecar' ? status.started : status.ready));
  if (hasAppStarted || incomplete.length === 0) return { type, status: 'True' };
  return {
    type,
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${incomplete.map((status) => status.name).join(' ')}]`,
  };
}

/** Shown from the first such restart on. */
function restartAllState(stored: readonly PodCondition[], restartAll: RestartAll | undefined): ConditionState[] {
  const type = 'AllContainersRestarting';
  if (restartAll) {
    const message = `Restart of all containers asked for by the end of container ${restartAll.sourceName}`;
    return [{ type, status: 'True', reason: 'RestartAllContainersStarted', message }];
  }
  return stored.some((condition) => condition.type === type) ? [{ type, status: 'False' }] : [];
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

/** Of a pod that is being deleted its metadata tell, unless it was stopping before. */
function stoppingState(pod: Pod, observed: ObservedPod, isOver: boolean): ConditionState[] {
  const wasStopping = pod.status?.conditions?.some((condition) => condition.type === STOPPING_CONDITION) ?? false;
  const isTold = isOver && observed.containers.some(isAlive) && (wasStopping || !pod.metadata.deletionTimestamp);
  const reason = (isEnding(pod) && pod.status?.reason) || 'PodCompleted';
  return isTold ? [{ type: STOPPING_CONDITION, status: 'True', reason }] : [];
}

function atomicStartState(pod: Pod, observed: ObservedPod, facts: PodFacts, now: number): ConditionState[] {
  const state = atomicStart(pod, observed, facts.postStarts, now);
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
