import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../src/util/exec.ts';

export const projectRoot = join(import.meta.dirname, '../../..');

/** True where the cgroup v2 tree is the only one. */
export function isUnifiedCgroup(): boolean {
  return existsSync('/sys/fs/cgroup/cgroup.controllers');
}

/** Without it (bit 24) nobody may lower an oom_score_adj. */
export function hasCapSysResource(): boolean {
  const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return match !== null && ((BigInt(`0x${match[1]}`) >> 24n) & 1n) === 1n;
}

/** Unpacks a package of a Debian release beside the system and returns its directory. */
export async function debianPackage(suite: string, name: string): Promise<string> {
  const { stdout } = await run(join(projectRoot, 'scripts/fetch-deb.sh'), [suite, name], { timeoutMs: 300_000 });
  return stdout.trim();
}
