/** Thrown by a probe that knows that waiting is in vain. */
export class GaveUp extends Error {}

/** How many times longer than usual everything may take: for an emulated machine. */
export const patience = Number(process.env.MINI_KUBELET_TEST_PATIENCE ?? 1);

/**
 * Waits until the probe gives something other than undefined, null or false. For conditions of the outside world that
 * no event tells of (a process that ended, a file written by a container); everything else is awaited by its event.
 *
 * @throws with `what` in the message when the time is over, and with the probe's last error as its cause.
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  timeoutMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs * patience;
  let lastError: unknown;
  for (let delayMs = 5; ; delayMs = Math.min(delayMs * 2, 100)) {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false) return value;
      lastError = undefined;
    } catch (error) {
      if (error instanceof GaveUp) throw error;
      lastError = error;
    }
    if (performance.now() > deadline)
      throw new Error(`gave up after ${timeoutMs * patience} ms: ${what}`, { cause: lastError });
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
}
