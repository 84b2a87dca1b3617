import { once } from 'node:events';
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { answerClientErrors, httpOptions, limitConnections } from './http-limits.ts';
import { answerUpgrades } from './upgrade.ts';

// An import statement would read all that node:http exports, and so load its WebSocket client: 15 MB for nothing.
const { createServer } = process.getBuiltinModule('node:http');

/** Of `sun_path` on Linux without its final zero. Node would cut a longer path without a word. */
const maxPathBytes = 107;

/** A connection to a socket that nobody serves fails at once; one that hangs is served by somebody. */
const probeTimeoutMs = 1_000;

/**
 * Serves HTTP on a unix socket that only root and its group may open. Takes the place of a socket that a dead daemon
 * left behind, never that of a living one.
 */
export async function listenOnUnixSocket(path: string, onRequest: RequestListener, limit: number): Promise<Server> {
  if (Buffer.byteLength(path) > maxPathBytes) {
    throw new Error(`the socket path ${path} is longer than ${maxPathBytes} bytes`);
  }
  makeDirectory(dirname(path));
  await removeStaleSocket(path);
  const server = createServer(httpOptions, onRequest);
  limitConnections(server, limit);
  answerClientErrors(server);
  answerUpgrades(server, onRequest);
  // The socket is made within the call to listen, and must at no time be open to others.
  const umask = process.umask(0o117);
  server.listen(path);
  process.umask(umask);
  await once(server, 'listening');
  chmodSync(path, 0o660);
  return server;
}

function makeDirectory(path: string): void {
  if (mkdirSync(path, { recursive: true, mode: 0o750 }) !== undefined) chmodSync(path, 0o750);
}

async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new Error(`${path} is in the way: it is no socket`);
  if (await isServed(path)) throw new Error(`another daemon answers on ${path}`);
  unlinkSync(path);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const finish = (served: boolean) => {
      socket.destroy();
      resolve(served);
    };
    socket.setTimeout(probeTimeoutMs, () => finish(true));
    socket.once('connect', () => finish(true));
    socket.once('error', (error: Error & { code?: string }) => finish(error.code !== 'ECONNREFUSED'));
  });
}
