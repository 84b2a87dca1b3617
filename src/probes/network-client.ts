import { type LookupAddress, lookup as lookupName } from 'node:dns';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { connect, isIP, type LookupFunction } from 'node:net';
import { hostPort } from './address.ts';
import type { HttpTarget } from './http-target.ts';
import { describeNetworkError } from './network-error.ts';

// An import statement would read all that node:http exports, and so load its WebSocket client: 15 MB for nothing.
const { Agent, request: plainRequest } = process.getBuiltinModule('node:http');

export interface HttpAnswer {
  readonly statusCode: number;
  /** At most its first 10 KiB. */
  readonly body: string;
}

/** The connection or the server failed; told in Kubernetes' words. */
export class NetworkError extends Error {
  /** True when the answer's beginning was there and its body was cut off. */
  readonly isBodyCut: boolean;

  constructor(message: string, cause: unknown, isBodyCut = false) {
    super(message, { cause });
    this.isBodyCut = isBodyCut;
  }
}

/** As pkg/probe/http: what a server answers beyond this is not read. */
const MAX_BODY_BYTES = 10 * 1024;
const MAX_HEADER_BYTES = 256 * 1024;
const MAX_REDIRECTS = 10;
const REDIRECT_CODES = new Set([301, 302, 303, 307, 308]);

/**
 * Asks pods from the host's network, for probes and hooks: each time over a new connection, through no proxy, with no
 * look at certificates.
 */
export class NetworkClient {
  readonly #plainAgent = new Agent({ keepAlive: false });
  readonly #tlsAgent = new TlsAgent({ keepAlive: false, maxCachedSessions: 0 });
  readonly #lookups = new Map<string, Promise<LookupAddress[]>>();

  /**
   * GET. Redirects to the same host are followed, up to ten; one to another host is the answer
   * (`RedirectChecker` in pkg/probe/http/http.go).
   *
   * @throws NetworkError
   */
  async httpGet(target: HttpTarget, signal: AbortSignal): Promise<HttpAnswer> {
    const first = `${target.scheme}://${hostPort(target.host, target.port)}${target.path}`;
    let current = target;
    let url = first;
    for (let redirects = 0; ; redirects += 1) {
      const { message, location } = await this.#request(current, url, signal);
      if (message.statusCode === 101) return { statusCode: 101, body: '' };
      const next = location === undefined ? undefined : redirectTarget(current, url, location);
      if (!next || next.target.host !== target.host) return await readAnswer(message, url, signal);
      message.destroy();
      if (redirects >= MAX_REDIRECTS - 1)
        throw new NetworkError(`Get "${next.url}": stopped after 10 redirects`, undefined);
      current = next.target;
      url = next.url;
    }
  }

  /** Opens a connection and closes it. @throws NetworkError */
  tcpConnect(host: string, port: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, lookup: this.#lookup });
      const settle = (done: () => void) => {
        signal.removeEventListener('abort', abort);
        socket.destroy();
        done();
      };
      const fail = (error: unknown) =>
        settle(() => reject(new NetworkError(describeNetworkError(error, hostPort(host, port)), error)));
      const abort = () => fail(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      socket.once('connect', () => settle(resolve));
      socket.on('error', fail);
      if (signal.aborted) abort();
    });
  }

  #request(
    target: HttpTarget,
    url: string,
    signal: AbortSignal,
  ): Promise<{ readonly message: IncomingMessage; readonly location: string | undefined }> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => {
        signal.removeEventListener('abort', abort);
        const reason = describeNetworkError(error, hostPort(target.host, target.port));
        reject(new NetworkError(`Get "${url}": ${reason}`, error));
      };
      const abort = () => {
        outgoing?.destroy();
        fail(signal.reason);
      };
      const settle = (message: IncomingMessage) => {
        signal.removeEventListener('abort', abort);
        const isRedirect = REDIRECT_CODES.has(message.statusCode ?? 0) && message.headers.location;
        resolve({ message, location: isRedirect || undefined });
      };
      let outgoing: ClientRequest | undefined;
      if (signal.aborted) return fail(signal.reason);
      try {
        outgoing = this.#open(target);
      } catch (error) {
        // A header's value has characters that no header may have.
        return fail(error);
      }
      signal.addEventListener('abort', abort, { once: true });
      outgoing.once('response', settle);
      outgoing.once('upgrade', (message, socket) => {
        socket.destroy();
        settle(message);
      });
      outgoing.on('error', fail);
      outgoing.end();
    });
  }

  #open(target: HttpTarget): ClientRequest {
    const options = {
      host: target.host,
      port: target.port,
      path: target.path,
      headers: [...target.headers],
      lookup: this.#lookup,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Only the status counts, and the connection is used once: what Go's reader lets pass need not be an error here.
      insecureHTTPParser: true,
    };
    if (target.scheme === 'http') return plainRequest({ ...options, agent: this.#plainAgent });
    // By default the Host header would be the name that TLS is asked for.
    const servername = isIP(target.host) === 0 ? target.host : '';
    return tlsRequest({ ...options, agent: this.#tlsAgent, servername, rejectUnauthorized: false });
  }

  /** A name server that hangs holds one of Node's few threads for each lookup: the same name is asked for once at a time. */
  readonly #lookup: LookupFunction = (hostname, options, callback) => {
    let running = this.#lookups.get(hostname);
    if (!running) {
      running = resolveAll(hostname).finally(() => this.#lookups.delete(hostname));
      this.#lookups.set(hostname, running);
    }
    running.then(
      (addresses) => {
        const [first] = addresses;
        if (options.all) callback(null, addresses);
        else callback(null, first?.address ?? '', first?.family ?? 4);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 4),
    );
  };
}

function resolveAll(hostname: string): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookupName(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
}

/** Undefined where the Location leads nowhere that HTTP can go. */
function redirectTarget(
  from: HttpTarget,
  url: string,
  location: string,
): { readonly target: HttpTarget; readonly url: string } | undefined {
  const next = URL.parse(location, url);
  if (!next || !['http:', 'https:'].includes(next.protocol)) return undefined;
  const scheme = next.protocol === 'https:' ? 'https' : 'http';
  const port = next.port === '' ? (scheme === 'https' ? 443 : 80) : Number(next.port);
  const host = next.hostname.replace(/^\[(.*)\]$/, '$1');
  const [hostName = 'Host', hostValue = '', ...others] = from.headers;
  // A host that the user names stays for what the server calls by its path only.
  const isPath = URL.parse(location) === null;
  const headers = [hostName, isPath ? hostValue : hostPort(host, port), ...others];
  return { target: { scheme, host, port, path: next.pathname + next.search, headers }, url: next.href };
}

/** The connection is closed as soon as enough was read. */
function readAnswer(message: IncomingMessage, url: string, signal: AbortSignal): Promise<HttpAnswer> {
  const statusCode = message.statusCode ?? 0;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (done: () => void) => {
      signal.removeEventListener('abort', abort);
      message.destroy();
      done();
    };
    const finish = () =>
      settle(() => resolve({ statusCode, body: Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString('utf8') }));
    const fail = (error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      settle(() => reject(new NetworkError(`Get "${url}": reading the answer: ${text}`, error, true)));
    };
    const abort = () => fail(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    message.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_BODY_BYTES) finish();
    });
    message.once('end', finish);
    message.on('error', fail);
  });
}
