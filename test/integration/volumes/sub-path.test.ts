import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { mountsBeneath, readMounts } from '../../../src/util/mounts.ts';
import { removeTree } from '../../../src/util/remove-tree.ts';
import { mountSubPath, splitSubPath } from '../../../src/volumes/sub-path.ts';

const base = await mkdtemp('/tmp/mk-sp-');
const volume = join(base, 'volume');
const root = join(base, 'pod');
const outside = join(base, 'outside');
for (const directory of [volume, root, outside]) mkdirSync(directory);
writeFileSync(join(outside, 'secret'), 'secret');
t.teardown(async () => {
  for (const mount of mountsBeneath(await readMounts(), base)) execFileSync('umount', [mount.mountPoint]);
  await removeTree(base);
});

let count = 0;
const target = (path = `subs/${++count}`) => ({ root, path });
const mountsBelow = async (path: string) => mountsBeneath(await readMounts(), path);

t.test('what the way has, and what no way may have', async (t) => {
  t.strictSame(splitSubPath('a//b/./c/'), ['a', 'b', 'c']);
  t.strictSame(splitSubPath('.'), []);
  t.strictSame(splitSubPath('..a/b..'), ['..a', 'b..']);
  for (const path of ['..', 'a/../b', '/a', 'a/..', 'a\0b']) t.throws(() => splitSubPath(path), path);
});

t.test('a missing directory is made with the mode of the volume, and one that is there keeps its own', async (t) => {
  const umask = process.umask(0o077);
  t.teardown(() => process.umask(umask));
  chmodSync(volume, 0o2771);
  mkdirSync(join(volume, 'kept'), { mode: 0o700 });
  const mounted = await mountSubPath(volume, 'kept/new/deep', target());
  t.equal(statSync(mounted).mode & 0o7777, 0o2771);
  t.equal(statSync(join(volume, 'kept/new')).mode & 0o7777, 0o2771);
  t.equal(statSync(join(volume, 'kept')).mode & 0o7777, 0o700 | (statSync(join(volume, 'kept')).mode & 0o2000));
  t.equal(statSync(mounted).ino, statSync(join(volume, 'kept/new/deep')).ino);
  chmodSync(volume, 0o755);
});

t.test('a file', async (t) => {
  writeFileSync(join(volume, 'file'), 'one');
  const place = target();
  const mounted = await mountSubPath(volume, 'file', place);
  t.equal(readFileSync(mounted, 'utf8'), 'one');
  await t.test('is mounted once, however often it is asked for', async (t) => {
    await mountSubPath(volume, 'file', place);
    t.equal((await mountsBelow(mounted)).length, 1);
  });
  await t.test('that was replaced is mounted anew', async (t) => {
    rmSync(join(volume, 'file'));
    writeFileSync(join(volume, 'file'), 'two');
    await mountSubPath(volume, 'file', place);
    t.equal(readFileSync(mounted, 'utf8'), 'two');
    t.equal((await mountsBelow(mounted)).length, 1);
  });
  await t.test('that became a directory, too', async (t) => {
    rmSync(join(volume, 'file'));
    mkdirSync(join(volume, 'file'));
    await mountSubPath(volume, 'file', place);
    t.ok(statSync(mounted).isDirectory());
    t.equal((await mountsBelow(mounted)).length, 1);
  });
  rmSync(join(volume, 'file'), { recursive: true });
});

t.test('links are followed as far as they stay inside', async (t) => {
  mkdirSync(join(volume, 'a/b'), { recursive: true });
  writeFileSync(join(volume, 'a/b/file'), 'inside');
  symlinkSync('a', join(volume, 'relative'));
  symlinkSync('../a/b', join(volume, 'a/up'));
  symlinkSync(join(volume, 'a/b'), join(volume, 'absolute'));
  // As a ConfigMap has them.
  symlinkSync('a/b', join(volume, '..data'));
  symlinkSync('..data/file', join(volume, 'key'));
  for (const path of ['relative/b/file', 'a/up/file', 'absolute/file', 'key', './/key']) {
    t.equal(readFileSync(await mountSubPath(volume, path, target()), 'utf8'), 'inside', path);
  }
});

t.test('a link that leads out is refused, and nothing is mounted or made', async (t) => {
  const links: Readonly<Record<string, string>> = {
    root: '/',
    sibling: '../outside',
    absolute: outside,
    file: join(outside, 'secret'),
    prefix: `${volume}-not`,
    parent: '..',
    hidden: 'a/../../outside',
    proc: '/proc/self/root',
    loop: 'x-loop',
  };
  for (const [name, to] of Object.entries(links)) symlinkSync(to, join(volume, `x-${name}`));
  for (const name of Object.keys(links)) {
    for (const path of [`x-${name}`, `x-${name}/new`, `x-${name}/secret`]) {
      const place = target();
      await t.rejects(mountSubPath(volume, path, place), { name: 'UnsafePathError' }, path);
      t.strictSame(await mountsBelow(join(root, place.path)), []);
    }
  }
  t.notOk(existsSync(join(outside, 'new')));
  t.notOk(existsSync('/new'));
});

t.test('a way through a file, a FIFO or without end is an error, at once', async (t) => {
  execFileSync('mkfifo', [join(volume, 'fifo')]);
  writeFileSync(join(volume, 'plain'), '');
  await t.rejects(mountSubPath(volume, 'plain/x', target()), { name: 'UnsafePathError' });
  await t.rejects(mountSubPath(volume, 'fifo/x', target()), { name: 'UnsafePathError' });
  await t.rejects(mountSubPath(volume, 'd/'.repeat(5000), target()), { name: 'UnsafePathError' });
  await t.rejects(mountSubPath(join(base, 'missing'), 'x', target()), { code: 'ENOENT' });
  t.ok(statSync(await mountSubPath(volume, 'fifo', target())).isFIFO(), 'itself it can be mounted');
});

t.test('who swaps directories and links meanwhile gains nothing', async (t) => {
  // renameat2(RENAME_EXCHANGE) on a directory and a link to the outside, as fast as one CPU can.
  const attack = `
    my $call = \`uname -m\` =~ /aarch64/ ? 276 : 316;
    my ($a, $b) = @ARGV;
    $| = 1; print "ready\\n";
    for (;;) { syscall($call, -100, $a, -100, $b, 2) }`;
  mkdirSync(join(volume, 'race/inner'), { recursive: true });
  mkdirSync(join(outside, 'inner'));
  symlinkSync(outside, join(volume, 'race-link'));
  const attacker = spawn('perl', ['-e', attack, join(volume, 'race'), join(volume, 'race-link')]);
  t.teardown(() => attacker.kill('SIGKILL'));
  await once(attacker.stdout, 'data');

  const forbidden = new Set([outside, join(outside, 'inner')].map((path) => statSync(path).ino));
  const seconds = Number(process.env.MINI_KUBELET_TEST_RACE_SECONDS ?? 2);
  const end = performance.now() + seconds * 1000;
  const tally = { inside: 0, refused: 0, escaped: 0 };
  // However busy the machine is: some were mounted, and the attack did meet others.
  while (tally.inside <= 5 || tally.refused <= 5 || performance.now() < end) {
    const place = target('subs/race');
    try {
      const mounted = await mountSubPath(volume, tally.inside % 2 === 0 ? 'race/inner' : 'race', place);
      tally[forbidden.has(statSync(mounted).ino) ? 'escaped' : 'inside'] += 1;
    } catch (error) {
      if (!(error instanceof Error) || !['UnsafePathError', 'Error'].includes(error.name)) throw error;
      tally.refused += 1;
    }
  }
  t.comment(tally);
  t.equal(tally.escaped, 0);
  t.strictSame(execFileSync('ls', [outside], { encoding: 'utf8' }).trim().split('\n'), ['inner', 'secret']);
});
