import { closeSync, constants, fstatSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';

/**
 * Disk space kept by for the day when the disk is full: giving it back lets pods be stopped and deleted, which is how
 * people get out of that situation.
 */
export class Reserve {
  readonly #path: string;
  readonly #bytes: number;
  #isThere = false;

  constructor(path: string, bytes: number) {
    this.#path = path;
    this.#bytes = bytes;
  }

  /** Takes the space if it is not taken. @returns whether it is now. */
  take(): boolean {
    if (this.#isThere) return true;
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
    const fd = openSync(this.#path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
    try {
      if (fstatSync(fd).size !== this.#bytes) {
        // Real bytes: a file that is only long occupies nothing.
        writeSync(fd, Buffer.alloc(this.#bytes), 0, this.#bytes, 0);
        fsyncSync(fd);
      }
      this.#isThere = fstatSync(fd).size === this.#bytes;
    } catch (error) {
      if (!isFull(error)) throw error;
    } finally {
      closeSync(fd);
    }
    if (!this.#isThere) rmSync(this.#path, { force: true });
    return this.#isThere;
  }

  /** @returns whether there was something to give back. */
  giveBack(): boolean {
    if (!this.#isThere) return false;
    rmSync(this.#path, { force: true });
    this.#isThere = false;
    return true;
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
