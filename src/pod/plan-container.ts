import type { Container, Pod } from '../api/pod.ts';
import { containerHash } from '../runtime/labels.ts';
import type { ObservedContainer, ObservedPod, ObservedSandbox } from '../runtime/observed.ts';
import type { ContainerStart } from './actions.ts';
import { storedEnd } from './completion.ts';
import { storedStatus } from './containers.ts';
import type { PodFacts } from './facts.ts';
import { graceSecondsLeft } from './grace-period.ts';
import { instancesOf } from './instances.ts';
import { type ContainerStep, FAILED_POST_START_HOOK, kill, NOTHING } from './plan-steps.ts';
import { isRestartedToResize } from './resize.ts';
import { decideRestart, restartOf } from './restart.ts';
import { isObsolete, type RestartAll } from './restart-all.ts';

/** What the steps for the containers of a pod that is to run are planned from. */
export interface RunContext {
  readonly pod: Pod;
  /** Without the starts that were cut off. */
  readonly observed: ObservedPod;
  readonly facts: PodFacts;
  readonly settings: { readonly maxRestartDelaySeconds: number };
  readonly now: number;
  /** The one that containers are made in; undefined when one has to be made first. */
  readonly sandbox: ObservedSandbox | undefined;
  /** Set while all containers are started anew. */
  readonly restartAll: RestartAll | undefined;
}

/** What to do about a container whose turn it is: an app container or a sidecar. PURE. */
export function planContainer(context: RunContext, container: Container): ContainerStep {
  const { pod, observed, restartAll, settings, now } = context;
  const { latest } = instancesOf(observed, container.name);
  if (!latest) {
    const end = storedEnd(pod, container.name);
    const isOver = end !== undefined && decideRestart(pod, container, end) === 'stay';
    return isOver ? NOTHING : planStart(context, firstStart(pod, container.name));
  }
  switch (latest.state) {
    case 'RUNNING':
      return planRunning(context, container, latest);
    case 'UNKNOWN':
      return killStep(context, latest, `Container ${container.name} is in an unknown state, it will be stopped`);
    case 'CREATED': {
      const isInPlace = latest.sandboxId === context.sandbox?.id && latest.hash === containerHash(container);
      if (!isInPlace) return removeFirst(context, latest);
      const { restartCount, restartDelaySeconds } = latest;
      return planStart(context, {
        containerName: container.name,
        createdId: latest.id,
        restartCount,
        restartDelaySeconds,
      });
    }
    case 'EXITED': {
      if (restartAll && isObsolete(restartAll, latest)) return startAgain(context, latest, restartAll.delaySeconds);
      const restart = restartOf(pod, container, latest, settings.maxRestartDelaySeconds);
      if (!restart) return NOTHING;
      if (restart.dueAtMs > now) return { actions: [], wakeAtMs: restart.dueAtMs };
      return startAgain(context, latest, restart.delaySeconds);
    }
  }
}

/** A start with the next restart count after that of `latest`. */
export function startAgain(
  context: RunContext,
  latest: ObservedContainer,
  restartDelaySeconds: number | undefined,
): ContainerStep {
  return planStart(context, {
    containerName: latest.containerName,
    createdId: undefined,
    restartCount: latest.restartCount + 1,
    restartDelaySeconds,
  });
}

/** The start, unless one failed a short while ago. */
export function planStart({ facts, now }: RunContext, start: ContainerStart): ContainerStep {
  const problem = facts.startProblems.get(start.containerName);
  return problem && problem.retryAtMs > now ? { actions: [], wakeAtMs: problem.retryAtMs } : { actions: [], start };
}

/** Of a container that its successor cannot be made beside. */
export function removeFirst({ facts, now }: RunContext, { id }: ObservedContainer): ContainerStep {
  if (facts.garbageRetryAtMs > now) return { actions: [], wakeAtMs: facts.garbageRetryAtMs };
  return { actions: [{ kind: 'removeContainer', containerId: id }] };
}

/** The start of a container that the runtime has nothing of. The status may know that it ran before. */
export function firstStart(pod: Pod, containerName: string): ContainerStart {
  const hasRun = storedEnd(pod, containerName) !== undefined;
  const restartCount = storedStatus(pod, containerName)?.restartCount ?? 0;
  return {
    containerName,
    createdId: undefined,
    restartCount: hasRun ? restartCount + 1 : restartCount,
    restartDelaySeconds: hasRun ? 0 : undefined,
  };
}

function planRunning(context: RunContext, container: Container, running: ObservedContainer): ContainerStep {
  if (running.hash !== containerHash(container)) {
    return killStep(context, running, `Container ${container.name} definition changed, will be restarted`);
  }
  if (isRestartedToResize(context.pod, container, running)) {
    return killStep(context, running, `Container ${container.name} resize requires restart`);
  }
  // In a step that was given up: else the hook's failure has led to its end already.
  const postStart = context.facts.postStarts.get(running.id);
  if (postStart?.kind === 'failed') return killStep(context, running, FAILED_POST_START_HOOK);
  const failure = context.facts.probes.get(running.id)?.failure;
  if (!failure) return NOTHING;
  const graceSeconds = failure.graceSeconds ?? graceSecondsLeft(context.pod, context.now);
  return { actions: [kill(running, graceSeconds, failure.message)] };
}

function killStep({ pod, now }: RunContext, container: ObservedContainer, message: string): ContainerStep {
  return { actions: [kill(container, graceSecondsLeft(pod, now), message)] };
}
