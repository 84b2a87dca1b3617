import type { Clock } from '../util/clock.ts';
import { nextDueMs } from './evaluation.ts';
import type { ProbeOutcome } from './outcome.ts';
import type { Asking } from './prober.ts';

export interface ProbeLoopOptions {
  readonly periodMs: number;
  readonly clock: Clock;
  /** Must not throw. */
  readonly ask: () => Asking;
  /** Called with each outcome of a loop that was not stopped meanwhile. */
  readonly onOutcome: (outcome: ProbeOutcome, durationMs: number) => void;
}

/** A timer's limit is 2^31 ms: who waits for longer looks again. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Asks once in each period; never again before all of the last question is over. */
export class ProbeLoop {
  readonly #options: ProbeLoopOptions;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;
  #isActive = false;
  #isAsking = false;

  constructor(options: ProbeLoopOptions) {
    this.#options = options;
  }

  /** Begins after a delay; nothing changes for a loop that has begun. */
  start(delayMs: number): void {
    if (this.#isActive) return;
    this.#isActive = true;
    this.#dueMs = this.#options.clock.monotonicMs() + delayMs;
    if (!this.#isAsking) this.#schedule();
  }

  /** The answer to a question that is under way is dropped. */
  stop(): void {
    this.#isActive = false;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    const waitMs = this.#dueMs - this.#options.clock.monotonicMs();
    if (waitMs > MAX_TIMER_MS) this.#timer = setTimeout(() => this.#schedule(), MAX_TIMER_MS);
    else this.#timer = setTimeout(() => void this.#ask(), Math.max(waitMs, 0));
  }

  async #ask(): Promise<void> {
    const { clock, ask, onOutcome, periodMs } = this.#options;
    this.#isAsking = true;
    const startedMs = clock.monotonicMs();
    const { outcome, ended } = ask();
    const result = await outcome;
    const endedMs = clock.monotonicMs();
    if (this.#isActive) onOutcome(result, endedMs - startedMs);
    await ended;
    this.#isAsking = false;
    if (!this.#isActive) return;
    this.#dueMs = nextDueMs(this.#dueMs, periodMs, clock.monotonicMs());
    this.#schedule();
  }
}
