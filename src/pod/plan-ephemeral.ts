import type { EphemeralContainer } from '../api/pod.ts';
import { containerHash } from '../runtime/labels.ts';
import { storedEnd } from './completion.ts';
import { targetProblem } from './ephemeral-target.ts';
import { instancesOf } from './instances.ts';
import { firstStart, planStart, type RunContext, removeFirst } from './plan-container.ts';
import { type ContainerStep, NOTHING } from './plan-steps.ts';

/**
 * Ephemeral containers are started once, whatever becomes of them, and wait for no other container but the one whose
 * processes they are to see. They come into a pod that is there: none is worth a sandbox of its own. PURE.
 *
 * @param skipped names of containers that cannot be dealt with now.
 */
export function planEphemeralContainers(context: RunContext, skipped: ReadonlySet<string>): ContainerStep[] {
  const containers = context.pod.spec.ephemeralContainers ?? [];
  if (!context.sandbox) return [];
  return containers
    .filter(({ name }) => !skipped.has(name))
    .map((container) => planEphemeralContainer(context, container));
}

function planEphemeralContainer(context: RunContext, container: EphemeralContainer): ContainerStep {
  const { pod, observed, sandbox } = context;
  const { latest } = instancesOf(observed, container.name);
  const isSameDefinition = latest?.hash === containerHash(container);
  if (latest?.state === 'CREATED' && isSameDefinition && latest.sandboxId === sandbox?.id) {
    const { restartCount, restartDelaySeconds } = latest;
    return planStart(context, {
      containerName: container.name,
      createdId: latest.id,
      restartCount,
      restartDelaySeconds,
    });
  }
  // One of the same name was taken out of the pod before: what is left of it is not this one.
  const isInTheWay = latest?.state === 'CREATED' || (latest?.state === 'EXITED' && !isSameDefinition);
  if (latest) return isInTheWay ? removeFirst(context, latest) : NOTHING;
  if (storedEnd(pod, container.name) !== undefined) return NOTHING;
  if (targetProblem(container, observed)) return NOTHING;
  return planStart(context, firstStart(pod, container.name));
}
