import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from '../api/pod.ts';
import type { PodSandboxConfig } from '../runtime/generated/runtime/v1/PodSandboxConfig.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';
import type { ActionOf } from './actions.ts';
import { messageOf, StepError } from './problems.ts';
import { runtimeHandlerOf } from './runtime-handler.ts';
import type { PodServices } from './services.ts';

/** How long a sandbox may still take when it is not wanted any more: most are made sooner than they are taken back. */
const NOT_WANTED_PATIENCE_MS = 10_000;

/**
 * How long a sandbox keeps others from being begun. On a machine where each takes seconds, all of them at once would
 * take longer than the runtime is given for one: each would be cut off and begun anew, and none ever come to its end.
 */
const TURN_MS = 30_000;

/** containerd gives itself a minute to take back what it made of a sandbox. */
const TAKE_BACK_PATIENCE_MS = 75_000;
/** No event tells of its end. */
const TAKE_BACK_POLL_MS = 250;

/**
 * Makes the pod's sandbox, after the former one has been stopped. When this fails, the runtime works at it no longer
 * (unless it takes longer than any should, which is logged): what is left of it, if anything, is in the cache.
 *
 * @returns the sandbox's id.
 * @throws StepError, RuntimeError
 */
export async function runSandbox(
  services: PodServices,
  pod: Pod,
  config: PodSandboxConfig,
  action: ActionOf<'runPod'>,
  signal: AbortSignal,
): Promise<string> {
  const { client, cache, store } = services;
  const handler = runtimeHandlerOf(store, pod);
  if (handler === undefined) {
    const message = `RuntimeClass ${JSON.stringify(pod.spec.runtimeClassName)} not found`;
    throw new StepError('FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
  }
  // The old one's address and host ports must be free before the new one asks for them.
  await Promise.all(action.stopFirst.map((id) => client.stopPodSandbox(id, { signal })));
  signal.throwIfAborted();
  const make = async () => {
    try {
      const sandboxId = await client.runPodSandbox(config, handler, { signal: later(signal, NOT_WANTED_PATIENCE_MS) });
      await cache.refreshSandbox(sandboxId);
      return sandboxId;
    } catch (error) {
      if (error instanceof RuntimeError && error.isOutcomeUnknown) await untilTakenBack(services, config);
      // A half-made sandbox may be left behind; it has to be seen to be removed.
      await cache.relist();
      throw new StepError('FailedCreatePodSandBox', `Failed to create pod sandbox: ${messageOf(error)}`, error);
    }
  };
  // What makes one hang is most often its network: without one it is not held up by those that do.
  if (pod.spec.hostNetwork) return await make();
  return await services.sandboxes.use(make, { patienceMs: TURN_MS, signal });
}

/**
 * Resolves when the runtime has ended its work at a sandbox whose call was cut off. It takes back what it made, or
 * completes it, when nobody waits for an answer any more and no list shows it: the pod's object must not be gone by then.
 */
async function untilTakenBack({ client, cache, logger }: PodServices, config: PodSandboxConfig): Promise<void> {
  const { uid = '', attempt } = config.metadata ?? {};
  const deadline = performance.now() + TAKE_BACK_PATIENCE_MS;
  while (await client.isSandboxReserved(config)) {
    await cache.relist();
    if (cache.get(uid).sandboxes.some((sandbox) => sandbox.attempt === attempt)) return;
    if (performance.now() > deadline) {
      logger.warn({ podUid: uid }, 'the runtime does not end its work at a sandbox that was cut off');
      return;
    }
    await sleep(TAKE_BACK_POLL_MS);
  }
}

/** Aborts so much later than `signal`. */
function later(signal: AbortSignal, delayMs: number): AbortSignal {
  const late = new AbortController();
  const begin = () => AbortSignal.timeout(delayMs).addEventListener('abort', () => late.abort(), { once: true });
  signal.addEventListener('abort', begin, { once: true });
  return late.signal;
}
