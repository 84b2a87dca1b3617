import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from '../../util/log.ts';

export interface AuditLogOptions {
  readonly path: string;
  /** A file that would become larger is rotated: `audit.log` becomes `audit.log.1`. */
  readonly maxBytes: number;
  /** With the one that is written. */
  readonly maxFiles: number;
  readonly logger: Logger;
}

/**
 * A file of JSON lines, for root alone. Each line is handed to the kernel before the answer is: a daemon that is killed
 * loses none, a power cut may lose the last seconds. Where a line cannot be written (a full disk), requests go on: a
 * daemon that nobody can reach any more could not be helped. The log says so, the lost lines are counted, and the next
 * line that can be written follows.
 */
export class AuditLog {
  readonly #options: AuditLogOptions;
  #fd: number | undefined;
  #bytes = 0;
  #lost = 0;
  #isFailing = false;
  /** A line was cut off: the next one begins on a line of its own. */
  #isCut = false;

  constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  /** Lines that could not be written, since the start. */
  get lost(): number {
    return this.#lost;
  }

  /** @throws Error where the file cannot be written: the daemon does not start without the log that was asked for. */
  open(): void {
    mkdirSync(dirname(this.#options.path), { recursive: true, mode: 0o700 });
    this.#open();
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  write(event: object): void {
    try {
      this.#append(`${JSON.stringify(event)}\n`);
      if (this.#isFailing) this.#options.logger.warn({ lost: this.#lost }, 'the audit log can be written again');
      this.#isFailing = false;
    } catch (error) {
      this.#lost += 1;
      if (!this.#isFailing)
        this.#options.logger.error({ err: error }, 'the audit log cannot be written: requests go on');
      this.#isFailing = true;
    }
  }

  #append(line: string): void {
    const bytes = Buffer.from(this.#isCut ? `\n${line}` : line);
    if (this.#bytes > 0 && this.#bytes + bytes.length > this.#options.maxBytes) this.#rotate();
    if (this.#fd === undefined) this.#open();
    if (this.#fd === undefined) throw new Error('the audit log is not open');
    const written = writeSync(this.#fd, bytes);
    this.#bytes += written;
    this.#isCut = written < bytes.length;
    if (this.#isCut) throw new Error('the disk is full');
  }

  #rotate(): void {
    const { path, maxFiles } = this.#options;
    this.close();
    const name = (index: number) => (index === 0 ? path : `${path}.${index}`);
    rmSync(name(maxFiles - 1), { force: true });
    for (let index = maxFiles - 2; index >= 0; index--) renameIfThere(name(index), name(index + 1));
    this.#open();
  }

  #open(): void {
    const {
      O_WRONLY,
      O_APPEND,
      O_CREAT,
      O_NOFOLLOW,
      O_CLOEXEC = 0,
    } = constants as typeof constants & {
      O_CLOEXEC?: number;
    };
    const fd = openSync(this.#options.path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600);
    fchmodSync(fd, 0o600);
    this.#bytes = fstatSync(fd).size;
    this.#isCut = false;
    this.#fd = fd;
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
