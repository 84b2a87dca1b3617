const unitsMs: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['\u00b5s', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** A duration as Go writes it, `1m30s`, `1.5h`, `250ms`, `0`: milliseconds, or undefined for any other text. Never negative. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const whole = /^(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|\u00b5s|ms|s|m|h))+$/;
  if (text.length > 40 || !whole.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9.]+)(ns|us|\u00b5s|ms|s|m|h)/g)) {
    totalMs += Number(amount) * (unitsMs.get(unit ?? '') ?? Number.NaN);
  }
  return totalMs;
}
