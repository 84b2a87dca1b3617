import type { EphemeralContainer } from '../api/pod.ts';
import type { ObservedContainer, ObservedPod } from '../runtime/observed.ts';
import type { Problem } from './facts.ts';
import { instancesOf } from './instances.ts';

/** Of other containers, which have no target. */
type Targeting = Pick<EphemeralContainer, 'name' | 'targetContainerName'>;

/** The running instance of the container that an ephemeral container looks into. PURE. */
export function runningTarget(
  { targetContainerName }: Targeting,
  observed: ObservedPod,
): ObservedContainer | undefined {
  if (!targetContainerName) return undefined;
  const { latest } = instancesOf(observed, targetContainerName);
  return latest?.state === 'RUNNING' ? latest : undefined;
}

/** Why an ephemeral container cannot be started yet: what it is to look into does not run. PURE. */
export function targetProblem(container: Targeting, observed: ObservedPod): Problem | undefined {
  if (!container.targetContainerName || runningTarget(container, observed)) return undefined;
  // The target's start wakes the worker: no time needs to be set for it.
  return { reason: 'CreateContainerConfigError', message: targetMessage(container), retryAtMs: 0 };
}

export function targetMessage({ targetContainerName }: Targeting): string {
  return `target container ${JSON.stringify(targetContainerName)} is not running`;
}
