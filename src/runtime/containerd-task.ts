import * as grpc from '@grpc/grpc-js';
import type { TasksClient } from './generated/containerd/services/tasks/v1/Tasks.ts';
import { isNotFound, isUnimplemented, toRuntimeError } from './runtime-error.ts';

/** Where containerd keeps what its CRI service made. */
const CRI_NAMESPACE = 'k8s.io';
const SIGKILL = 9;
const TIMEOUT_MS = 10_000;

/**
 * Kills and removes a container's task: its processes, in containerd's own terms. CRI does that when it stops a
 * container; but when StartContainer is cut off in the middle (its client was killed), containerd can forget a task that
 * it made. CRI then shows the container as ended, and neither it nor its sandbox can be removed, until containerd is
 * restarted.
 *
 * @throws RuntimeError, `UNIMPLEMENTED` from another runtime than containerd.
 */
export async function removeForgottenTask(tasks: TasksClient, containerId: string): Promise<void> {
  try {
    await call('Kill', (...rest) => tasks.Kill({ containerId, signal: SIGKILL, all: true }, ...rest));
    await call('Wait', (...rest) => tasks.Wait({ containerId }, ...rest));
    await call('Delete', (...rest) => tasks.Delete({ containerId }, ...rest));
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/**
 * Sends a signal to a container's first process and waits up to `graceMs` for its end. containerd knows the process by
 * its shim, which is its parent: the signal cannot meet another one that has got its number.
 *
 * @returns false when nothing was sent, for the runtime is not containerd.
 * @throws RuntimeError, also when `signal` is aborted.
 */
export async function signalTask(
  tasks: TasksClient,
  containerId: string,
  number: number,
  graceMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await call('Kill', (...rest) => tasks.Kill({ containerId, signal: number }, ...rest), { signal });
    // Not a deadline of the call: containerd answers one that has passed with any kind of error.
    const over = AbortSignal.timeout(graceMs);
    const options = { signal: signal ? AbortSignal.any([signal, over]) : over, timeoutMs: graceMs + TIMEOUT_MS };
    await call('Wait', (...rest) => tasks.Wait({ containerId }, ...rest), options).catch((error: unknown) => {
      if (!over.aborted || signal?.aborted) throw error;
    });
    return true;
  } catch (error) {
    if (isUnimplemented(error)) return false;
    // It has ended already.
    if (isNotFound(error)) return true;
    throw error;
  }
}

type Callback = (error: grpc.ServiceError | null) => void;

function call(
  method: string,
  send: (metadata: grpc.Metadata, options: grpc.CallOptions, callback: Callback) => grpc.ClientUnaryCall,
  { timeoutMs = TIMEOUT_MS, signal }: { timeoutMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const metadata = new grpc.Metadata();
  metadata.set('containerd-namespace', CRI_NAMESPACE);
  return new Promise((resolve, reject) => {
    const running = send(metadata, { deadline: Date.now() + timeoutMs }, (error) => {
      signal?.removeEventListener('abort', cancel);
      if (error) reject(toRuntimeError(method, error));
      else resolve();
    });
    const cancel = () => running.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    if (signal?.aborted) cancel();
  });
}
