import { forbidden } from '../../api/status-error.ts';
import type { Identity } from '../identity.ts';
import type { ResourceAttributes } from './attributes.ts';

/** Who a request wants to be taken for, and the rights that whoever sends it needs for that. */
export interface Impersonation {
  readonly identity: Identity;
  readonly needed: readonly ResourceAttributes[];
}

const prefix = 'impersonate-';
const extraPrefix = 'impersonate-extra-';
const authentication = 'authentication.k8s.io';

/**
 * Reads the `Impersonate-*` headers (`kubectl --as`, `--as-group`, `--as-uid`). Rules of k8s.io/apiserver's
 * impersonation filter; what that one would pass over is refused. PURE.
 *
 * @param rawHeaders names and values in turns, as they came: a group may come more than once.
 * @returns undefined when there are none. @throws StatusError Forbidden for headers that make no sense.
 */
export function readImpersonation(rawHeaders: readonly string[]): Impersonation | undefined {
  const headers = impersonationHeaders(rawHeaders);
  if (headers.length === 0) return undefined;
  const values = (name: string) => headers.filter((header) => header.name === name).map(({ value }) => value);
  const [users, groups, uids] = ['impersonate-user', 'impersonate-group', 'impersonate-uid'].map(values);
  const extras = headers.filter(({ name }) => name.startsWith(extraPrefix));
  const user = users?.[0] ?? '';
  if (user === '')
    throw forbidden('impersonation needs a user: there are Impersonate-* headers, but no Impersonate-User');
  if ((users?.length ?? 0) > 1 || (uids?.length ?? 0) > 1) throw forbidden('impersonation of more than one user');
  const [uid] = uids ?? [];
  const extra: Record<string, string[]> = Object.create(null);
  const needed = [neededForUser(user)];
  for (const group of groups ?? []) needed.push(attributes('', 'groups', group));
  if (uid !== undefined) needed.push(attributes(authentication, 'uids', uid));
  for (const { name, value } of extras) {
    const key = decodeKey(name.slice(extraPrefix.length));
    extra[key] = [...(extra[key] ?? []), value];
    needed.push({ ...attributes(authentication, 'userextras', value), subresource: key });
  }
  const identity: Identity = {
    user,
    groups: groupsOf(user, groups ?? []),
    ...(uid === undefined ? {} : { uid }),
    ...(extras.length === 0 ? {} : { extra }),
  };
  return { identity, needed };
}

/** @throws StatusError Forbidden for one that is not known. */
function impersonationHeaders(rawHeaders: readonly string[]): { name: string; value: string }[] {
  const headers: { name: string; value: string }[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase();
    if (!name.startsWith(prefix)) continue;
    const isKnown =
      ['impersonate-user', 'impersonate-group', 'impersonate-uid'].includes(name) || name.startsWith(extraPrefix);
    if (!isKnown) throw forbidden(`the header ${JSON.stringify(name.slice(0, 100))} is not supported`);
    headers.push({ name, value: rawHeaders[i + 1] ?? '' });
  }
  return headers;
}

function neededForUser(user: string): ResourceAttributes {
  const [namespace, name] = serviceAccountOf(user) ?? [];
  if (namespace === undefined || name === undefined) return attributes('', 'users', user);
  return { ...attributes('', 'serviceaccounts', name), namespace };
}

function attributes(group: string, resource: string, name: string): ResourceAttributes {
  return { verb: 'impersonate', group, resource, subresource: '', namespace: '', name };
}

function serviceAccountOf(user: string): [namespace: string, name: string] | undefined {
  const match = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user);
  return match ? [match[1] ?? '', match[2] ?? ''] : undefined;
}

/** Whoever is impersonated is known, unless the request says that nobody is meant. */
function groupsOf(user: string, given: readonly string[]): string[] {
  const account = serviceAccountOf(user);
  const own =
    account && given.length === 0 ? ['system:serviceaccounts', `system:serviceaccounts:${account[0]}`] : given;
  if (own.includes('system:authenticated') || own.includes('system:unauthenticated')) return [...own];
  return [...own, user === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated'];
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key).toLowerCase();
  } catch {
    // Go keeps what is no percent-encoding as it is.
    return key;
  }
}
