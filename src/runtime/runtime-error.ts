import { status as GrpcStatus, type ServiceError } from '@grpc/grpc-js';

/** gRPC's status names, as CRI uses them. */
export type RuntimeErrorCode = keyof typeof GrpcStatus;

/** What the container runtime answered instead of a result. The only error type that leaves `runtime/`. */
export class RuntimeError extends Error {
  readonly method: string;
  readonly code: RuntimeErrorCode;
  /** The runtime's own words, without gRPC's number in front. */
  readonly details: string;

  constructor(method: string, code: RuntimeErrorCode, details: string, cause?: unknown) {
    super(`${method}: ${details || code}`, { cause });
    this.name = 'RuntimeError';
    this.method = method;
    this.code = code;
    this.details = details;
  }

  /** True when the runtime cannot be reached, so that the call says nothing about the pod. */
  get isUnavailable(): boolean {
    return this.code === 'UNAVAILABLE';
  }

  /** True when the effect of the call is unknown: list again before repeating it. */
  get isOutcomeUnknown(): boolean {
    return this.code === 'DEADLINE_EXCEEDED' || this.code === 'CANCELLED' || this.code === 'UNAVAILABLE';
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof RuntimeError && error.code === 'NOT_FOUND';
}

/** The object is in a state in which this cannot be done to it. */
export function isFailedPrecondition(error: unknown): boolean {
  return error instanceof RuntimeError && error.code === 'FAILED_PRECONDITION';
}

/** Another runtime, or another version of it, than one that has this call. */
export function isUnimplemented(error: unknown): boolean {
  return error instanceof RuntimeError && error.code === 'UNIMPLEMENTED';
}

/**
 * Turns a gRPC failure of `method` into a RuntimeError.
 *
 * @param isLate whether the deadline was reached. The runtime is told of it, and may be the first to end the call: as
 *   CANCELLED, though nobody has cancelled it.
 */
export function toRuntimeError(method: string, error: ServiceError, isLate = false): RuntimeError {
  if (isLate && error.code === GrpcStatus.CANCELLED)
    return new RuntimeError(method, 'DEADLINE_EXCEEDED', 'Deadline exceeded', error);
  const code = (Object.keys(GrpcStatus) as RuntimeErrorCode[]).find((name) => GrpcStatus[name] === error.code);
  return new RuntimeError(method, code ?? 'UNKNOWN', withoutFrame(error.details || error.message), error);
}

/** grpc-js says `No connection established. Last error: Error: connect ENOENT /x.sock. Resolution note: `. */
function withoutFrame(details: string): string {
  const lastError = /^No connection established\. Last error: (?:Error: )?(.+?)\.? Resolution note: /.exec(
    details,
  )?.[1];
  return lastError ? `no connection: ${lastError}` : details;
}
