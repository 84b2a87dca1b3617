import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { MountPointError, removeTree } from '../../../src/util/remove-tree.ts';
import { O_PATH, pathOfHandle } from '../../../src/util/safe-fs.ts';

// Mounts need a directory outside the work tree, and root.
const base = await mkdtemp('/tmp/mk-rt-');
t.teardown(() => removeTree(base));
let count = 0;
async function freshDirectory(): Promise<string> {
  count += 1;
  const path = join(base, String(count));
  await mkdir(path);
  return path;
}
const openDescriptors = () => readdirSync('/proc/self/fd').length;

t.test('what is not there is removed already', async (t) => {
  const root = await freshDirectory();
  await t.resolves(removeTree(join(root, 'missing')));
  await t.resolves(removeTree(join(root, 'missing/deeper')));
});

t.test('removes every kind of entry, and directories without permissions', async (t) => {
  const root = await freshDirectory();
  const tree = join(root, 'tree');
  await mkdir(join(tree, 'a/b/c'), { recursive: true });
  await mkdir(join(tree, 'empty'));
  await writeFile(join(tree, 'a/b/file'), 'x', { mode: 0 });
  execFileSync('mkfifo', [join(tree, 'a/fifo')]);
  execFileSync('mknod', [join(tree, 'a/zero'), 'c', '1', '5']);
  await chmod(join(tree, 'a/b/c'), 0);
  await chmod(join(tree, 'a/b'), 0);
  await removeTree(tree);
  t.strictSame(readdirSync(root), []);
});

t.test('removes names that are not UTF-8', async (t) => {
  const root = await freshDirectory();
  const odd = Buffer.concat([Buffer.from(`${root}/tree/`), Buffer.from([0xff, 0xfe, 0x0a])]);
  await mkdir(join(root, 'tree'));
  await mkdir(odd);
  await writeFile(Buffer.concat([odd, Buffer.from([0x2f, 0x80])]), 'x');
  await removeTree(join(root, 'tree'));
  t.strictSame(readdirSync(root), []);
});

t.test('removes links, and nothing behind them', async (t) => {
  const root = await freshDirectory();
  await mkdir(join(root, 'canary'));
  await writeFile(join(root, 'canary/file'), 'alive');
  await mkdir(join(root, 'tree/sub'), { recursive: true });
  await symlink('../canary', join(root, 'tree/directory'));
  await symlink('/', join(root, 'tree/sub/root'));
  await symlink('nowhere', join(root, 'tree/sub/dangling'));
  await removeTree(join(root, 'tree'));
  await symlink('canary', join(root, 'link'));
  await removeTree(join(root, 'link'));
  t.strictSame(readdirSync(root), ['canary']);
  t.equal(readFileSync(join(root, 'canary/file'), 'utf8'), 'alive');
});

t.test('removes a tree of 10 000 levels with few descriptors', { timeout: 120_000 }, async (t) => {
  const root = await freshDirectory();
  let directory = await open(root, O_PATH);
  for (let level = 0; level < 10_000; level += 1) {
    const name = level === 0 ? 'tree' : 'a-directory-name-that-makes-the-path-long';
    await mkdir(pathOfHandle(directory, name));
    const next = await open(pathOfHandle(directory, name), O_PATH);
    await directory.close();
    directory = next;
  }
  await writeFile(pathOfHandle(directory, 'bottom'), 'x');
  await directory.close();
  const before = openDescriptors();
  let most = before;
  const watching = setInterval(() => {
    most = Math.max(most, openDescriptors());
  }, 20);
  await removeTree(join(root, 'tree'));
  clearInterval(watching);
  t.strictSame(readdirSync(root), []);
  t.equal(openDescriptors(), before, 'no descriptor is left open');
  t.ok(most - before <= 6, `at most 6 more descriptors, not ${most - before}`);
});

t.test('removes a wide tree', async (t) => {
  const root = await freshDirectory();
  const tree = join(root, 'tree');
  for (let index = 0; index < 1500; index += 1) {
    await mkdir(join(tree, `d${index}`, 'x'), { recursive: true });
    await writeFile(join(tree, `f${index}`), '');
  }
  await removeTree(tree);
  t.strictSame(readdirSync(root), []);
});

for (const [what, place] of [
  ['at the root of the tree', 'tree'],
  ['deep in the tree', 'tree/a/b'],
] as const) {
  t.test(`a bind mount of the same file system ${what} is refused, its content stays`, async (t) => {
    const root = await freshDirectory();
    await mkdir(join(root, 'canary'));
    await writeFile(join(root, 'canary/file'), 'alive');
    await mkdir(join(root, place), { recursive: true });
    execFileSync('mount', ['--bind', join(root, 'canary'), join(root, place)]);
    try {
      await t.rejects(removeTree(join(root, 'tree')), MountPointError);
    } finally {
      execFileSync('umount', [join(root, place)]);
    }
    t.equal(readFileSync(join(root, 'canary/file'), 'utf8'), 'alive');
    await t.resolves(removeTree(join(root, 'tree')));
  });
}

t.test('a bind-mounted file is refused', async (t) => {
  const root = await freshDirectory();
  await writeFile(join(root, 'canary'), 'alive');
  await mkdir(join(root, 'tree'));
  await writeFile(join(root, 'tree/file'), '');
  execFileSync('mount', ['--bind', join(root, 'canary'), join(root, 'tree/file')]);
  try {
    await t.rejects(removeTree(join(root, 'tree')), MountPointError);
  } finally {
    execFileSync('umount', [join(root, 'tree/file')]);
  }
  t.equal(readFileSync(join(root, 'canary'), 'utf8'), 'alive');
});

t.test('a tmpfs is refused', async (t) => {
  const root = await freshDirectory();
  await mkdir(join(root, 'tree/a'), { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(root, 'tree/a')]);
  try {
    await t.rejects(removeTree(join(root, 'tree')), MountPointError);
  } finally {
    execFileSync('umount', [join(root, 'tree/a')]);
  }
});

/** Moves directories out of the tree and puts links to the canary in their place, as fast as it can. */
const attackerSource = `
  const fs = require('node:fs');
  const { tree, canary, shared } = require('node:worker_threads').workerData;
  const attempt = (work) => { try { work(); return 1; } catch { return 0; } };
  while (Atomics.load(shared, 0) === 0) {
    for (const name of ['a', 'a/x', 'b', 'b/x/y', 'a/x/y/z']) {
      const path = tree + '/' + name;
      if (attempt(() => fs.renameSync(path, tree + '.away'))) {
        Atomics.add(shared, 1, attempt(() => fs.symlinkSync(canary, path)));
        attempt(() => fs.unlinkSync(path));
        attempt(() => fs.renameSync(tree + '.away', path));
      }
    }
  }`;

t.test('directories swapped for links during the removal lead nowhere', { timeout: 120_000 }, async (t) => {
  const root = await freshDirectory();
  const [tree, canary] = [join(root, 'tree'), join(root, 'canary')];
  const files = ['file', 'x/file', 'x/y/file', 'x/y/z/file'];
  const fill = async (top: string) => {
    await mkdir(join(top, 'x/y/z'), { recursive: true });
    for (const file of files) await writeFile(join(top, file), 'alive');
  };
  await fill(canary);
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const attacker = new Worker(attackerSource, { eval: true, workerData: { tree, canary, shared } });
  let rounds = 0;
  const deadline = performance.now() + 5_000;
  while (performance.now() < deadline) {
    await fill(join(root, 'new/a'));
    await fill(join(root, 'new/b'));
    await rename(join(root, 'new'), tree);
    // An attack may make a removal fail; it may never make it reach the canary.
    while (existsSync(tree) || existsSync(`${tree}.away`)) {
      await removeTree(tree).catch(() => undefined);
      await removeTree(`${tree}.away`).catch(() => undefined);
    }
    rounds += 1;
  }
  Atomics.store(shared, 0, 1);
  await attacker.terminate();
  t.strictSame(
    files.filter((file) => existsSync(join(canary, file))),
    files,
    'the canary is whole',
  );
  t.ok((shared[1] ?? 0) > 100 && rounds > 10, `${shared[1]} swaps in ${rounds} rounds`);
});
