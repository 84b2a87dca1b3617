import type { Pod } from '../api/pod.ts';
import type { ObservedContainer, ObservedPod, ObservedSandbox } from '../runtime/observed.ts';
import type { Action, Plan } from './actions.ts';
import { activeDeadlineMs, DEADLINE_EXCEEDED, DEADLINE_MESSAGE } from './active-deadline.ts';
import { atomicStart } from './atomic-start.ts';
import { isComplete } from './completion.ts';
import { allContainersOf, roleOf } from './containers.ts';
import type { PodFacts } from './facts.ts';
import { graceSecondsLeft } from './grace-period.ts';
import { instancesOf, isAlive, usableSandbox } from './instances.ts';
import { planContainer, type RunContext, removeFirst } from './plan-container.ts';
import { planEphemeralContainers } from './plan-ephemeral.ts';
import { planGarbage } from './plan-garbage.ts';
import { planInitContainers } from './plan-init.ts';
import { act, type ContainerStep, earliest, kill, NOTHING } from './plan-steps.ts';
import { containerResizes } from './resize.ts';
import { isObsolete, type RestartAll, restartAllOf } from './restart-all.ts';
import { killInOrder } from './termination-order.ts';
import { isUnfinishedStart, withoutUnfinishedStarts } from './unfinished-start.ts';

export interface PlanSettings {
  /** Upper bound of the delay between a container's end and its next start, for pods that have none of their own. */
  readonly maxRestartDelaySeconds: number;
}

/**
 * What to do next for a pod that is to run. PURE.
 *
 * 1. a pod whose time is over, or whose containers could not start together, is given up;
 * 2. what runs though it must not is stopped;
 * 3. when all app containers have ended for good, so do the sidecars;
 * 4. resources of what runs are changed;
 * 5. init containers and sidecars come up one after the other;
 * 6. then the app containers, side by side;
 * 7. ephemeral containers, beside whatever else there is.
 */
export function planRun(pod: Pod, seen: ObservedPod, facts: PodFacts, settings: PlanSettings, now: number): Plan {
  const observed = withoutUnfinishedStarts(pod, facts, seen);
  const atomic = atomicStart(pod, observed, facts.postStarts, now);
  if (atomic.kind === 'failed') return act([{ kind: 'failPod', reason: atomic.reason, message: atomic.message }]);
  const deadlineMs = activeDeadlineMs(pod);
  if (deadlineMs !== undefined && deadlineMs <= now) {
    return act([{ kind: 'failPod', reason: DEADLINE_EXCEEDED, message: DEADLINE_MESSAGE }]);
  }
  const deadlinesMs = [deadlineMs, atomic.kind === 'waiting' ? atomic.deadlineMs : undefined];

  const sandbox = usableSandbox(pod, observed);
  const strays = planStrays(pod, observed, sandbox, now);
  if (strays.length > 0) return act(strays);
  const restartAll = restartAllOf(pod, observed, settings.maxRestartDelaySeconds);
  if (restartAll) {
    const old = observed.containers.filter(
      (item) => isAlive(item) && isObsolete(restartAll, item) && !isEphemeral(pod, item),
    );
    if (old.length > 0) return act(old.map((item) => kill(item, 0, restartAllMessage(item, restartAll))));
    if (restartAll.dueAtMs > now) return { actions: [], wakeAtMs: earliest([...deadlinesMs, restartAll.dueAtMs]) };
  }
  if (isComplete(pod, observed, settings.maxRestartDelaySeconds)) {
    const left = observed.containers.filter(isAlive);
    return act(killInOrder(pod, left, graceSecondsLeft(pod, now), 'Stopping container'));
  }

  const resizes = containerResizes(pod, observed, facts);
  const resizeAtMs = resizes.length > 0 ? facts.resizeFailure?.retryAtMs : undefined;
  // Before anything is started: what starts beside them is to fit in as well.
  if (resizes.length > 0 && (resizeAtMs ?? 0) <= now) return act([{ kind: 'resizePod', containers: resizes }]);

  const context: RunContext = { pod, observed, facts, settings, now, sandbox, restartAll };
  const unfinished = seen.containers.filter((container) => isUnfinishedStart(pod, facts, container));
  const plans = planContainers(context, unfinished);
  const kills = plans.flatMap((step) => step.actions);
  const garbage = restartAll ? NOTHING : planGarbage(pod, observed, sandbox, facts, now);
  const starts = plans.flatMap((step) => (step.start ? [step.start] : []));
  const wakeAtMs = earliest([
    ...deadlinesMs,
    garbage.wakeAtMs,
    resizeAtMs,
    facts.volumes.dueAtMs,
    ...plans.map((step) => step.wakeAtMs),
  ]);
  const actions = [...kills, ...garbage.actions];
  if (starts.length === 0) {
    // A step that brings containers up makes all volumes as they are to be.
    const mayRefresh = facts.volumes.isStale && observed.containers.some(isAlive);
    return { actions: mayRefresh ? [...actions, { kind: 'refreshVolumes' }] : actions, wakeAtMs };
  }

  // The end of a network's outage wakes the worker: no time needs to be set for it.
  if (!sandbox && !facts.networkReady && !pod.spec.hostNetwork) return { actions, wakeAtMs };
  const run: Action = {
    kind: 'runPod',
    sandboxId: sandbox?.id,
    attempt: Math.max(facts.minSandboxAttempt, (observed.sandboxes[0]?.attempt ?? -1) + 1),
    stopFirst: sandbox ? [] : observed.sandboxes.map((item) => item.id),
    starts,
  };
  return { actions: [...actions, run], wakeAtMs };
}

function planContainers(context: RunContext, unfinished: readonly ObservedContainer[]): ContainerStep[] {
  // The runtime reserves the name of a container and its attempt until it is removed.
  const inTheWay = allContainersOf(context.pod).flatMap(
    ({ name }) => unfinished.find((item) => item.containerName === name) ?? [],
  );
  const names = new Set(inTheWay.map((item) => item.containerName));
  const init = planInitContainers(context, names);
  const apps = init.isDone ? context.pod.spec.containers : [];
  return [
    ...inTheWay.map((item) => removeFirst(context, item)),
    ...init.steps,
    ...apps.filter(({ name }) => !names.has(name)).map((container) => planContainer(context, container)),
    ...planEphemeralContainers(context, names),
  ];
}

function isEphemeral(pod: Pod, { containerName }: ObservedContainer): boolean {
  return roleOf(pod, { name: containerName }) === 'ephemeral';
}

function restartAllMessage({ containerName }: ObservedContainer, { sourceName }: RestartAll): string {
  return `Container ${containerName} will be restarted with all containers of the pod, as the end of ${sourceName} asks for it`;
}

/** What runs though it must not: in a sandbox that is not the pod's any more, or beside a newer one of the same name. */
function planStrays(pod: Pod, observed: ObservedPod, current: ObservedSandbox | undefined, now: number): Action[] {
  const names = new Set(allContainersOf(pod).map((container) => container.name));
  const graceSeconds = graceSecondsLeft(pod, now);
  return observed.containers.filter(isAlive).flatMap((container) => {
    const { id, containerName, sandboxId } = container;
    if (sandboxId !== current?.id) {
      return [kill(container, graceSeconds, 'Pod sandbox changed, it will be killed and re-created.')];
    }
    const isNewest = names.has(containerName) && instancesOf(observed, containerName).latest?.id === id;
    return isNewest
      ? []
      : [kill(container, graceSeconds, `Container ${containerName} was replaced, it will be stopped`)];
  });
}
