import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import {
  appendFile,
  chown,
  link,
  mkdir,
  mkdtemp,
  rename,
  rm,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { containerLogPath } from '../../../src/logs/paths.ts';
import { type ReadLogOptions, readContainerLog, readLogTail } from '../../../src/logs/read.ts';
import { removeTree } from '../../../src/util/remove-tree.ts';

const root = await mkdtemp('/tmp/mk-lr-');
t.teardown(() => removeTree(root));
let count = 0;
/** A new log; relative to the root. */
async function newLog(content = ''): Promise<string> {
  count += 1;
  const path = containerLogPath({ namespace: 'n', name: `p${count}`, uid: 'u' }, 'main', 0);
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content, { mode: 0o640 });
  return path;
}
const line = (text: string, second = 0) => `2024-05-01T10:00:${String(second).padStart(2, '0')}.5Z stdout F ${text}\n`;
const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => line(`line ${from + index}`)).join('');
const plain = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}\n`).join('');

async function readAll(path: string, options: Partial<ReadLogOptions> = {}): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of readContainerLog({ root, path, ...options })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Follows a log; `text` grows as the output comes. */
function follow(path: string, options: Partial<ReadLogOptions> = {}) {
  const state = { text: '', running: true, ended: false };
  const done = (async () => {
    const all = { root, path, follow: true, isRunning: () => state.running, ...options };
    for await (const chunk of readContainerLog(all)) state.text += chunk.toString();
    state.ended = true;
  })();
  const until = async (isReached: () => boolean, limitMs = 5_000) => {
    const deadline = performance.now() + limitMs;
    while (!isReached() && performance.now() < deadline) await sleep(5);
    return isReached();
  };
  return { state, done, until };
}
const descriptors = () => readdirSync('/proc/self/fd').length;

t.test('the whole log, its end, its newest part, its beginning', async (t) => {
  const path = await newLog([1, 2, 3, 4].map((second) => line(`line ${second}`, second)).join(''));
  t.equal(await readAll(path), plain(1, 4));
  t.equal(await readAll(path, { tailLines: 2 }), plain(3, 4));
  t.equal(await readAll(path, { tailLines: 0 }), '');
  t.equal(await readAll(path, { sinceMs: Date.parse('2024-05-01T10:00:03Z') }), plain(3, 4));
  t.equal(await readAll(path, { tailLines: 3, sinceMs: Date.parse('2024-05-01T10:00:03Z') }), plain(3, 4));
  t.equal(await readAll(path, { limitBytes: 10 }), 'line 1\nlin');
  t.equal(
    await readAll(path, { tailLines: 1, timestamps: true, limitBytes: 35 }),
    '2024-05-01T10:00:04.500000000Z line',
  );
});

t.test('a log that is not there', async (t) => {
  await t.rejects(readAll('n_p0_u/main/0.log'), { code: 'ENOENT' });
  const path = await newLog();
  t.equal(await readAll(path), '');
  await t.rejects(readAll(path.replace('0.log', '1.log')), {
    code: 'ENOENT',
    path: join(root, path.replace('0', '1')),
  });
});

t.test('a path that is no path of a log is refused', async (t) => {
  for (const path of ['../etc/passwd', '/etc/passwd', 'n_p_u/../../../etc/passwd', 'n_p_u//0.log', '']) {
    await t.rejects(readAll(path), { name: 'UnsafePathError' }, path);
  }
});

t.test('what a pod put in the place of its log is not read', { timeout: 20_000 }, async (t) => {
  const secret = join(root, 'secret');
  await writeFile(secret, line('root:x:0:0'), { mode: 0o600 });
  await mkdir(join(root, 'elsewhere'));
  await writeFile(join(root, 'elsewhere/0.log'), line('root:x:0:0'));
  const places: Record<string, (log: string) => Promise<unknown>> = {
    link: (log) => symlink(secret, log),
    'hard link': (log) => link(secret, log),
    FIFO: async (log) => execFileSync('mkfifo', [log]),
    device: async (log) => execFileSync('mknod', [log, 'c', '1', '5']),
    directory: (log) => mkdir(log),
    "another user's file": async (log) => {
      await writeFile(log, line('root:x:0:0'));
      await chown(log, 1000, 1000);
    },
    'link to the directory': async (log) => {
      await rm(dirname(log), { recursive: true });
      await symlink(join(root, 'elsewhere'), dirname(log));
    },
  };
  const ways: Partial<ReadLogOptions>[] = [{}, { follow: true }, { tailLines: 3 }, { timestamps: true, sinceMs: 0 }];
  for (const [name, put] of Object.entries(places)) {
    const path = await newLog();
    await unlink(join(root, path));
    await put(join(root, path));
    for (const options of ways) await t.rejects(readAll(path, options), { name: 'UnsafePathError' }, name);
    await t.rejects(readLogTail(root, path, { lines: 80, maxBytes: 2048 }), { name: 'UnsafePathError' }, name);
  }
});

t.test('a log that is swapped for a link while it is read gives nothing else', { timeout: 20_000 }, async (t) => {
  const path = await newLog(line('mine'));
  const log = join(root, path);
  await writeFile(join(root, 'secret'), line('root:x:0:0'));
  const deadline = performance.now() + 1_500;
  const attacker = (async () => {
    while (performance.now() < deadline) {
      await rename(log, `${log}.away`);
      await symlink(join(root, 'secret'), log);
      await unlink(log);
      await rename(`${log}.away`, log);
    }
  })();
  const outputs = new Map<string, number>();
  while (performance.now() < deadline) {
    const output = await readAll(path).catch((error: Error) => error.name);
    outputs.set(output, (outputs.get(output) ?? 0) + 1);
  }
  await attacker;
  t.ok((outputs.get('mine\n') ?? 0) > 0, JSON.stringify([...outputs]));
  t.notOk([...outputs.keys()].some((output) => output.includes('root:')));
});

t.test('without following, a container that never stops writing does not keep the reader', async (t) => {
  const path = await newLog(lines(1, 1000));
  let writing = true;
  const writer = (async () => {
    while (writing) await appendFile(join(root, path), lines(1, 1000));
  })();
  t.match(await readAll(path), /^line 1\n/);
  writing = false;
  await writer;
});

t.test('a line of 100 MB is read in bounded memory', { timeout: 60_000 }, async (t) => {
  const piece = `2024-05-01T10:00:00Z stdout P ${'x'.repeat(16_384)}\n`;
  const path = await newLog();
  for (let index = 0; index < 64; index += 1) await appendFile(join(root, path), piece.repeat(100));
  await appendFile(join(root, path), line('end'));
  const before = process.memoryUsage().rss;
  let bytes = 0;
  let peak = before;
  for await (const chunk of readContainerLog({ root, path, tailLines: 1 })) {
    bytes += chunk.length;
    peak = Math.max(peak, process.memoryUsage().rss);
  }
  t.equal(bytes, 6400 * 16_384 + 'end\n'.length);
  // Held as a whole it would need 100 MB or more; the rest is what the collector of garbage leaves lying about.
  t.ok(peak - before < 80 * 1024 * 1024, `${Math.round((peak - before) / 1024 / 1024)} MiB more`);
  t.equal((await readLogTail(root, path, { lines: 80, maxBytes: 2048 })).length, 2048);
});

t.test('following', async (t) => {
  await t.test('gives new lines soon after they are written, and ends with the container', async (t) => {
    // The first one ever also opens the process's one inotify descriptor, which stays.
    await readAll(await newLog(), { follow: true, isRunning: () => false });
    const before = descriptors();
    const path = await newLog(lines(1, 2));
    const { state, done, until } = follow(path);
    t.ok(await until(() => state.text === plain(1, 2)));
    const start = performance.now();
    await appendFile(join(root, path), lines(3, 3));
    t.ok(await until(() => state.text === plain(1, 3)));
    t.ok(performance.now() - start < 500, 'not only by the check once a second');
    await appendFile(join(root, path), line('half').slice(0, 20));
    await appendFile(join(root, path), line('half').slice(20));
    t.ok(await until(() => state.text.endsWith('half\n')));
    // What is written last is given before the end.
    await appendFile(join(root, path), lines(4, 4));
    state.running = false;
    await done;
    t.ok(state.text.endsWith('half\nline 4\n'));
    t.equal(descriptors(), before, 'nothing is left open');
  });

  await t.test('ends at once for a container that is not running', async (t) => {
    const path = await newLog(lines(1, 2));
    t.equal(await readAll(path, { follow: true, isRunning: () => false }), plain(1, 2));
  });

  await t.test('ends without an error when aborted', async (t) => {
    const controller = new AbortController();
    const { state, done, until } = follow(await newLog(lines(1, 1)), { signal: controller.signal });
    t.ok(await until(() => state.text === plain(1, 1)));
    const start = performance.now();
    controller.abort();
    await done;
    t.ok(performance.now() - start < 500);
    t.equal(await readAll(await newLog(lines(1, 1)), { follow: true, signal: AbortSignal.abort() }), '');
  });

  await t.test('begins with the tail, and ends at the byte limit', async (t) => {
    const path = await newLog(lines(1, 9));
    const { state, done, until } = follow(path, { tailLines: 1, limitBytes: 12 });
    t.ok(await until(() => state.text === plain(9, 9)));
    await appendFile(join(root, path), lines(1, 1));
    await done;
    t.equal(state.text, 'line 9\nline ');
  });

  await t.test('goes on through rotations, and loses no line', async (t) => {
    const path = await newLog();
    const { state, done, until } = follow(path);
    let next = 1;
    for (let rotation = 1; rotation <= 4; rotation += 1) {
      for (let index = 0; index < 50; index += 1, next += 1) await appendFile(join(root, path), lines(next, next));
      await rename(join(root, path), join(root, `${path}.${rotation}`));
      // The runtime still writes into the old file until it is told to reopen.
      await appendFile(join(root, `${path}.${rotation}`), lines(next, next));
      next += 1;
      if (rotation === 2) await sleep(30);
      await writeFile(join(root, path), lines(next, next), { mode: 0o640 });
      next += 1;
      t.ok(await until(() => state.text.endsWith(`line ${next - 1}\n`)));
    }
    state.running = false;
    await done;
    t.equal(state.text, plain(1, next - 1));
  });

  await t.test('begins anew when the file is cut', async (t) => {
    const path = await newLog(lines(1, 5));
    const { state, done, until } = follow(path);
    t.ok(await until(() => state.text === plain(1, 5)));
    await truncate(join(root, path), 0);
    await sleep(1_200);
    await appendFile(join(root, path), lines(6, 6));
    t.ok(await until(() => state.text === plain(1, 6)));
    state.running = false;
    await done;
  });

  await t.test('stops with an error when a link takes the place of the log', async (t) => {
    const path = await newLog(lines(1, 1));
    const { state, done, until } = follow(path);
    t.ok(await until(() => state.text === plain(1, 1)));
    await writeFile(join(root, 'secret'), line('root:x:0:0'));
    const rejected = t.rejects(done, { name: 'UnsafePathError' });
    await unlink(join(root, path));
    await symlink(join(root, 'secret'), join(root, path));
    await rejected;
    t.notMatch(state.text, 'root:');
  });

  await t.test('a consumer that stops reading leaves nothing open', async (t) => {
    const before = descriptors();
    for await (const chunk of readContainerLog({ root, path: await newLog(lines(1, 1)), follow: true })) {
      t.equal(chunk.toString(), plain(1, 1));
      break;
    }
    t.equal(descriptors(), before);
  });

  await t.test('a flood is given in large pieces', async (t) => {
    const path = await newLog();
    const { state, done, until } = follow(path);
    for (let index = 0; index < 200; index += 1) await appendFile(join(root, path), lines(1, 500));
    t.ok(await until(() => state.text.length === 200 * plain(1, 500).length, 10_000));
    state.running = false;
    await done;
  });
});
