export interface UseOptions {
  /** Work that takes longer than this no longer counts: the next one begins beside it. Default: it always counts. */
  readonly patienceMs?: number;
  /** Ends the waiting: `use` then fails with its reason, and the work is not begun. */
  readonly signal?: AbortSignal;
}

/** Bounds how many pieces of work run at once; the others wait in the order in which they came. */
export class Semaphore {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(permits: number) {
    this.#free = permits;
  }

  /** @throws what the work failed with, or the signal's reason. */
  async use<T>(work: () => Promise<T>, options: UseOptions = {}): Promise<T> {
    options.signal?.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    // The one who leaves hands its permit over, so `#free` does not change on this way.
    else await this.#turn(options.signal);

    let isHeld = true;
    const leave = () => {
      if (isHeld) this.#handOver();
      isHeld = false;
    };
    const timer = options.patienceMs === undefined ? undefined : setTimeout(leave, options.patienceMs);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
      leave();
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = () => {
        signal?.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(begin), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(begin);
    });
  }

  #handOver(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}
