import type { Container, Pod } from '../api/pod.ts';
import { containerHash } from '../runtime/labels.ts';
import type { ObservedContainer } from '../runtime/observed.ts';

/** Delays between a container's end and its next start (pkg/kubelet/kubelet.go): 0, 10 s, 20 s, ... */
export const INITIAL_RESTART_DELAY_SECONDS = 10;
/** A container that ran for longer than this begins again with no delay. */
export const RESTART_DELAY_RESET_SECONDS = 600;

const NANOS_PER_MS = 1_000_000n;

/** Whether a container that ended is started again (`ShouldContainerBeRestarted` in pkg/kubelet/container/helpers.go). */
export function shouldRestart(restartPolicy: Pod['spec']['restartPolicy'], exitCode: number): boolean {
  switch (restartPolicy) {
    case 'Never':
      return false;
    case 'OnFailure':
      return exitCode !== 0;
    default:
      return true;
  }
}

/**
 * How long the next start of an ended container is held back, in seconds. It follows from the delay that was noted on
 * that container and from how long it ran, so that it is the same after a restart of the daemon.
 */
export function nextRestartDelaySeconds(ended: ObservedContainer, maxDelaySeconds: number): number {
  const ranNanos = ended.startedAtNanos > 0n ? ended.finishedAtNanos - ended.startedAtNanos : 0n;
  const previous = ended.restartDelaySeconds;
  if (previous === undefined || ranNanos > BigInt(RESTART_DELAY_RESET_SECONDS) * 1000n * NANOS_PER_MS) return 0;
  return Math.min(Math.max(previous * 2, INITIAL_RESTART_DELAY_SECONDS), maxDelaySeconds);
}

/** The next start of a container that ended. */
export interface Restart {
  /** How long it is held back; undefined for the first start of a definition, which begins the count of delays anew. */
  readonly delaySeconds: number | undefined;
  /** Milliseconds since the epoch. */
  readonly dueAtMs: number;
}

/**
 * Whether and when an ended container is started again. One whose definition has changed since is, at once and whatever
 * the policy (`computePodActions` in pkg/kubelet/kuberuntime; a kubelet's back-off is kept by the definition's hash).
 */
export function restartOf(
  pod: Pod,
  container: Container,
  ended: ObservedContainer,
  maxDelaySeconds: number,
): Restart | undefined {
  const endedAtMs = nanosToMs(ended.finishedAtNanos);
  if (ended.hash !== containerHash(container)) return { delaySeconds: undefined, dueAtMs: endedAtMs };
  if (!shouldRestart(pod.spec.restartPolicy, ended.exitCode)) return undefined;
  const delaySeconds = nextRestartDelaySeconds(ended, maxDelaySeconds);
  return { delaySeconds, dueAtMs: endedAtMs + delaySeconds * 1000 };
}

export function nanosToMs(nanos: bigint): number {
  return Number(nanos / NANOS_PER_MS);
}
