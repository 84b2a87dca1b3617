import type { Container, ContainerState, ContainerStatus, Pod } from '../api/pod.ts';
import type { ObservedContainer, ObservedPod } from '../runtime/observed.ts';
import { VANISHED_EXIT_CODE } from './completion.ts';
import { roleOf, storedStatus } from './containers.ts';
import { targetProblem } from './ephemeral-target.ts';
import type { PodFacts, Problem } from './facts.ts';
import { instancesOf, probesOf } from './instances.ts';
import { POST_START_HOOK_ERROR } from './plan-steps.ts';
import { presentResources } from './resize.ts';
import { restartOf } from './restart.ts';
import { isObsolete, RESTARTING_ALL, type RestartAll } from './restart-all.ts';
import { rfc3339, rfc3339FromNanos } from './times.ts';

export interface ContainerStatusSettings {
  readonly maxRestartDelaySeconds: number;
  /** Prefix of container ids, such as `containerd`. */
  readonly runtimeName: string;
  /** What the container wrote as its last words, by container id. */
  readonly terminationMessages: ReadonlyMap<string, string>;
}

/** What the statuses of all containers of a pod are made from. */
export interface StatusContext {
  /** Without the starts that were cut off. */
  readonly observed: ObservedPod;
  readonly facts: PodFacts;
  readonly settings: ContainerStatusSettings;
  /** Set while all containers are started anew. */
  readonly restartAll: RestartAll | undefined;
  /** Whether nothing of the pod is started any more. */
  readonly isOver: boolean;
}

/** One container's entry in one of the status' three lists. PURE. */
export function containerStatus(pod: Pod, container: Container, common: StatusContext, now: number): ContainerStatus {
  const { observed, facts, settings } = common;
  // Of an ephemeral container nothing is started again.
  const context = roleOf(pod, container) === 'ephemeral' ? { ...common, isOver: true } : common;
  const stored = storedStatus(pod, container.name);
  const { latest, previous } = instancesOf(observed, container.name);
  const problem = facts.startProblems.get(container.name) ?? targetProblem(container, observed);
  if (!latest) return statusWithoutTrace(pod, container, stored, problem, context.isOver);

  const { state, lastState } = states(pod, container, latest, previous, problem, context, now);
  const user = latest.user;
  return {
    name: container.name,
    state,
    lastState,
    ...readiness(pod, container, latest, state, facts),
    restartCount: latest.restartCount,
    image: latest.image || (container.image ?? ''),
    imageID: latest.imageRef,
    containerID: `${settings.runtimeName}://${latest.id}`,
    ...(container.resources?.requests ? { allocatedResources: container.resources.requests } : {}),
    resources: presentResources(pod, container, latest, facts),
    ...mountStatuses(container, latest.recursiveReadOnlyPaths),
    ...stopSignal(latest),
    ...(user ? { user: { linux: { ...user, supplementalGroups: [...user.supplementalGroups] } } } : {}),
  };
}

/** The manifest's signal, or the one that the runtime tells of. */
function stopSignal(latest: ObservedContainer): Pick<ContainerStatus, 'stopSignal'> {
  const signal = latest.stopSignal ?? latest.runtimeStopSignal;
  return signal === undefined ? {} : { stopSignal: signal };
}

/** An init container is ready when it has succeeded, any other while it runs and its probes say so. */
function readiness(
  pod: Pod,
  container: Container,
  latest: ObservedContainer,
  state: ContainerState,
  facts: PodFacts,
): Pick<ContainerStatus, 'ready' | 'started'> {
  const isRunning = state.running !== undefined;
  if (roleOf(pod, container) === 'ephemeral') return { ready: false };
  if (roleOf(pod, container) === 'init') return { ready: state.terminated?.exitCode === 0, started: isRunning };
  if (!isRunning) return { ready: false, started: false };
  const { isReady, isStarted } = probesOf(container, latest, facts);
  return { ready: isReady, started: isStarted };
}

/** What a container waits for that was not started yet. */
function notStarted(pod: Pod, problem: Problem | undefined): NonNullable<ContainerState['waiting']> {
  if (problem) return { reason: problem.reason, message: problem.message };
  return { reason: pod.spec.initContainers?.length ? 'PodInitializing' : 'ContainerCreating' };
}

/** A container that runs has not started before its postStart hook is done; one whose hook failed is about to be killed. */
function waitingForHook(pod: Pod, { id }: ObservedContainer, { postStarts }: PodFacts): ContainerState['waiting'] {
  const hook = postStarts.get(id);
  if (hook?.kind === 'failed') return { reason: POST_START_HOOK_ERROR, message: hook.message };
  return hook && notStarted(pod, undefined);
}

/** The runtime has nothing of the container: it was never made, or is gone. */
function statusWithoutTrace(
  pod: Pod,
  container: Container,
  stored: ContainerStatus | undefined,
  problem: Problem | undefined,
  isOver: boolean,
): ContainerStatus {
  if (stored?.containerID && (isOver || stored.state?.terminated)) {
    const state = lostState(stored);
    const ready = roleOf(pod, container) === 'init' && state.terminated?.exitCode === 0;
    return { ...stored, ready, started: false, state };
  }
  const waiting: ContainerState = { waiting: notStarted(pod, problem) };
  return {
    name: container.name,
    state: waiting,
    lastState: stored?.containerID ? lostState(stored) : {},
    ready: false,
    started: false,
    restartCount: stored?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: stored?.imageID ?? '',
    ...(stored?.containerID ? { containerID: stored.containerID } : {}),
    ...(container.resources?.requests ? { allocatedResources: container.resources.requests } : {}),
    resources: container.resources ?? {},
    ...mountStatuses(container),
  };
}

function lostState(stored: ContainerStatus): ContainerState {
  if (stored.state?.terminated) return stored.state;
  if (!stored.state?.running) return stored.lastState ?? {};
  return {
    terminated: {
      exitCode: VANISHED_EXIT_CODE,
      reason: 'ContainerStatusUnknown',
      message: 'The container could not be located when the pod was terminated or restarted',
      ...(stored.state.running.startedAt ? { startedAt: stored.state.running.startedAt } : {}),
      ...(stored.containerID ? { containerID: stored.containerID } : {}),
    },
  };
}

function states(
  pod: Pod,
  container: Container,
  latest: ObservedContainer,
  previous: ObservedContainer | undefined,
  problem: Problem | undefined,
  context: StatusContext,
  now: number,
): { state: ContainerState; lastState: ContainerState } {
  const { settings } = context;
  const before: ContainerState = previous ? terminated(pod, previous, settings) : {};
  const lastState = previous ? before : forgottenEnd(pod, latest);
  switch (latest.state) {
    case 'RUNNING':
    case 'UNKNOWN': {
      const waiting = waitingForHook(pod, latest, context.facts);
      if (waiting) return { state: { waiting }, lastState: before };
      const startedAt = rfc3339FromNanos(latest.startedAtNanos);
      return { state: { running: startedAt ? { startedAt } : {} }, lastState };
    }
    case 'CREATED':
      return {
        state: { waiting: notStarted(pod, problem) },
        lastState,
      };
    case 'EXITED': {
      const ended = terminated(pod, latest, settings);
      const waiting = waitingForRestart(pod, container, latest, problem, context, now);
      return waiting ? { state: { waiting }, lastState: ended } : { state: ended, lastState: before };
    }
  }
}

/** How the run before this one ended, as far as the status tells, where the runtime has nothing of it any more. */
function forgottenEnd(pod: Pod, { containerName, restartCount, id }: ObservedContainer): ContainerState {
  const stored = storedStatus(pod, containerName);
  if (restartCount === 0 || !stored?.containerID) return {};
  return stored.containerID.endsWith(`//${id}`) ? (stored.lastState ?? {}) : lostState(stored);
}

/** Undefined when the container is not started again, or about to be at this moment. */
function waitingForRestart(
  pod: Pod,
  container: Container,
  ended: ObservedContainer,
  problem: Problem | undefined,
  { settings, restartAll, isOver }: StatusContext,
  now: number,
): ContainerState['waiting'] {
  if (isOver) return undefined;
  if (restartAll && isObsolete(restartAll, ended)) {
    return problem ? notStarted(pod, problem) : waitingForAll(restartAll, now);
  }
  const restart = restartOf(pod, container, ended, settings.maxRestartDelaySeconds);
  if (!restart) return undefined;
  const { delaySeconds, dueAtMs } = restart;
  // Not ended for good, even if the policy would have it so.
  if (delaySeconds === undefined) return notStarted(pod, problem);
  if (dueAtMs > now) {
    const { name, namespace, uid } = pod.metadata;
    return {
      reason: 'CrashLoopBackOff',
      message: `back-off ${goSeconds(delaySeconds)} restarting failed container=${ended.containerName} pod=${name}_${namespace}(${uid}), next start at ${rfc3339(Math.ceil(dueAtMs / 1000) * 1000)}`,
    };
  }
  return problem && { reason: problem.reason, message: problem.message };
}

function waitingForAll({ sourceName, delaySeconds, dueAtMs }: RestartAll, now: number): ContainerState['waiting'] {
  const what = `all containers are restarted as the end of container ${sourceName} asks for it`;
  const due = `back-off ${goSeconds(delaySeconds ?? 0)}, next start at ${rfc3339(Math.ceil(dueAtMs / 1000) * 1000)}`;
  return { reason: RESTARTING_ALL, message: dueAtMs > now ? `${what}: ${due}` : what };
}

function terminated(pod: Pod, container: ObservedContainer, settings: ContainerStatusSettings): ContainerState {
  const startedAt = rfc3339FromNanos(container.startedAtNanos);
  const finishedAt = rfc3339FromNanos(container.finishedAtNanos);
  // The file of a pod that gave its resources back is gone; what was read from it is in the stored status.
  const message = settings.terminationMessages.get(container.id) || container.message || storedMessage(pod, container);
  return {
    terminated: {
      exitCode: container.exitCode,
      reason: container.reason || (container.exitCode === 0 ? 'Completed' : 'Error'),
      ...(message ? { message } : {}),
      ...(startedAt ? { startedAt } : {}),
      ...(finishedAt ? { finishedAt } : {}),
      containerID: `${settings.runtimeName}://${container.id}`,
    },
  };
}

function storedMessage(pod: Pod, container: ObservedContainer): string | undefined {
  const stored = storedStatus(pod, container.containerName);
  const ends = [stored?.state?.terminated, stored?.lastState?.terminated];
  return ends.find((end) => end?.containerID?.endsWith(`//${container.id}`))?.message;
}

function mountStatuses(
  container: Container,
  recursiveReadOnlyPaths: readonly string[] = [],
): Pick<ContainerStatus, 'volumeMounts'> {
  if (!container.volumeMounts?.length) return {};
  const modeOf = (path: string) => (recursiveReadOnlyPaths.includes(path) ? 'Enabled' : 'Disabled');
  return {
    volumeMounts: container.volumeMounts.map(({ name, mountPath, readOnly }) => ({
      name,
      mountPath,
      ...(readOnly ? { readOnly: true, recursiveReadOnly: modeOf(mountPath) } : {}),
    })),
  };
}

/** Seconds as Go prints a duration: `10s`, `2m40s`, `5m0s`. */
function goSeconds(seconds: number): string {
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
