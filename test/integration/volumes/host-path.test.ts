import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { HostPathVolumeSource } from '../../../src/api/pod.ts';
import { removeTree } from '../../../src/util/remove-tree.ts';
import { checkHostPath } from '../../../src/volumes/host-path.ts';

type Type = NonNullable<HostPathVolumeSource['type']>;
type Kind = 'directory' | 'file' | 'socket' | 'character device' | 'block device' | 'FIFO';

const base = await mkdtemp('/tmp/mk-hp-');
const umask = process.umask(0o077);
const servers: Server[] = [];
t.teardown(async () => {
  process.umask(umask);
  for (const server of servers) server.close();
  await removeTree(base);
});

/** One object of each kind; device 7:250 is a loop device that need not exist to be looked at. */
const objects: Record<Kind, string> = {
  directory: join(base, 'directory'),
  file: join(base, 'file'),
  socket: join(base, 'socket'),
  'character device': join(base, 'null'),
  'block device': join(base, 'loop'),
  FIFO: join(base, 'fifo'),
};
await mkdir(objects.directory);
await writeFile(objects.file, '');
await new Promise<void>((resolve) => servers.push(createServer().listen(objects.socket, resolve)));
execFileSync('mknod', [objects['character device'], 'c', '1', '3']);
execFileSync('mknod', [objects['block device'], 'b', '7', '250']);
execFileSync('mkfifo', [objects.FIFO]);

const wanted: Record<Exclude<Type, ''>, Kind> = {
  Directory: 'directory',
  DirectoryOrCreate: 'directory',
  File: 'file',
  FileOrCreate: 'file',
  Socket: 'socket',
  CharDevice: 'character device',
  BlockDevice: 'block device',
};
const article = (kind: Kind) => (kind === 'socket' ? 'a socket file' : `a ${kind}`);
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

for (const [type, kind] of Object.entries(wanted) as [Exclude<Type, ''>, Kind][]) {
  t.test(type, async (t) => {
    const creates = type.endsWith('OrCreate');

    await t.test(`accepts ${article(kind)}`, async (t) => {
      t.equal(await checkHostPath({ path: objects[kind], type }), objects[kind]);
    });

    await t.test('a link is followed, and the path of what was checked is what gets mounted', async (t) => {
      const link = join(base, `link-${type}`);
      await symlink(objects[kind], link);
      t.equal(await checkHostPath({ path: link, type }), objects[kind]);
    });

    await t.test(`refuses everything else without opening it`, async (t) => {
      for (const [other, path] of Object.entries(objects) as [Kind, string][]) {
        if (other === kind) continue;
        const message = `hostPath type check failed: ${path} is not ${article(kind)}, it is ${article(other)}`;
        await t.rejects(checkHostPath({ path, type }), { name: 'HostPathTypeError', message });
      }
    });

    await t.test('a link to something else is refused', async (t) => {
      const link = join(base, `bad-link-${type}`);
      await symlink(objects[kind === 'file' ? 'directory' : 'file'], link);
      await t.rejects(checkHostPath({ path: link, type }), {
        message: new RegExp(`^hostPath type check failed: ${link} is not ${article(kind)}, it is a`),
      });
    });

    await t.test(creates ? 'makes what is missing' : 'refuses what is missing and makes nothing', async (t) => {
      const path = join(base, `missing-${type}`);
      if (!creates) {
        const message = `hostPath type check failed: ${path} is not ${article(kind)}, it does not exist`;
        await t.rejects(checkHostPath({ path, type }), { message });
        t.notOk(existsSync(path));
        return;
      }
      t.equal(await checkHostPath({ path, type }), path);
      t.equal(modeOf(path), type === 'FileOrCreate' ? '644' : '755', 'whatever the umask');
      t.equal(await checkHostPath({ path, type }), path, 'and finds it the next time');
    });

    await t.test('nothing is made through a link that leads nowhere', async (t) => {
      const [link, target] = [join(base, `dangling-${type}`), join(base, `nowhere-${type}`)];
      await symlink(target, link);
      await t.rejects(checkHostPath({ path: link, type }), { message: /it does not exist$/ });
      t.notOk(existsSync(target));
    });
  });
}

t.test('without a type nothing is checked, and the path is the one of the manifest', async (t) => {
  const link = join(base, 'plain-link');
  await symlink(objects.file, link);
  for (const path of [...Object.values(objects), link, join(base, 'nothing')]) {
    t.equal(await checkHostPath({ path }), path);
    t.equal(await checkHostPath({ path, type: '' }), path);
  }
  t.notOk(existsSync(join(base, 'nothing')), 'the runtime makes it, not we');
});

t.test('a path that is not absolute or goes back is refused for every type', async (t) => {
  for (const type of ['', ...Object.keys(wanted)] as Type[]) {
    for (const path of ['relative', '', `${base}/../etc`, `${base}/directory/..`, '/a\0b']) {
      await t.rejects(checkHostPath({ path, type }), { message: /^invalid HostPath/ });
    }
  }
});

t.test('DirectoryOrCreate makes parents with 0755 and leaves those that are there', async (t) => {
  const root = join(base, 'parents');
  await mkdir(root, { mode: 0o700 });
  t.equal(await checkHostPath({ path: `${root}/a/b/c/`, type: 'DirectoryOrCreate' }), `${root}/a/b/c`);
  t.strictSame(
    ['', '/a', '/a/b', '/a/b/c'].map((path) => modeOf(root + path)),
    ['700', '755', '755', '755'],
  );
  await t.rejects(checkHostPath({ path: `${objects.file}/below`, type: 'DirectoryOrCreate' }));
});

t.test('FileOrCreate makes no parents', async (t) => {
  await t.rejects(checkHostPath({ path: join(base, 'no/such/file'), type: 'FileOrCreate' }), { code: 'ENOENT' });
  t.notOk(existsSync(join(base, 'no')));
});

t.test('a link that is swapped during the check never gives a path that was not checked', async (t) => {
  const link = join(base, 'swapped');
  let attempts = 0;
  let accepted = 0;
  const deadline = performance.now() + 1_500;
  const attacker = (async () => {
    while (performance.now() < deadline) {
      for (const target of [objects.directory, objects.file]) {
        await symlink(target, `${link}.new`);
        await rename(`${link}.new`, link);
      }
    }
  })();
  while (performance.now() < deadline) {
    attempts += 1;
    const path = await checkHostPath({ path: link, type: 'Directory' }).catch(() => undefined);
    if (path === undefined) continue;
    accepted += 1;
    if (path !== objects.directory) t.fail(`accepted ${path}`);
  }
  await attacker;
  await unlink(link);
  t.ok(attempts > 100 && accepted > 10, `${accepted} of ${attempts} accepted`);
});

t.test('leaves no descriptor open', async (t) => {
  const count = async () => (await readdir('/proc/self/fd')).length;
  const before = await count();
  for (let index = 0; index < 50; index += 1) {
    await checkHostPath({ path: objects.FIFO, type: 'File' }).catch(() => undefined);
    await checkHostPath({ path: objects.directory, type: 'Directory' });
    await checkHostPath({ path: join(base, 'once', 'more'), type: 'DirectoryOrCreate' });
    await rm(join(base, 'once'), { recursive: true });
  }
  t.equal(await count(), before);
});
