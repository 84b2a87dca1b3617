import { closeSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { pino } from 'pino';
import t from 'tap';
import { readContainerLog } from '../../../src/logs/read.ts';
import { LogRotator, type LogRotatorOptions } from '../../../src/logs/rotate.ts';
import { removeTree } from '../../../src/util/remove-tree.ts';

const base = await mkdtemp('/tmp/mk-ro-');
const umask = process.umask(0o077);
t.teardown(async () => {
  process.umask(umask);
  await removeTree(base);
});
let count = 0;

/** A container's log, a runtime that writes it and reopens it when told to, and a clock that goes a minute a round. */
async function newLog(change: Partial<LogRotatorOptions> = {}) {
  count += 1;
  const root = join(base, String(count));
  const directory = join(root, 'n_p_u/main');
  const path = 'n_p_u/main/0.log';
  await mkdir(directory, { recursive: true });
  const reopened: string[] = [];
  const openLog = () => openSync(join(root, path), 'a', 0o640);
  let fd = openLog();
  let now = Date.UTC(2024, 4, 1, 10);
  const rotator = new LogRotator({
    root,
    maxBytes: 1000,
    maxFiles: 5,
    intervalMs: 1e9,
    clock: { now: () => now, monotonicMs: () => 0 },
    logger: pino({ enabled: false }),
    runningLogs: () => [{ containerId: 'id', path }],
    reopen: async (id) => {
      reopened.push(id);
      closeSync(fd);
      fd = openLog();
    },
    ...change,
  });
  return {
    root,
    path,
    directory,
    reopened,
    names: () => readdirSync(directory).sort(),
    write: (text: string) => void writeSync(fd, `2024-05-01T10:00:00Z stdout F ${text}\n`),
    rotator,
    check: async () => {
      now += 60_000;
      await rotator.check();
    },
    close: () => closeSync(fd),
  };
}
const large = (text: string) => text.padEnd(1000, '.');

t.test('a log that is not too large is left alone', async (t) => {
  const log = await newLog();
  log.write('small');
  await log.check();
  t.strictSame(log.names(), ['0.log']);
  t.strictSame(log.reopened, []);
  log.close();
});

t.test('ten rotations leave the log, the last file as it was, and three compressed ones', async (t) => {
  const log = await newLog();
  for (let round = 1; round <= 10; round += 1) {
    log.write(large(`round ${round}`));
    await log.check();
  }
  t.strictSame(log.names(), [
    '0.log',
    '0.log.20240501-100700.gz',
    '0.log.20240501-100800.gz',
    '0.log.20240501-100900.gz',
    '0.log.20240501-101000',
  ]);
  t.equal(statSync(join(log.directory, '0.log')).size, 0);
  t.match(readFileSync(join(log.directory, '0.log.20240501-101000'), 'utf8'), 'round 10.');
  const compressed = join(log.directory, '0.log.20240501-100900.gz');
  t.match(gunzipSync(readFileSync(compressed)).toString(), 'round 9.');
  t.equal((statSync(compressed).mode & 0o777).toString(8), '640');
  t.equal(log.reopened.length, 10);
  log.close();
});

t.test('a runtime that cannot reopen keeps the log under its name', async (t) => {
  const log = await newLog({ reopen: () => Promise.reject(new Error('container is not running')) });
  log.write(large('text'));
  await log.check();
  t.strictSame(log.names(), ['0.log']);
  t.match(readFileSync(join(log.directory, '0.log'), 'utf8'), 'text');
  log.close();
});

t.test('a runtime that reopens and then fails keeps both files', async (t) => {
  let path = '';
  const log = await newLog({
    reopen: async () => {
      await writeFile(path, 'new');
      throw new Error('deadline exceeded');
    },
  });
  path = join(log.root, log.path);
  log.write(large('text'));
  await log.check();
  t.strictSame(log.names(), ['0.log', '0.log.20240501-100100']);
  t.equal(readFileSync(path, 'utf8'), 'new');
  log.close();
});

t.test('a log that was removed is begun anew', async (t) => {
  const log = await newLog();
  await unlink(join(log.root, log.path));
  await log.check();
  t.strictSame(log.names(), ['0.log']);
  t.strictSame(log.reopened, ['id']);
  log.close();
});

t.test('a link in the place of a log, or of a rotated one, is not followed', async (t) => {
  const log = await newLog();
  const victim = join(log.root, 'victim');
  await writeFile(victim, large('secret'));
  await symlink(victim, join(log.directory, '0.log.20240501-090000'));
  log.write(large('text'));
  await log.check();
  t.notOk(
    log.names().some((name) => name.endsWith('.gz')),
    'the victim was not copied',
  );
  await unlink(join(log.directory, '0.log'));
  await symlink(victim, join(log.directory, '0.log'));
  await log.check();
  t.equal(readFileSync(victim, 'utf8'), large('secret'));
  log.close();
});

t.test("one log's failure does not keep the others from being rotated", async (t) => {
  const log = await newLog({
    runningLogs: () => [
      { containerId: 'bad', path: '../bad' },
      { containerId: 'id', path: 'n_p_u/main/0.log' },
    ],
  });
  log.write(large('text'));
  await log.check();
  t.strictSame(log.names(), ['0.log', '0.log.20240501-100100']);
  log.close();
});

t.test('a follower sees every line of a log that is rotated under it', { timeout: 30_000 }, async (t) => {
  const log = await newLog();
  let running = true;
  let text = '';
  const follower = (async () => {
    const options = { root: log.root, path: log.path, follow: true, isRunning: () => running };
    for await (const chunk of readContainerLog(options)) text += chunk.toString();
  })();
  let expected = '';
  for (let round = 1; round <= 6; round += 1) {
    for (let index = 0; index < 5; index += 1) {
      const line = large(`${round}/${index}`);
      log.write(line);
      expected += `${line}\n`;
    }
    await log.check();
    const deadline = performance.now() + 5_000;
    while (text !== expected && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  running = false;
  await follower;
  t.equal(text, expected);
  log.close();
});

t.test('starts, looks at its interval, and stops', async (t) => {
  const log = await newLog({ intervalMs: 5 });
  log.write(large('text'));
  log.rotator.start();
  const deadline = performance.now() + 5_000;
  while (log.names().length < 2 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  t.equal(log.names().length, 2);
  await log.rotator.stop();
  log.write(large('text'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(log.names().length, 2);
  log.close();
});
