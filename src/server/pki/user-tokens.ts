import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdirSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { readFileIfThere, writeFileAtomic } from '../../util/private-file.ts';

/**
 * Bearer tokens that `mini-kubelet token` makes. Each is a file of its own, named for the public part of the token, so that
 * the daemon finds it without keeping anything, and commands that run at the same time do not undo each other's work:
 *
 *   mk_0011223344556677_<64 hexadecimal digits>        <state>/pki/tokens/0011223344556677.json, 0600
 *
 * The file has a SHA-256 of the whole token; the token itself is told once, when it is made.
 */
export interface UserToken {
  readonly id: string;
  readonly user: string;
  readonly groups: readonly string[];
  /** RFC 3339. */
  readonly created: string;
  readonly expires: string;
}

interface StoredToken extends UserToken {
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Where they are. @param pkiDirectory `<state>/pki`. */
export function userTokensIn(pkiDirectory: string): string {
  return join(pkiDirectory, 'tokens');
}

const tokenFormat = /^mk_([0-9a-f]{16})_[0-9a-f]{64}$/;
const idFormat = /^[0-9a-f]{16}$/;

/** @param now epoch milliseconds. @returns the token, which is nowhere else. */
export function createUserToken(
  directory: string,
  wish: { readonly user: string; readonly groups: readonly string[]; readonly lifeMs: number },
  now: number,
): { readonly token: string; readonly stored: UserToken } {
  const id = randomBytes(8).toString('hex');
  const token = `mk_${id}_${randomBytes(32).toString('hex')}`;
  const { user, groups, lifeMs } = wish;
  const stored: StoredToken = {
    id,
    user,
    groups,
    created: rfc3339(now),
    expires: rfc3339(now + lifeMs),
    sha256: hash(token).toString('hex'),
  };
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileAtomic(join(directory, `${id}.json`), `${JSON.stringify(stored)}\n`, 0o600);
  return { token, stored };
}

/** Those that have expired included, oldest first. */
export function listUserTokens(directory: string): UserToken[] {
  return idsIn(directory)
    .flatMap((id) => readToken(directory, id) ?? [])
    .sort((a, b) => a.created.localeCompare(b.created) || a.id.localeCompare(b.id));
}

/** From here on the token is nobody's. @returns whether there was one. */
export function revokeUserToken(directory: string, id: string): boolean {
  if (!idFormat.test(id)) return false;
  try {
    unlinkSync(join(directory, `${id}.json`));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Whose token it is; undefined for one that is not known or not valid any more. Reads one small file. */
export function identifyUserToken(
  directory: string,
  token: string,
  now: number,
): { readonly user: string; readonly groups: readonly string[] } | undefined {
  const id = tokenFormat.exec(token)?.[1];
  const stored = id === undefined ? undefined : readToken(directory, id);
  if (!stored || !timingSafeEqual(hash(token), Buffer.from(stored.sha256, 'hex'))) return undefined;
  return Date.parse(stored.expires) > now ? { user: stored.user, groups: stored.groups } : undefined;
}

/** Undefined when it is missing, or no file of ours: somebody's mistake must not let anybody in, nor end the daemon. */
function readToken(directory: string, id: string): StoredToken | undefined {
  const text = readFileIfThere(join(directory, `${id}.json`));
  if (text === undefined) return undefined;
  let value: Partial<StoredToken>;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const { user, groups, expires = '', created = '', sha256 = '' } = value;
  const isWhole = typeof user === 'string' && Array.isArray(groups) && /^[0-9a-f]{64}$/.test(sha256);
  return isWhole && !Number.isNaN(Date.parse(expires)) ? { id, user, groups, created, expires, sha256 } : undefined;
}

function idsIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .map((name) => name.replace(/\.json$/, ''))
      .filter((id) => idFormat.test(id));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function hash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function rfc3339(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
