import { constants } from 'node:fs';
import { chmod, type FileHandle, lstat, open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import { errorCode, O_PATH, openBeneath, pathOfHandle } from '../util/safe-fs.ts';
import { openLogAt } from './open.ts';
import { rotatedKind } from './paths.ts';

export interface RotatableLog {
  readonly containerId: string;
  /** Relative to `root`, see `containerLogPath`. */
  readonly path: string;
}

export interface LogRotatorOptions {
  /** /var/log/pods. */
  readonly root: string;
  /** A log that is larger is rotated. */
  readonly maxBytes: number;
  /** How many files a container's log has at most: the one that is written, the last one, and compressed ones. */
  readonly maxFiles: number;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The logs of running containers; a container that ended writes no more. */
  readonly runningLogs: () => Iterable<RotatableLog>;
  /** Makes the runtime go on in a new file of the log's name. */
  readonly reopen: (containerId: string, signal: AbortSignal) => Promise<void>;
}

const LOG_MODE = 0o640;

/**
 * Keeps container logs from filling the disk, as a kubelet does: every `intervalMs` (10 s) each log of more than
 * `maxBytes` (10Mi) gets a time in its name, and the runtime begins a new one. The last rotated file stays as it is, for
 * whoever is still reading it; older ones are compressed, and of all `maxFiles` (5) are kept. One log at a time.
 */
export class LogRotator {
  readonly #options: LogRotatorOptions;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();

  constructor(options: LogRotatorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.#round = this.check().finally(() => {
        if (!this.#stopping.signal.aborted) this.start();
      });
    }, this.#options.intervalMs);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#round;
  }

  /** One round over all logs. One log's failure is logged and tried again in the next round. */
  async check(): Promise<void> {
    const { signal } = this.#stopping;
    for (const log of [...this.#options.runningLogs()]) {
      if (signal.aborted) return;
      try {
        await this.#checkLog(log, signal);
      } catch (error) {
        if (!signal.aborted) this.#options.logger.warn({ err: error, log: log.path }, 'could not rotate a log');
      }
    }
  }

  async #checkLog(log: RotatableLog, signal: AbortSignal): Promise<void> {
    const { root, maxBytes, reopen } = this.#options;
    try {
      // Only a hint, by path: for hundreds of logs in each round a safe walk would cost too much.
      if ((await lstat(join(root, log.path))).size <= maxBytes) return;
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      // Someone removed it; what is written goes to a file without a name, which takes disk until it is closed.
      await reopen(log.containerId, signal);
      return;
    }
    const directory = await openBeneath(root, dirname(log.path), O_PATH | constants.O_DIRECTORY);
    try {
      const file = await openLogAt(directory, root, log.path);
      await file.close();
      await this.#rotate(directory, log, signal);
    } finally {
      await directory.close();
    }
  }

  async #rotate(directory: FileHandle, log: RotatableLog, signal: AbortSignal): Promise<void> {
    const { root, maxFiles, clock, logger } = this.#options;
    const name = basename(log.path);
    const names = await readdir(pathOfHandle(directory));
    const plan = planRotation(name, names, maxFiles);
    for (const old of plan.remove) await unlink(pathOfHandle(directory, old));
    for (const old of plan.compress) await compress(directory, root, join(dirname(log.path), old), signal);

    const rotated = `${name}.${timeSuffix(clock.now())}`;
    if (names.includes(rotated)) return;
    await rename(pathOfHandle(directory, name), pathOfHandle(directory, rotated));
    try {
      await this.#options.reopen(log.containerId, signal);
    } catch (error) {
      // So that the log is found under its name. If the runtime did begin a new one, that one has to stay.
      if (!(await isThere(pathOfHandle(directory, name)))) {
        await rename(pathOfHandle(directory, rotated), pathOfHandle(directory, name));
      }
      throw error;
    }
    logger.debug({ log: log.path, rotated }, 'rotated a log');
  }
}

/**
 * PURE. What to do with a log's older files before it is rotated: leftovers of a rotation that was cut short go, then
 * the oldest beyond `maxFiles - 2` (the one that is about to be rotated and the new one count, too); what is left is
 * compressed.
 *
 * @param names all names in the directory; those that are not of this log are left alone.
 */
export function planRotation(
  log: string,
  names: readonly string[],
  maxFiles: number,
): { remove: string[]; compress: string[] } {
  const remove: string[] = [];
  const rotated: string[] = [];
  for (const name of [...names].sort()) {
    const kind = rotatedKind(log, name);
    if (!kind) continue;
    const isHalfDone = kind === 'unfinished' || (kind === 'plain' && names.includes(`${name}.gz`));
    (isHalfDone ? remove : rotated).push(name);
  }
  const excess = Math.max(0, rotated.length - Math.max(0, maxFiles - 2));
  remove.push(...rotated.slice(0, excess));
  return { remove, compress: rotated.slice(excess).filter((name) => rotatedKind(log, name) === 'plain') };
}

/** PURE. `20240501-100000`: universal time, so that names sort by age. */
export function timeSuffix(nowMs: number): string {
  const [date = '', time = ''] = new Date(nowMs).toISOString().split('T');
  return `${date.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}`;
}

async function compress(directory: FileHandle, root: string, path: string, signal: AbortSignal): Promise<void> {
  const name = basename(path);
  const temporary = pathOfHandle(directory, `${name}.tmp`);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const input = await openLogAt(directory, root, path);
  let output: FileHandle;
  try {
    output = await open(temporary, flags, 0o600);
  } catch (error) {
    await input.close();
    throw error;
  }
  // The streams close what they read and write, however this ends.
  await pipeline(input.createReadStream(), createGzip(), output.createWriteStream(), { signal });
  await chmod(temporary, LOG_MODE);
  await rename(temporary, pathOfHandle(directory, `${name}.gz`));
  await unlink(pathOfHandle(directory, name));
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
