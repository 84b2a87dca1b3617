import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { demoImagesNamed, type OciImages } from '../../../scripts/images.ts';
import type { RuntimeFixture } from './containerd.ts';

/** What the registry does with requests for one repository. */
export type RegistryFault =
  | { readonly kind: 'status'; readonly status: number }
  /** Answers with the first half of each layer and then nothing. */
  | { readonly kind: 'stall' };

/**
 * A registry on localhost that serves the demo image under the names that a test wants. The runtime knows it as
 * `registry.test`: nothing outside of this machine is asked.
 */
export class TestRegistry {
  static readonly host = 'registry.test';
  readonly #server: Server;
  readonly #images: OciImages;
  readonly #faults = new Map<string, RegistryFault>();
  readonly #credentials = new Map<string, string>();
  /** Method and path of each request so far. */
  readonly requests: string[] = [];
  /** The credentials that were shown, with the path for which. */
  readonly shown: string[] = [];

  /** @param names repositories with their tags, such as `app:1`. */
  constructor(names: readonly string[]) {
    this.#images = demoImagesNamed(names);
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /** Listens, and tells the runtime that `registry.test` and the other hosts are here. */
  async start(runtime: RuntimeFixture, otherHosts: readonly string[] = []): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the registry has no port');
    const url = `http://127.0.0.1:${address.port}`;
    for (const host of [TestRegistry.host, ...otherHosts]) {
      const directory = join(runtime.root.path, 'certs.d', host);
      mkdirSync(directory, { recursive: true });
      writeFileSync(
        join(directory, 'hosts.toml'),
        `server = "${url}"\n[host."${url}"]\n  capabilities = ["pull", "resolve"]\n`,
      );
    }
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The whole name of one of the images. */
  image(name: string): string {
    return `${TestRegistry.host}/${name}`;
  }

  /** From now on the repository (without tag) fails; undefined: no more. */
  fail(repository: string, fault: RegistryFault | undefined): void {
    if (fault === undefined) this.#faults.delete(repository);
    else this.#faults.set(repository, fault);
  }

  /** From now on the repository wants this user and password. */
  protect(repository: string, user: string, password: string): void {
    this.#credentials.set(repository, `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`);
  }

  /** How often a manifest of the repository was asked for. */
  pulls(repository: string): number {
    return this.requests.filter((request) => request.startsWith(`HEAD /v2/${repository}/manifests/`)).length;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').replace(/\?.*$/, '');
    this.requests.push(`${request.method} ${path}`);
    const { authorization } = request.headers;
    if (authorization !== undefined) this.shown.push(`${path} ${authorization}`);
    const [, repository = '', kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
    const fault = this.#faults.get(repository);
    const credentials = this.#credentials.get(repository);
    if (fault?.kind === 'status') {
      response.writeHead(fault.status).end();
    } else if (credentials !== undefined && request.headers.authorization !== credentials) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
    } else if (kind === undefined) {
      response.writeHead(path === '/v2/' ? 200 : 404).end();
    } else {
      this.#serve(request, response, kind === 'manifests' ? this.#digestOf(repository, reference) : reference, fault);
    }
  }

  #digestOf(repository: string, reference: string): string {
    return this.#images.manifests.get(`${repository}:${reference}`)?.digest ?? reference;
  }

  #serve(request: IncomingMessage, response: ServerResponse, digest: string, fault: RegistryFault | undefined): void {
    const content = this.#images.blobs.get(digest);
    if (content === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"NOT_FOUND"}]}');
      return;
    }
    const manifest = [...this.#images.manifests.values()].find((known) => known.digest === digest);
    response.writeHead(200, {
      'content-type': manifest?.mediaType ?? 'application/octet-stream',
      'content-length': content.length,
      'docker-content-digest': digest,
    });
    if (request.method === 'HEAD') response.end();
    else if (fault?.kind === 'stall' && manifest === undefined) response.write(content.subarray(0, content.length / 2));
    else response.end(content);
  }
}
