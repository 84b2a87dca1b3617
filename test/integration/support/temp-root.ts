import { chmodSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeLeftovers } from './leftovers.ts';
import { startTicks } from './processes.ts';

/** On the disk: Debian 13 has `/tmp` in memory, where volumes and quotas are not what they are for users. */
const parent = '/var/tmp';
const numbers = 250;
const rootPattern = /^mk-[rd]\d{1,3}$/;

/**
 * A numbered directory such as `/var/tmp/mk-r17` that stands for everything a fixture uses: making the directory claims
 * the number, and with it the bridge, the network, the subnet, and the cgroup of the same name. Short, because a unix
 * socket's path has at most 107 bytes.
 */
export interface TempRoot {
  readonly number: number;
  /** Name of the network, the bridge and the cgroup, for example `mk-r17`. */
  readonly name: string;
  readonly path: string;
}

/** @param kind r for a runtime, d for a daemon. */
export function claimTempRoot(kind: 'r' | 'd'): TempRoot {
  const first = Math.floor(Math.random() * numbers);
  for (let offset = 0; offset < numbers; offset += 1) {
    const number = 1 + ((first + offset) % numbers);
    const name = `mk-${kind}${number}`;
    const path = join(parent, name);
    try {
      mkdirSync(path);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') continue;
      throw error;
    }
    // Containers may run as any user and reach hostPath directories beneath it.
    chmodSync(path, 0o755);
    writeFileSync(join(path, ownerFile(process.pid, startTicks(process.pid) ?? '0')), '');
    return { number, name, path };
  }
  throw new Error(`all of ${parent}/mk-${kind}1 to ${numbers} are taken`);
}

/**
 * Removes what test processes left behind that were killed before they could clean up. The owner is in a file's name,
 * so that renaming it is both the check that nobody else sweeps the same root and the mark of the new owner.
 */
export async function sweepAbandonedRoots(): Promise<string[]> {
  const swept: string[] = [];
  for (const name of readdirSync(parent).filter((entry) => rootPattern.test(entry))) {
    const path = join(parent, name);
    if (!takeOver(path)) continue;
    await removeLeftovers({ number: Number(name.slice(4)), name, path });
    swept.push(path);
  }
  return swept;
}

function ownerFile(pid: number, ticks: string): string {
  return `owner-${pid}-${ticks}`;
}

function takeOver(path: string): boolean {
  try {
    const owner = readdirSync(path).find((entry) => entry.startsWith('owner-'));
    const own = join(path, ownerFile(process.pid, startTicks(process.pid) ?? '0'));
    if (owner === undefined) {
      // Between mkdir and the owner's file there is a moment without one.
      if (Date.now() - statSync(path).mtimeMs < 60_000) return false;
      writeFileSync(own, '', { flag: 'wx' });
      return true;
    }
    const [, pid, ticks] = owner.split('-');
    if (startTicks(Number(pid)) === ticks) return false;
    renameSync(join(path, owner), own);
    return true;
  } catch (error) {
    // Somebody else was first.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EEXIST')) return false;
    throw error;
  }
}
