import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { status as GrpcStatus } from '@grpc/grpc-js';
import type { HealthDefinition } from './generated/grpc/health/v1/Health.ts';
import type { HealthCheckResponse__Output } from './generated/grpc/health/v1/HealthCheckResponse.ts';
import { loadHealthProto } from './proto.ts';
import { RuntimeError, type RuntimeErrorCode } from './runtime-error.ts';

export type ServingStatus = HealthCheckResponse__Output['status'];

/** An answer is two bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** Before each message: whether it is compressed, and its length. */
const FRAME_HEADER_BYTES = 5;

/**
 * Asks servers for their health by gRPC's own protocol (grpc.health.v1), in plaintext, each time over a new connection.
 *
 * One call over a bare HTTP/2 session, since a gRPC channel goes on connecting to a silent server after it was closed.
 */
export class HealthClient {
  readonly #userAgent: string;
  readonly #check: HealthDefinition['Check'] = loadHealthProto().grpc.health.v1.Health.service.Check;

  constructor(options: { readonly userAgent: string }) {
    this.#userAgent = options.userAgent;
  }

  /**
   * Takes as long as the signal lets it.
   *
   * @param address host and port, `[::1]:50051`.
   * @throws RuntimeError with gRPC's status; `UNAVAILABLE` when there is no such server, caused by the network's error.
   */
  async check(address: string, service: string, signal: AbortSignal): Promise<ServingStatus> {
    const session = connect(`http://${address}`, { settings: { enablePush: false } });
    const abort = () => session.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      const message = this.#check.requestSerialize({ service });
      const answer = await this.#call(session, address, message);
      return this.#check.responseDeserialize(answer).status;
    } finally {
      signal.removeEventListener('abort', abort);
      session.destroy();
    }
  }

  #call(session: ClientHttp2Session, address: string, message: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        // A stream whose session failed has the session's error as its cause.
        const cause = error.cause instanceof Error ? error.cause : error;
        reject(new RuntimeError('Check', 'UNAVAILABLE', cause.message, cause));
      };
      session.on('error', fail);
      const stream = session.request({
        ':method': 'POST',
        ':path': this.#check.path,
        ':authority': address,
        'content-type': 'application/grpc',
        te: 'trailers',
        'user-agent': this.#userAgent,
      });
      const chunks: Buffer[] = [];
      let size = 0;
      let headers: IncomingHttpHeaders = {};
      let trailers: IncomingHttpHeaders = {};
      stream.on('response', (received) => {
        headers = received;
      });
      stream.on('trailers', (received) => {
        trailers = received;
      });
      stream.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) stream.destroy(new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`));
      });
      stream.on('error', fail);
      stream.on('close', () => {
        const error = callError(headers, trailers);
        if (error) reject(error);
        else resolve(Buffer.concat(chunks).subarray(FRAME_HEADER_BYTES));
      });
      const frame = Buffer.alloc(FRAME_HEADER_BYTES);
      frame.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([frame, message]));
    });
  }
}

/** Undefined for a call that succeeded. A call that failed at once has its status in the headers. */
function callError(headers: IncomingHttpHeaders, trailers: IncomingHttpHeaders): RuntimeError | undefined {
  const { 'grpc-status': status, 'grpc-message': message } = 'grpc-status' in trailers ? trailers : headers;
  if (status === '0') return undefined;
  if (status === undefined) {
    const code = headers[':status'];
    const details =
      code === undefined || Number(code) === 200
        ? 'the connection was closed before the call was over'
        : `unexpected HTTP status code received from server: ${code}`;
    return new RuntimeError('Check', Number(code) === 404 ? 'UNIMPLEMENTED' : 'UNAVAILABLE', details);
  }
  const names = Object.keys(GrpcStatus) as RuntimeErrorCode[];
  const name = names.find((key) => GrpcStatus[key] === Number(status)) ?? 'UNKNOWN';
  return new RuntimeError('Check', name, decodeMessage(String(message ?? '')));
}

/** gRPC percent-encodes what HTTP headers cannot have. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
