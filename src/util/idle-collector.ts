export interface IdleCollectorOptions {
  /** Changes with every piece of work. Two equal answers in a row mean that nothing happens. */
  readonly activity: () => string;
  /** Default 10 s. */
  readonly intervalMs?: number;
}

/**
 * Collects garbage once after each busy time. V8 does so only when it wants to allocate: a daemon that made a hundred
 * pods and then rests would keep what it needed for that, for ever. Does nothing where Node was started without
 * `--expose-gc`.
 */
export class IdleCollector {
  readonly #options: IdleCollectorOptions;
  #timer: NodeJS.Timeout | undefined;
  #seen = '';
  #collectedAt = '';

  constructor(options: IdleCollectorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.#check(), this.#options.intervalMs ?? 10_000);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    const now = this.#options.activity();
    const isQuiet = now === this.#seen;
    this.#seen = now;
    if (!isQuiet || now === this.#collectedAt) return;
    this.#collectedAt = now;
    // The thorough kind: it also gives the emptied pages back to the system. Some 100 ms, while nobody waits.
    globalThis.gc?.({ type: 'major', flavor: 'last-resort', execution: 'sync' });
  }
}
