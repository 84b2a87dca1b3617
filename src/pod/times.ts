import { nanosToMs } from './restart.ts';

/** RFC 3339 in UTC with whole seconds, as Kubernetes writes times. */
export function rfc3339(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
}

/** Undefined for a time that the runtime does not know. */
export function rfc3339FromNanos(nanos: bigint): string | undefined {
  return nanos > 0n ? rfc3339(nanosToMs(nanos)) : undefined;
}
