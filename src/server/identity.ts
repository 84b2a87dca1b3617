import { createHash, timingSafeEqual } from 'node:crypto';
import { adminGroup } from './pki/pki.ts';

export interface Identity {
  readonly user: string;
  readonly groups: readonly string[];
}

/** How a request reached us, as far as it tells who sends it. */
export type Peer =
  /** Over the unix socket: whoever may open it is the administrator. */
  | { readonly transport: 'unix' }
  /** Over TLS; the certificate, if there is one, was issued by our authority and is valid now. */
  | { readonly transport: 'tls'; readonly certificate: Identity | undefined };

export const unixIdentity: Identity = { user: 'root', groups: [adminGroup] };

const tokenIdentity: Identity = { user: 'mini-kubelet-admin', groups: [adminGroup] };

/**
 * Who sends the request; undefined for nobody that we know.
 *
 * @param tokenHash SHA-256 of the administrator's token. Hashes are compared, in constant time: neither the time it
 *   takes nor a copy of the state directory tells the token.
 * @param identify knows the tokens of service accounts.
 */
export function authenticate(
  peer: Peer,
  authorization: string | undefined,
  tokenHash: Buffer,
  identify: (token: string) => Identity | undefined,
): Identity | undefined {
  if (peer.transport === 'unix') return unixIdentity;
  if (peer.certificate) return peer.certificate;
  const token = /^Bearer +([^\s]+)$/i.exec(authorization ?? '')?.[1];
  if (token === undefined) return undefined;
  const hash = createHash('sha256').update(token).digest();
  return timingSafeEqual(hash, tokenHash) ? tokenIdentity : identify(token);
}

/** There are no other rights than all of them, and only the administrators' group has them. */
export function isAdmin(identity: Identity): boolean {
  return identity.groups.includes(adminGroup);
}
