// Clients in numbers, without a runtime: `node bench/load.ts`. A server in a process of its own holds 500 pods, as objects;
// 1,000 watches see every change, and lists are asked for beside them.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concurrently, cpuSeconds, median, timed } from './measure.ts';

const PODS = 500;
const WATCHERS = 1_000;
const CHANGES = 100;
const LISTS = 50;

const pods = '/api/v1/namespaces/default/pods';
const directory = mkdtempSync(join(tmpdir(), 'mk-load-'));
const agent = new Agent({ keepAlive: true, maxSockets: 20 });

function ask(method: string, path: string, body?: object, options: { type?: string; agent?: Agent | false } = {}) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const headers = body ? { 'content-type': options.type ?? 'application/json' } : {};
    const place = { socketPath: `${directory}/api.sock`, agent: options.agent ?? agent };
    const outgoing = request({ ...place, method, path, headers }, resolve);
    outgoing.once('error', reject);
    outgoing.end(body && JSON.stringify(body));
  });
}

async function done(method: string, path: string, body?: object, type?: string): Promise<void> {
  const answer = await ask(method, path, body, type === undefined ? {} : { type });
  answer.resume();
  await once(answer, 'end');
  if ((answer.statusCode ?? 500) >= 300) throw new Error(`${method} ${path}: ${answer.statusCode}`);
}

async function startServer(): Promise<ChildProcess> {
  const program = join(import.meta.dirname, '../test/integration/server/server-process.ts');
  const child = spawn(process.execPath, [program, directory, String(2 * WATCHERS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout ?? child, 'data');
  return child;
}

/** Counts lines of all watches; each change makes one on each of them. */
class Watchers {
  #lines = 0;
  #wanted = 0;
  #reached: () => void = () => undefined;

  async open(count: number, from: string): Promise<void> {
    const path = `${pods}?watch=true&resourceVersion=${from}`;
    await concurrently(Array.from({ length: count }), 50, async () => {
      const answer = await ask('GET', path, undefined, { agent: false });
      if (answer.statusCode !== 200) throw new Error(`a watch was refused: ${answer.statusCode}`);
      answer.on('data', (bytes: Buffer) => {
        for (const byte of bytes) if (byte === 0x0a) this.#lines += 1;
        if (this.#lines >= this.#wanted) this.#reached();
      });
    });
  }

  /** Resolves when so many more lines have come. */
  expect(count: number): Promise<void> {
    this.#wanted = this.#lines + count;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }
}

const server = await startServer();
try {
  const names = Array.from({ length: PODS }, (_, index) => `pod-${index}`);
  await concurrently(names, 10, (name) =>
    done('POST', pods, {
      metadata: { name, labels: { app: 'load' } },
      spec: { containers: [{ name: 'c', image: 'busybox:1.36' }] },
    }),
  );
  const lists: number[] = [];
  for (let index = 0; index < LISTS; index++) lists.push(await timed(() => done('GET', pods)));

  const answer = await ask('GET', `${pods}?limit=1`);
  const text = (await answer.toArray()).join('');
  const watchers = new Watchers();
  await watchers.open(WATCHERS, JSON.parse(text).metadata.resourceVersion);
  const cpuBefore = cpuSeconds(server.pid ?? 0);
  const changes: number[] = [];
  for (let index = 0; index < CHANGES; index++) {
    const seen = watchers.expect(WATCHERS);
    const change = { metadata: { labels: { change: String(index) } } };
    changes.push(
      await timed(async () => {
        const written = done('PATCH', `${pods}/${names[index % PODS]}`, change, 'application/merge-patch+json');
        await Promise.all([seen, written]);
      }),
    );
  }
  const cpu = (cpuSeconds(server.pid ?? 0) - cpuBefore) / CHANGES;
  console.log(`LIST of ${PODS} pods, median of ${LISTS}: ${median(lists).toFixed(1)} ms`);
  console.log(
    `a change until all of ${WATCHERS} watches have it: median ${median(changes).toFixed(1)} ms, ` +
      `longest of ${CHANGES} ${Math.max(...changes).toFixed(1)} ms; ${(cpu * 1000).toFixed(1)} ms of the server's CPU`,
  );
} finally {
  server.kill('SIGKILL');
  rmSync(directory, { recursive: true });
}
process.exit();
