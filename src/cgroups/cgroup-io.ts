import { constants, watch } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rmdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * What the cgroup code asks of the kernel's file system, so that the same code is driven by a real hierarchy and by a
 * model of one. Errors carry the kernel's `code` (ENOENT, EBUSY, ...).
 */
export interface CgroupIo {
  /** One level only: a missing parent is ENOENT, an existing directory EEXIST. */
  mkdir(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  read(path: string): Promise<string>;
  /** One write(2), as the kernel takes one value per call. Never creates the file: a missing one is ENOENT. */
  write(path: string, value: string): Promise<void>;
  /** Names of the sub-directories, which are the child cgroups. */
  childDirs(path: string): Promise<string[]>;
  /** Sends SIGKILL. A process that is gone already is no error. */
  kill(pid: number): void;
  /** Resolves when the kernel reports a change of this file, at the latest after the time given. */
  waitForChange(file: string, timeoutMs: number): Promise<void>;
  pause(ms: number): Promise<void>;
}

export const kernelCgroupIo: CgroupIo = {
  mkdir: async (path) => {
    await mkdir(path);
    // Whatever the umask: on cgroup v1 a container with users of its own walks down to its cgroup as nobody.
    await chmod(path, 0o755);
  },
  rmdir: (path) => rmdir(path),
  read: (path) => readFile(path, 'utf8'),
  write: writeOnce,
  childDirs: async (path) => {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  },
  kill: (pid) => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (errorCode(error) !== 'ESRCH') throw error;
    }
  },
  waitForChange,
  pause: (ms) => sleep(ms),
};

function waitForChange(file: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      watcher?.close();
      resolve();
    };
    const timer = setTimeout(done, timeoutMs);
    let watcher: ReturnType<typeof watch> | undefined;
    try {
      watcher = watch(file, done);
      watcher.on('error', done);
    } catch (error) {
      // The cgroup went away before the watch began: that is the change. Without inotify the timer alone decides.
      if (errorCode(error) === 'ENOENT') done();
    }
  });
}

async function writeOnce(path: string, value: string): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    await file.write(value);
  } finally {
    await file.close();
  }
}

/** The kernel's name of an error, such as ENOENT; undefined for an error that did not come from a system call. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
