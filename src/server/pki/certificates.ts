// The certificate library's dependency injection needs this first; it changes the global Reflect object and no more.
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

// This module is the slowest to load of all and needed only when something is to be issued: import it dynamically.

cryptoProvider.set(globalThis.crypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

const dayMs = 24 * 3600 * 1000;

/** A machine whose clock was set back by days must still take what it issued itself. */
const backdateMs = 7 * dayMs;

/** A certificate and its private key (PKCS #8), both PEM. */
export interface CertifiedKey {
  readonly certificate: string;
  readonly key: string;
}

/** @param now epoch milliseconds. */
export async function createAuthority(commonName: string, now: number): Promise<CertifiedKey> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [commonName] }],
    keys,
    serialNumber: randomSerial(),
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + 10 * 365 * dayMs),
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) };
}

/** A server certificate, for one year. @param names host names and addresses that clients may use. */
export async function issueServerCertificate(
  authority: CertifiedKey,
  names: readonly string[],
  now: number,
): Promise<CertifiedKey> {
  return issue(authority, [{ CN: [names[0] ?? 'localhost'] }], ExtendedKeyUsage.serverAuth, now, [
    new SubjectAlternativeNameExtension(
      names.map((name) => ({ type: isIP(name) ? ('ip' as const) : ('dns' as const), value: name })),
    ),
  ]);
}

/** A client certificate: Kubernetes takes the common name for the user, organizations for the groups. */
export async function issueClientCertificate(
  authority: CertifiedKey,
  user: string,
  groups: readonly string[],
  now: number,
  days = 365,
): Promise<CertifiedKey> {
  const organizations: Record<string, string[]>[] = groups.length > 0 ? [{ O: [...groups] }] : [];
  const subject = [...organizations, { CN: [user] }];
  return issue(authority, subject, ExtendedKeyUsage.clientAuth, now, [], days);
}

async function issue(
  authority: CertifiedKey,
  subject: Record<string, string[]>[],
  usage: ExtendedKeyUsage,
  now: number,
  extensions: Extension[],
  days = 365,
): Promise<CertifiedKey> {
  const issuer = new X509Certificate(authority.certificate);
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    serialNumber: randomSerial(),
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(Math.min(now + days * dayMs, issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage]),
      await AuthorityKeyIdentifierExtension.create(issuer),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ...extensions,
    ],
  });
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function importKey(key: string): Promise<webcrypto.CryptoKey> {
  return crypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(key), algorithm, false, ['sign']);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

/** Positive and 127 bits of chance, in hexadecimal. */
function randomSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}
