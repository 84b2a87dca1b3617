import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { SpdyConnection } from '../spdy/connection.ts';
import { socketTransport } from '../spdy/transport.ts';
import { RuntimeError } from './runtime-error.ts';

// An import statement would read all that node:http exports, and so load its WebSocket client: 15 MB for nothing.
const { request } = process.getBuiltinModule('node:http');

/** Kubernetes' stream protocols: v4 carries exit codes and half-closes. */
export type StreamProtocol = 'v4.channel.k8s.io' | 'portforward.k8s.io';

/** The runtime answers at once: it is on this machine. */
const connectTimeoutMs = 30_000;
/** Of the runtime's words when it refuses. */
const maxErrorBytes = 4096;

export interface StreamingAddress {
  /** A loopback address. */
  readonly host: string;
  readonly port: number;
  /** Holds a token that is good for one connection: a secret. */
  readonly path: string;
}

/**
 * Where a URL of the runtime's streaming server leads. Only to this machine itself: whoever made the runtime answer
 * with another address would have the daemon carry a user's stream to it.
 *
 * @throws RuntimeError for every other URL.
 */
export function streamingAddress(method: string, url: string): StreamingAddress {
  const refuse = (why: string) => new RuntimeError(method, 'FAILED_PRECONDITION', `the runtime's streaming URL ${why}`);
  if (!URL.canParse(url)) throw refuse('cannot be read');
  const { protocol, hostname, port, pathname, search, username } = new URL(url);
  if (protocol === 'https:') throw refuse('uses TLS, which is not supported: turn it off, the server is local');
  if (protocol !== 'http:' || username !== '') throw refuse('is none of HTTP');
  const host = hostname === 'localhost' ? '127.0.0.1' : hostname.replace(/^\[(.*)\]$/, '$1');
  if (!/^127\.\d+\.\d+\.\d+$/.test(host) && host !== '::1') {
    throw refuse(`leads to ${host}: set the runtime's stream server address to 127.0.0.1`);
  }
  return { host, port: Number(port || 80), path: `${pathname}${search}` };
}

/**
 * Connects to what the runtime's Exec, Attach or PortForward returned, by SPDY/3.1: its WebSockets cannot tell that
 * stdin has ended. Redirects are not followed, and nothing is sent before the runtime has agreed.
 *
 * @param method for errors.
 * @throws RuntimeError.
 */
export async function connectStream(
  method: string,
  url: string,
  protocol: StreamProtocol,
  signal: AbortSignal,
): Promise<SpdyConnection> {
  const { host, port, path } = streamingAddress(method, url);
  const fail = (why: string, cause?: unknown) => new RuntimeError(method, 'INTERNAL', why, cause);
  const asked = request({
    method: 'POST',
    host,
    port,
    path,
    agent: false,
    timeout: connectTimeoutMs,
    signal,
    headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': protocol, 'content-length': 0 },
  });
  const socket = await upgraded(asked, fail).catch((error: unknown) => {
    asked.destroy();
    throw error instanceof RuntimeError ? error : fail(`no stream from the runtime: ${error}`, error);
  });
  return new SpdyConnection(socketTransport(socket), { role: 'client', maxStreams: 0 });
}

function upgraded(asked: ClientRequest, fail: (why: string) => RuntimeError): Promise<Socket> {
  return new Promise((resolve, reject) => {
    asked.on('error', reject);
    asked.on('timeout', () => reject(fail(`the runtime's streaming server does not answer`)));
    asked.on('response', (response) => {
      readWords(response).then(
        (words) => reject(fail(`the runtime's streaming server answered ${response.statusCode}: ${words}`)),
        reject,
      );
    });
    asked.on('upgrade', (response, socket: Socket, head) => {
      // From here on the socket's own listener counts, which is set in the same turn of the caller; until then none may
      // be missing.
      socket.on('error', () => {});
      if (response.headers.upgrade?.toLowerCase() !== 'spdy/3.1') {
        socket.destroy();
        reject(fail(`the runtime's streaming server speaks ${response.headers.upgrade}, not SPDY/3.1`));
        return;
      }
      socket.setTimeout(0);
      socket.setNoDelay(true);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asked.end();
  });
}

async function readWords(response: IncomingMessage): Promise<string> {
  let words = '';
  for await (const chunk of response) {
    words += String(chunk);
    if (words.length > maxErrorBytes) break;
  }
  return words.slice(0, maxErrorBytes).trim();
}
