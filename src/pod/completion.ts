import type { Pod } from '../api/pod.ts';
import type { ObservedPod } from '../runtime/observed.ts';
import { roleOf, storedStatus } from './containers.ts';
import { instancesOf } from './instances.ts';
import { decideRestart, restartOf } from './restart.ts';
import { isObsolete, restartAllOf } from './restart-all.ts';

/** Exit code of a container that was running and of which the runtime knows nothing any more (pkg/kubelet/kubelet_pods.go). */
export const VANISHED_EXIT_CODE = 137;

/** The exit code of a container that the status knows to have run and the runtime lost: it counts as one that failed. PURE. */
export function storedEnd(pod: Pod, name: string): number | undefined {
  const status = storedStatus(pod, name);
  if (!status?.state?.running && !status?.state?.terminated && !status?.lastState?.terminated) return undefined;
  return status.state?.terminated?.exitCode ?? VANISHED_EXIT_CODE;
}

/**
 * Whether nothing of the pod is ever started again: its app containers have ended for good, or an init container failed
 * and is not tried again. Sidecars may still run; they end then. PURE.
 */
export function isComplete(pod: Pod, observed: ObservedPod, maxRestartDelaySeconds: number): boolean {
  const restartAll = restartAllOf(pod, observed, maxRestartDelaySeconds);
  const hasEnded = (name: string): boolean => {
    const container = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find((item) => item.name === name);
    if (!container) return false;
    const { latest } = instancesOf(observed, name);
    if (!latest) {
      const exitCode = storedEnd(pod, name);
      return exitCode !== undefined && decideRestart(pod, container, exitCode) === 'stay';
    }
    if (latest.state !== 'EXITED' || isObsolete(restartAll, latest)) return false;
    return restartOf(pod, container, latest, maxRestartDelaySeconds) === undefined;
  };
  const hasFailedInit = (pod.spec.initContainers ?? []).some((container) => {
    const { latest } = instancesOf(observed, container.name);
    return roleOf(pod, container) === 'init' && latest && latest.exitCode !== 0 && hasEnded(container.name);
  });
  return hasFailedInit || pod.spec.containers.every(({ name }) => hasEnded(name));
}
