import { internalError } from '../api/status-error.ts';
import type { Logger } from '../util/log.ts';
import { isSqliteError, type ObjectDatabase } from './database.ts';
import type { Reserve } from './reserve.ts';
import { insufficientStorage } from './statuses.ts';
import { WalSync } from './wal-sync.ts';

export interface DiskWriterOptions {
  readonly db: Pick<ObjectDatabase, 'openLog' | 'shrinkLog'>;
  readonly reserve: Reserve;
  readonly logger: Logger;
}

export interface WriteOptions {
  /** False for what can be observed again (status, events): survives the daemon's death, not a power cut. Default true. */
  readonly durable?: boolean;
}

const sqliteFull = 13;

const diskFull = 'the disk that holds the store is full: nothing was changed';

/** A write that nobody waits for is on the disk at most so much later. */
const lazySyncMs = 1_000;

/** Commits transactions and brings them to the disk. When that is full, nothing new begins, and what there is can still end. */
export class DiskWriter {
  readonly #options: DiskWriterOptions;
  readonly #sync = new WalSync();
  #lazySync: NodeJS.Timeout | undefined;

  constructor(options: DiskWriterOptions) {
    this.#options = options;
  }

  /** The database is open, and stays so until after `stop`. */
  start(): void {
    const { db, reserve, logger } = this.#options;
    this.#sync.start(db.openLog());
    if (!reserve.take()) logger.warn('the disk that holds the store is full: nothing new can be stored');
  }

  /** Brings to the disk what is not there yet. */
  stop(): void {
    clearTimeout(this.#lazySync);
    this.#sync.stop();
  }

  /** Why writes are refused (the disk failed), or undefined while all is well. */
  get failure(): Error | undefined {
    return this.#sync.failure;
  }

  /** Resolves when everything written so far would survive a power cut. @throws StatusError when the disk fails. */
  async flushed(): Promise<void> {
    try {
      await this.#sync.flushed();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** To be asked before something new begins. @throws StatusError InsufficientStorage. */
  requireReserve(): void {
    // What is kept by is for ending things, not for beginning them.
    if (!this.#hasReserve()) throw insufficientStorage(diskFull);
  }

  /** Memory is to change only after this has returned: then a failed write leaves no trace in either place. */
  write(options: WriteOptions, isNew: boolean, transaction: () => void): void {
    if (this.failure) throw this.#failed(this.failure);
    try {
      if (isNew) transaction();
      else this.#writeEvenIfFull(transaction);
    } catch (error) {
      throw this.#failed(error);
    }
    this.#sync.noteWritten();
    if (options.durable === false) this.#syncLater();
    else this.#syncNow();
  }

  #hasReserve(): boolean {
    const { db, reserve } = this.#options;
    if (reserve.take()) return true;
    db.shrinkLog();
    return reserve.take();
  }

  /** Ending things goes on when the disk is full: with the space kept by, and that of the log. */
  #writeEvenIfFull(transaction: () => void): void {
    const { db, reserve } = this.#options;
    try {
      transaction();
    } catch (error) {
      if (!isFull(error)) throw error;
      reserve.giveBack();
      db.shrinkLog();
      transaction();
    }
  }

  #syncNow(): void {
    const { logger } = this.#options;
    clearTimeout(this.#lazySync);
    this.#lazySync = undefined;
    // Whoever must know waits for `flushed` himself; the failure stays visible in `failure` and stops every write.
    this.#sync.flushed().catch((error) => logger.fatal({ err: error }, 'the store could not be brought to disk'));
  }

  #syncLater(): void {
    this.#lazySync ??= setTimeout(() => this.#syncNow(), lazySyncMs).unref();
  }

  #failed(error: unknown): unknown {
    this.#options.logger.error({ err: error }, 'the store could not be written');
    if (isFull(error)) return insufficientStorage(diskFull);
    return internalError(`the store could not be written: ${error instanceof Error ? error.message : error}`);
  }
}

function isFull(error: unknown): boolean {
  // The low byte is the kind of error, the rest says more.
  return isSqliteError(error) && (error.errcode & 0xff) === sqliteFull;
}
