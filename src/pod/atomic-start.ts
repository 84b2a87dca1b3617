import type { Pod } from '../api/pod.ts';
import type { PostStartStates } from '../hooks/hook-runner.ts';
import type { ObservedPod } from '../runtime/observed.ts';
import { instancesOf } from './instances.ts';
import { ATOMIC_START_FAILED } from './phase.ts';
import { restartOf } from './restart.ts';

/** `"true"` makes the pod fail as a whole when one of its containers does not start. */
export const ATOMIC_START_ANNOTATION = 'mini-kubelet.io/atomic-start';
/** How long the containers may take to be up all together, in seconds from the pod's startTime. */
export const ATOMIC_START_GRACE_ANNOTATION = 'mini-kubelet.io/atomic-start-grace-seconds';
/** Condition that tells that the start succeeded once: later failures are ordinary restarts. */
export const ATOMIC_START_CONDITION = 'mini-kubelet.io/AtomicStart';
const DEFAULT_GRACE_SECONDS = 60;

export type AtomicStart =
  | { readonly kind: 'none' }
  | { readonly kind: 'done' }
  | { readonly kind: 'waiting'; readonly deadlineMs: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string };

/** How far the common start of a pod's containers got. PURE. */
export function atomicStart(pod: Pod, observed: ObservedPod, postStarts: PostStartStates, now: number): AtomicStart {
  if (pod.metadata.annotations?.[ATOMIC_START_ANNOTATION] !== 'true') return { kind: 'none' };
  // What its containers do while they are stopped changes nothing.
  const { reason, message = '' } = pod.status ?? {};
  if (reason === ATOMIC_START_FAILED) return { kind: 'failed', reason, message };
  const isDone = pod.status?.conditions?.some((item) => item.type === ATOMIC_START_CONDITION && item.status === 'True');
  if (isDone) return { kind: 'done' };
  const missing = pod.spec.containers.filter((container) => !hasStarted(observed, postStarts, container.name));
  if (missing.length === 0) return { kind: 'done' };

  const init = (pod.spec.initContainers ?? []).filter((container) => !hasStarted(observed, postStarts, container.name));
  const hopeless = [...init, ...missing].find((container) => {
    const { latest } = instancesOf(observed, container.name);
    return latest?.state === 'EXITED' && !restartOf(pod, container, latest, 0);
  });
  const graceSeconds = atomicStartGraceSeconds(pod);
  const deadlineMs = Date.parse(pod.status?.startTime ?? new Date(now).toISOString()) + graceSeconds * 1000;
  if (!hopeless && now < deadlineMs) return { kind: 'waiting', deadlineMs };
  const names = missing.map((container) => container.name).join(' ');
  return {
    kind: 'failed',
    reason: ATOMIC_START_FAILED,
    message: hopeless
      ? `container ${hopeless.name} failed and is not restarted, so the pod could not start as a whole`
      : `containers did not start within ${graceSeconds} s: [${names}]`,
  };
}

/** The postStart hook belongs to the start: a container whose hook runs, or has failed, has not started. */
function hasStarted(observed: ObservedPod, postStarts: PostStartStates, name: string): boolean {
  const { latest } = instancesOf(observed, name);
  if (!latest || postStarts.has(latest.id)) return false;
  return latest.state === 'RUNNING' || (latest.state === 'EXITED' && latest.exitCode === 0);
}

function atomicStartGraceSeconds(pod: Pod): number {
  const text = pod.metadata.annotations?.[ATOMIC_START_GRACE_ANNOTATION] ?? '';
  return /^[1-9]\d{0,5}$/.test(text) ? Number(text) : DEFAULT_GRACE_SECONDS;
}
