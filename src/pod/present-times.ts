import type { ObservedContainer, ObservedPod } from '../runtime/observed.ts';

const NANOS_PER_MS = 1_000_000n;

/**
 * The times of containers that decide what comes next, by the clock as it is set now: a restart is held back for as long
 * as was meant, whatever happened to the clock. Times that are only shown stay what the runtime says. PURE.
 *
 * @param inPresentTime milliseconds since the epoch, by the clock of then and by that of now.
 */
export function withPresentTimes(observed: ObservedPod, inPresentTime: (ms: number) => number): ObservedPod {
  const shiftNanos = (nanos: bigint): bigint => {
    if (nanos <= 0n) return 0n;
    const ms = Number(nanos / NANOS_PER_MS);
    return BigInt(Math.round(inPresentTime(ms) - ms)) * NANOS_PER_MS;
  };
  let isChanged = false;
  const containers = observed.containers.map((container): ObservedContainer => {
    const created = shiftNanos(container.createdAtNanos);
    const ended = shiftNanos(container.finishedAtNanos);
    if (created === 0n && ended === 0n) return container;
    isChanged = true;
    return {
      ...container,
      createdAtNanos: container.createdAtNanos + created,
      endedAtNanos: container.finishedAtNanos + ended,
    };
  });
  return isChanged ? { ...observed, containers } : observed;
}
