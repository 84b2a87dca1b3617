import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { bindMountAt, mountMemory, unmountAt } from '../../../src/util/mounts.ts';
import { openTrustedDirectory } from '../../../src/util/safe-fs.ts';
import { diskUsage } from '../../../src/volumes/disk-usage.ts';

const MiB = 1024 ** 2;

/** A directory that is removed at the test's end, with a file of 1 MiB in `own`, and one of 64 MiB in `foreign`. */
function trees(t: Test): { own: string; foreign: string; root: string } {
  const root = mkdtempSync(join(tmpdir(), 'mk-du-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const [own, foreign] = [join(root, 'own'), join(root, 'foreign')];
  for (const directory of [own, foreign]) mkdirSync(directory);
  writeFileSync(join(own, 'file'), Buffer.alloc(MiB, 1));
  writeFileSync(join(foreign, 'file'), Buffer.alloc(64 * MiB, 1));
  return { own, foreign, root };
}

t.test('what a directory takes: no more than is its own, and each file once', async (t) => {
  const { own, foreign, root } = trees(t);
  symlinkSync(foreign, join(own, 'directory'));
  symlinkSync(join(foreign, 'file'), join(own, 'link'));
  linkSync(join(own, 'file'), join(own, 'again'));
  symlinkSync(foreign, join(root, 'link-itself'));
  const paths = [own, join(root, 'link-itself'), join(root, 'missing')];
  const usage = await diskUsage(paths);
  const bytes = usage.get(own)?.bytes ?? 0;
  t.ok(bytes >= MiB && bytes < 1.5 * MiB, `${bytes} bytes`);
  t.ok((usage.get(join(root, 'link-itself'))?.bytes ?? MiB) < MiB, 'a link is a link');
  t.notOk(usage.has(join(root, 'missing')));
  t.equal(usage.get(own)?.inodes, 4);
  t.strictSame(await diskUsage([]), new Map());
});

t.test('what is below another path that was asked for counts there', async (t) => {
  const { own, foreign, root } = trees(t);
  const usage = await diskUsage([own, foreign, root]);
  t.ok((usage.get(root)?.bytes ?? MiB) < MiB);
});

t.test('what is mounted in a tree is not entered, be it of the same file system', async (t) => {
  const { own, foreign } = trees(t);
  for (const name of ['memory', 'bound']) mkdirSync(join(own, name));
  const parent = await openTrustedDirectory(own);
  const source = await openTrustedDirectory(foreign);
  await mountMemory('tmpfs', parent, 'memory', ['size=32m']);
  await bindMountAt(source, parent, 'bound');
  try {
    writeFileSync(join(own, 'memory/file'), Buffer.alloc(16 * MiB, 1));
    t.ok(((await diskUsage([own])).get(own)?.bytes ?? 0) < 2 * MiB);
  } finally {
    for (const name of ['memory', 'bound']) await unmountAt(parent, name);
    await source.close();
    await parent.close();
  }
});

t.test('a tree that is deep, and an abort', async (t) => {
  const { own } = trees(t);
  mkdirSync(join(own, ...Array.from({ length: 600 }, () => 'd')), { recursive: true });
  const inodes = (await diskUsage([own])).get(own)?.inodes ?? 0;
  t.ok(inodes > 500 && inodes < 600, `${inodes} files and directories`);
  for (let n = 0; n < 300; n += 1) writeFileSync(join(own, `file-${n}`), '');
  await t.rejects(diskUsage([own], { signal: AbortSignal.abort(new Error('given up')) }), { message: 'given up' });
});

t.test('a directory that is swapped with a link all the time leads nowhere else', async (t) => {
  const { own, foreign } = trees(t);
  mkdirSync(join(own, 'a'));
  symlinkSync(foreign, join(own, 'b'));
  let isOver = false;
  const swap = async () => {
    while (!isOver) {
      renameSync(join(own, 'a'), join(own, 'c'));
      renameSync(join(own, 'b'), join(own, 'a'));
      renameSync(join(own, 'c'), join(own, 'b'));
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const swapping = swap();
  const seen: number[] = [];
  for (let n = 0; n < 1000; n += 1) seen.push((await diskUsage([own])).get(own)?.bytes ?? 0);
  isOver = true;
  await swapping;
  t.ok(Math.max(...seen) < 2 * MiB, `${Math.max(...seen)} bytes`);
  t.ok(Math.min(...seen) >= MiB, 'what comes and goes does not hide the rest');
});
