import { rmSync } from 'node:fs';
import { readFileIfThere, writeFileAtomic } from './private-file.ts';

/**
 * Tells people and scripts which process runs. It is no lock: what a killed process left is overwritten, so whoever
 * reads it has to look whether that process lives.
 */
export function writePidFile(path: string, pid: number): void {
  writeFileAtomic(path, `${pid}\n`, 0o644);
}

/** Removes it unless another process has written its own meanwhile. */
export function removePidFile(path: string, pid: number): void {
  if (readFileIfThere(path)?.trim() === String(pid)) rmSync(path, { force: true });
}
