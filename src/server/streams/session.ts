import type { SpdyConnection } from '../../spdy/connection.ts';
import type { StreamClient } from './stream-client.ts';

export interface SessionOptions {
  readonly client: StreamClient;
  readonly runtime: SpdyConnection;
  /** Ends a session in which nothing was sent for so long, in either direction. */
  readonly idleTimeoutMs: number;
  /** Ends the session; the reason is a text for the client. */
  readonly signal: AbortSignal;
}

/**
 * Every piece that passes is garbage at once, which V8 does not see: the bytes are outside of its heap, and it would let
 * tens of megabytes of them wait. A collection of the young generation takes less than a millisecond.
 */
const collectAfterBytes = 4 * 1024 * 1024;

/** What a side gets to close by itself after it was told to. */
const closingMs = 2_000;

/**
 * Joins a client and a runtime until one of them is done, nothing happens for too long, or the signal says so. Either
 * side's end is the other's. Resolves when the client is gone.
 */
export function runSession({ client, runtime, idleTimeoutMs, signal }: SessionOptions): Promise<void> {
  return new Promise((resolve) => {
    let isFinished = false;
    const destroyLater = (side: { destroy(): void }) => {
      setTimeout(() => side.destroy(), closingMs).unref();
    };
    const idle = setTimeout(() => {
      stop(`the stream was idle for ${Math.round(idleTimeoutMs / 1000)} s`);
    }, idleTimeoutMs).unref();
    let passedBytes = 0;
    const onActivity = (bytes: number) => {
      idle.refresh();
      passedBytes += bytes;
      if (passedBytes < collectAfterBytes) return;
      passedBytes = 0;
      globalThis.gc?.({ type: 'minor', execution: 'sync' });
    };

    const finish = (reason: string) => {
      if (isFinished) return;
      isFinished = true;
      client.finish(reason);
    };
    const stop = (reason: string) => {
      finish(reason);
      destroyLater(client);
      runtime.end();
      destroyLater(runtime);
    };
    const onAbort = () => stop(String(signal.reason));
    const onGone = () => {
      isFinished = true;
      clearTimeout(idle);
      signal.removeEventListener('abort', onAbort);
      runtime.end();
      destroyLater(runtime);
      client.destroy();
      resolve();
    };

    signal.addEventListener('abort', onAbort, { once: true });
    runtime.start({
      onStream: (stream) => stream.reset(),
      onDrain: () => client.resume(),
      onEnd: () => {
        finish('the container runtime ended the stream');
        runtime.end();
      },
      onClose: (error) => finish(`the container runtime ended the stream${error ? `: ${error.message}` : ''}`),
    });
    client.start(runtime, { onActivity, onGone });
    if (signal.aborted) onAbort();
  });
}
