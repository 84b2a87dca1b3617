import type { Pod, ResourceRequirements } from '../api/pod.ts';
import type { Action, ActionKind, ActionOf } from './actions.ts';
import { finishDeletion, releaseResources, removeContainer, removeSandbox } from './end-pod.ts';
import { killContainer } from './kill-container.ts';
import { resizePod } from './resize-pod.ts';
import { refreshVolumes, runPod } from './run-pod.ts';
import type { PodServices } from './services.ts';

/** What came of one action. Nothing to tell: it was done. */
export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'released' }
  | { readonly kind: 'resized'; readonly containers: ReadonlyMap<string, ResourceRequirements> }
  | { readonly kind: 'ending'; readonly reason: string; readonly message: string }
  | { readonly kind: 'ran'; readonly startFailures: ReadonlyMap<string, unknown>; readonly started: readonly string[] };

type Executor<K extends ActionKind> = (
  services: PodServices,
  pod: Pod | undefined,
  action: ActionOf<K>,
  signal: AbortSignal,
) => Promise<Outcome>;

const DONE: Outcome = { kind: 'done' };

const executors: { readonly [K in ActionKind]: Executor<K> } = {
  runPod: async (services, pod, action, signal) => {
    const { failures } = await bounded(services, () => runPod(services, known(pod), action, signal));
    const started = action.starts.map((start) => start.containerName).filter((name) => !failures.has(name));
    return { kind: 'ran', startFailures: failures, started };
  },
  refreshVolumes: async (services, pod, _action, signal) => {
    await refreshVolumes(services, known(pod), signal);
    return DONE;
  },
  resizePod: async (services, pod, action, signal) => ({
    kind: 'resized',
    containers: await resizePod(services, known(pod), action, signal),
  }),
  killContainer: async (services, pod, action, signal) => {
    await killContainer(services, pod, action, signal);
    return DONE;
  },
  removeContainer: async (services, _pod, action) => {
    await removeContainer(services, action.containerId);
    return DONE;
  },
  removeSandbox: async (services, pod, action) => {
    await bounded(services, () => removeSandbox(services, pod, action.sandboxId));
    return DONE;
  },
  failPod: async (_services, _pod, { reason, message }) => ({ kind: 'ending', reason, message }),
  releaseResources: async (services, pod, action) => {
    await releaseResources(services, known(pod), action);
    return { kind: 'released' };
  },
  finishDeletion: async (services, pod) => {
    await finishDeletion(services, known(pod));
    return DONE;
  },
};

/** Does what an action says. Every effect may be repeated. @throws what the step failed with. */
export async function execute<K extends ActionKind>(
  services: PodServices,
  pod: Pod | undefined,
  action: ActionOf<K> & Action,
  signal: AbortSignal,
): Promise<Outcome> {
  const executor = executors[action.kind] as Executor<K>;
  return await executor(services, pod, action, signal);
}

/** A pod that has to wait (for an image, for a network that hangs) does not keep others waiting for longer than this. */
const PATIENCE_MS = 2000;

/** More pods at once than the machine has cores for make a runtime slower, not faster. */
async function bounded<T>(services: PodServices, work: () => Promise<T>): Promise<T> {
  return await services.runtimeWork.use(work, { patienceMs: PATIENCE_MS });
}

/** Only killing and removing are planned for a pod whose object is gone. */
function known(pod: Pod | undefined): Pod {
  if (!pod) throw new Error('this action needs the pod object');
  return pod;
}
