import { readFileSync, statSync } from 'node:fs';

/**
 * Who holds SQLite's lock on the file, out of the text of /proc/locks, whose lines are
 * `1: POSIX  ADVISORY  WRITE 8154 fe:00:2147171 1073741824 1073742335` (process, device:inode, first and last byte).
 * Devices are not compared: overlay file systems report one there and another to stat(2).
 */
export function lockHolder(procLocks: string, inode: number): number | undefined {
  for (const line of procLocks.split('\n')) {
    const [, type, , access, pid, file] = line.trim().split(/\s+/);
    if (type === 'POSIX' && access === 'WRITE' && file?.endsWith(`:${inode}`)) return Number(pid);
  }
  return undefined;
}

export function lockHolderOf(path: string): number | undefined {
  return lockHolder(readFileSync('/proc/locks', 'utf8'), statSync(path).ino);
}
