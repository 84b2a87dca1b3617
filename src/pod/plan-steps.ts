import type { ObservedContainer } from '../runtime/observed.ts';
import type { Action, ContainerStart, Plan } from './actions.ts';

/** What is to be done about one container: at most one start, which is gathered with those of others. */
export interface ContainerStep {
  readonly actions: readonly Action[];
  readonly start?: ContainerStart;
  /** When something is to be done about it though nothing happens before. Milliseconds since the epoch. */
  readonly wakeAtMs?: number;
}

/** Why a container waits whose postStart hook failed. */
export const POST_START_HOOK_ERROR = 'PostStartHookError';
/** What the Killing event of a container says whose postStart hook failed, as a kubelet's. */
export const FAILED_POST_START_HOOK = 'FailedPostStartHook';

export const NOTHING: ContainerStep = { actions: [] };

export function kill(container: ObservedContainer, graceSeconds: number, message: string): Action {
  return {
    kind: 'killContainer',
    containerId: container.id,
    containerName: container.containerName,
    graceSeconds,
    message,
  };
}

export function act(actions: readonly Action[]): Plan {
  return { actions, wakeAtMs: undefined };
}

export function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
