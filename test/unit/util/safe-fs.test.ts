import { execFileSync } from 'node:child_process';
import { chmod, link, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import {
  errorCode,
  mkdirBeneath,
  openBeneath,
  openRegularBeneath,
  pathOfHandle,
  readRegularFile,
  splitRelativePath,
  UnsafePathError,
  writeFileAtomic,
} from '../../../src/util/safe-fs.ts';

const codeOf = (promise: Promise<unknown>) => promise.then(() => 'no error', errorCode);

t.test('a relative path that could leave its root is refused', async (t) => {
  for (const path of ['', '/a', 'a/', 'a//b', '.', 'a/.', '..', 'a/../b', 'a\0b']) {
    t.throws(() => splitRelativePath(path), UnsafePathError, JSON.stringify(path));
  }
  t.strictSame(splitRelativePath('a/..b/c d'), ['a', '..b', 'c d']);
});

t.test('openBeneath', async (t) => {
  const root = t.testdir({ a: { b: { file: 'content' } }, outside: { file: 'secret' } });
  await symlink('../outside', join(root, 'a/link'));
  await symlink('../../outside/file', join(root, 'a/b/last'));

  await t.test('opens what is there', async (t) => {
    const file = await openBeneath(root, 'a/b/file', 0);
    t.equal(await file.readFile('utf8'), 'content');
    await file.close();
  });
  await t.test('refuses a link in the middle and at the end', async (t) => {
    await t.rejects(openBeneath(root, 'a/link/file', 0), UnsafePathError);
    await t.rejects(openBeneath(root, 'a/b/last', 0), UnsafePathError);
    await t.rejects(openRegularBeneath(root, 'a/b/last'), { name: 'UnsafePathError', message: /symbolic link/ });
  });
  await t.test('a missing file keeps its code and shows the path that was asked for', async (t) => {
    await t.rejects(openBeneath(root, 'a/x/file', 0), { code: 'ENOENT', path: join(root, 'a/x') });
    await t.rejects(openBeneath(root, 'a/b/x', 0), { code: 'ENOENT', message: new RegExp(`'${root}/a/b/x'`) });
  });
});

t.test('mkdirBeneath gives new directories the mode, whatever the umask, and leaves others alone', async (t) => {
  const root = t.testdir({ old: {} });
  await chmod(join(root, 'old'), 0o711);
  await symlink('old', join(root, 'link'));
  const umask = process.umask(0o077);
  t.teardown(() => process.umask(umask));
  const made = await mkdirBeneath(root, 'old/one/two', 0o777);
  t.equal((await stat(pathOfHandle(made))).mode & 0o7777, 0o777);
  await made.close();
  t.equal((await stat(join(root, 'old/one'))).mode & 0o7777, 0o777);
  t.equal((await stat(join(root, 'old'))).mode & 0o7777, 0o711);
  await (await mkdirBeneath(root, 'old/one/two', 0o700)).close();
  t.equal((await stat(join(root, 'old/one/two'))).mode & 0o7777, 0o777);
  await t.rejects(mkdirBeneath(root, 'link/x', 0o777), UnsafePathError);
});

t.test('readRegularFile', async (t) => {
  const root = t.testdir({ file: '0123456789', empty: '' });
  await t.test('reads at most what was asked for, from either end', async (t) => {
    const read = async (maxBytes: number, tail: boolean) => {
      const { data, truncated } = await readRegularFile(join(root, 'file'), { maxBytes, tail });
      return [data.toString(), truncated];
    };
    t.strictSame(await read(10, false), ['0123456789', false]);
    t.strictSame(await read(9, false), ['012345678', true]);
    t.strictSame(await read(9, true), ['123456789', true]);
    t.strictSame(await read(10, true), ['0123456789', false]);
    t.strictSame(await read(0, true), ['', true]);
    const empty = await readRegularFile(join(root, 'empty'), { maxBytes: 5 });
    t.strictSame([empty.data.length, empty.truncated], [0, false]);
  });
  await t.test('reads a large file whole, and one of procfs that claims to be empty', async (t) => {
    const large = Buffer.alloc(300_000, 'abc');
    await writeFile(join(root, 'large'), large);
    t.ok((await readRegularFile(join(root, 'large'), { maxBytes: 1 << 20 })).data.equals(large));
    t.match((await readRegularFile('/proc/self/status', { maxBytes: 65_536 })).data.toString(), /^Name:/);
  });
  await t.test('refuses a link, unless told to follow it', async (t) => {
    await symlink('file', join(root, 'link'));
    await t.rejects(readRegularFile(join(root, 'link'), { maxBytes: 5 }), UnsafePathError);
    const followed = await readRegularFile(join(root, 'link'), { maxBytes: 5, followLinks: true });
    t.equal(followed.data.toString(), '01234');
  });
  await t.test('refuses a FIFO, a directory and a device without waiting', async (t) => {
    execFileSync('mkfifo', [join(root, 'fifo')]);
    for (const path of [join(root, 'fifo'), root, '/dev/zero']) {
      await t.rejects(readRegularFile(path, { maxBytes: 5 }), { name: 'UnsafePathError', message: /not a regular/ });
    }
  });
  await t.test('refuses a second name and a foreign owner when asked to', async (t) => {
    await link(join(root, 'file'), join(root, 'second'));
    await t.rejects(openRegularBeneath(root, 'second', { singleLink: true }), { message: /2 names/ });
    const { uid } = await stat(join(root, 'empty'));
    await t.rejects(openRegularBeneath(root, 'empty', { uid: uid + 1 }), { message: /owned by/ });
    await (await openRegularBeneath(root, 'empty', { uid, singleLink: true })).close();
  });
});

t.test('writeFileAtomic', async (t) => {
  const root = t.testdir({ old: 'before', target: 'untouched', directory: { inside: '' } });
  const umask = process.umask(0o077);
  t.teardown(() => process.umask(umask));
  await t.test('replaces the file, with the mode whatever the umask', async (t) => {
    await writeFileAtomic(join(root, 'old'), 'after', { mode: 0o644, fsync: true });
    t.equal(await readFile(join(root, 'old'), 'utf8'), 'after');
    t.equal((await stat(join(root, 'old'))).mode & 0o7777, 0o644);
  });
  await t.test('replaces a link instead of writing through it', async (t) => {
    await symlink('target', join(root, 'link'));
    await writeFileAtomic(join(root, 'link'), 'new', { mode: 0o600 });
    t.equal(await readFile(join(root, 'target'), 'utf8'), 'untouched');
    t.equal(await readFile(join(root, 'link'), 'utf8'), 'new');
  });
  await t.test('leaves nothing behind when it fails', async (t) => {
    await mkdir(join(root, 'empty'));
    t.equal(await codeOf(writeFileAtomic(join(root, 'directory'), 'x', { mode: 0o600 })), 'EISDIR');
    t.strictSame(
      (await readdir(root)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });
});
