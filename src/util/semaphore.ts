export interface UseOptions {
  /** Work that takes longer than this no longer counts: the next one begins beside it. Default: it always counts. */
  readonly patienceMs?: number;
}

/** Bounds how many pieces of work run at once; the others wait in the order in which they came. */
export class Semaphore {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(permits: number) {
    this.#free = permits;
  }

  async use<T>(work: () => Promise<T>, options: UseOptions = {}): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    // The one who leaves hands its permit over, so `#free` does not change on this way.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));

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

  #handOver(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}
