import { createHash, randomBytes } from 'node:crypto';
import { readFileIfThere, writeFileAtomic } from '../util/private-file.ts';

/** A key of AES-256-GCM. */
export interface SecretKey {
  /** Names the key in what it has encrypted, and says nothing about it. */
  readonly id: string;
  readonly bytes: Buffer;
}

/** Beside the database. */
export const secretKeysFile = 'secrets.key';

const keyBytes = 32;

const header = `# Keys that encrypt Secrets in store.db, the newest first. Without them the Secrets are lost: keep a copy elsewhere.
# \`mini-kubelet secrets rotate-key\` adds one.
`;

/** The key file is not what the daemon has written. It must not make a new one then: the Secrets could not be read. */
export class KeyFileError extends Error {
  constructor(path: string, why: string) {
    super(`the key file ${path} cannot be used: ${why}`);
    this.name = 'KeyFileError';
  }
}

/** The keys of a key file, the one to encrypt with first; undefined when there is no such file. @throws KeyFileError */
export function readSecretKeys(path: string): readonly SecretKey[] | undefined {
  const text = readFileIfThere(path);
  if (text === undefined) return undefined;
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const keys = lines.map((line) => {
    const [id = '', key = '', ...rest] = line.trim().split(/\s+/);
    const bytes = Buffer.from(key, 'base64');
    // Not even a part of a key is told.
    if (rest.length > 0 || bytes.length !== keyBytes || id !== idOf(bytes)) {
      throw new KeyFileError(path, 'a line is not the name of a key and the key as base64');
    }
    return { id, bytes };
  });
  if (keys.length === 0) throw new KeyFileError(path, 'it has no key');
  return keys;
}

/** Puts a new key in front of those that are there; the file is made if it is missing. 0600. @returns all keys. */
export function addSecretKey(path: string): readonly SecretKey[] {
  const bytes = randomBytes(keyBytes);
  const keys = [{ id: idOf(bytes), bytes }, ...(readSecretKeys(path) ?? [])];
  const lines = keys.map((key) => `${key.id} ${key.bytes.toString('base64')}\n`);
  writeFileAtomic(path, header + lines.join(''), 0o600);
  return keys;
}

/** Follows from the key, so that a line of the file that was damaged is noticed. */
function idOf(bytes: Buffer): string {
  return createHash('sha256').update('mini-kubelet key id').update(bytes).digest('hex').slice(0, 8);
}
