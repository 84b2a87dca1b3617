import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, linkSync, lstatSync, mkdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { mountsBeneath, readMounts } from '../../../src/util/mounts.ts';
import { removeTree } from '../../../src/util/remove-tree.ts';
import { applyFsGroup } from '../../../src/volumes/fs-group.ts';

const base = await mkdtemp('/tmp/mk-fg-');
const outside = join(base, 'outside');
mkdirSync(join(outside, 'dir'), { recursive: true, mode: 0o700 });
writeFileSync(join(outside, 'secret'), 'secret', { mode: 0o600 });
t.teardown(async () => {
  for (const mount of mountsBeneath(await readMounts(), base)) execFileSync('umount', [mount.mountPoint]);
  await removeTree(base);
});

let count = 0;
function volume(): string {
  count += 1;
  const path = join(base, `v${count}`);
  mkdirSync(path);
  return path;
}
const show = (path: string) => {
  const { gid, mode } = lstatSync(path);
  return `${gid} ${(mode & 0o7777).toString(8)}`;
};
const outsideAsItWas = () => [outside, join(outside, 'dir'), join(outside, 'secret')].map(show);
const before = outsideAsItWas();

function fill(path: string): void {
  mkdirSync(join(path, 'dir/sub'), { recursive: true, mode: 0o700 });
  writeFileSync(join(path, 'dir/file'), '', { mode: 0o600 });
  writeFileSync(join(path, 'dir/program'), '', { mode: 0o600 });
  chmodSync(join(path, 'dir/program'), 0o6755);
  execFileSync('mkfifo', ['-m', '600', join(path, 'dir/sub/fifo')]);
  writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0xfe, 0x41])]), '', { mode: 0o400 });
}

t.test('all that is in a volume belongs to the group, which may read and write it', async (t) => {
  const path = volume();
  fill(path);
  t.strictSame(await applyFsGroup(path, { gid: 2000 }), { skipped: 0 });
  t.equal(show(path), '2000 2775');
  t.equal(show(join(path, 'dir/sub')), '2000 2770');
  t.equal(show(join(path, 'dir/file')), '2000 660');
  t.equal(show(join(path, 'dir/sub/fifo')), '2000 660');
  t.equal(show(join(path, 'dir/program')), '2000 775', 'without the right to become root, which it had');
  t.equal(execFileSync('find', [path, '!', '-group', '2000'], { encoding: 'utf8' }), '', 'also names that are no text');
});

t.test('of a volume that can only be read, the group may only read', async (t) => {
  const path = volume();
  fill(path);
  await applyFsGroup(path, { gid: 2001, readOnly: true });
  t.equal(show(join(path, 'dir/file')), '2001 640');
  t.equal(show(join(path, 'dir/sub')), '2001 2750');
  const file = join(volume(), 'single');
  writeFileSync(file, '', { mode: 0o600 });
  await applyFsGroup(file, { gid: 2001, readOnly: true });
  t.equal(show(file), '2001 640', 'a volume may be a file');
});

t.test('OnRootMismatch leaves everything alone when the root is right', async (t) => {
  const path = volume();
  const file = join(path, 'file');
  await applyFsGroup(path, { gid: 2000 });
  writeFileSync(file, '', { mode: 0o600 });
  execFileSync('chgrp', ['0', file]);
  chmodSync(file, 0o600);
  await applyFsGroup(path, { gid: 2000, onRootMismatch: true });
  t.equal(show(file), '0 600');
  chmodSync(path, 0o755);
  await applyFsGroup(path, { gid: 2000, onRootMismatch: true });
  t.equal(show(file), '2000 660', 'and changes it when it is not');
});

t.test('links, other names, devices and mounts lead nowhere', async (t) => {
  const path = volume();
  symlinkSync(join(outside, 'secret'), join(path, 'to-file'));
  symlinkSync(outside, join(path, 'to-directory'));
  symlinkSync('..', join(path, 'up'));
  linkSync(join(outside, 'secret'), join(path, 'name'));
  execFileSync('mknod', [join(path, 'device'), 'c', '1', '3']);
  mkdirSync(join(path, 'mounted'));
  execFileSync('mount', ['--bind', join(outside, 'dir'), join(path, 'mounted')]);
  writeFileSync(join(path, 'file-mount'), '');
  execFileSync('mount', ['--bind', join(outside, 'secret'), join(path, 'file-mount')]);
  const { skipped } = await applyFsGroup(path, { gid: 2000 });
  t.equal(skipped, 2, 'the second name and the device');
  t.equal(show(join(path, 'to-file')), '2000 777', 'a link itself is changed');
  t.match(show(join(path, 'device')), /^0 /);
  for (const name of ['mounted', 'file-mount']) execFileSync('umount', [join(path, name)]);
});

t.test('a tree of ten thousand levels', async (t) => {
  const path = volume();
  execFileSync('perl', ['-e', 'chdir $ARGV[0]; for (1..10000) { mkdir "d", 0700; chdir "d" } open F, ">f"', path]);
  await applyFsGroup(path, { gid: 2000 });
  const deepest = execFileSync(
    'perl',
    ['-e', 'chdir $ARGV[0]; for (1..10000) { chdir "d" } @s = stat "f"; @d = stat "."; print "$s[5] $d[5]"', path],
    { encoding: 'utf8' },
  );
  t.equal(deepest, '2000 2000');
});

t.test('who swaps entries for links meanwhile gains nothing', async (t) => {
  const path = volume();
  for (let index = 0; index < 40; index += 1) {
    mkdirSync(join(path, `d${index}`));
    writeFileSync(join(path, `d${index}/dir`), '');
  }
  // Directory and file against links to the outside, exchanged as fast as one CPU can.
  symlinkSync(outside, join(path, 'l0'));
  symlinkSync(join(outside, 'secret'), join(path, 'l1'));
  writeFileSync(join(path, 'f1'), '');
  const attack = `
    my $call = \`uname -m\` =~ /aarch64/ ? 276 : 316;
    my $v = shift; $| = 1; print "ready\\n";
    for (;;) { syscall($call, -100, "$v/d0", -100, "$v/l0", 2); syscall($call, -100, "$v/f1", -100, "$v/l1", 2);
      syscall($call, -100, "$v/d1", -100, "$v/l0", 2) }`;
  const attacker = spawn('perl', ['-e', attack, path]);
  t.teardown(() => attacker.kill('SIGKILL'));
  await once(attacker.stdout, 'data');
  const end = performance.now() + 1500;
  let walks = 0;
  for (; walks <= 20 || performance.now() < end; walks += 1) await applyFsGroup(path, { gid: 3000 + (walks % 2) });
  t.comment({ walks });
});

t.test('a tree that is moved under the walk is noticed', async (t) => {
  const path = volume();
  const elsewhere = join(base, 'elsewhere');
  mkdirSync(elsewhere);
  mkdirSync(join(path, 'a/b'), { recursive: true });
  for (let index = 0; index < 500; index += 1) writeFileSync(join(path, `a/b/f${index}`), '');
  const walk = applyFsGroup(path, { gid: 2000 });
  const isWithin = () =>
    Array.from({ length: 30 }, (_, n) => join(path, `a/b/f${n}`)).some((f) => statSync(f).gid === 2000);
  const wait = () => (isWithin() ? renameSync(join(path, 'a/b'), join(elsewhere, 'b')) : setImmediate(wait));
  wait();
  await t.rejects(walk, { name: 'UnsafePathError' });
  t.equal(statSync(elsewhere).gid, 0, 'and where it went to stays as it is');
});

t.test('it can be called off', async (t) => {
  const path = volume();
  for (let index = 0; index < 500; index += 1) writeFileSync(join(path, `f${index}`), '');
  await t.rejects(applyFsGroup(path, { gid: 2000 }, AbortSignal.abort(new Error('no more'))), { message: 'no more' });
  t.equal(statSync(path).gid, 0, 'the root is changed last');
});

t.test('after all this nothing outside has changed', async (t) => {
  t.strictSame(outsideAsItWas(), before);
});
