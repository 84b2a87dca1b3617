import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../api/pod.ts';
import { signalNumber } from '../api/stop-signal.ts';
import type { HookTarget } from '../hooks/run-handler.ts';
import type { ObservedContainer } from '../runtime/observed.ts';
import type { ActionOf } from './actions.ts';
import { fieldPath } from './containers.ts';
import { MIN_GRACE_SECONDS } from './grace-period.ts';
import { messageOf, StepError } from './problems.ts';
import type { PodServices } from './services.ts';

/** When what is done for the end of one container has to be over. */
interface Deadline {
  readonly monotonicMs: number;
  readonly signal: AbortSignal;
}

/**
 * Ends a container. Its grace period is one clock for all of it (`killContainer` in pkg/kubelet/kuberuntime):
 *
 * 1. an event tells why;
 * 2. its preStop hook, if the container still runs;
 * 3. its turn: a sidecar waits for the containers that it serves;
 * 4. the stop signal, and SIGKILL when the grace period is over. Even when nothing is left of it, a process has 2 s.
 *
 * A step that is given up and taken up again with a shorter grace period waits for the same hook.
 *
 * @throws StepError when the runtime cannot stop it.
 */
export async function killContainer(
  services: PodServices,
  pod: Pod | undefined,
  action: ActionOf<'killContainer'>,
  signal: AbortSignal,
): Promise<void> {
  const { client, cache, clock, recorder } = services;
  const deadline: Deadline = { monotonicMs: clock.monotonicMs() + action.graceSeconds * 1000, signal };
  const container = cache.getContainer(action.containerId);
  if (pod) {
    const message =
      action.message === 'Stopping container' ? `Stopping container ${action.containerName}` : action.message;
    recorder.event(pod, 'Normal', 'Killing', message, fieldPath(pod, action.containerName));
  }
  if (container?.preStop && container.state === 'RUNNING' && action.graceSeconds > 0) {
    await runPreStop(services, pod, container, deadline);
  }
  const ends = (action.after ?? []).map((id) => cache.whenEnded(id, signal));
  await untilDeadline(services, deadline, Promise.all(ends));
  const seconds = Math.max(Math.ceil(msLeft(services, deadline) / 1000), MIN_GRACE_SECONDS);
  try {
    await client.stopContainer(action.containerId, seconds, { signal, stopSignal: ownStopSignal(container) });
  } catch (error) {
    throw new StepError('FailedKillPod', `error killing container ${action.containerName}: ${messageOf(error)}`, error);
  }
  await cache.refreshContainer(action.containerId);
}

/** A hook that fails changes nothing about the container's end. */
async function runPreStop(
  services: PodServices,
  pod: Pod | undefined,
  container: ObservedContainer,
  deadline: Deadline,
): Promise<void> {
  const { hooks, logger, recorder } = services;
  const { preStop, containerName } = container;
  if (!preStop) return;
  const report = (type: 'Normal' | 'Warning', reason: string, message: string) => {
    if (pod) recorder.event(pod, type, reason, message, fieldPath(pod, containerName));
    else logger.warn({ podUid: container.pod.uid, container: containerName, reason }, message);
  };
  const done = hooks.run('preStop', container.pod.uid, preStop, hookTarget(services, container), {
    onFailure: (message) => report('Warning', 'FailedPreStopHook', `PreStopHook failed: ${message}`),
    onHttpFallback: (host) => report('Warning', 'LifecycleHTTPFallback', httpFallbackMessage(host)),
  });
  const isDone = await untilDeadline(services, deadline, done);
  if (!isDone) report('Warning', 'FailedPreStopHook', 'PreStopHook did not end within the grace period');
}

/** As a kubelet words it (pkg/kubelet/lifecycle/handlers.go). */
export function httpFallbackMessage(host: string): string {
  return `request to HTTPS lifecycle hook ${host} got HTTP response, retry with HTTP succeeded`;
}

/** Where the hooks of a container act, as it was made. */
export function hookTarget(services: PodServices, container: ObservedContainer): HookTarget {
  const { sandboxes } = services.cache.get(container.pod.uid);
  const sandbox = sandboxes.find((item) => item.id === container.sandboxId);
  const podIP = sandbox?.hostNetwork ? services.settings.hostIPs()[0] : sandbox?.ips[0];
  return { containerId: container.id, containerName: container.containerName, podIP, ports: container.ports ?? [] };
}

/** The manifest's signal, where the runtime does not know of it: then the daemon has it sent. */
function ownStopSignal(container: ObservedContainer | undefined): number | undefined {
  const wanted = container?.stopSignal;
  if (!wanted || container.runtimeStopSignal === wanted) return undefined;
  return signalNumber(wanted);
}

function msLeft({ clock }: PodServices, { monotonicMs }: Deadline): number {
  return Math.max(monotonicMs - clock.monotonicMs(), 0);
}

/** Returns whether `work` was done in time. @throws the signal's reason when the step is given up. */
async function untilDeadline(services: PodServices, deadline: Deadline, work: Promise<unknown>): Promise<boolean> {
  const { signal } = deadline;
  signal.throwIfAborted();
  const over = new AbortController();
  const givenUp = AbortSignal.any([signal, over.signal]);
  const time = delay(Math.min(msLeft(services, deadline), MAX_TIMER_MS), 'late', { signal: givenUp }).catch(
    () => 'late',
  );
  const first = await Promise.race([work, time]);
  over.abort();
  signal.throwIfAborted();
  return first !== 'late';
}

const MAX_TIMER_MS = 2 ** 31 - 1;
