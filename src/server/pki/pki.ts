import { createHash, createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import type { Logger } from '../../util/log.ts';
import { readFileIfThere, writeFileAtomic } from '../../util/private-file.ts';
import type { CertifiedKey } from './certificates.ts';
import { readKubeconfig, renderKubeconfig } from './kubeconfig.ts';

/** Renewed when less is left; checked at every start and once a day. */
const renewBeforeMs = 30 * 24 * 3600 * 1000;

export const adminGroup = 'system:masters';

export interface PkiOptions {
  /** `<state>/pki`; made here, 0700. */
  readonly directory: string;
  /** `/etc/mini-kubelet/admin.kubeconfig`; its directory is made if missing. */
  readonly kubeconfigPath: string;
  /** What the kubeconfig points to: `https://127.0.0.1:10250`. */
  readonly serverUrl: string;
  /** What the server certificate is for. */
  readonly names: readonly string[];
  readonly logger: Logger;
}

export interface Pki {
  /** PEM of the authority that client certificates must come from. */
  readonly authority: string;
  readonly server: CertifiedKey;
  /** SHA-256 of the admin's bearer token. */
  readonly tokenHash: Buffer;
}

/**
 * Makes what is missing or about to expire and reads the rest: the authority, the server's certificate, and the
 * kubeconfig with the admin's certificate and token. The token itself is only in the kubeconfig; here is its hash.
 *
 *   ca.crt ca.key        the authority; a new one makes everything below anew
 *   server.crt server.key
 *   admin-token.sha256
 *
 * @param now epoch milliseconds.
 */
export async function ensurePki(options: PkiOptions, now: number): Promise<Pki> {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  mkdirSync(dirname(options.kubeconfigPath), { recursive: true, mode: 0o700 });
  const authority = await ensureAuthority(options, now);
  const server = await ensureServerCertificate(options, authority, now);
  const tokenHash = await ensureKubeconfig(options, authority, now);
  return { authority: authority.certificate, server, tokenHash };
}

/**
 * What is in the files now, for a server that runs already. Makes nothing: whoever replaces a certificate and its key does
 * it one after the other.
 *
 * @throws Error saying what is wrong with them.
 */
export function readPki(options: PkiOptions, now: number): Pki {
  const authority = readPair(options, 'ca');
  if (!authority) throw new Error('ca.crt and ca.key are missing, unreadable or not of each other');
  const server = readPair(options, 'server');
  if (!server) throw new Error('server.crt and server.key are missing, unreadable or not of each other');
  if (!isIssuedBy(server.certificate, authority)) throw new Error('server.crt was not issued by ca.crt');
  if (new X509Certificate(server.certificate).validToDate.getTime() <= now) throw new Error('server.crt has expired');
  const hash = readFileIfThere(join(options.directory, 'admin-token.sha256'))?.trim() ?? '';
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new Error('admin-token.sha256 has no SHA-256');
  return { authority: authority.certificate, server, tokenHash: Buffer.from(hash, 'hex') };
}

export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

async function ensureAuthority(options: PkiOptions, now: number): Promise<CertifiedKey> {
  const found = readPair(options, 'ca');
  if (found && isCurrent(found.certificate, now)) return found;
  options.logger.info({ directory: options.directory }, 'creating a certificate authority');
  const { createAuthority } = await import('./certificates.ts');
  const made = await createAuthority(`mini-kubelet-ca@${Math.floor(now / 1000)}`, now);
  writePair(options, 'ca', made);
  return made;
}

async function ensureServerCertificate(
  options: PkiOptions,
  authority: CertifiedKey,
  now: number,
): Promise<CertifiedKey> {
  const found = readPair(options, 'server');
  if (found && isIssuedBy(found.certificate, authority) && isCurrent(found.certificate, now)) {
    const certificate = new X509Certificate(found.certificate);
    const isFor = (name: string) =>
      (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined;
    if (options.names.every(isFor)) return found;
  }
  options.logger.info({ names: options.names }, 'issuing the server certificate');
  const { issueServerCertificate } = await import('./certificates.ts');
  const made = await issueServerCertificate(authority, options.names, now);
  writePair(options, 'server', made);
  return made;
}

/** The user may rename, add and choose contexts; the file is written anew only when it can no longer work. */
async function ensureKubeconfig(options: PkiOptions, authority: CertifiedKey, now: number): Promise<Buffer> {
  const hashPath = join(options.directory, 'admin-token.sha256');
  const hash = readFileIfThere(hashPath)?.trim();
  const text = readFileIfThere(options.kubeconfigPath);
  if (hash && text !== undefined && stillWorks(text, options, authority, now)) return Buffer.from(hash, 'hex');

  options.logger.info({ path: options.kubeconfigPath }, 'writing the kubeconfig of the administrator');
  const { issueClientCertificate } = await import('./certificates.ts');
  const client = await issueClientCertificate(authority, 'mini-kubelet-admin', [adminGroup], now);
  const token = randomBytes(32).toString('base64url');
  // The hash first: after a crash in between the kubeconfig is found stale and both are made anew.
  writeFileAtomic(hashPath, `${hashToken(token).toString('hex')}\n`, 0o600);
  writeFileAtomic(
    options.kubeconfigPath,
    renderKubeconfig({
      server: options.serverUrl,
      authority: authority.certificate,
      clientCertificate: client.certificate,
      clientKey: client.key,
      token,
    }),
    0o600,
  );
  return hashToken(token);
}

function stillWorks(text: string, options: PkiOptions, authority: CertifiedKey, now: number): boolean {
  try {
    const { server, authority: known, clientCertificate } = readKubeconfig(text);
    return (
      server === options.serverUrl &&
      known === authority.certificate &&
      clientCertificate !== undefined &&
      isIssuedBy(clientCertificate, authority) &&
      isCurrent(clientCertificate, now)
    );
  } catch (error) {
    options.logger.warn({ err: error, path: options.kubeconfigPath }, 'the kubeconfig cannot be read');
    return false;
  }
}

/** Undefined when either is missing, unreadable or not of the other. */
function readPair(options: PkiOptions, name: string): CertifiedKey | undefined {
  const certificate = readFileIfThere(join(options.directory, `${name}.crt`));
  const key = readFileIfThere(join(options.directory, `${name}.key`));
  if (certificate === undefined || key === undefined) return undefined;
  try {
    if (new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) return { certificate, key };
    options.logger.warn({ name }, 'a certificate and its key do not belong together');
  } catch (error) {
    options.logger.warn({ err: error, name }, 'a certificate or its key cannot be read');
  }
  return undefined;
}

function writePair(options: PkiOptions, name: string, pair: CertifiedKey): void {
  writeFileAtomic(join(options.directory, `${name}.key`), pair.key, 0o600);
  writeFileAtomic(join(options.directory, `${name}.crt`), pair.certificate, 0o644);
}

function isCurrent(certificate: string, now: number): boolean {
  return new X509Certificate(certificate).validToDate.getTime() - now > renewBeforeMs;
}

function isIssuedBy(certificate: string, authority: CertifiedKey): boolean {
  const issuer = new X509Certificate(authority.certificate);
  const issued = new X509Certificate(certificate);
  return issued.checkIssued(issuer) && issued.verify(issuer.publicKey);
}
