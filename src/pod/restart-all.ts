import type { Pod } from '../api/pod.ts';
import type { ObservedContainer, ObservedPod } from '../runtime/observed.ts';
import { containersOf, findContainer } from './containers.ts';
import { instancesOf } from './instances.ts';
import { decideRestart, restartOf } from './restart.ts';

/** Why a container waits that is started anew with all others. */
export const RESTARTING_ALL = 'RestartingAllContainers';

/** A pod all of whose containers are started anew because one ended with an exit code that asks for it. */
export interface RestartAll {
  /** The container whose end asked for it. */
  readonly sourceName: string;
  /** What was made before this moment has to go. Nanoseconds since the epoch. */
  readonly endedAtNanos: bigint;
  /** How long the new start is held back, so that a pod that asks for it over and over does not spin. */
  readonly delaySeconds: number | undefined;
  /** Milliseconds since the epoch. */
  readonly dueAtMs: number;
}

/**
 * The restart of all containers that is under way, or undefined. It follows from the dead container that asked for it,
 * which stays until each container has a newer instance: sandbox, address and volumes are kept, and so are the logs
 * (`RestartAllContainers` of pkg/kubelet/kuberuntime). PURE.
 */
export function restartAllOf(pod: Pod, observed: ObservedPod, nodeMaxSeconds: number): RestartAll | undefined {
  // Most pods have no such rule.
  if (!containersOf(pod).some((container) => container.restartPolicyRules?.length)) return undefined;
  let source: RestartAll | undefined;
  for (const ended of observed.containers) {
    if (ended.state !== 'EXITED' || ended.startedAtNanos === 0n) continue;
    const container = findContainer(pod, ended.containerName);
    if (!container || decideRestart(pod, container, ended.exitCode) !== 'restartAll') continue;
    const endedAtNanos = ended.endedAtNanos ?? ended.finishedAtNanos;
    if (source && source.endedAtNanos >= endedAtNanos) continue;
    const restart = restartOf(pod, container, ended, nodeMaxSeconds);
    source = {
      sourceName: container.name,
      endedAtNanos,
      delaySeconds: restart?.delaySeconds,
      dueAtMs: restart?.dueAtMs ?? 0,
    };
  }
  if (!source) return undefined;
  const isUnderWay = containersOf(pod).some(({ name }) => isObsolete(source, instancesOf(observed, name).latest));
  return isUnderWay ? source : undefined;
}

/** Whether an instance is from before the end that restarts all containers. PURE. */
export function isObsolete(restartAll: RestartAll | undefined, instance: ObservedContainer | undefined): boolean {
  return Boolean(restartAll && instance && instance.createdAtNanos < restartAll.endedAtNanos);
}
