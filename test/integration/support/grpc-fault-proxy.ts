import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Failpoint, type FaultAction } from './failpoint.ts';
import { waitFor } from './wait.ts';

export interface ProxiedCall {
  /** The last part of the path, for example RunPodSandbox. */
  readonly method: string;
  readonly startedAtMs: number;
  /** Of a unary call: the serialized request. */
  request: Buffer;
  /** Undefined while the call is under way; -1 for one that was cut off. */
  grpcStatus: number | undefined;
  readonly fault: FaultAction['kind'];
}

/**
 * Stands between a gRPC client and the container runtime and makes calls fail as text asks for. It forwards HTTP/2
 * streams as they are, so it knows neither the services nor their messages. A connection of the client has a connection
 * to the runtime of its own: where one is lost the other is cut, and the client sees what it would see without a proxy.
 */
export class GrpcFaultProxy {
  readonly socketPath: string;
  readonly endpoint: string;
  readonly #runtimeSocketPath: string;
  readonly #server: Http2Server;
  readonly #failpoints = new Map<string, Failpoint>();
  readonly #calls: ProxiedCall[] = [];
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #upstreams = new WeakMap<ServerHttp2Session, ClientHttp2Session>();
  #held: (() => void)[] = [];

  /** @param socketPath where the proxy listens; @param runtimeSocketPath what it stands in front of. */
  constructor(socketPath: string, runtimeSocketPath: string) {
    this.socketPath = socketPath;
    this.endpoint = `unix://${socketPath}`;
    this.#runtimeSocketPath = runtimeSocketPath;
    this.#server = createServer();
    this.#server.on('session', (session) => this.#open(session));
    this.#server.on('stream', (stream, headers) => void this.#forward(stream, headers));
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.socketPath, resolve);
    });
  }

  async stop(): Promise<void> {
    this.release();
    for (const session of this.#sessions) session.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Sets what the next calls of a method meet; see failpoint.ts for the text. */
  inject(method: string, failpoint: string): void {
    this.#failpoints.set(method, new Failpoint(failpoint));
  }

  /** No more faults; held calls go on. */
  clear(): void {
    this.#failpoints.clear();
    this.release();
  }

  /** Lets the calls that are held at this moment go on, and says how many. */
  release(): number {
    const held = this.#held;
    this.#held = [];
    for (const go of held) go();
    return held.length;
  }

  /** How many calls are held at this moment; those of `holdAfter` have had their effect. */
  get heldCalls(): number {
    return this.#held.length;
  }

  calls(method?: string): readonly ProxiedCall[] {
    return method === undefined ? this.#calls : this.#calls.filter((call) => call.method === method);
  }

  forgetCalls(): void {
    this.#calls.length = 0;
  }

  /** Resolves when a method has been called this often (since the start or `forgetCalls`), before its answer. */
  async called(method: string, times = 1, timeoutMs = 30_000): Promise<void> {
    await waitFor(`call ${times} of ${method}`, () => this.calls(method).length >= times, timeoutMs);
  }

  #open(session: ServerHttp2Session): void {
    const upstream = connect('http://localhost', { createConnection: () => connectSocket(this.#runtimeSocketPath) });
    this.#sessions.add(session);
    this.#upstreams.set(session, upstream);
    // An error is always followed by `close`, and closing the other side is all there is to do.
    upstream.on('error', ignore);
    session.on('error', ignore);
    upstream.once('close', () => session.destroy());
    session.once('close', () => {
      this.#sessions.delete(session);
      upstream.destroy();
    });
  }

  async #forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const method = String(headers[constants.HTTP2_HEADER_PATH]).replace(/^.*\//, '');
    const fault = this.#failpoints.get(method)?.next() ?? { kind: 'off' };
    const call: ProxiedCall = {
      method,
      startedAtMs: performance.now(),
      request: Buffer.alloc(0),
      grpcStatus: undefined,
      fault: fault.kind,
    };
    this.#calls.push(call);
    stream.on('error', ignore);
    stream.once('close', () => {
      call.grpcStatus ??= -1;
    });
    if (fault.kind === 'delay') await delay(fault.milliseconds);
    if (fault.kind === 'hold') await this.#hold();
    if (fault.kind === 'error') answerError(stream, call, fault);
    else this.#pass(stream, headers, call, fault);
  }

  #hold(): Promise<void> {
    return new Promise((resolve) => this.#held.push(resolve));
  }

  #pass(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, call: ProxiedCall, fault: FaultAction): void {
    const upstream = stream.session && this.#upstreams.get(stream.session as ServerHttp2Session);
    if (stream.destroyed || upstream === undefined || upstream.destroyed) {
      stream.destroy();
      return;
    }
    const forwarded = upstream.request(headers);
    forwarded.on('error', ignore);
    stream.on('data', (chunk: Buffer) => {
      if (call.request.length < maxRecordedBytes) call.request = Buffer.concat([call.request, chunk]);
      forwarded.write(chunk);
    });
    stream.once('end', () => {
      // Each message has a flag and a length before it.
      call.request = call.request.subarray(5);
      forwarded.end();
    });
    stream.once('close', () => forwarded.close(constants.NGHTTP2_CANCEL));
    forwarded.once('response', (responseHeaders) => {
      void this.#answer(stream, forwarded, responseHeaders, call, fault);
    });
    forwarded.once('close', () => {
      if (!stream.headersSent && fault.kind === 'off') stream.close(constants.NGHTTP2_CANCEL);
    });
  }

  async #answer(
    stream: ServerHttp2Stream,
    forwarded: ClientHttp2Stream,
    headers: IncomingHttpHeaders,
    call: ProxiedCall,
    fault: FaultAction,
  ): Promise<void> {
    const chunks: Buffer[] = [];
    let trailers: OutgoingHttpHeaders = {};
    forwarded.on('trailers', (received: IncomingHttpHeaders) => {
      trailers = { ...received };
    });
    const isLate = fault.kind === 'delayAfter' || fault.kind === 'holdAfter' || fault.kind === 'errorAfter';
    if (isLate) {
      for await (const chunk of forwarded) chunks.push(chunk as Buffer);
      if (fault.kind === 'delayAfter') await delay(fault.milliseconds);
      if (fault.kind === 'holdAfter') await this.#hold();
      if (fault.kind === 'errorAfter') {
        answerError(stream, call, fault);
        return;
      }
    }
    if (stream.destroyed) return;
    if (headers['grpc-status'] !== undefined) {
      // An error without any message comes as headers alone.
      call.grpcStatus = Number(headers['grpc-status']);
      stream.respond({ ...headers }, { endStream: true });
      return;
    }
    stream.respond({ ...headers }, { waitForTrailers: true });
    stream.once('wantTrailers', () => {
      call.grpcStatus = Number(trailers['grpc-status']);
      stream.sendTrailers(trailers);
    });
    if (isLate) stream.end(Buffer.concat(chunks));
    else forwarded.pipe(stream);
  }
}

const maxRecordedBytes = 1024 * 1024;

function answerError(stream: ServerHttp2Stream, call: ProxiedCall, error: { code: number; message: string }): void {
  if (stream.destroyed) return;
  call.grpcStatus = error.code;
  // What the client still sends is not read by anybody.
  stream.resume();
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': String(error.code),
      'grpc-message': encodeURIComponent(error.message),
    },
    { endStream: true },
  );
}

function ignore(): void {}
