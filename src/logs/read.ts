import { type FileHandle, lstat, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode, pathOfHandle } from '../util/safe-fs.ts';
import { CriLogDecoder } from './cri-format.ts';
import { DirectoryChanges } from './directory-changes.ts';
import { type OpenLog, openContainerLog, openLogAt } from './open.ts';
import { rotatedKind } from './paths.ts';
import { findTailStart } from './tail.ts';

export interface ReadLogOptions {
  /** /var/log/pods. */
  readonly root: string;
  /** Relative to `root`, see `containerLogPath`. */
  readonly path: string;
  /** Stay for what comes, until `isRunning` is false and everything is read, or until the abort. */
  readonly follow?: boolean;
  /** Begin so many lines before the end. */
  readonly tailLines?: number;
  /** Leave out what is older; milliseconds since the epoch. */
  readonly sinceMs?: number;
  /** Put each line's time in front of it. */
  readonly timestamps?: boolean;
  /** Leave out what the container wrote to the other one. `tailLines` counts the lines of both. */
  readonly stream?: 'stdout' | 'stderr';
  /** End after so many bytes of output. */
  readonly limitBytes?: number;
  /** Ends the output, without an error. */
  readonly signal?: AbortSignal;
  /** Whether the container may still write. Asked while following only. */
  readonly isRunning?: () => boolean;
}

const CHUNK_BYTES = 64 * 1024;
/** So often a follower looks by itself, should a notification be missed or not to be had. */
const RECHECK_MS = 1_000;
/** After a rotation the runtime may still be writing its last lines into the old file. */
const OLD_FILE_MS = 100;

/**
 * Reads a container's log as Kubernetes' log endpoint gives it: the bytes that the container wrote, standard output
 * and standard error in the order of the file. Follows through rotations. Memory is bounded whatever a line's length;
 * nothing is read before the consumer asks for it.
 *
 * @throws UnsafePathError for anything but a log that the runtime made; the system's error, `ENOENT` for no log.
 */
export async function* readContainerLog(options: ReadLogOptions): AsyncGenerator<Buffer, void, undefined> {
  const log = await openContainerLog(options.root, options.path);
  const reader = new LogReader(options, log);
  try {
    yield* reader.read();
  } finally {
    await reader.close();
  }
}

/**
 * The end of a container's log as text: at most `maxBytes` of at most `lines` lines. What stands in for a termination
 * message.
 */
export async function readLogTail(
  root: string,
  path: string,
  limits: { readonly lines: number; readonly maxBytes: number },
): Promise<string> {
  let end = Buffer.alloc(0);
  for await (const chunk of readContainerLog({ root, path, tailLines: limits.lines })) {
    const both = Buffer.concat([end, chunk]);
    end = both.subarray(Math.max(0, both.length - limits.maxBytes));
  }
  return end.toString();
}

class LogReader {
  readonly #options: ReadLogOptions;
  readonly #directory: FileHandle;
  readonly #decoder: CriLogDecoder;
  /** Used again and again: the decoder's output is a copy. */
  readonly #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #file: FileHandle;
  #offset = 0;
  #remaining: number;

  constructor(options: ReadLogOptions, log: OpenLog) {
    this.#options = options;
    this.#directory = log.directory;
    this.#file = log.file;
    this.#decoder = new CriLogDecoder(options);
    this.#remaining = options.limitBytes ?? Number.POSITIVE_INFINITY;
  }

  async close(): Promise<void> {
    await this.#file.close();
    await this.#directory.close();
  }

  async *read(): AsyncGenerator<Buffer, void, undefined> {
    const { tailLines, follow } = this.#options;
    const { size } = await this.#file.stat();
    if (tailLines !== undefined) this.#offset = await findTailStart(this.#file, size, tailLines);
    // Without following, what is written from now on is not waited for: a busy container would never let us end.
    if (follow) yield* this.#follow();
    else yield* this.#readUpTo(size);
  }

  async *#follow(): AsyncGenerator<Buffer, void, undefined> {
    const { signal, isRunning = () => true } = this.#options;
    const changes = new DirectoryChanges();
    changes.start(pathOfHandle(this.#directory));
    try {
      let mayBeRotated = true;
      while (!this.#isDone()) {
        // Asked before reading: what was written before the end is read after it.
        const running = isRunning();
        yield* this.#readUpTo(Number.POSITIVE_INFINITY);
        const next = mayBeRotated ? await this.#openNext() : undefined;
        if (next) {
          yield* this.#readRestAndGoTo(next);
          continue;
        }
        if (!running || this.#isDone()) return;
        mayBeRotated = await changes.wait(RECHECK_MS, signal);
      }
    } finally {
      changes.stop();
    }
  }

  /** Reads from where we are to the end of the file, or to the offset `end` if that comes first. */
  async *#readUpTo(end: number): AsyncGenerator<Buffer, void, undefined> {
    while (!this.#isDone() && this.#offset < end) {
      const length = Math.min(CHUNK_BYTES, end - this.#offset);
      const { bytesRead } = await this.#file.read(this.#chunk, 0, length, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      const output = this.#decoder.decode(this.#chunk.subarray(0, bytesRead)).subarray(0, this.#remaining);
      this.#remaining -= output.length;
      if (output.length > 0) yield output;
    }
  }

  /**
   * The file that the log goes on in, if it is not ours any more. Also starts over when ours was cut. Undefined as well
   * between the renaming of a log and the runtime's making of the next one.
   */
  async #openNext(): Promise<FileHandle | undefined> {
    const { root, path } = this.#options;
    let current: FileHandle;
    try {
      current = await openLogAt(this.#directory, root, path);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    let next: FileHandle | undefined;
    try {
      const [now, ours] = await Promise.all([current.stat({ bigint: true }), this.#file.stat({ bigint: true })]);
      if (now.ino !== ours.ino || now.dev !== ours.dev) {
        next = (await this.#openRotatedSince(ours)) ?? current;
      } else if (ours.size < this.#offset) {
        this.#offset = 0;
        this.#decoder.startFile();
      }
      return next;
    } finally {
      if (next !== current) await current.close();
    }
  }

  /**
   * A log may have been rotated more than once while a slow consumer kept us from looking: the first of its files that
   * was written to after ours. (Ours may have been compressed meanwhile, so it cannot be looked for.)
   */
  async #openRotatedSince(ours: { readonly ino: bigint; readonly mtimeNs: bigint }): Promise<FileHandle | undefined> {
    const { root, path } = this.#options;
    const names = await readdir(pathOfHandle(this.#directory));
    for (const name of names.filter((name) => rotatedKind(basename(path), name) === 'plain').sort()) {
      const stat = await lstat(pathOfHandle(this.#directory, name), { bigint: true });
      if (stat.mtimeNs > ours.mtimeNs && stat.ino !== ours.ino) {
        return await openLogAt(this.#directory, root, join(dirname(path), name));
      }
    }
    return undefined;
  }

  /** The next file is held open meanwhile, so that it is read even if it is rotated away, too. */
  async *#readRestAndGoTo(next: FileHandle): AsyncGenerator<Buffer, void, undefined> {
    const old = this.#file;
    try {
      await sleep(OLD_FILE_MS, undefined, { signal: this.#options.signal }).catch((error: unknown) => {
        if (!this.#options.signal?.aborted) throw error;
      });
      yield* this.#readUpTo(Number.POSITIVE_INFINITY);
    } finally {
      // Whatever happens, exactly one of the two is left, for `close`.
      this.#file = next;
      await old.close();
    }
    this.#offset = 0;
    this.#decoder.startFile();
  }

  #isDone(): boolean {
    return this.#remaining <= 0 || this.#options.signal?.aborted === true;
  }
}
