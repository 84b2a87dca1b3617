import { createHash, timingSafeEqual } from 'node:crypto';
import { API_AUDIENCE, type ServiceAccountTokens } from '../tokens/service-account-tokens.ts';
import { adminGroup } from './pki/pki.ts';

export interface Identity {
  readonly user: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** How a request reached us, as far as it tells who sends it. */
export type Peer =
  /** Over the unix socket: whoever may open it is the administrator. */
  | { readonly transport: 'unix' }
  /** Over TLS; the certificate, if there is one, was issued by our authority and is valid now. */
  | { readonly transport: 'tls'; readonly certificate: Identity | undefined };

export const unixIdentity: Identity = { user: 'root', groups: [adminGroup] };

const tokenIdentity: Identity = { user: 'mini-kubelet-admin', groups: [adminGroup] };

const authenticatedGroup = 'system:authenticated';

/**
 * Who sends the request; undefined for nobody that we know. Everybody who is known is in the group `system:authenticated`.
 *
 * @param identify knows all tokens.
 */
export function authenticate(
  peer: Peer,
  authorization: string | undefined,
  identify: (token: string) => Identity | undefined,
): Identity | undefined {
  if (peer.transport === 'unix') return known(unixIdentity);
  if (peer.certificate) return known(peer.certificate);
  const token = /^Bearer +([^\s]+)$/i.exec(authorization ?? '')?.[1];
  return token === undefined ? undefined : identify(token);
}

export interface KnownTokens {
  /** Of the administrator's token; changes when it is made anew. */
  readonly tokenHash: () => Buffer;
  /** Of service accounts. */
  readonly tokens: Pick<ServiceAccountTokens, 'identify'>;
  /** Those that `mini-kubelet token` made. */
  readonly identifyUserToken: (token: string) => Identity | undefined;
}

/**
 * Whose token it is, if it is for one of the audiences. Hashes are compared, in constant time: neither the time it takes
 * nor a copy of the state directory tells the token.
 */
export function identityOfToken(
  token: string,
  { tokenHash, tokens, identifyUserToken }: KnownTokens,
  audiences: readonly string[],
): Identity | undefined {
  const hash = createHash('sha256').update(token).digest();
  const isForApi = audiences.includes(API_AUDIENCE);
  if (timingSafeEqual(hash, tokenHash())) return isForApi ? known(tokenIdentity) : undefined;
  const identity = (isForApi ? identifyUserToken(token) : undefined) ?? tokens.identify(token, audiences);
  return identity && known(identity);
}

function known(identity: Identity): Identity {
  if (identity.groups.includes(authenticatedGroup)) return identity;
  return { ...identity, groups: [...identity.groups, authenticatedGroup] };
}

/** Who has all rights, whatever the roles say. */
export function isAdmin(identity: Identity): boolean {
  return identity.groups.includes(adminGroup);
}
