import type { Container, Probe } from '../api/pod.ts';
import type { ContainerProbes } from './results.ts';

export const PROBE_KINDS = ['startup', 'liveness', 'readiness'] as const;
export type ProbeKind = (typeof PROBE_KINDS)[number];

/** The two ways in which a question that was asked can end. */
export type ProbeAnswer = 'success' | 'failure';

/** What the answers of one probe of one container have come to so far. */
export interface ProbeState {
  /** The answer that last came often enough in a row; undefined before any did. */
  readonly verdict: ProbeAnswer | undefined;
  readonly last: ProbeAnswer | undefined;
  /** How often `last` came in a row. */
  readonly run: number;
}

/** By kind; a kind that the container has no probe of is absent. */
export type ProbeStates = Readonly<Partial<Record<ProbeKind, ProbeState>>>;

const UNDECIDED: ProbeState = { verdict: undefined, last: undefined, run: 0 };

/** What an earlier life of the daemon has stored of the very same container. */
export interface KnownStatus {
  readonly started?: boolean | undefined;
  readonly ready: boolean;
}

export function probeOf(container: Container, kind: ProbeKind): Probe | undefined {
  return container[`${kind}Probe`];
}

/**
 * Where a container's probes begin: nothing is decided, which counts as alive, not started and not ready. What was
 * known of the container before a restart of the daemon stays so until its probes say otherwise. PURE.
 */
export function initialStates(container: Container, known: KnownStatus | undefined): ProbeStates {
  const decided = (isSuccess: boolean | undefined): ProbeState =>
    isSuccess ? { ...UNDECIDED, verdict: 'success' } : UNDECIDED;
  return {
    ...(container.startupProbe && { startup: decided(known?.started) }),
    ...(container.livenessProbe && { liveness: UNDECIDED }),
    ...(container.readinessProbe && { readiness: decided(known?.ready) }),
  };
}

/**
 * Answers count when enough of the same came in a row; until then the verdict stays what it was
 * (`doProbe` in pkg/kubelet/prober/worker.go). PURE.
 */
export function afterAnswer(state: ProbeState, probe: Probe, answer: ProbeAnswer): ProbeState {
  const run = state.last === answer ? state.run + 1 : 1;
  const threshold = (answer === 'success' ? probe.successThreshold : probe.failureThreshold) ?? 1;
  return { verdict: run >= threshold ? answer : state.verdict, last: answer, run };
}

/**
 * Whether this probe is to ask now. The startup probe holds back the others until it has succeeded and is then done;
 * after a failure of the startup or liveness probe the container is about to be killed and is not asked any more. PURE.
 */
export function isAsking(kind: ProbeKind, states: ProbeStates): boolean {
  const state = states[kind];
  if (!state) return false;
  switch (kind) {
    case 'startup':
      return state.verdict === undefined;
    case 'liveness':
      return hasStarted(states) && state.verdict !== 'failure';
    case 'readiness':
      return hasStarted(states);
  }
}

function hasStarted(states: ProbeStates): boolean {
  return states.startup === undefined || states.startup.verdict === 'success';
}

/**
 * What the probes of a running container say together. PURE.
 *
 * @param isRestarted whether the container is started again after it was killed.
 */
export function containerProbes(container: Container, states: ProbeStates, isRestarted: boolean): ContainerProbes {
  const isStarted = hasStarted(states);
  const failed = (['liveness', 'startup'] as const).find((kind) => states[kind]?.verdict === 'failure');
  return {
    isStarted,
    isReady: isStarted && (states.readiness === undefined || states.readiness.verdict === 'success'),
    failure: failed && {
      message: `Container ${container.name} failed ${failed} probe${isRestarted ? ', will be restarted' : ''}`,
      graceSeconds: probeOf(container, failed)?.terminationGracePeriodSeconds,
    },
  };
}

/**
 * How long to wait before a probe's first question: its initial delay counts from the second in which the container
 * started. A clock that was set since then cannot make it longer. PURE.
 *
 * @param now milliseconds since the epoch.
 */
export function initialDelayMs(probe: Probe, startedAtNanos: bigint, now: number): number {
  const delayMs = (probe.initialDelaySeconds ?? 0) * 1000;
  const startedAtMs = Number(startedAtNanos / 1_000_000_000n) * 1000;
  return Math.min(Math.max(startedAtMs + delayMs - now, 0), delayMs);
}

/**
 * When to ask again, on a monotonic clock: a period after the question before was due. One that took longer than its
 * period is followed at once; those that were missed meanwhile are not made up for. PURE.
 */
export function nextDueMs(dueMs: number, periodMs: number, nowMs: number): number {
  return Math.max(dueMs + periodMs, nowMs);
}
