import { parseDuration } from './duration.ts';
import { UsageError } from './usage-error.ts';

/** The flags of the commands that give somebody a way in, as they stand on the command line. */
export interface IdentityFlags {
  readonly name?: string;
  /** One text for each time that the flag was given. */
  readonly groups?: readonly string[];
  readonly days?: string;
  readonly expires?: string;
  readonly out?: string;
}

export interface WantedIdentity {
  readonly user: string;
  readonly groups: readonly string[];
}

const dayMs = 24 * 3600 * 1000;
const defaultCertificateDays = 365;
const maxDays = 3650;
const defaultTokenMs = 30 * dayMs;

/** PURE. Who it is to be. @throws UsageError */
export function wantedIdentity({ name, groups = [] }: IdentityFlags): WantedIdentity {
  if (name === undefined) throw new UsageError('--name is missing: whom is it for?');
  const all = groups.flatMap((list) => list.split(',')).filter((group) => group !== '');
  for (const text of [name, ...all]) {
    const isWrong = text === '' || text.length > 253 || /\p{Cc}/u.test(text);
    if (isWrong) throw new UsageError(`${JSON.stringify(text.slice(0, 80))} is no name for a user or group`);
  }
  return { user: name, groups: all };
}

/** PURE. For how many days a certificate is. @throws UsageError */
export function wantedDays({ days }: IdentityFlags): number {
  if (days === undefined) return defaultCertificateDays;
  const count = /^\d{1,4}$/.test(days) ? Number(days) : 0;
  if (count < 1 || count > maxDays) throw new UsageError(`--days must be a whole number from 1 to ${maxDays}`);
  return count;
}

/** PURE. How long a token is valid, in milliseconds: `90d`, `12h`. @throws UsageError */
export function wantedLifeMs({ expires }: IdentityFlags): number {
  if (expires === undefined) return defaultTokenMs;
  const days = /^(\d{1,4})d$/.exec(expires)?.[1];
  const lifeMs = days === undefined ? parseDuration(expires) : Number(days) * dayMs;
  if (lifeMs === undefined || lifeMs < 60_000 || lifeMs > maxDays * dayMs) {
    throw new UsageError(`--expires must be a time like 12h or 90d, from 1m to ${maxDays}d`);
  }
  return lifeMs;
}
