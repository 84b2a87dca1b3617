import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Logger } from '../util/log.ts';

/** A file that is written all the time must not keep the others from being read. */
const maxSettlingMs = 2000;

/** Waits for changes in one directory, with inotify. Where that cannot be had the caller's time limit stands in for it. */
export class DirectoryWatch {
  readonly #path: string;
  readonly #logger: Logger;
  #watcher: FSWatcher | undefined;
  /** Device and inode that are watched: a directory that was replaced has others. */
  #watched = '';
  #hasChanged = false;
  #isStopped = false;
  #wake: (() => void) | undefined;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** Begins to watch, and begins anew when another directory is at the path. */
  async refresh(): Promise<void> {
    const identity = await this.#identity();
    if (this.#isStopped || (identity !== '' && identity === this.#watched)) return;
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watched = '';
    if (identity === '') return;
    try {
      this.#watcher = watch(this.#path, { persistent: false }, () => this.#note());
      this.#watcher.on('error', (error) => this.#fail(error));
      this.#watched = identity;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Resolves after a change since the last call and `settleMs` without a further one, after `timeoutMs`, or on stop. */
  async wait(timeoutMs: number, settleMs: number): Promise<void> {
    if (!this.#hasChanged) await this.#sleep(timeoutMs);
    const patienceEndsMs = performance.now() + maxSettlingMs;
    while (this.#hasChanged && !this.#isStopped && performance.now() < patienceEndsMs) {
      this.#hasChanged = false;
      await this.#sleep(settleMs);
    }
    this.#hasChanged = false;
  }

  stop(): void {
    this.#isStopped = true;
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#wake?.();
  }

  #note(): void {
    this.#hasChanged = true;
    this.#wake?.();
  }

  #fail(error: unknown): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watched = '';
    this.#logger.warn(
      { err: error, directory: this.#path },
      'changes of the directory are not told, it is read from time to time',
    );
  }

  async #identity(): Promise<string> {
    try {
      const { dev, ino } = await stat(this.#path, { bigint: true });
      return `${dev}:${ino}`;
    } catch (error) {
      // Whoever lists the directory tells what is wrong with it.
      if (error instanceof Error && 'code' in error) return '';
      throw error;
    }
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#isStopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    await promise;
    this.#wake = undefined;
    clearTimeout(timer);
  }
}
