import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../util/safe-fs.ts';

/** Where every container runtime keeps what network plugins answered, one file for each sandbox and network. */
export const CNI_RESULTS = '/var/lib/cni/results';

/** No writer takes this long between making a file and filling it. */
const WRITING_MS = 1000;

/**
 * Removes what a power failure has left of files that were just written: nothing, mostly, since nobody syncs them. The
 * runtime cannot stop or remove a sandbox whose file it cannot read, however often it is asked; without the file it lets
 * the plugins clean up all the same.
 *
 * @returns the files that were removed.
 */
export async function removeBrokenCniResults(directory: string, nowMs: number): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await namesIn(directory)) {
    const file = join(directory, name);
    try {
      const { mtimeMs } = await stat(file);
      // The clock may be wrong after a power failure, in either direction.
      if (Math.abs(nowMs - mtimeMs) < WRITING_MS || isJson(await readFile(file, 'utf8'))) continue;
      await unlink(file);
      removed.push(file);
    } catch (error) {
      // Its sandbox was removed meanwhile.
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
  return removed;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
