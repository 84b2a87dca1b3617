import type { Clock } from '../util/clock.ts';

/** What became of work that has only so much time. */
export type Timely<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'late' }
  /** It took too long because this process stood still, so nothing can be said of who did the work. */
  | { readonly kind: 'stalled' };

/** A timer that fires this much too late tells that the process did not run. */
const STALL_MS = 250;

/**
 * Waits for work for a time. The work goes on when the time is over unless it follows the signal.
 *
 * @throws what the work failed with before its time was over.
 */
export function withDeadline<T>(
  work: (signal: AbortSignal) => Promise<T>,
  timeoutMs: number,
  clock: Clock,
): Promise<Timely<T>> {
  const abort = new AbortController();
  const startedMs = clock.monotonicMs();
  return new Promise((resolve, reject) => {
    const expire = () => {
      const isStalled = clock.monotonicMs() - startedMs > timeoutMs + STALL_MS;
      // An answer that has arrived but was not read yet is read before immediates run.
      setImmediate(() => {
        resolve({ kind: isStalled ? 'stalled' : 'late' });
        abort.abort();
      });
    };
    const timer = setTimeout(expire, timeoutMs);
    work(abort.signal)
      .then((value) => resolve({ kind: 'done', value }), reject)
      .finally(() => clearTimeout(timer));
  });
}
