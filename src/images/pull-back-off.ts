/** First delay after a failed pull; doubled with each further one (pkg/kubelet/kubelet.go). */
const INITIAL_MS = 10_000;
const MAX_MS = 300_000;

interface Failure {
  readonly failedAtMs: number;
  readonly delayMs: number;
  readonly reason: string;
  readonly message: string;
}

/** How long after a failed pull the same image may be pulled again for the same pod. Times: milliseconds, monotonic. */
export class PullBackOff {
  readonly #failures = new Map<string, Failure>();

  /** Notes a failure and returns the delay until the next attempt, in milliseconds. */
  fail(key: string, now: number, reason: string, message: string): number {
    const before = this.#failures.get(key);
    // One who was quiet for long enough begins again.
    const isFresh = before !== undefined && now - before.failedAtMs <= 2 * MAX_MS;
    const delayMs = isFresh ? Math.min(before.delayMs * 2, MAX_MS) : INITIAL_MS;
    this.#failures.set(key, { failedAtMs: now, delayMs, reason, message });
    return delayMs;
  }

  /** The failure that still holds the pull back, or undefined when it may go on. */
  held(key: string, now: number): { reason: string; message: string; leftMs: number } | undefined {
    const failure = this.#failures.get(key);
    const leftMs = failure ? failure.failedAtMs + failure.delayMs - now : 0;
    return failure && leftMs > 0 ? { reason: failure.reason, message: failure.message, leftMs } : undefined;
  }

  clear(key: string): void {
    this.#failures.delete(key);
  }

  /** Forgets all keys that begin with `prefix`. */
  clearAll(prefix: string): void {
    for (const key of this.#failures.keys()) if (key.startsWith(prefix)) this.#failures.delete(key);
  }
}
