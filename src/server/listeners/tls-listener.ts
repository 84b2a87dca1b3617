import { constants } from 'node:crypto';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type PeerCertificate, type SecureContextOptions, TLSSocket } from 'node:tls';
import type { Identity } from '../identity.ts';
import type { Pki } from '../pki/pki.ts';
import { answerClientErrors, httpOptions, limitConnections } from './http-limits.ts';
import { answerUpgrades } from './upgrade.ts';

/** Authenticated encryption with forward secrecy only. */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
].join(':');

/** Serves HTTPS. Client certificates are asked for and judged per request, as a token may stand in for one. */
export async function listenOnTls(
  address: { host: string; port: number },
  pki: Pki,
  onRequest: RequestListener,
  limit: number,
): Promise<Server> {
  const server = createServer(
    {
      ...httpOptions,
      ...secureContext(pki),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: 10_000,
      ALPNProtocols: ['http/1.1'],
    },
    onRequest,
  );
  limitConnections(server, limit);
  answerClientErrors(server);
  // Without a handshake nobody can be answered, and a connection that waits to be would never end.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  answerUpgrades(server, onRequest);
  server.listen(address.port, address.host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    if (!isTaken) throw error;
    const hint = 'stop it, or choose another port (setting port, flag --port)';
    throw new Error(`port ${address.port} of ${address.host} is in use by another program: ${hint}`, { cause: error });
  }
  return server;
}

/** Whole again after certificates were renewed, for `server.setSecureContext`: what is not given there is lost. */
export function secureContext({ authority, server }: Pki): SecureContextOptions {
  return {
    cert: server.certificate,
    key: server.key,
    ca: authority,
    minVersion: 'TLSv1.2',
    ciphers,
    honorCipherOrder: true,
    // No resumption: Node calls a resumed connection authorized even if it never showed a certificate.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Who the client's certificate says it is; undefined without one, and for one that our authority did not issue. */
export function certificateIdentity(socket: unknown): Identity | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized || socket.isSessionReused()) return undefined;
  const { subject }: Partial<PeerCertificate> = socket.getPeerCertificate();
  // Node gives an empty object for no certificate, and lists for names that come more than once.
  if (!subject?.CN) return undefined;
  const groups: string[] = [subject.O ?? []].flat();
  return { user: [subject.CN].flat().join(','), groups };
}
