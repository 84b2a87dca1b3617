import type { Container, Pod } from '../api/pod.ts';
import { untilAborted } from '../util/until-aborted.ts';
import { fieldPath } from './containers.ts';
import { graceSecondsLeft } from './grace-period.ts';
import { hookTarget, httpFallbackMessage, killContainer } from './kill-container.ts';
import { FAILED_POST_START_HOOK, POST_START_HOOK_ERROR } from './plan-steps.ts';
import { StepError } from './problems.ts';
import type { PodServices } from './services.ts';

/**
 * Runs the postStart hook of a container that was just started, and waits for its end, however long it takes. When it
 * fails the container is killed within the pod's grace period (`startContainer` in pkg/kubelet/kuberuntime). When the
 * step is given up the hook goes on; `plan` sees to a container whose hook fails then.
 *
 * @throws StepError with the reason that the container's status shows.
 */
export async function runPostStart(
  services: PodServices,
  pod: Pod,
  container: Container,
  containerId: string,
  signal: AbortSignal,
): Promise<void> {
  const { cache, clock, hooks, recorder } = services;
  const postStart = container.lifecycle?.postStart;
  const started = cache.getContainer(containerId);
  if (!postStart || started?.state !== 'RUNNING') return;
  const report = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    recorder.event(pod, type, reason, message, fieldPath(pod, container.name));
  const outcome = await untilAborted(
    hooks.run('postStart', started.pod.uid, postStart, hookTarget(services, started), {
      onFailure: (message) => report('Warning', FAILED_POST_START_HOOK, `PostStartHook failed: ${message}`),
      onHttpFallback: (host) => report('Warning', 'LifecycleHTTPFallback', httpFallbackMessage(host)),
    }),
    signal,
  );
  if (outcome.kind !== 'failed') return;
  const graceSeconds = graceSecondsLeft(pod, clock.now());
  const { containerName } = started;
  const kill = {
    kind: 'killContainer',
    containerId,
    containerName,
    graceSeconds,
    message: FAILED_POST_START_HOOK,
  } as const;
  await killContainer(services, pod, kill, signal);
  throw new StepError(POST_START_HOOK_ERROR, outcome.message);
}
