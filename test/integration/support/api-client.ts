import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import type { Pod } from '../../../src/api/pod.ts';
import { patience } from './wait.ts';

export interface ApiResponse<T> {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Parsed where the server says that it is JSON, else undefined. */
  readonly body: T;
  readonly text: string;
}

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

export interface RequestOptions {
  /** A string is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** The daemon's API over its unix socket, as curl would use it: no project code in between. */
export class ApiClient {
  readonly socketPath: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  async request<T = unknown>(method: string, path: string, options: RequestOptions = {}): Promise<ApiResponse<T>> {
    const message = await this.#send(method, path, options);
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const isJson = message.headers['content-type']?.startsWith('application/json') === true;
    const body = (isJson && text !== '' ? JSON.parse(text) : undefined) as T;
    return { status: message.statusCode ?? 0, headers: message.headers, body, text };
  }

  /** Like `request`, but an answer other than 2xx is an error with the server's words. */
  async expectOk<T = unknown>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.request<T>(method, path, options);
    if (response.status < 200 || response.status > 299) {
      throw new Error(`${method} ${path}: ${response.status} ${response.text}`);
    }
    return response.body;
  }

  /** The response as it arrives, for followed logs. */
  stream(path: string, signal?: AbortSignal): Promise<IncomingMessage> {
    return this.#send('GET', path, signal ? { signal } : {});
  }

  /** Events of a watch until the server ends it, the consumer leaves the loop, or the signal aborts. */
  async *watch<T>(path: string, signal?: AbortSignal): AsyncGenerator<WatchEvent<T>> {
    const message = await this.stream(path, signal);
    try {
      if (message.statusCode !== 200) throw new Error(`GET ${path}: ${message.statusCode}`);
      for await (const line of createInterface({ input: message, crlfDelay: Number.POSITIVE_INFINITY })) {
        if (line !== '') yield JSON.parse(line) as WatchEvent<T>;
      }
    } finally {
      message.destroy();
    }
  }

  #send(method: string, path: string, options: RequestOptions): Promise<IncomingMessage> {
    const { body, contentType = 'application/json', headers = {}, signal } = options;
    const payload =
      body === undefined ? undefined : typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          socketPath: this.socketPath,
          method,
          path,
          headers: {
            // Node does not tell the length of a DELETE's body by itself.
            ...(payload === undefined
              ? {}
              : { 'content-type': contentType, 'content-length': Buffer.byteLength(payload) }),
            ...headers,
          },
          // One connection per request: a daemon that was restarted must not be met over a dead connection.
          agent: false,
          ...(signal ? { signal } : {}),
        },
        resolve,
      );
      outgoing.once('error', reject);
      outgoing.end(payload);
    });
  }
}

export function podPath(name: string, namespace = 'default'): string {
  return `/api/v1/namespaces/${namespace}/pods/${name}`;
}

/**
 * Waits on a watch until the predicate holds for the pod; undefined stands for "does not exist". Goes on across a
 * restart of the daemon.
 *
 * @throws with the pod's last known status when the time is over.
 */
export async function waitForPod(
  api: ApiClient,
  name: string,
  predicate: (pod: Pod | undefined) => boolean,
  options: { namespace?: string; timeoutMs?: number } = {},
): Promise<Pod | undefined> {
  const { namespace = 'default', timeoutMs = 30_000 } = options;
  const timeout = AbortSignal.timeout(timeoutMs * patience);
  const collection = `/api/v1/namespaces/${namespace}/pods?fieldSelector=metadata.name%3D${name}`;
  let last: Pod | undefined;
  while (!timeout.aborted) {
    try {
      const list = await api.expectOk<{ metadata: { resourceVersion: string }; items: Pod[] }>('GET', collection, {
        signal: timeout,
      });
      last = list.items[0];
      if (predicate(last)) return last;
      const path = `${collection}&watch=true&resourceVersion=${list.metadata.resourceVersion}`;
      for await (const { type, object } of api.watch<Pod>(path, timeout)) {
        if (type === 'ERROR') break;
        if (type === 'BOOKMARK') continue;
        last = type === 'DELETED' ? undefined : object;
        if (predicate(last)) return last;
      }
    } catch (error) {
      if (!isConnectionError(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(
    `gave up on pod ${namespace}/${name} after ${timeoutMs} ms; last seen: ${JSON.stringify(last?.status)}`,
  );
}

/** The daemon is down or went down, or the time is over. */
function isConnectionError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return (
    ['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE'].includes(code) ||
    (error instanceof Error && error.name === 'AbortError') ||
    (error instanceof Error && error.name === 'TimeoutError')
  );
}

export function isReady(pod: Pod | undefined): boolean {
  return pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}
