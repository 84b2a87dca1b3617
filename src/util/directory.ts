/** Steps of a walk through a tree that someone else may change meanwhile, with one open directory at a time. */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { O_PATH, pathOfHandle, UnsafePathError } from './safe-fs.ts';

/** An open directory (O_PATH). */
export interface Directory {
  readonly fd: number;
  readonly device: bigint;
  readonly inode: bigint;
  /** Of the directory itself, in bytes. */
  readonly size: bigint;
}

/** Opens a directory; with O_NOFOLLOW in `flags` never through a link. @throws the system's error. */
export function openDirectory(path: Buffer, flags = 0): Directory {
  const fd = openSync(path, O_PATH | constants.O_DIRECTORY | flags);
  const { dev, ino, size } = fstatSync(fd, { bigint: true });
  return { fd, device: dev, inode: ino, size };
}

/**
 * Opens the directory above. It must be the one that the walk came from: a tree that was moved meanwhile leads elsewhere.
 *
 * @param tree for the error only. @throws UnsafePathError
 */
export function openAbove(
  from: Directory,
  expected: Pick<Directory, 'device' | 'inode'> | undefined,
  tree: string,
): Directory {
  const above = openDirectory(bytePath(from, '..'));
  if (above.device === expected?.device && above.inode === expected.inode) return above;
  closeSync(above.fd);
  throw new UnsafePathError(tree, 'was moved while it was being walked');
}

/** The path of one component in an open directory. File names are bytes: `name` is latin1, which keeps every one. */
export function bytePath(directory: { readonly fd: number }, name: string): Buffer {
  return Buffer.concat([Buffer.from(`${pathOfHandle(directory)}/`), Buffer.from(name, 'latin1')]);
}
