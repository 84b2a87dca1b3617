import type { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { podKind } from '../../api/kinds.ts';
import type { Pod } from '../../api/pod.ts';
import { badRequest } from '../../api/status-error.ts';
import { SpdyConnection } from '../../spdy/connection.ts';
import { socketTransport } from '../../spdy/transport.ts';
import { takeConnection, upgradableConnection } from '../listeners/upgrade.ts';
import type { Target } from '../objects/object-api.ts';
import { chooseContainer } from '../pod-log.ts';
import type { PodOperations, WantedStreams } from '../pod-operations.ts';
import { booleanParameter, listParameter, type Query, stringParameter } from '../request/query.ts';
import { type ClientProtocol, chooseProtocol } from '../streams/offer.ts';
import { runSession } from '../streams/session.ts';
import { channelRules, portForwardRules, SpdyClient, type StreamRules } from '../streams/spdy-client.ts';
import { expectedChannels, type StreamClient } from '../streams/stream-client.ts';
import { acceptWebSocket, type WebSocketConnection, webSocketTransport } from '../streams/websocket.ts';
import { WebSocketClient } from '../streams/websocket-client.ts';
import type { HttpContext } from './context.ts';
import type { SubresourceHandlers } from './object-routes.ts';
import { queryOf } from './reply.ts';

/** Of one port-forward: each connection takes two. */
const maxStreams = 1_000;

export type Handled = Promise<FastifyReply | undefined>;

/** What is particular to exec, attach or port-forward. */
export interface Purpose {
  readonly kind: 'channels' | 'portforward';
  /** Asks the runtime. @throws StatusError. */
  connect(signal: AbortSignal): Promise<SpdyConnection>;
  spdyRules(): StreamRules;
  /** For messages with channel numbers. */
  webSocketClient(connection: WebSocketConnection, protocol: ClientProtocol): StreamClient;
}

/** Streams into pods. A WebSocket begins with GET, SPDY with POST: what they may do is the same. */
export function streamHandlers(context: HttpContext): SubresourceHandlers {
  const both = (purposeOf: (pod: Pod, query: Query) => Purpose) => {
    const handler = (target: Target, request: FastifyRequest, reply: FastifyReply): Handled => {
      const pod = context.objects.get(target) as Pod;
      return openSession(context, pod, purposeOf(pod, queryOf(request)), request, reply);
    };
    return { GET: handler, POST: handler };
  };
  const { podOperations } = context;
  return {
    'pods/exec': both((pod, query) => {
      const container = chooseContainer(pod, stringParameter(query, 'container'));
      const wanted = wantedStreams(query, booleanParameter(query, 'tty'));
      return execPurpose(podOperations, pod, container, listParameter(query, 'command'), wanted);
    }),
    'pods/attach': both((pod, query) => {
      const container = chooseContainer(pod, stringParameter(query, 'container'));
      // What the process was started with counts, not what the client says now.
      const wanted = wantedStreams(query, hasTty(pod, container));
      return attachPurpose(podOperations, pod, container, wanted);
    }),
    'pods/portforward': both((pod) => portForwardPurpose(podOperations, pod)),
  };
}

/** @throws StatusError without a command. */
export function execPurpose(
  podOperations: PodOperations,
  pod: Pod,
  container: string,
  command: readonly string[],
  wanted: WantedStreams,
): Purpose {
  if (command.length === 0) throw badRequest('you must specify at least one command for the container');
  return channels(wanted, (signal) => podOperations.exec(pod, container, command, wanted, signal));
}

export function attachPurpose(
  podOperations: PodOperations,
  pod: Pod,
  container: string,
  wanted: WantedStreams,
): Purpose {
  return channels(wanted, (signal) => podOperations.attach(pod, container, wanted, signal));
}

export function portForwardPurpose(podOperations: PodOperations, pod: Pod): Purpose {
  return {
    kind: 'portforward',
    connect: (signal) => podOperations.portForward(pod, signal),
    spdyRules: () => portForwardRules,
    webSocketClient: (connection) =>
      new SpdyClient(
        new SpdyConnection(webSocketTransport(connection), { role: 'server', maxStreams }),
        portForwardRules,
      ),
  };
}

function channels(wanted: WantedStreams, connect: Purpose['connect']): Purpose {
  const expected = expectedChannels(wanted);
  return {
    kind: 'channels',
    connect,
    spdyRules: () => channelRules(expected),
    webSocketClient: (connection, { name }) => new WebSocketClient(connection, expected, name === 'v5.channel.k8s.io'),
  };
}

/**
 * A terminal has no stderr of its own.
 *
 * @param names of the parameters for stdin, stdout and stderr: a kubelet's own endpoints have others.
 * @throws StatusError
 */
export function wantedStreams(
  query: Query,
  tty: boolean,
  names: readonly [string, string, string] = ['stdin', 'stdout', 'stderr'],
): WantedStreams {
  const [stdin, stdout, stderr] = names.map((name) => booleanParameter(query, name));
  if (!stdin && !stdout && !stderr) throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  return { stdin: stdin ?? false, stdout: stdout ?? false, stderr: (stderr ?? false) && !tty, tty };
}

export function hasTty({ spec }: Pod, container: string): boolean {
  const all = [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])];
  return all.find(({ name }) => name === container)?.tty ?? false;
}

/**
 * 1. what to speak with the client; 2. a place among the long-running; 3. the runtime's streams, while the client can
 * still get a Status for what fails; 4. the client's upgrade; 5. both are joined until one ends.
 */
export async function openSession(
  context: HttpContext,
  pod: Pod,
  purpose: Purpose,
  request: FastifyRequest,
  reply: FastifyReply,
): Handled {
  const { socket, protocol } = clientOf(request, purpose);
  const abort = new AbortController();
  const end = (reason: string) => abort.abort(reason);
  context.longRunning.add(socket, () => end('the server is shutting down'));
  const onClose = () => end('the client is gone');
  socket.once('close', onClose);
  const runtime = await purpose.connect(abort.signal);

  socket.off('close', onClose);
  reply.hijack();
  const finished = takeConnection(request.raw, reply.raw);
  const stopWatching = whenPodIsGone(context, pod, end);
  context.logger.info(
    { user: request.identity?.user, path: request.url.split('?', 1)[0], protocol: protocol.name },
    'stream opened',
  );
  try {
    const client = await upgrade(purpose, protocol, request, socket, context.streamIdleTimeoutMs);
    if (!client) runtime.destroy();
    else await runSession({ client, runtime, idleTimeoutMs: context.streamIdleTimeoutMs, signal: abort.signal });
  } catch (error) {
    context.logger.error({ err: error }, 'a stream failed');
    runtime.destroy();
    socket.destroy();
  } finally {
    stopWatching();
    finished();
  }
  return undefined;
}

/** @throws StatusError when there is no upgrade, or no protocol in common. */
function clientOf(request: FastifyRequest, purpose: Purpose): { socket: Duplex; protocol: ClientProtocol } {
  const { headers, rawHeaders } = request.raw;
  const socket = upgradableConnection(request.raw);
  if (!socket) throw badRequest('Upgrade request required');
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0) {
    throw badRequest('an upgrade has no body');
  }
  const spdyVersions = rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'x-stream-protocol-version',
  );
  return { socket, protocol: chooseProtocol({ method: request.method, headers, spdyVersions }, purpose.kind) };
}

/** Undefined when the client's handshake was no good. */
async function upgrade(
  purpose: Purpose,
  protocol: ClientProtocol,
  request: FastifyRequest,
  socket: Duplex,
  closeTimeoutMs: number,
): Promise<StreamClient | undefined> {
  keepAlive(socket);
  if (protocol.transport === 'websocket') {
    const connection = await acceptWebSocket(request.raw, socket, protocol.name, closeTimeoutMs);
    return connection && purpose.webSocketClient(connection, protocol);
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol.name}\r\n\r\n`,
  );
  const connection = new SpdyConnection(socketTransport(socket), { role: 'server', maxStreams });
  return new SpdyClient(connection, purpose.spdyRules());
}

/** Clients may be silent for hours; one whose machine is gone is noticed by the kernel. */
function keepAlive(socket: Duplex): void {
  const { setKeepAlive, setNoDelay } = socket as { setKeepAlive?: unknown; setNoDelay?: unknown };
  if (typeof setKeepAlive === 'function') setKeepAlive.call(socket, true, 30_000);
  if (typeof setNoDelay === 'function') setNoDelay.call(socket, true);
}

/** The streams of exec end with their container; a forwarded port would stay open without anybody behind it. */
function whenPodIsGone({ store }: HttpContext, { metadata }: Pod, end: (reason: string) => void): () => void {
  const { namespace, uid } = metadata;
  return store.watch(
    podKind,
    { namespace, filter: (pod) => pod.metadata.uid === uid, resourceVersion: store.resourceVersion },
    ({ type, object }) => {
      const phase = object.status?.phase;
      if (type === 'DELETED') end('the pod was deleted');
      else if (phase === 'Succeeded' || phase === 'Failed') end('the pod has ended');
    },
  );
}
