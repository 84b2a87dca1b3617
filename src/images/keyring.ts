import { isAtLocation, parseRegistryLocation } from '../api/registry-location.ts';
import type { RegistryLogin } from './docker-config.ts';

/** The Secret that a credential is from. */
export interface SecretSource {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** What a pull may be tried with. */
export interface PullCredential {
  readonly username: string;
  readonly password: string;
  /** Undefined: it belongs to the node, and every pod may use what was pulled with it. */
  readonly source: SecretSource | undefined;
}

/** Credentials from one place. */
export interface LoginsOf {
  readonly source: SecretSource | undefined;
  readonly logins: readonly RegistryLogin[];
}

const DEFAULT_REGISTRY = 'index.docker.io';

/**
 * The credentials for an image's repository, in the order in which they are to be tried: what is for a longer path comes first
 * (`BasicDockerKeyring` in pkg/credentialprovider/keyring.go). PURE.
 */
export function matchingCredentials(all: readonly LoginsOf[], repository: string): PullCredential[] {
  const byPlace = new Map<string, PullCredential[]>();
  for (const { source, logins } of all) {
    for (const { location, username, password } of logins) {
      const place = placeOf(location);
      if (place === undefined) continue;
      const there = byPlace.get(place) ?? [];
      byPlace.set(place, there);
      there.push({ username, password, source });
    }
  }
  const places = [...byPlace.keys()].sort().reverse();
  const found = places.flatMap((place) => (isAtLocation(repository, place) ? (byPlace.get(place) ?? []) : []));
  if (found.length > 0 || !isOfDefaultRegistry(repository)) return found;
  return byPlace.get(DEFAULT_REGISTRY) ?? [];
}

/** Without scheme, user name, and the `/v1/` or `/v2/` that Docker writes; undefined for what is no place. */
function placeOf(location: string): string | undefined {
  const place = parseRegistryLocation(location.replace(/^https?:\/\//, ''));
  if (!place) return undefined;
  const path = place.path.replace(/^\/v[12](?=\/)/, '');
  return path === '/' ? place.host : place.host + path;
}

function isOfDefaultRegistry(repository: string): boolean {
  const [first = '', ...rest] = repository.split('/');
  if (first === '') return false;
  return rest.length === 0 || first === 'docker.io' || first === DEFAULT_REGISTRY || !/[.:]/.test(first);
}
