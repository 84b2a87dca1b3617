import type { CpuRate } from './usage.ts';

/** CPU time at a moment. */
export interface CpuSample {
  /** Of a clock that never jumps. */
  readonly atMs: number;
  readonly nanos: number;
}

/** Two samples are all that is kept: the latest, and an older one to compare the next with. */
export interface CpuHistory {
  readonly base: CpuSample | undefined;
  readonly latest: CpuSample;
}

/** A shorter window measures the scheduler rather than the container. */
export const MIN_WINDOW_MS = 1_000;
/** A base that is older makes room for the latest sample, so that the average follows what happens. */
const REPLACE_BASE_MS = 20_000;
/** Older samples say nothing of the present. */
const MAX_WINDOW_MS = 5 * 60_000;

/** What to remember after a sample. PURE. */
export function nextHistory(history: CpuHistory | undefined, latest: CpuSample): CpuHistory {
  const { base, latest: previous } = history ?? {};
  // A counter that went back belongs to something else.
  if (previous && previous.nanos > latest.nanos) return { base: undefined, latest };
  const age = (sample: CpuSample | undefined) => (sample ? latest.atMs - sample.atMs : Number.NaN);
  const isUsable = (sample: CpuSample | undefined) => age(sample) >= MIN_WINDOW_MS && age(sample) <= MAX_WINDOW_MS;
  if (age(base) <= REPLACE_BASE_MS && isUsable(base)) return { base, latest };
  if (isUsable(previous)) return { base: previous, latest };
  if (isUsable(base)) return { base, latest };
  // Too soon after the first sample: wait for one that is later.
  return { base: undefined, latest: age(previous) < MIN_WINDOW_MS && previous ? previous : latest };
}

/** The average of the history's window. PURE. */
export function rateOf({ base, latest }: CpuHistory): CpuRate | undefined {
  if (!base) return undefined;
  const windowMs = latest.atMs - base.atMs;
  return { nanoCores: Math.round(((latest.nanos - base.nanos) * 1000) / windowMs), windowMs };
}

/**
 * The history of a container that is seen for the first time, soon after its start: it had used nothing then. PURE.
 *
 * @param ageMs since its start.
 */
export function freshHistory(ageMs: number, sample: CpuSample): CpuHistory | undefined {
  if (ageMs < 0 || ageMs > MAX_WINDOW_MS) return undefined;
  return { base: undefined, latest: { atMs: sample.atMs - ageMs, nanos: 0 } };
}
