import { openSync } from 'node:fs';
import t, { type Test } from 'tap';
import { WalSync } from '../../../src/store/wal-sync.ts';

/** A disk that syncs when told to. */
function slowDisk(): {
  sync: (fd: number, done: (error: Error | null) => void) => void;
  pending: ((error: Error | null) => void)[];
} {
  const pending: ((error: Error | null) => void)[] = [];
  return { sync: (_fd, done) => pending.push(done), pending };
}

function begin(t: Test): { wal: WalSync; pending: ((error: Error | null) => void)[] } {
  const { sync, pending } = slowDisk();
  const wal = new WalSync(sync);
  wal.start(openSync(import.meta.filename, 'r'));
  t.teardown(() => wal.stop());
  return { wal, pending };
}

t.test('writers that come together share a sync; one that comes later waits for the next', async (t) => {
  const { wal, pending } = begin(t);
  const done: string[] = [];
  const write = (name: string): Promise<void> => {
    wal.noteWritten();
    return wal.flushed().then(() => {
      done.push(name);
    });
  };
  const first = write('a');
  const others = [write('b'), write('c')];
  t.equal(pending.length, 1);
  pending[0]?.(null);
  await first;
  t.same(done, ['a'], 'b and c were written after the sync began');
  t.equal(pending.length, 2);
  pending[1]?.(null);
  await Promise.all(others);
  t.same(done, ['a', 'b', 'c']);
  await wal.flushed();
  t.equal(pending.length, 2, 'nothing to do');
});

t.test('after a failed sync nothing is reported as safe again', async (t) => {
  const { wal, pending } = begin(t);
  wal.noteWritten();
  const wait = wal.flushed();
  pending[0]?.(new Error('EIO: i/o error, fdatasync'));
  await t.rejects(wait, { message: /EIO/ });
  wal.noteWritten();
  await t.rejects(wal.flushed(), { message: /EIO/ });
  t.match(wal.failure, { message: /EIO/ });
  t.equal(pending.length, 1, 'no sync is tried again');
});
