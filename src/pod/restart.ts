import type { Container, Pod } from '../api/pod.ts';
import { containerHash } from '../runtime/labels.ts';
import type { ObservedContainer } from '../runtime/observed.ts';
import { roleOf } from './containers.ts';
import { isRestartedToResize } from './resize.ts';

/** Delays between a container's end and its next start (pkg/kubelet/kubelet.go): 0, 10 s, 20 s, ... */
export const INITIAL_RESTART_DELAY_SECONDS = 10;
/** A container that ran for longer than this begins again with no delay. */
export const RESTART_DELAY_RESET_SECONDS = 600;
/** The longest delay for the containers of one pod, in seconds, 1 to 300, instead of the node's. */
export const CRASH_LOOP_MAX_ANNOTATION = 'mini-kubelet.io/crash-loop-max-seconds';

const NANOS_PER_MS = 1_000_000n;

/** What a container's end leads to: nothing, its own next start, or that of all containers of the pod. */
export type EndDecision = 'stay' | 'restart' | 'restartAll';

/**
 * By the rules for exit codes, then by the container's own policy, then by the pod's (`ContainerShouldRestart` in
 * pkg/kubelet/container/helpers.go and pkg/api/v1/pod). An init container that succeeded has done its work, and an
 * ephemeral one is started only once. PURE.
 */
export function decideRestart(pod: Pod, container: Container, exitCode: number): EndDecision {
  const role = roleOf(pod, container);
  if (role === 'ephemeral' || (role === 'init' && exitCode === 0)) return 'stay';
  const rule = container.restartPolicyRules?.find(({ exitCodes }) => {
    if (!exitCodes) return false;
    const isListed = exitCodes.values?.includes(exitCode) ?? false;
    return exitCodes.operator === 'NotIn' ? !isListed : isListed;
  });
  if (rule) return rule.action === 'RestartAllContainers' ? 'restartAll' : 'restart';
  switch (container.restartPolicy ?? pod.spec.restartPolicy) {
    case 'Never':
      return 'stay';
    case 'OnFailure':
      return exitCode === 0 ? 'stay' : 'restart';
    default:
      return 'restart';
  }
}

/** The longest delay before a restart, in seconds: the pod's own where it has one, else the node's. PURE. */
export function maxRestartDelaySeconds(pod: Pod, nodeMaxSeconds: number): number {
  return Number(pod.metadata.annotations?.[CRASH_LOOP_MAX_ANNOTATION] ?? nodeMaxSeconds);
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
 *
 * @param nodeMaxSeconds upper bound of the delay where the pod has none of its own.
 */
export function restartOf(
  pod: Pod,
  container: Container,
  ended: ObservedContainer,
  nodeMaxSeconds: number,
): Restart | undefined {
  if (roleOf(pod, container) === 'init' && ended.exitCode === 0) return undefined;
  const endedAtMs = nanosToMs(ended.endedAtNanos ?? ended.finishedAtNanos);
  const isObsolete = ended.hash !== containerHash(container) || isRestartedToResize(pod, container, ended);
  if (isObsolete) return { delaySeconds: undefined, dueAtMs: endedAtMs };
  if (decideRestart(pod, container, ended.exitCode) === 'stay') return undefined;
  const delaySeconds = nextRestartDelaySeconds(ended, maxRestartDelaySeconds(pod, nodeMaxSeconds));
  return { delaySeconds, dueAtMs: endedAtMs + delaySeconds * 1000 };
}

export function nanosToMs(nanos: bigint): number {
  return Number(nanos / NANOS_PER_MS);
}
