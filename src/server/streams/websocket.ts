import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { MAX_QUEUED_BYTES, type Transport } from '../../spdy/transport.ts';

/** A client sends its stdin in messages of 32 KiB; some send a small file in one. */
const maxMessageBytes = 8 * 1024 * 1024;
/** What a client that sends pings and never reads can make us hold. */
const maxBufferedBytes = 4 * 1024 * 1024;
/** Kubernetes' clients give up a server that is silent for a minute. */
const pongWhilePausedMs = 15_000;

/** A WebSocket with its back-pressure: messages are cut by nobody, but whether there is room the socket tells. */
export interface WebSocketConnection {
  readonly webSocket: WebSocket;
  /** Sends the parts as one message. @returns false when the client reads slower than that. */
  send(parts: readonly Buffer[]): boolean;
  readonly bufferedBytes: number;
  pause(): void;
  resume(): void;
  onDrain(listener: () => void): void;
  end(): void;
  destroy(): void;
}

/**
 * Answers a WebSocket's handshake.
 *
 * @param closeTimeoutMs a client that reads slowly gets so long to read the rest.
 */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  protocol: string,
  closeTimeoutMs: number,
): Promise<WebSocketConnection | undefined> {
  return new Promise((resolve) => {
    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // Compressing what may be secret beside what an attacker chooses tells of the secret.
      perMessageDeflate: false,
      maxPayload: maxMessageBytes,
      skipUTF8Validation: true,
      closeTimeout: closeTimeoutMs,
    } as ConstructorParameters<typeof WebSocketServer>[0]);
    // Kubernetes' SPDY/3.1+portforward.k8s.io is no token, and ws would refuse it: we have chosen already.
    delete request.headers['sec-websocket-protocol'];
    server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
    // A handshake that ws refuses: it answers and closes.
    server.on('wsClientError', (_error, refused) => {
      refused.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      resolve(undefined);
    });
    server.handleUpgrade(request, socket, Buffer.alloc(0), (webSocket) => resolve(connectionOf(webSocket, socket)));
  });
}

function connectionOf(webSocket: WebSocket, socket: Duplex): WebSocketConnection {
  // A paused WebSocket cannot answer the client's pings: a pong that nobody asked for is allowed, and says the same.
  const pongs = setInterval(() => {
    if (webSocket.isPaused && webSocket.readyState === webSocket.OPEN && !socket.writableNeedDrain) webSocket.pong();
  }, pongWhilePausedMs).unref();
  webSocket.on('close', () => clearInterval(pongs));
  webSocket.on('ping', () => {
    if (socket.writableLength > maxBufferedBytes) webSocket.terminate();
  });
  // It always closes after an error, and that is heard.
  webSocket.on('error', () => {});
  return {
    webSocket,
    send: (parts) => {
      if (webSocket.readyState !== webSocket.OPEN) return true;
      webSocket.send(Buffer.concat(parts));
      return socket.writableLength < MAX_QUEUED_BYTES;
    },
    get bufferedBytes() {
      return socket.writableLength;
    },
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    onDrain: (listener) => void socket.on('drain', listener),
    end: () => webSocket.close(1000),
    destroy: () => webSocket.terminate(),
  };
}

/** SPDY's bytes in WebSocket messages, wherever they are cut: how kubectl's port-forward comes. */
export function webSocketTransport(connection: WebSocketConnection): Transport {
  const { webSocket } = connection;
  return {
    write: (parts) => connection.send(parts),
    get bufferedBytes() {
      return connection.bufferedBytes;
    },
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    end: () => connection.end(),
    destroy: () => connection.destroy(),
    start: ({ onData, onDrain, onClose }) => {
      webSocket.on('message', (data) => onData(data as Buffer));
      connection.onDrain(onDrain);
      webSocket.on('close', () => onClose(undefined));
    },
  };
}
