import type { Container, ContainerStatus, Pod } from '../api/pod.ts';
import { containerHash } from '../runtime/labels.ts';
import type { ObservedContainer, ObservedPod, ObservedSandbox } from '../runtime/observed.ts';
import type { Action, ContainerStart, Plan } from './actions.ts';
import { atomicStart } from './atomic-start.ts';
import type { PodFacts } from './facts.ts';
import { graceSecondsLeft } from './grace-period.ts';
import { instancesOf, isAlive, usableSandbox } from './instances.ts';
import { isEnding } from './phase.ts';
import { restartOf, shouldRestart } from './restart.ts';
import { isUnfinishedStart, withoutUnfinishedStarts } from './unfinished-start.ts';

export interface PlanSettings {
  /** Upper bound of the delay between a container's end and its next start. */
  readonly maxRestartDelaySeconds: number;
}

/** Grace of containers whose pod nobody knows any more, as a kubelet's. */
const ORPHAN_GRACE_SECONDS = 1;

/**
 * What to do next for one pod, from what is wanted, what the runtime has, and what the worker remembers. PURE.
 *
 * The steps are small: whatever is left to do after them is found by asking again. `pod` is undefined for what the
 * runtime has of a pod whose object is gone.
 */
export function plan(
  pod: Pod | undefined,
  observed: ObservedPod,
  facts: PodFacts,
  settings: PlanSettings,
  now: number,
): Plan {
  return holdBack(planNow(pod, observed, facts, settings, now), facts.podProblem?.retryAtMs, now);
}

function planNow(
  pod: Pod | undefined,
  observed: ObservedPod,
  facts: PodFacts,
  settings: PlanSettings,
  now: number,
): Plan {
  if (!pod) return planRemoval(observed, ORPHAN_GRACE_SECONDS, 'Stopping container of an unknown pod', []);
  if (pod.metadata.deletionTimestamp) {
    return planRemoval(observed, graceSecondsLeft(pod, now), 'Stopping container', lastSteps(pod, facts));
  }
  if (isEnding(pod)) return planEnd(pod, observed, facts, now);
  return planRun(pod, observed, facts, settings, now);
}

/** What is left to do for a deleted pod when the runtime has nothing of it. Finalizers keep its object, and only that. */
function lastSteps(pod: Pod, facts: PodFacts): Action[] {
  if (!pod.metadata.finalizers?.length) return [{ kind: 'finishDeletion' }];
  return facts.isReleased ? [] : [{ kind: 'releaseResources', sandboxIds: [] }];
}

/** While the last failure is fresh nothing is done, so that a broken runtime is not asked over and over. */
function holdBack(next: Plan, retryAtMs: number | undefined, now: number): Plan {
  if (retryAtMs === undefined || retryAtMs <= now) return next;
  return { actions: [], wakeAtMs: earliest([next.wakeAtMs, next.actions.length > 0 ? retryAtMs : undefined]) };
}

/** Towards nothing: containers, then sandboxes, then all the rest. */
function planRemoval(observed: ObservedPod, graceSeconds: number, message: string, atLast: readonly Action[]): Plan {
  const alive = observed.containers.filter(isAlive);
  if (alive.length > 0) return act(alive.map((container) => kill(container, graceSeconds, message)));
  // Of one that never ran the runtime may have forgotten a part, which goes with it but not with the sandbox.
  const unstarted = observed.containers.filter((container) => container.startedAtNanos === 0n);
  if (unstarted.length > 0) return act(unstarted.map(({ id }) => ({ kind: 'removeContainer', containerId: id })));
  const sandboxIds = new Set(observed.sandboxes.map((sandbox) => sandbox.id));
  // Removing a sandbox removes its containers; one whose sandbox is gone has to be removed by itself.
  const strays = observed.containers.filter((container) => !sandboxIds.has(container.sandboxId));
  const removals: Action[] = [
    ...observed.sandboxes.map((sandbox): Action => ({ kind: 'removeSandbox', sandboxId: sandbox.id })),
    ...strays.map((container): Action => ({ kind: 'removeContainer', containerId: container.id })),
  ];
  return act(removals.length > 0 ? removals : atLast);
}

/** Towards an ended pod whose object stays: containers stopped and kept, all else given back. */
function planEnd(pod: Pod, observed: ObservedPod, facts: PodFacts, now: number): Plan {
  const alive = observed.containers.filter(isAlive);
  if (alive.length > 0) {
    return act(alive.map((container) => kill(container, graceSecondsLeft(pod, now), 'Stopping container')));
  }
  if (facts.isReleased) return act([]);
  const release: Action = { kind: 'releaseResources', sandboxIds: observed.sandboxes.map((sandbox) => sandbox.id) };
  return act([release]);
}

/** Towards a running pod. */
function planRun(pod: Pod, seen: ObservedPod, facts: PodFacts, settings: PlanSettings, now: number): Plan {
  const observed = withoutUnfinishedStarts(pod, facts, seen);
  const unfinished = seen.containers.filter((container) => isUnfinishedStart(pod, facts, container));
  const atomic = atomicStart(pod, observed, now);
  if (atomic.kind === 'failed') return act([{ kind: 'failPod', reason: atomic.reason, message: atomic.message }]);
  const deadlineMs = atomic.kind === 'waiting' ? atomic.deadlineMs : undefined;

  const sandbox = usableSandbox(pod, observed);
  const strays = planStrays(pod, observed, sandbox, now);
  if (strays.length > 0) return act(strays);

  const steps = pod.spec.containers.map((container) => {
    // The runtime reserves the name of a container and its attempt until it is removed.
    const inTheWay = unfinished.find((item) => item.containerName === container.name);
    if (inTheWay) return removeFirst(inTheWay, facts, now);
    return planContainer(pod, container, observed, facts, settings, now);
  });
  const kills = steps.flatMap((step) => step.actions);
  const garbage = facts.garbageRetryAtMs > now ? [] : planGarbage(pod, observed, sandbox);
  const starts = steps.flatMap((step) => (step.start ? [step.start] : []));
  const wakeAtMs = earliest([deadlineMs, ...steps.map((step) => step.wakeAtMs)]);
  if (starts.length === 0) return { actions: [...kills, ...garbage], wakeAtMs };

  // The end of a network's outage wakes the worker: no time needs to be set for it.
  if (!sandbox && !facts.networkReady && !pod.spec.hostNetwork) return { actions: [...kills, ...garbage], wakeAtMs };
  const run: Action = {
    kind: 'runPod',
    sandboxId: sandbox?.id,
    attempt: Math.max(facts.minSandboxAttempt, (observed.sandboxes[0]?.attempt ?? -1) + 1),
    stopFirst: sandbox ? [] : observed.sandboxes.map((item) => item.id),
    starts,
  };
  return { actions: [...kills, ...garbage, run], wakeAtMs };
}

/** What runs though it must not: in a sandbox that is not the pod's any more, or beside a newer one of the same name. */
function planStrays(pod: Pod, observed: ObservedPod, current: ObservedSandbox | undefined, now: number): Action[] {
  const names = new Set(pod.spec.containers.map((container) => container.name));
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

interface ContainerStep {
  readonly actions: readonly Action[];
  readonly start?: ContainerStart;
  readonly wakeAtMs?: number;
}

const NOTHING: ContainerStep = { actions: [] };

/** Of a container that its successor cannot be made beside. */
function removeFirst({ id }: ObservedContainer, facts: PodFacts, now: number): ContainerStep {
  if (facts.garbageRetryAtMs > now) return { actions: [], wakeAtMs: facts.garbageRetryAtMs };
  return { actions: [{ kind: 'removeContainer', containerId: id }] };
}

function planContainer(
  pod: Pod,
  container: Container,
  observed: ObservedPod,
  facts: PodFacts,
  settings: PlanSettings,
  now: number,
): ContainerStep {
  const { latest } = instancesOf(observed, container.name);
  const problem = facts.startProblems.get(container.name);
  const hold = (start: ContainerStart): ContainerStep =>
    problem && problem.retryAtMs > now ? { actions: [], wakeAtMs: problem.retryAtMs } : { actions: [], start };

  if (!latest) {
    return mayStartWithoutTrace(pod, container.name) ? hold(firstStart(pod, container.name)) : NOTHING;
  }
  switch (latest.state) {
    case 'RUNNING':
      return latest.hash === containerHash(container)
        ? NOTHING
        : {
            actions: [
              kill(
                latest,
                graceSecondsLeft(pod, now),
                `Container ${container.name} definition changed, will be restarted`,
              ),
            ],
          };
    case 'UNKNOWN':
      return {
        actions: [
          kill(
            latest,
            graceSecondsLeft(pod, now),
            `Container ${container.name} is in an unknown state, it will be stopped`,
          ),
        ],
      };
    case 'CREATED': {
      const isInPlace =
        latest.sandboxId === usableSandbox(pod, observed)?.id && latest.hash === containerHash(container);
      if (!isInPlace) return removeFirst(latest, facts, now);
      const { restartCount, restartDelaySeconds } = latest;
      return hold({ containerName: container.name, createdId: latest.id, restartCount, restartDelaySeconds });
    }
    case 'EXITED': {
      const restart = restartOf(pod, container, latest, settings.maxRestartDelaySeconds);
      if (!restart) return NOTHING;
      if (restart.dueAtMs > now) return { actions: [], wakeAtMs: restart.dueAtMs };
      return hold({
        containerName: container.name,
        createdId: undefined,
        restartCount: latest.restartCount + 1,
        restartDelaySeconds: restart.delaySeconds,
      });
    }
  }
}

/** The runtime lost a container that the status knows to have run: it counts as one that failed. */
function mayStartWithoutTrace(pod: Pod, containerName: string): boolean {
  const status = storedStatus(pod, containerName);
  return !hasRun(status) || shouldRestart(pod.spec.restartPolicy, status?.state?.terminated?.exitCode ?? 137);
}

function firstStart(pod: Pod, containerName: string): ContainerStart {
  const status = storedStatus(pod, containerName);
  const restartCount = status?.restartCount ?? 0;
  return {
    containerName,
    createdId: undefined,
    restartCount: hasRun(status) ? restartCount + 1 : restartCount,
    restartDelaySeconds: hasRun(status) ? 0 : undefined,
  };
}

function hasRun(status: ContainerStatus | undefined): boolean {
  return Boolean(status?.state?.running ?? status?.state?.terminated ?? status?.lastState?.terminated);
}

function storedStatus(pod: Pod, containerName: string): ContainerStatus | undefined {
  return pod.status?.containerStatuses?.find((status) => status.name === containerName);
}

/** Dead containers beyond one for each name, containers that the manifest does not name, and the sandboxes left empty. */
function planGarbage(pod: Pod, observed: ObservedPod, current: ObservedSandbox | undefined): Action[] {
  const names = new Set(pod.spec.containers.map((container) => container.name));
  const superfluous = [
    ...pod.spec.containers.flatMap((container) => instancesOf(observed, container.name).superfluous),
    ...observed.containers.filter((container) => !names.has(container.containerName) && !isAlive(container)),
  ];
  const removed = new Set(superfluous.map((container) => container.id));
  const inUse = new Set(
    observed.containers.filter((container) => !removed.has(container.id)).map((container) => container.sandboxId),
  );
  // Without a usable sandbox the old ones are stopped by the step that makes the next.
  const empty = current
    ? observed.sandboxes.filter((sandbox) => sandbox.id !== current.id && !inUse.has(sandbox.id))
    : [];
  const removedSandboxes = new Set(empty.map((sandbox) => sandbox.id));
  return [
    ...superfluous
      .filter((container) => !removedSandboxes.has(container.sandboxId))
      .map((container): Action => ({ kind: 'removeContainer', containerId: container.id })),
    ...empty.map((sandbox): Action => ({ kind: 'removeSandbox', sandboxId: sandbox.id })),
  ];
}

function kill(container: ObservedContainer, graceSeconds: number, message: string): Action {
  return {
    kind: 'killContainer',
    containerId: container.id,
    containerName: container.containerName,
    graceSeconds,
    message,
  };
}

function act(actions: readonly Action[]): Plan {
  return { actions, wakeAtMs: undefined };
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
