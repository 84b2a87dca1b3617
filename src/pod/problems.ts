import { ImageError } from '../images/image-error.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';
import { ContainerMountError } from '../volumes/container-mounts.ts';
import { EnvironmentError } from './environment.ts';
import type { Problem, StartProblem } from './facts.ts';
import { POST_START_HOOK_ERROR } from './plan-steps.ts';

/** A step that failed, with the reason that a pod's or container's status shows. */
export class StepError extends Error {
  readonly reason: string;

  constructor(reason: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StepError';
    this.reason = reason;
  }
}

/** The runtime answered that it cannot start a container. */
export class StartRefusedError extends StepError {
  readonly containerId: string;

  constructor(containerId: string, message: string, cause: unknown) {
    super('RunContainerError', message, cause);
    this.containerId = containerId;
  }
}

/** How long until a container that could not be made or started is tried again. */
const CONTAINER_RETRY_MS = 10_000;

/** First and longest delay until the pod as a whole is tried again: half a minute after the cause is gone, all is well. */
const POD_RETRY_MIN_MS = 1000;
const POD_RETRY_MAX_MS = 20_000;

/** `failures` counts those in a row, this one included. PURE. */
export function podProblem(error: unknown, fallbackReason: string, failures: number, now: number): Problem {
  const delayMs = Math.min(POD_RETRY_MIN_MS * 2 ** (failures - 1), POD_RETRY_MAX_MS);
  const reason = error instanceof StepError ? error.reason : fallbackReason;
  return { reason, message: messageOf(error), retryAtMs: now + delayMs };
}

/** PURE. */
export function containerProblem(error: unknown, fallbackReason: string, now: number): StartProblem {
  if (error instanceof ImageError) {
    return { reason: error.reason, message: error.message, retryAtMs: now + error.retryAfterMs };
  }
  const reason =
    error instanceof StepError || error instanceof ContainerMountError
      ? error.reason
      : error instanceof EnvironmentError
        ? 'CreateContainerConfigError'
        : fallbackReason;
  return {
    reason,
    message: messageOf(error),
    // The container ran: its next start waits for the back-off, and for nothing else.
    retryAtMs: reason === POST_START_HOOK_ERROR ? now : now + CONTAINER_RETRY_MS,
    ...(error instanceof StartRefusedError ? { refusedId: error.containerId } : {}),
  };
}

export function messageOf(error: unknown): string {
  if (error instanceof RuntimeError) return error.details || error.message;
  return error instanceof Error ? error.message : String(error);
}

/** True for a failure that says nothing about the pod: the daemon gave the step up, or the runtime cannot be reached. */
export function isInterruption(error: unknown, signal: AbortSignal): boolean {
  const cause = error instanceof StepError ? error.cause : error;
  return signal.aborted || (cause instanceof RuntimeError && cause.isUnavailable);
}
