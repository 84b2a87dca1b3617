import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { demoImagesNamed } from '../../../scripts/images.ts';
import { createAuthority, issueServerCertificate } from '../../../src/server/pki/certificates.ts';
import { run } from '../../../src/util/exec.ts';
import type { RuntimeFixture } from './containerd.ts';
import { freePort } from './free-port.ts';
import { debianPackage } from './machine.ts';
import { GaveUp, waitFor } from './wait.ts';

/** Who may pull, and push. */
export interface RegistryUser {
  readonly name: string;
  readonly password: string;
}

/**
 * A real registry on the loopback: Debian's docker-registry, with TLS of an authority of its own and basic authentication. The
 * runtime trusts the authority and knows no credential.
 */
export class PrivateRegistry {
  readonly #directory: string;
  readonly #users: readonly RegistryUser[];
  #port = 0;
  #authority = '';
  #process: ChildProcess | undefined;

  constructor(runtime: RuntimeFixture, users: readonly RegistryUser[]) {
    this.#directory = join(runtime.root.path, 'registry');
    this.#users = users;
  }

  /** Makes it with the demo image under `names`, such as `team/app:1`, and tells the runtime of its authority. */
  async create(runtime: RuntimeFixture, names: readonly string[]): Promise<void> {
    mkdirSync(this.#directory);
    this.#port = await freePort();
    const authority = await createAuthority('registry', Date.now());
    const server = await issueServerCertificate(authority, ['127.0.0.1', 'localhost'], Date.now());
    this.#authority = authority.certificate;
    this.#write('ca.crt', authority.certificate);
    this.#write('server.crt', server.certificate);
    this.#write('server.key', server.key);
    this.#write('htpasswd', (await Promise.all(this.#users.map(htpasswdLine))).join(''));
    this.#write('config.json', JSON.stringify(this.#config()));
    const certs = join(runtime.root.path, 'certs.d', this.host);
    mkdirSync(certs, { recursive: true });
    const ca = join(this.#directory, 'ca.crt');
    writeFileSync(
      join(certs, 'hosts.toml'),
      `server = "https://${this.host}"\n[host."https://${this.host}"]\n  ca = "${ca}"\n`,
    );
    await this.start();
    await this.#push(names);
  }

  /** Host and port, as they stand in images' names. */
  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  image(name: string): string {
    return `${this.host}/${name}`;
  }

  /** Starts it, for the first time or again: it has what it had. */
  async start(): Promise<void> {
    const directory = await debianPackage('bookworm', 'docker-registry');
    const log = openSync(this.#logFile, 'a');
    const child = spawn(join(directory, 'usr/bin/docker-registry'), ['serve', join(this.#directory, 'config.json')], {
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH: '/usr/bin:/bin', OTEL_TRACES_EXPORTER: 'none' },
    });
    this.#process = child;
    child.once('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
    await waitFor('the registry to answer', async () => {
      if (this.#process === undefined) throw new GaveUp(`the registry has ended; its log:\n${this.log()}`);
      return (await this.#request('GET', '/v2/')).status === 200;
    });
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  /** How often manifests of a repository were asked for, and given. */
  pulls(repository: string): number {
    const asked = new RegExp(`"HEAD /v2/${repository}/manifests/[^ ]* HTTP/[0-9.]+" 200`, 'g');
    return this.log().match(asked)?.length ?? 0;
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  get #logFile(): string {
    return join(this.#directory, 'log');
  }

  #write(name: string, text: string): void {
    writeFileSync(join(this.#directory, name), text, { mode: 0o600 });
  }

  #config() {
    const inDirectory = (name: string) => join(this.#directory, name);
    return {
      version: '0.1',
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: inDirectory('data') } },
      http: {
        addr: this.host,
        secret: 'shared by nobody',
        tls: { certificate: inDirectory('server.crt'), key: inDirectory('server.key') },
      },
      auth: { htpasswd: { realm: 'private', path: inDirectory('htpasswd') } },
    };
  }

  async #push(names: readonly string[]): Promise<void> {
    const { blobs, manifests } = demoImagesNamed(names);
    for (const [name, { digest, mediaType }] of manifests) {
      const [repository = '', tag] = name.split(':');
      const manifest = blobs.get(digest) ?? Buffer.alloc(0);
      const { config, layers } = JSON.parse(manifest.toString());
      for (const blob of [config, ...layers]) await this.#upload(repository, blob.digest, blobs.get(blob.digest));
      await this.#expect(201, 'PUT', `/v2/${repository}/manifests/${tag}`, manifest, mediaType);
    }
  }

  async #upload(repository: string, digest: string, content: Buffer = Buffer.alloc(0)): Promise<void> {
    const { location = '' } = await this.#expect(202, 'POST', `/v2/${repository}/blobs/uploads/`);
    const to = new URL(location, `https://${this.host}`);
    to.searchParams.set('digest', digest);
    await this.#expect(201, 'PUT', `${to.pathname}${to.search}`, content, 'application/octet-stream');
  }

  async #expect(
    status: number,
    ...[method, path, body, type]: [method: string, path: string, body?: Buffer, type?: string]
  ) {
    const answer = await this.#request(method, path, body, type);
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status}; its log:\n${this.log()}`);
    return answer;
  }

  #request(method: string, path: string, body?: Buffer, type?: string): Promise<{ status: number; location?: string }> {
    const [user] = this.#users;
    const headers = type === undefined ? {} : { 'content-type': type };
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: this.#port,
          method,
          path,
          ca: this.#authority,
          auth: `${user?.name}:${user?.password}`,
          headers: { ...headers, 'content-length': body?.length ?? 0 },
          agent: false,
        },
        (answer) => {
          answer.resume();
          answer.once('end', () => {
            const { location } = answer.headers;
            resolve({ status: answer.statusCode ?? 0, ...(location === undefined ? {} : { location }) });
          });
        },
      );
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }
}

/** Perl hashes as the system's library does, which knows bcrypt. */
async function htpasswdLine({ name, password }: RegistryUser): Promise<string> {
  const script = 'print crypt($ARGV[0], q($2y$05$abcdefghijklmnopqrstuu))';
  return `${name}:${(await run('perl', ['-e', script, password])).stdout}\n`;
}
