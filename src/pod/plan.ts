import type { Pod } from '../api/pod.ts';
import type { ObservedPod } from '../runtime/observed.ts';
import type { Action, Plan } from './actions.ts';
import type { PodFacts } from './facts.ts';
import { graceSecondsLeft } from './grace-period.ts';
import { isAlive } from './instances.ts';
import { isEnding } from './phase.ts';
import { planGarbageOfEnded } from './plan-garbage.ts';
import { type PlanSettings, planRun } from './plan-run.ts';
import { act, earliest } from './plan-steps.ts';
import { killInOrder } from './termination-order.ts';

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
  if (!pod) return planRemoval(undefined, observed, ORPHAN_GRACE_SECONDS, 'Stopping container of an unknown pod', []);
  if (pod.metadata.deletionTimestamp) {
    return planRemoval(pod, observed, endGraceSeconds(pod, facts, now), 'Stopping container', lastSteps(pod, facts));
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
function planRemoval(
  pod: Pod | undefined,
  observed: ObservedPod,
  graceSeconds: number,
  message: string,
  atLast: readonly Action[],
): Plan {
  const alive = observed.containers.filter(isAlive);
  if (alive.length > 0) return act(killInOrder(pod, alive, graceSeconds, message));
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

/** The pod's own grace period, cut where the machine cannot wait for so long. */
function endGraceSeconds(pod: Pod, { endDeadlineMs }: PodFacts, now: number): number {
  const own = graceSecondsLeft(pod, now);
  if (endDeadlineMs === undefined) return own;
  return Math.min(own, Math.max(Math.ceil((endDeadlineMs - now) / 1000), 0));
}

/** Towards an ended pod whose object stays: containers stopped and kept, all else given back. */
function planEnd(pod: Pod, observed: ObservedPod, facts: PodFacts, now: number): Plan {
  const alive = observed.containers.filter(isAlive);
  if (alive.length > 0) {
    return act(killInOrder(pod, alive, endGraceSeconds(pod, facts, now), 'Stopping container'));
  }
  if (facts.isReleased) {
    const { actions, wakeAtMs } = planGarbageOfEnded(pod, observed, facts, now);
    return { actions, wakeAtMs };
  }
  const release: Action = { kind: 'releaseResources', sandboxIds: observed.sandboxes.map((sandbox) => sandbox.id) };
  return act([release]);
}
