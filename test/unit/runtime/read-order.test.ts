import t from 'tap';
import { ReadOrder } from '../../../src/runtime/read-order.ts';

t.test('an answer that was overtaken by a later read does not count', async (t) => {
  const order = new ReadOrder();
  const slow = Promise.withResolvers<string>();
  const fast = Promise.withResolvers<string>();
  const first = order.latest('a', () => slow.promise);
  const second = order.latest('a', () => fast.promise);
  const other = order.latest('b', async () => 'other');
  fast.resolve('exited');
  t.same(await second, { value: 'exited' });
  slow.resolve('running');
  t.equal(await first, 'overtaken');
  t.same(await other, { value: 'other' });
  t.same(await order.latest('a', async () => 'gone'), { value: 'gone' }, 'a read after all others counts');
});

t.test('answers in the order of the reads all count, and a failed read overtakes nothing', async (t) => {
  const order = new ReadOrder();
  const slow = Promise.withResolvers<string>();
  const first = order.latest('a', () => slow.promise);
  await t.rejects(
    order.latest('a', async () => {
      throw new Error('no answer');
    }),
    /no answer/,
  );
  slow.resolve('running');
  t.same(await first, { value: 'running' });
});
