import { type FSWatcher, watch } from 'node:fs';

/** After a change this long passes before the next is told: a busy log costs one wake-up for many lines. */
const QUIET_MS = 10;

/**
 * Tells that something happened in a directory: inotify where it can be had, and the caller's time limit where not
 * (the kernel limits how many a user may have).
 */
export class DirectoryChanges {
  #watcher: FSWatcher | undefined;
  #changed = false;
  #named = false;
  #wake: (() => void) | undefined;

  start(path: string): void {
    try {
      this.#watcher = watch(path, { persistent: true }, (event) => this.#note(event === 'rename'));
      this.#watcher.on('error', () => this.stop());
    } catch (error) {
      // ENOSPC, EMFILE: no inotify left. The time limit of `wait` stands in for it.
      if (!(error instanceof Error && 'code' in error)) throw error;
    }
  }

  stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  /**
   * Waits for the next change since the last call, the time limit, or the abort, whichever is first.
   *
   * @returns whether a name may have appeared or gone: a change of a file's content alone is `false`.
   */
  async wait(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (!this.#changed) await this.#sleep(timeoutMs, signal);
    const changed = this.#changed;
    if (changed && !signal?.aborted) {
      this.#changed = false;
      await this.#sleep(QUIET_MS, signal, true);
    }
    const named = this.#named || !changed;
    this.#changed = false;
    this.#named = false;
    return named;
  }

  #note(named: boolean): void {
    this.#changed = true;
    this.#named ||= named;
    this.#wake?.();
  }

  async #sleep(timeoutMs: number, signal: AbortSignal | undefined, whole = false): Promise<void> {
    if (signal?.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const timer = setTimeout(wake, timeoutMs);
    signal?.addEventListener('abort', wake);
    if (!whole) this.#wake = wake;
    await promise;
    this.#wake = undefined;
    signal?.removeEventListener('abort', wake);
    clearTimeout(timer);
  }
}
