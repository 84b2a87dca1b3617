import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

// An import statement would read all that node:http exports, and so load its WebSocket client: 15 MB for nothing.
const { ServerResponse: Response } = process.getBuiltinModule('node:http');

/** What may become something else than HTTP. Everywhere else an Upgrade is passed over, as HTTP allows. */
const streamPath =
  /^\/(?:api\/v1\/namespaces\/[^/?]+\/pods\/[^/?]+\/(?:exec|attach|portforward)(?:\?|$)|(?:exec|attach|portForward)\/)/;

/** For `shouldUpgradeCallback`: with false, what follows on the connection is read as HTTP requests as ever. */
export function mayUpgrade(request: IncomingMessage): boolean {
  return streamPath.test(request.url ?? '');
}

/** Requests whose connection is HTTP's no more, whatever becomes of them. */
const upgrading = new WeakMap<IncomingMessage, Duplex>();

/**
 * Gives requests that ask for an upgrade to the same listener as all others, so that they pass the same checks. The
 * connection serves no second request: it is taken over by `takeConnection`, or closed after the answer.
 */
export function answerUpgrades(server: Server, onRequest: RequestListener): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Nobody else listens before it is taken over.
    socket.on('error', () => {});
    if (head.length > 0) socket.unshift(head);
    const response = new Response(request);
    response.shouldKeepAlive = false;
    // HTTP sockets are what servers give here; the type allows for more.
    response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0]);
    response.once('finish', () => {
      if (upgrading.has(request)) socket.end(() => socket.destroy());
    });
    upgrading.set(request, socket);
    onRequest(request, response);
  });
}

/** The connection of a request that asks for an upgrade, while it is HTTP's; undefined for all others. */
export function upgradableConnection(request: IncomingMessage): Duplex | undefined {
  return upgrading.get(request);
}

/**
 * Ends HTTP on the connection. Its response may not be written to any more.
 *
 * @returns to be called when the stream that took its place is over: so it is counted and logged like all requests.
 */
export function takeConnection(request: IncomingMessage, response: ServerResponse): () => void {
  const socket = upgrading.get(request);
  if (!socket) throw new Error('the request asked for no upgrade');
  upgrading.delete(request);
  response.detachSocket(socket as Parameters<ServerResponse['detachSocket']>[0]);
  response.statusCode = 101;
  return () => void response.emit('finish');
}
