import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { O_PATH, openBeneath, openRegularAt } from '../util/safe-fs.ts';

/** A container's log and the directory that it is in, both open. */
export interface OpenLog {
  readonly directory: FileHandle;
  readonly file: FileHandle;
}

/**
 * A pod that mounts /var/log can put anything in the place of a log: a link to /etc/shadow, a hard link to it, a FIFO.
 * Only what the runtime makes is read: a regular file of root with one name, reached through no link.
 */
const LOG_FILE = { uid: 0, singleLink: true };

/**
 * Opens a container's log below `root` (/var/log/pods, itself trusted).
 *
 * @param path relative to `root`, see `containerLogPath`.
 * @throws UnsafePathError, or the system's error; `ENOENT` for a log that is not there (yet).
 */
export async function openContainerLog(root: string, path: string): Promise<OpenLog> {
  const directory = await openBeneath(root, dirname(path), O_PATH | constants.O_DIRECTORY);
  try {
    return { directory, file: await openLogAt(directory, root, path) };
  } catch (error) {
    await directory.close();
    throw error;
  }
}

/** Opens what is now under the log's name, in the directory that is open already. */
export function openLogAt(directory: FileHandle, root: string, path: string): Promise<FileHandle> {
  return openRegularAt(directory, basename(path), join(root, path), LOG_FILE);
}
