import type { FileHandle } from 'node:fs/promises';
import { errorCode, openRegularBeneath, readAtMost } from '../util/safe-fs.ts';
import { splitSubPath } from './sub-path.ts';

/** More than any environment can hold: the kernel takes 128 KiB for one variable. */
const MAX_BYTES = 1024 * 1024;

/** A file of variables that is not as it must be; never with a value in the message. */
export class EnvFileError extends Error {}

/**
 * Reads a file of variables in a volume that containers write to: through no link, and nothing but a regular file.
 *
 * @param path below the volume; a slash at the beginning, doubled ones and `.` say nothing.
 * @returns undefined when there is no such file. @throws EnvFileError, UnsafePathError
 */
export async function readEnvFile(volumePath: string, path: string): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await openRegularBeneath(volumePath, splitSubPath(path.replace(/^\/+/, '')).join('/'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { data, truncated } = await readAtMost(file, MAX_BYTES);
    if (truncated) throw new EnvFileError(`is larger than ${MAX_BYTES} bytes`);
    return new TextDecoder('utf-8', { fatal: true }).decode(data);
  } catch (error) {
    if (error instanceof TypeError) throw new EnvFileError('is no UTF-8 text');
    throw error;
  } finally {
    await file.close();
  }
}

/**
 * PURE. The value of a variable in a file of lines `NAME='value'` (pkg/kubelet/util/env of Kubernetes 1.35 and later). What
 * is between the quotes counts as it is, line feeds too; blank lines and lines that begin with # do not count.
 *
 * @returns undefined for a variable that is not in the file. @throws EnvFileError with the number of the wrong line.
 */
export function envFileValue(text: string, name: string): string | undefined {
  const lines = text.split(/\r?\n/);
  for (let index = 0; index < lines.length; index += 1) {
    const number = index + 1;
    const line = (lines[index] ?? '').replace(/^[ \t]+/, '');
    if (line === '' || line.startsWith('#')) continue;
    const at = line.indexOf('=');
    const key = line.slice(0, Math.max(at, 0));
    if (at < 0) throw wrongLine(number, "missing '='");
    if (key === '') throw wrongLine(number, 'empty variable name');
    if (/[ \t]$/.test(key)) throw wrongLine(number, "whitespace before '=' is not allowed");
    let rest = line.slice(at + 1);
    // As in a shell: the variable is empty, and what follows is something else.
    if (/^[ \t]/.test(rest)) {
      if (key === name) return '';
      continue;
    }
    if (!rest.startsWith("'")) throw wrongLine(number, 'value must be enclosed in single quotes');
    rest = rest.slice(1);
    while (!rest.includes("'")) {
      index += 1;
      const next = lines[index];
      if (next === undefined) throw wrongLine(number, 'unclosed single quote');
      rest += `\n${next}`;
    }
    const end = rest.indexOf("'");
    if (!/^[ \t]*(#|$)/.test(rest.slice(end + 1))) throw wrongLine(index + 1, 'unexpected content after closing quote');
    if (key === name) return rest.slice(0, end);
  }
  return undefined;
}

function wrongLine(number: number, what: string): EnvFileError {
  return new EnvFileError(`invalid environment variable format at line ${number}: ${what}`);
}
