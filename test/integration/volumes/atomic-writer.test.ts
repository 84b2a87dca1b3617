import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { hasContent, writeAtomically } from '../../../src/volumes/atomic-writer.ts';
import type { Payload, PayloadFile } from '../../../src/volumes/payload.ts';

const now = Date.parse('2026-01-02T03:04:05Z');

function payload(files: Record<string, string | PayloadFile>): Payload {
  const entries = Object.entries(files).map(([path, file]): [string, PayloadFile] => [
    path,
    typeof file === 'string' ? { data: Buffer.from(file), mode: 0o644 } : file,
  ]);
  return new Map(entries);
}

const write = (volume: string, files: Record<string, string | PayloadFile>) =>
  writeAtomically(volume, payload(files), { now });

function volumeOf(t: Test, files: object = {}): { volume: string; outside: string } {
  const directory = t.testdir({ volume: {}, outside: { canary: 'alive', ...files } });
  return { volume: join(directory, 'volume'), outside: join(directory, 'outside') };
}

/** The files as a container sees them. */
function seen(volume: string): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (path: string, prefix: string) => {
    for (const name of readdirSync(path)) {
      if (prefix === '' && name.startsWith('..')) continue;
      const at = join(path, name);
      if (statSync(at).isDirectory()) visit(at, `${prefix}${name}/`);
      else found[prefix + name] = readFileSync(at, 'utf8');
    }
  };
  visit(volume, '');
  return found;
}

const own = (volume: string) => readdirSync(volume).filter((name) => name.startsWith('..'));

t.test("the layout is a kubelet's, with modes and owners", async (t) => {
  const { volume } = volumeOf(t);
  t.notOk(await hasContent(volume));
  const made = await write(volume, {
    a: 'A',
    'b/c/d': { data: Buffer.from('D'), mode: 0o400, uid: 1234 },
    '.hidden': '',
    'b/..e': 'E',
  });
  t.ok(made);
  t.ok(await hasContent(volume));
  const content = readlinkSync(join(volume, '..data'));
  t.match(content, /^\.\.2026_01_02_03_04_05\.\d+$/);
  t.same(own(volume).sort(), ['..data', content].sort());
  t.equal(readlinkSync(join(volume, 'a')), '..data/a');
  t.equal(readlinkSync(join(volume, 'b')), '..data/b');
  t.same(seen(volume), { a: 'A', 'b/c/d': 'D', '.hidden': '', 'b/..e': 'E' });
  const inside = join(volume, content);
  t.equal(lstatSync(inside).mode & 0o7777, 0o755);
  t.equal(lstatSync(join(inside, 'b/c')).mode & 0o7777, 0o755);
  t.match(lstatSync(join(inside, 'b/c/d')), { uid: 1234, gid: 0 });
  t.equal(lstatSync(join(inside, 'b/c/d')).mode & 0o7777, 0o400);
});

t.test('what has not changed is not written, whatever else is', async (t) => {
  const { volume } = volumeOf(t);
  await write(volume, { a: 'A', 'b/c': 'C' });
  const content = readlinkSync(join(volume, '..data'));
  t.notOk(await write(volume, { 'b/c': 'C', a: 'A' }));
  t.equal(readlinkSync(join(volume, '..data')), content);
  const changes: Record<string, string | PayloadFile>[] = [
    { a: 'A2', 'b/c': 'C' },
    { a: 'A2', 'b/c': { data: Buffer.from('C'), mode: 0o600 } },
    { a: 'A2' },
    { a: 'A2', z: '' },
    { a: { data: Buffer.from('A2'), mode: 0o644, uid: 5 }, z: '' },
    {},
  ];
  let last = content;
  for (const files of changes) {
    t.ok(await write(volume, files), JSON.stringify(files));
    const next = readlinkSync(join(volume, '..data'));
    t.not(next, last);
    last = next;
    t.same(Object.keys(seen(volume)).sort(), Object.keys(files).sort());
    t.same(own(volume).length, 2, 'the old content is gone');
  }
});

t.test('readers see the old files or the new ones, never a mixture', async (t) => {
  const { volume } = volumeOf(t);
  const files = (n: number) => Object.fromEntries(['a', 'b', 'c'].map((name) => [name, `${n} `.repeat(2000)]));
  await write(volume, files(0));
  let isDone = false;
  const read = async () => {
    let rounds = 0;
    while (!isDone) {
      // One look through ..data is one content, as for a program that opens its directory once.
      const content = readlinkSync(join(volume, '..data'));
      try {
        const texts = ['a', 'b', 'c'].map((name) => readFileSync(join(volume, content, name), 'utf8'));
        if (new Set(texts).size !== 1) throw new Error('a mixture');
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      }
      rounds++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return rounds;
  };
  const reader = read();
  for (let n = 1; n <= 30; n++) await write(volume, files(n));
  isDone = true;
  t.ok((await reader) > 30);
});

t.test('after a crash at any point the next write finishes', async (t) => {
  const { volume } = volumeOf(t);
  await write(volume, { a: 'A', b: 'B' });
  const content = readlinkSync(join(volume, '..data'));
  // A half-written content, the link that was to be renamed, names that are missing or left over.
  mkdirSync(join(volume, '..2025_01_01_00_00_00.77'));
  writeFileSync(join(volume, '..2025_01_01_00_00_00.77/a'), 'half');
  symlinkSync('..2025_01_01_00_00_00.77', join(volume, '..data_tmp'));
  rmSync(join(volume, 'b'));
  symlinkSync('..data/old', join(volume, 'old'));
  t.ok(await write(volume, { a: 'A', b: 'B' }));
  t.same(seen(volume), { a: 'A', b: 'B' });
  t.same(own(volume).sort(), ['..data', content].sort(), 'the content was right and stays');
  // The content itself is gone, and ..data dangles.
  rmSync(join(volume, content), { recursive: true });
  t.notOk(await hasContent(volume));
  t.ok(await write(volume, { a: 'A' }));
  t.same(seen(volume), { a: 'A' });
});

t.test('nothing that was planted in the volume is followed', async (t) => {
  const plants: Record<string, (volume: string, outside: string, content: string) => void> = {
    '..data leads outside': (volume, outside) => {
      rmSync(join(volume, '..data'));
      symlinkSync(outside, join(volume, '..data'));
    },
    '..data climbs out': (volume) => {
      rmSync(join(volume, '..data'));
      symlinkSync('../outside', join(volume, '..data'));
    },
    '..data is a directory': (volume) => {
      rmSync(join(volume, '..data'));
      mkdirSync(join(volume, '..data/x'), { recursive: true });
    },
    '..data is a file': (volume) => {
      rmSync(join(volume, '..data'));
      writeFileSync(join(volume, '..data'), '');
    },
    'the content is a link': (volume, outside, content) => {
      rmSync(join(volume, content), { recursive: true });
      symlinkSync(outside, join(volume, content));
    },
    'an older content is a link': (volume, outside) => symlinkSync(outside, join(volume, '..2020_01_01_00_00_00.1')),
    '..data_tmp is a directory with a link': (volume, outside) => {
      mkdirSync(join(volume, '..data_tmp'));
      symlinkSync(outside, join(volume, '..data_tmp/x'));
    },
    'a file of the content is a link': (volume, outside, content) => {
      rmSync(join(volume, content, 'a'));
      symlinkSync(join(outside, 'canary'), join(volume, content, 'a'));
    },
    'a file of the content is a FIFO': (volume, _outside, content) => {
      rmSync(join(volume, content, 'a'));
      execFileSync('mkfifo', [join(volume, content, 'a')]);
    },
    'a name leads outside': (volume, outside) => {
      rmSync(join(volume, 'a'));
      symlinkSync(join(outside, 'canary'), join(volume, 'a'));
    },
    'a name is a directory with a link': (volume, outside) => {
      rmSync(join(volume, 'a'));
      mkdirSync(join(volume, 'a'));
      symlinkSync(outside, join(volume, 'a/x'));
    },
    'a stranger': (volume, outside) => symlinkSync(outside, join(volume, 'stranger')),
  };
  for (const [what, plant] of Object.entries(plants)) {
    await t.test(what, async (t) => {
      const { volume, outside } = volumeOf(t);
      await write(volume, { a: 'A', 'd/e': 'E' });
      plant(volume, outside, readlinkSync(join(volume, '..data')));
      await write(volume, { a: 'A', 'd/e': 'E' });
      t.same(seen(volume), { a: 'A', 'd/e': 'E' });
      await write(volume, { a: 'new' });
      t.same(seen(volume), { a: 'new' });
      t.same(own(volume).length, 2);
      t.same(readdirSync(outside), ['canary']);
      t.equal(readFileSync(join(outside, 'canary'), 'utf8'), 'alive');
    });
  }
});

t.test('a volume that is a link is refused', async (t) => {
  const { volume, outside } = volumeOf(t);
  rmSync(volume, { recursive: true });
  symlinkSync(outside, volume);
  await t.rejects(write(volume, { a: 'A' }));
  t.notOk(existsSync(join(outside, 'a')));
});

t.test('the new content is prepared before anybody sees it', async (t) => {
  const { volume } = volumeOf(t);
  const files = payload({ a: 'A' });
  const seenBefore: boolean[] = [];
  const options = {
    now,
    prepare: async (directory: string) => {
      seenBefore.push(existsSync(join(volume, 'a')));
      execFileSync('chmod', ['0660', join(directory, 'a')]);
    },
    modeOf: () => 0o660,
  };
  t.ok(await writeAtomically(volume, files, options));
  t.same(seenBefore, [false]);
  t.equal(statSync(join(volume, 'a')).mode & 0o777, 0o660);
  t.notOk(await writeAtomically(volume, files, options), 'what was prepared counts as unchanged');
});
