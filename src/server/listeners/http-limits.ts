import type { Server, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Status } from '../../api/meta.ts';
import { mayUpgrade } from './upgrade.ts';

/** As Kubernetes' apiserver: time for the headers, for the whole request, and until an idle connection is closed. */
export const httpOptions: ServerOptions = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 32_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 90_000,
  connectionsCheckingInterval: 5_000,
  shouldUpgradeCallback: mayUpgrade,
};

/**
 * Bounds a listener's connections, each listener's by itself: what fills up the one leaves the other open. Nearing the
 * limit, idle connections are closed; beyond it, new ones are.
 */
export function limitConnections(server: Server, limit: number): void {
  let count = 0;
  server.maxConnections = limit;
  server.on('connection', (socket: Socket) => {
    count += 1;
    socket.once('close', () => {
      count -= 1;
    });
    if (count > limit * 0.8) server.closeIdleConnections();
  });
}

const codes: Readonly<Record<string, [code: number, text: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
};

/** A client that was told what is wrong has so long to read it and go. */
const lingerMs = 1_000;

/** What is not even HTTP gets a Status too. The connection ends then, also when the client does not go by itself. */
export function answerClientErrors(server: Server): void {
  server.on('clientError', (error: Error & { code?: string }, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const [code, text] = codes[error.code ?? ''] ?? [400, 'Bad Request'];
    const status: Status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: text,
      reason: 'BadRequest',
      code,
    };
    const body = JSON.stringify(status);
    socket.end(
      `HTTP/1.1 ${code} ${text}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    setTimeout(() => socket.destroy(), lingerMs).unref();
  });
}
