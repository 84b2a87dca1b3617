import type { ResourceRequirements } from '../api/pod.ts';
import { NO_POST_STARTS, type PostStartStates } from '../hooks/hook-runner.ts';
import { NO_PROBE_RESULTS, type ProbeResults } from '../probes/results.ts';
import type { ResizeProblem } from './resize.ts';
import type { VolumeFacts } from './volume-freshness.ts';

/** Why something of a pod could not be done, and when to try again. */
export interface Problem {
  /** What `state.waiting.reason` shows, such as `ErrImagePull`. */
  readonly reason: string;
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly retryAtMs: number;
}

/** Why a container could not be made or started. */
export interface StartProblem extends Problem {
  /** The container that the runtime was asked to start and refused. */
  readonly refusedId?: string;
}

/**
 * What a pod's worker knows beside the stored object and the runtime's answer. Nothing here has to survive the daemon:
 * with none of it, the pod is only tried again a little sooner.
 */
export interface PodFacts {
  /** By container name: why it could not be made or started. */
  readonly startProblems: ReadonlyMap<string, StartProblem>;
  /** Why the last step for the pod as a whole failed: no sandbox, volume or cgroup, or something that cannot be stopped. */
  readonly podProblem: Problem | undefined;
  /** Until when left-overs stay because removing them failed; 0 when it did not. Milliseconds since the epoch. */
  readonly garbageRetryAtMs: number;
  /** Attempts below this one may be reserved in the runtime by a sandbox that it does not list. */
  readonly minSandboxAttempt: number;
  /** Whether pods with a network of their own can start. */
  readonly networkReady: boolean;
  /** True when a pod that ended for good has given everything back. */
  readonly isReleased: boolean;
  /** By when the pod's containers have to be stopped whatever its own grace period, milliseconds since the epoch. */
  readonly endDeadlineMs: number | undefined;
  readonly probes: ProbeResults;
  readonly postStarts: PostStartStates;
  readonly volumes: VolumeFacts;
  /** Why the resources that the pod wants have to wait; undefined when they do not. */
  readonly resizePending: ResizeProblem | undefined;
  /** What containers were given while they ran, by their ids, until the status says so. */
  readonly resizedContainers: ReadonlyMap<string, ResourceRequirements>;
  /** Why resources could not be changed, and when that is tried again. */
  readonly resizeFailure: { readonly message: string; readonly retryAtMs: number } | undefined;
}

export const NO_FACTS: PodFacts = {
  startProblems: new Map(),
  podProblem: undefined,
  garbageRetryAtMs: 0,
  minSandboxAttempt: 0,
  networkReady: true,
  isReleased: false,
  endDeadlineMs: undefined,
  probes: NO_PROBE_RESULTS,
  postStarts: NO_POST_STARTS,
  volumes: { isStale: false, dueAtMs: undefined },
  resizePending: undefined,
  resizedContainers: new Map(),
  resizeFailure: undefined,
};
