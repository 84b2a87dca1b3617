import { closeSync, fdatasync, fdatasyncSync } from 'node:fs';

interface Waiter {
  readonly upTo: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Group commit. SQLite writes a transaction into its write-ahead log without waiting for the disk; this brings the log
 * to the disk in the thread pool, one fdatasync(2) at a time, each for every transaction that was written before it
 * began. So a slow disk delays the answers to writers and nothing else, and a hundred writers share a few syncs.
 *
 * After a failed sync nobody knows what is on the disk (the kernel drops the pages and forgets the error), so it is
 * never repeated: every later wait fails too, until the store has been opened anew.
 */
export class WalSync {
  readonly #sync: (fd: number, done: (error: Error | null) => void) => void;
  readonly #waiters: Waiter[] = [];
  #fd: number | undefined;
  #written = 0;
  #synced = 0;
  #running = false;
  #failure: Error | undefined;
  #closeLater: number | undefined;

  constructor(sync: (fd: number, done: (error: Error | null) => void) => void = fdatasync) {
    this.#sync = sync;
  }

  /** @param fd the write-ahead log, open; belongs to this object from now on. */
  start(fd: number): void {
    this.#fd = fd;
  }

  /** Brings the rest to the disk, tells the waiters, and closes the file. */
  stop(): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#fd = undefined;
    if (!this.#failure) {
      fdatasyncSync(fd);
      this.#synced = this.#written;
      for (const waiter of this.#waiters.splice(0)) waiter.resolve();
    }
    // A sync under way still uses the number: closed now, it could become that of another file.
    if (this.#running) this.#closeLater = fd;
    else closeSync(fd);
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  /** A transaction was committed to the log. */
  noteWritten(): void {
    this.#written += 1;
  }

  /** Resolves as soon as everything that was written before the call is on the disk. */
  flushed(): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#synced >= this.#written) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ upTo: this.#written, resolve, reject });
      this.#kick();
    });
  }

  #kick(): void {
    if (this.#running || this.#fd === undefined) return;
    this.#running = true;
    const upTo = this.#written;
    this.#sync(this.#fd, (error) => {
      this.#running = false;
      if (this.#closeLater !== undefined) {
        closeSync(this.#closeLater);
        return;
      }
      if (error) {
        this.#failure = error;
        this.#rejectAll(error);
        return;
      }
      this.#synced = upTo;
      while (this.#waiters[0] && this.#waiters[0].upTo <= upTo) this.#waiters.shift()?.resolve();
      if (this.#waiters.length > 0) this.#kick();
    });
  }

  #rejectAll(error: Error): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }
}
