import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { lockHolder } from '../../../src/store/lock-holder.ts';
import { newStore, statusOf, thing, thingKind } from './support.ts';

/** A store with some objects, closed again. */
function filledStore(path: string): void {
  const store = newStore(path);
  store.open();
  for (let i = 0; i < 200; i++) store.create(thingKind, thing(`thing-${i}`, 'x'.repeat(500)));
  store.close();
}

t.test('the files are for root only, whatever the umask', async (t) => {
  const path = `${t.testdir({})}/store.db`;
  const before = process.umask(0);
  const store = newStore(path);
  store.open();
  store.create(thingKind, thing('a'));
  process.umask(before);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.equal(statSync(`${path}-wal`).mode & 0o777, 0o600);
  store.close();
});

t.test('a second daemon is refused within two seconds and told who holds the store', async (t) => {
  const path = `${t.testdir({})}/store.db`;
  const store = newStore(path);
  store.open();
  t.teardown(() => store.close());
  const support = pathToFileURL(`${import.meta.dirname}/support.ts`).href;
  const script = `
    import { newStore } from ${JSON.stringify(support)};
    const begin = performance.now();
    try { newStore(${JSON.stringify(path)}).open(); console.log('opened'); }
    catch (error) { console.log(JSON.stringify({ name: error.name, message: error.message, ms: performance.now() - begin })); }`;
  const answer = JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }),
  );
  t.match(answer, { name: 'StoreLockedError', message: `process ${process.pid}` });
  t.ok(answer.ms < 2_000, `${answer.ms} ms`);
  store.create(thingKind, thing('still-mine'));
});

t.test('the holder of a lock is read from /proc/locks', async (t) => {
  const text = [
    '1: FLOCK  ADVISORY  WRITE 11 fe:00:77 0 EOF',
    '2: POSIX  ADVISORY  READ 12 fe:00:77 128 128',
    '3: POSIX  ADVISORY  WRITE 13 fe:00:177 0 EOF',
    '3: -> POSIX  ADVISORY  WRITE 14 fe:00:77 0 EOF',
    '4: POSIX  ADVISORY  WRITE 15 fe:00:77 1073741824 1073742335',
  ].join('\n');
  t.equal(lockHolder(text, 77), 15);
  t.equal(lockHolder(text, 78), undefined);
  t.equal(lockHolder('', 77), undefined);
});

t.test('after kill -9 everything that was written is there', async (t) => {
  const path = `${t.testdir({})}/store.db`;
  const support = pathToFileURL(`${import.meta.dirname}/support.ts`).href;
  const script = `
    import { newStore, statusOf, thing, thingKind } from ${JSON.stringify(support)};
    const store = newStore(${JSON.stringify(path)});
    store.open();
    for (let i = 0; i < 50; i++) store.create(thingKind, thing('a' + i), { durable: i % 2 === 0 });
    process.kill(process.pid, 'SIGKILL');`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
  t.equal(child.signal, 'SIGKILL', String(child.stderr));
  const store = newStore(path);
  store.open();
  t.teardown(() => store.close());
  t.equal(store.list(thingKind).items.length, 50);
  t.equal(store.resourceVersion, '50');
});

t.test('a store that cannot be trusted is refused and left as it is', async (t) => {
  const cases: Record<string, { spoil: (path: string) => void; message: RegExp }> = {
    'written by a newer daemon': {
      spoil: (path) => withDatabase(path, (db) => db.exec('PRAGMA user_version = 99')),
      message: /written by a newer mini-kubelet \(schema 99, this one knows up to 1\)/,
    },
    'of another program': {
      spoil: (path) => withDatabase(path, (db) => db.exec('PRAGMA application_id = 1')),
      message: /database of another program/,
    },
    'not a database': {
      spoil: (path) => writeFileSync(path, 'hello '.repeat(1_000)),
      message: /file is not a database/,
    },
    'cut short': {
      spoil: (path) => truncateSync(path, statSync(path).size - 8_192),
      message: /cannot be used/,
    },
    'with a page of zeros': {
      spoil: (path) => overwrite(path, 8 * 4_096, Buffer.alloc(4_096)),
      message: /cannot be used/,
    },
    'with a changed object': {
      spoil: (path) =>
        withDatabase(path, (db) =>
          db.exec("UPDATE objects SET body = replace(body, 'xxxxx', 'xxyxx') WHERE name = 'thing-7'"),
        ),
      message: /the record of things default\/thing-7 is damaged/,
    },
  };
  for (const [name, { spoil, message }] of Object.entries(cases)) {
    t.test(name, async (t) => {
      const path = `${t.testdir({})}/store.db`;
      filledStore(path);
      spoil(path);
      const before = readFileSync(path);
      t.throws(() => newStore(path).open(), { name: 'StoreUnreadableError', message });
      t.ok(readFileSync(path).equals(before));
    });
  }
  t.test('a link', async (t) => {
    const dir = t.testdir({ target: '' });
    symlinkSync(`${dir}/target`, `${dir}/store.db`);
    t.throws(() => newStore(`${dir}/store.db`).open(), { message: /not a regular file/ });
  });
});

t.test('a full disk refuses the write as a whole and the store goes on', async (t) => {
  const path = `${t.testdir({})}/store.db`;
  filledStore(path);
  withDatabase(path, (db) => db.exec('VACUUM'));
  const store = newStore(path, { maxBytes: statSync(path).size + 16_384 });
  store.open();
  t.teardown(() => store.close());
  const before = store.list(thingKind);
  t.match(
    statusOf(() => store.create(thingKind, thing('big', 'x'.repeat(100_000)))),
    { code: 507, reason: 'InsufficientStorage' },
  );
  t.same(store.list(thingKind), before);
  store.delete(thingKind, 'default', 'thing-1');
  store.create(thingKind, thing('small'));
});

function withDatabase(path: string, work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(path);
  work(db);
  db.close();
}

function overwrite(path: string, position: number, bytes: Buffer): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, position);
  closeSync(fd);
}
