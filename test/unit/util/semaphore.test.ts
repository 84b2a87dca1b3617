import t from 'tap';
import { Semaphore } from '../../../src/util/semaphore.ts';

/** Work that runs until it is told to end. */
function piece(log: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const work = async () => {
    log.push(name);
    await promise;
  };
  return { work, end: resolve };
}

t.test('no more run at once than there are permits, in the order in which they came', async (t) => {
  const log: string[] = [];
  const semaphore = new Semaphore(2);
  const pieces = ['a', 'b', 'c', 'd'].map((name) => piece(log, name));
  const done = pieces.map(({ work }) => semaphore.use(work));
  t.same(log, ['a', 'b']);
  pieces[1]?.end();
  await done[1];
  t.same(log, ['a', 'b', 'c']);
  for (const { end } of pieces) end();
  await Promise.all(done);
  t.same(log, ['a', 'b', 'c', 'd']);
});

t.test('work that fails gives its permit back', async (t) => {
  const semaphore = new Semaphore(1);
  await t.rejects(
    semaphore.use(async () => Promise.reject(new Error('boom'))),
    { message: 'boom' },
  );
  t.equal(await semaphore.use(async () => 'next'), 'next');
});

t.test('work that outlasts the patience lets the next one begin, and counts only once', async (t) => {
  const log: string[] = [];
  const semaphore = new Semaphore(1);
  const slow = piece(log, 'slow');
  const next = piece(log, 'next');
  const last = piece(log, 'last');
  const begun = Promise.withResolvers<void>();
  const done = [
    semaphore.use(slow.work, { patienceMs: 1 }),
    semaphore.use(async () => {
      begun.resolve();
      await next.work();
    }),
    semaphore.use(last.work),
  ];
  await begun.promise;
  slow.end();
  await done[0];
  t.same(log, ['slow', 'next'], 'the end of the slow one is not a second permit');
  next.end();
  last.end();
  await Promise.all(done);
});

t.test('who waits can give up, and takes no permit with it', async (t) => {
  const log: string[] = [];
  const semaphore = new Semaphore(1);
  const first = piece(log, 'first');
  const third = piece(log, 'third');
  const never = async () => log.push('never');
  const controller = new AbortController();
  const { signal } = controller;
  const begun = semaphore.use(first.work);
  const givenUp = semaphore.use(never, { signal });
  const last = semaphore.use(third.work, { signal: new AbortController().signal });
  controller.abort(new Error('enough'));
  await t.rejects(givenUp, { message: 'enough' });
  first.end();
  await begun;
  t.same(log, ['first', 'third']);
  third.end();
  await last;
  await t.rejects(semaphore.use(never, { signal }), { message: 'enough' });
  t.equal(await semaphore.use(async () => 'next'), 'next');
});
