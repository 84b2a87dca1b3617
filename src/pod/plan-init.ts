import type { Container } from '../api/pod.ts';
import { isSidecar } from '../api/pod-resources.ts';
import type { ObservedContainer } from '../runtime/observed.ts';
import { instancesOf, probesOf } from './instances.ts';
import { firstStart, planContainer, planStart, type RunContext, removeFirst, startAgain } from './plan-container.ts';
import type { ContainerStep } from './plan-steps.ts';
import { isObsolete } from './restart-all.ts';

/** What is to be done about init containers and sidecars. */
export interface InitPlan {
  readonly steps: readonly ContainerStep[];
  /** Whether the turn of the app containers has come. */
  readonly isDone: boolean;
}

/**
 * Init containers run one after the other, each to success; sidecars start in their place among them, and the next one
 * follows once they have started. All of this happens in each sandbox anew. Where the pod is in the sequence follows
 * from what was made in the sandbox: whatever stands before the last of it has been passed, and a sidecar that crashes
 * later holds nobody up (`computeInitContainerActions` in pkg/kubelet/kuberuntime). PURE.
 *
 * @param skipped names of containers that cannot be dealt with now.
 */
export function planInitContainers(context: RunContext, skipped: ReadonlySet<string>): InitPlan {
  const { pod } = context;
  const containers = pod.spec.initContainers ?? [];
  const isInitialized = pod.spec.containers.some(({ name }) => instanceInPlace(context, name));
  const reached = containers.findLastIndex(({ name }) => instanceInPlace(context, name));
  const steps: ContainerStep[] = [];
  let isOpen = true;
  for (const [index, container] of containers.entries()) {
    const isPast = isInitialized || index < reached;
    if (!isPast && !isOpen) break;
    if (skipped.has(container.name)) {
      isOpen = isPast;
      continue;
    }
    if (isSidecar(container)) {
      const step = planContainer(context, container);
      steps.push(step);
      // One that is about to be killed has to come back first.
      if (!isPast) isOpen = hasStarted(context, container) && step.actions.length === 0;
    } else if (!isPast) {
      steps.push(planInitContainer(context, container));
      const instance = instanceInPlace(context, container.name);
      isOpen = instance?.state === 'EXITED' && instance.exitCode === 0;
    }
  }
  return { steps, isDone: isInitialized || isOpen };
}

/** The newest instance, if it belongs to the present run of the pod's sequence. */
function instanceInPlace({ observed, sandbox, restartAll }: RunContext, name: string): ObservedContainer | undefined {
  const { latest } = instancesOf(observed, name);
  return latest && latest.sandboxId === sandbox?.id && !isObsolete(restartAll, latest) ? latest : undefined;
}

function hasStarted(context: RunContext, sidecar: Container): boolean {
  const instance = instanceInPlace(context, sidecar.name);
  if (instance?.state !== 'RUNNING' || context.facts.postStarts.has(instance.id)) return false;
  return probesOf(sidecar, instance, context.facts).isStarted;
}

function planInitContainer(context: RunContext, container: Container): ContainerStep {
  if (instanceInPlace(context, container.name)) return planContainer(context, container);
  const { latest } = instancesOf(context.observed, container.name);
  if (!latest) return planStart(context, firstStart(context.pod, container.name));
  if (latest.state !== 'EXITED') return removeFirst(context, latest);
  return startAgain(context, latest, context.restartAll?.delaySeconds);
}
