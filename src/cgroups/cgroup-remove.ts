import { allSettledOrThrow, childrenOf } from './cgroup-fs.ts';
import { type CgroupIo, errorCode } from './cgroup-io.ts';

/** Processes that are still in a cgroup after they were sent SIGKILL: most often they wait for a device or a network file system. */
export class CgroupBusyError extends Error {
  readonly pids: readonly number[];

  constructor(dir: string, pids: readonly number[]) {
    super(
      `cgroup ${dir} cannot be removed: ${pids.length === 0 ? 'it is busy' : `processes ${pids.join(', ')} do not end`}`,
    );
    this.name = 'CgroupBusyError';
    this.pids = pids;
  }
}

/** One cgroup as it shows in each hierarchy, and how this version of cgroups ends what runs in it. */
export interface Removal {
  readonly dirs: readonly string[];
  readonly timeoutMs: number;
  /** Sends SIGKILL to every process in these directories and below. */
  killAll(dirs: readonly string[]): Promise<void>;
  /** Resolves when one of them may have become empty, at the latest after the time given. */
  waitForEmpty(dirs: readonly string[], timeoutMs: number): Promise<void>;
}

const FIRST_WAIT_MS = 2;
const LONGEST_WAIT_MS = 250;

/**
 * Removes a cgroup bottom-up. The runtime has stopped the containers before, so the first try is rmdir alone; only a
 * cgroup that is busy has its processes killed. The number of tries is bounded by the time.
 */
export async function removeCgroup(io: CgroupIo, removal: Removal, nowMs: () => number): Promise<void> {
  const deadline = nowMs() + removal.timeoutMs;
  let waitMs = FIRST_WAIT_MS;
  let busy = await removeTrees(io, removal.dirs);
  while (busy.length > 0) {
    if (nowMs() >= deadline) throw new CgroupBusyError(busy.join(', '), [...(await pidsBelow(io, busy))]);
    await removal.killAll(busy);
    await removal.waitForEmpty(busy, waitMs);
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
    busy = await removeTrees(io, busy);
  }
}

/** @returns the directories that are still there. */
async function removeTrees(io: CgroupIo, dirs: readonly string[]): Promise<string[]> {
  const gone = await Promise.all(dirs.map((dir) => removeTree(io, dir)));
  return dirs.filter((_, index) => !gone[index]);
}

async function removeTree(io: CgroupIo, dir: string): Promise<boolean> {
  if (await removeDir(io, dir)) return true;
  const children = await childrenOf(io, dir);
  if (children.length === 0) return false;
  const left = await removeTrees(
    io,
    children.map((child) => `${dir}/${child}`),
  );
  return left.length === 0 && (await removeDir(io, dir));
}

/** @returns false where something is in it. */
async function removeDir(io: CgroupIo, dir: string): Promise<boolean> {
  try {
    await io.rmdir(dir);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    throw error;
  }
}

/** Every process in these cgroups and below. */
export async function pidsBelow(io: CgroupIo, dirs: readonly string[]): Promise<Set<number>> {
  const pids = new Set<number>();
  await allSettledOrThrow(
    dirs.map(async (dir) => {
      for (const pid of await pidsOf(io, dir)) pids.add(pid);
      const children = await childrenOf(io, dir);
      for (const pid of await pidsBelow(
        io,
        children.map((child) => `${dir}/${child}`),
      )) {
        pids.add(pid);
      }
    }),
  );
  return pids;
}

/**
 * Only what kill(2) can mean as one process of ours: the kernel shows a process of another PID namespace as 0, and a
 * signal to 0 or 1 or to ourselves would hit the daemon or the machine.
 */
async function pidsOf(io: CgroupIo, dir: string): Promise<number[]> {
  let text: string;
  try {
    text = await io.read(`${dir}/cgroup.procs`);
  } catch (error) {
    // ENODEV: removed while it was open.
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENODEV') return [];
    throw error;
  }
  return text
    .split('\n')
    .map(Number)
    .filter((pid) => Number.isSafeInteger(pid) && pid > 1 && pid !== process.pid);
}
