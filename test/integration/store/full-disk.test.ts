import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import t, { type Test } from 'tap';
import type { Store } from '../../../src/store/store.ts';
import { newStore, thing, thingKind } from '../../unit/store/support.ts';

/** A file system of its own with so many MiB, unmounted at the end of the test. */
function smallDisk(t: Test, megabytes: number): string {
  const path = mkdtempSync(`${tmpdir()}/mk-disk-`);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'tmpfs', path]);
  t.teardown(() => {
    execFileSync('umount', ['--lazy', path]);
    rmSync(path, { recursive: true });
  });
  return path;
}

function useUp(disk: string): void {
  const piece = Buffer.alloc(4_096);
  try {
    for (;;) writeFileSync(`${disk}/somebody-else`, piece, { flag: 'a' });
  } catch (error) {
    t.match(error, { code: 'ENOSPC' });
  }
}

function fill(store: Store): number {
  for (let i = 0; ; i++) {
    try {
      store.create(thingKind, thing(`thing-${i}`, 'x'.repeat(8_000)));
    } catch (error) {
      t.match(error, { status: { code: 507, reason: 'InsufficientStorage' } });
      return i;
    }
  }
}

t.test('on a full disk nothing new is stored, and everything can be changed and deleted', async (t) => {
  const disk = smallDisk(t, 24);
  const store = newStore(`${disk}/store.db`, { reserveBytes: 8 * 2 ** 20 });
  store.open();
  const count = fill(store);
  t.ok(count > 50, `${count} objects fit`);
  useUp(disk);

  t.equal(store.list(thingKind).items.length, count, 'what was refused is not there');
  for (const { metadata } of store.list(thingKind).items) {
    store.update(thingKind, 'default', metadata.name, (current) => ({ ...current, spec: { color: 'ending' } }));
  }
  for (const { metadata } of store.list(thingKind).items) store.delete(thingKind, 'default', metadata.name);
  t.same(store.list(thingKind).items, []);
  await store.flushed();

  rmSync(`${disk}/somebody-else`);
  store.create(thingKind, thing('new'));
  store.close();
  const again = newStore(`${disk}/store.db`, { reserveBytes: 8 * 2 ** 20 });
  again.open();
  t.same(
    again.list(thingKind).items.map(({ metadata }) => metadata.name),
    ['new'],
  );
  again.close();
});

t.test('a store on a full disk can be opened', async (t) => {
  const disk = smallDisk(t, 24);
  const store = newStore(`${disk}/store.db`, { reserveBytes: 8 * 2 ** 20 });
  store.open();
  const count = fill(store);
  store.close();
  useUp(disk);
  const again = newStore(`${disk}/store.db`, { reserveBytes: 8 * 2 ** 20 });
  again.open();
  t.equal(again.list(thingKind).items.length, count);
  again.delete(thingKind, 'default', 'thing-0');
  again.close();
});
