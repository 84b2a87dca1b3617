import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import type { Probe } from '../../../src/api/pod.ts';
import { loadHealthProto } from '../../../src/runtime/proto.ts';
import { createAuthority } from '../../../src/server/pki/certificates.ts';

export type ProbeName = 'startup' | 'liveness' | 'readiness';
export type HandlerName = 'exec' | 'httpGet' | 'tcpSocket' | 'grpc';
export const HANDLERS: readonly HandlerName[] = ['exec', 'httpGet', 'tcpSocket', 'grpc'];

interface Switch {
  /** What a probe has to ask. */
  readonly handler: Partial<Probe>;
  set(isWell: boolean): Promise<void> | void;
}

/**
 * What containers of pods in the host's network are asked, under the control of a test: files for commands, and servers
 * of this process for all else.
 */
export class ProbeServers {
  /** Mount it at `/switches` in the containers whose commands look there. */
  readonly directory: string;
  /** Requests to the HTTP servers: when, which. */
  readonly requests: { readonly atMs: number; readonly path: string; readonly headers: IncomingMessage['headers'] }[] =
    [];
  readonly #closers: (() => void)[] = [];
  readonly #switches = new Map<string, Switch>();

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  async start(): Promise<void> {
    for (const probe of ['startup', 'liveness', 'readiness'] as const) {
      this.#switches.set(`exec ${probe}`, this.#file(probe));
      this.#switches.set(`tcpSocket ${probe}`, await this.#tcp());
    }
    await this.#addHttp();
    await this.#addGrpc();
  }

  stop(): void {
    for (const close of this.#closers) close();
  }

  handler(handler: HandlerName, probe: ProbeName): Partial<Probe> {
    return this.#switch(handler, probe).handler;
  }

  /** What the probe of all containers with this handler comes to from now on. */
  async set(handler: HandlerName, probe: ProbeName, isWell: boolean): Promise<void> {
    await this.#switch(handler, probe).set(isWell);
  }

  async setAll(probe: ProbeName, isWell: boolean): Promise<void> {
    for (const handler of HANDLERS) await this.set(handler, probe, isWell);
  }

  /** A server that answers as it is told to; returns its port. */
  async serve(listener: RequestListener, options: { tls?: boolean } = {}): Promise<number> {
    const noted: RequestListener = (request, response) => {
      this.requests.push({ atMs: Date.now(), path: request.url ?? '', headers: request.headers });
      listener(request, response);
    };
    if (!options.tls) return this.#listen(createServer(noted));
    const { key, certificate } = await createAuthority('elsewhere', Date.now());
    return this.#listen(createTlsServer({ key, cert: certificate }, noted));
  }

  /** A server that takes connections and says nothing. */
  async serveSilence(): Promise<{ readonly port: number; readonly mostAtOnce: () => number }> {
    const open = new Set<Socket>();
    let most = 0;
    const server = createTcpServer((socket) => {
      open.add(socket);
      most = Math.max(most, open.size);
      socket.on('error', () => {}).on('close', () => open.delete(socket));
      socket.resume();
    });
    return { port: await this.#listen(server), mostAtOnce: () => most };
  }

  requestsOf(path: string): readonly { readonly atMs: number; readonly headers: IncomingMessage['headers'] }[] {
    return this.requests.filter((request) => request.path === path);
  }

  #switch(handler: HandlerName, probe: ProbeName): Switch {
    const found = this.#switches.get(`${handler} ${probe}`);
    if (!found) throw new Error('the servers were not started');
    return found;
  }

  async #listen(server: Server, port = 0): Promise<number> {
    server.listen(port, '0.0.0.0');
    await once(server, 'listening');
    this.#closers.push(() => server.close());
    return (server.address() as AddressInfo).port;
  }

  #file(name: string): Switch {
    const file = join(this.directory, name);
    return {
      handler: { exec: { command: ['cat', `/switches/${name}`] } },
      set: (isWell) => (isWell ? writeFileSync(file, '') : rmSync(file, { force: true })),
    };
  }

  /** Listens, or does not: always on the same port. */
  async #tcp(): Promise<Switch> {
    let server: Server | undefined = createTcpServer((socket) => socket.on('error', () => {}).resume());
    const port = await this.#listen(server);
    server.close();
    server = undefined;
    return {
      handler: { tcpSocket: { port } },
      set: async (isWell) => {
        if (isWell && !server) {
          server = createTcpServer((socket) => socket.on('error', () => {}).resume());
          await this.#listen(server, port);
        } else if (!isWell) {
          server?.close();
          server = undefined;
        }
      },
    };
  }

  async #addHttp(): Promise<void> {
    const well = new Set<string>();
    const port = await this.serve(({ url = '' }, response) => response.writeHead(well.has(url) ? 200 : 500).end());
    for (const probe of ['startup', 'liveness', 'readiness']) {
      const path = `/${probe}`;
      const set = (isWell: boolean) => void (isWell ? well.add(path) : well.delete(path));
      this.#switches.set(`httpGet ${probe}`, { handler: { httpGet: { port, path } }, set });
    }
  }

  async #addGrpc(): Promise<void> {
    const well = new Set<string>();
    const server = new grpc.Server();
    server.addService(loadHealthProto().grpc.health.v1.Health.service, {
      Check: (
        { request }: grpc.ServerUnaryCall<{ service: string }, { status: string }>,
        callback: grpc.sendUnaryData<{ status: string }>,
      ) => callback(null, { status: well.has(request.service) ? 'SERVING' : 'NOT_SERVING' }),
    });
    const credentials = grpc.ServerCredentials.createInsecure();
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('0.0.0.0:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
    );
    this.#closers.push(() => server.forceShutdown());
    for (const probe of ['startup', 'liveness', 'readiness']) {
      const set = (isWell: boolean) => void (isWell ? well.add(probe) : well.delete(probe));
      this.#switches.set(`grpc ${probe}`, { handler: { grpc: { port, service: probe } }, set });
    }
  }
}
