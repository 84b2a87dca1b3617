/**
 * Time as an argument. Deadlines and intervals use `monotonicMs`, so that a change of the machine's clock neither
 * fires nor delays them; `now` is only for times that are shown to people or compared with the runtime's.
 */
export interface Clock {
  /** Wall-clock time, milliseconds since the epoch. */
  now(): number;
  /** Milliseconds from an arbitrary start; never jumps. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
};
