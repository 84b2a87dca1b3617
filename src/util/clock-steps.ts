import type { Clock } from './clock.ts';

/** The wall clock was set by hand, by a time server or by a sleep of the machine. Times are milliseconds since the epoch. */
export interface ClockStep {
  /** What the clock said when it was last known not to have been set yet. */
  readonly lastBeforeMs: number;
  /** What it would say when the step was noticed, had it not been set. */
  readonly withoutMs: number;
  /** How far it was set; negative: back. */
  readonly byMs: number;
}

/**
 * The moment that the clock called `ms`, in the time of the clock as it is set now, so that it is as long ago as it was
 * in truth. After a step back some times may be from before or after it: they count as later ones. PURE.
 */
export function inPresentTime(ms: number, steps: readonly ClockStep[], nowMs: number): number {
  let time = ms;
  for (const [index, { lastBeforeMs, withoutMs, byMs }] of steps.entries()) {
    const latestMs = steps[index + 1]?.withoutMs ?? nowMs;
    const isFromBefore = byMs > 0 ? time < withoutMs + byMs / 2 : time < lastBeforeMs + byMs || time > latestMs;
    if (isFromBefore) time += byMs;
  }
  return time;
}

/** Less than this is a clock that is kept right: no delay suffers from it. */
const MIN_STEP_MS = 1000;
/** A clock that is set again and again leaves only so many to tell. */
const MAX_STEPS = 16;
const WATCH_MS = 10_000;

/** Notices that the wall clock is set, by comparing it with one that never jumps. */
export class ClockSteps {
  readonly #clock: Clock;
  readonly #onStep: (byMs: number) => void;
  #steps: readonly ClockStep[] = [];
  #last: { readonly nowMs: number; readonly monotonicMs: number };
  #timer: NodeJS.Timeout | undefined;

  /** @param onStep called when the clock is found to have been set. */
  constructor(clock: Clock, onStep: (byMs: number) => void) {
    this.#clock = clock;
    this.#onStep = onStep;
    this.#last = { nowMs: clock.now(), monotonicMs: clock.monotonicMs() };
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), WATCH_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /**
   * As `inPresentTime`, for all steps since this was made. What happened in the future was before a step back that nobody
   * saw: it counts as happening now.
   */
  inPresentTime(ms: number): number {
    this.#look();
    const { nowMs } = this.#last;
    const time = inPresentTime(ms, this.#steps, nowMs);
    if (time - nowMs < MIN_STEP_MS) return time;
    const { NEGATIVE_INFINITY: lastBeforeMs, POSITIVE_INFINITY: withoutMs } = Number;
    this.#note({ lastBeforeMs, withoutMs, byMs: nowMs - time });
    return nowMs;
  }

  #look(): void {
    const last = this.#last;
    this.#last = { nowMs: this.#clock.now(), monotonicMs: this.#clock.monotonicMs() };
    const withoutMs = last.nowMs + this.#last.monotonicMs - last.monotonicMs;
    const byMs = this.#last.nowMs - withoutMs;
    if (Math.abs(byMs) < MIN_STEP_MS) return;
    this.#note({ lastBeforeMs: last.nowMs, withoutMs, byMs });
    this.#onStep(byMs);
  }

  #note(step: ClockStep): void {
    this.#steps = [...this.#steps, step].slice(-MAX_STEPS);
  }
}
