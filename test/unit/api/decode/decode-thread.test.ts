import t from 'tap';
import { DecodeError } from '../../../../src/api/decode/decode-error.ts';
import { DecodeThread, DecodeThreadStopped } from '../../../../src/api/decode/decode-thread.ts';

const broken = new URL('./fixtures/broken-worker.ts', import.meta.url);

t.test('a thread that is stuck, out of memory or broken ends, and the next input gets a new one', async (t) => {
  const thread = new DecodeThread(broken, { deadlineMs: 3000 });
  t.teardown(() => thread.stop());
  const parse = (text: string) => thread.parse(Buffer.from(text), 'yaml');

  const stuck = parse('loop');
  const behind = parse('fine');
  await t.rejects(stuck, new DecodeError('reading takes longer than 3 seconds'));
  t.strictSame(await behind, [{ value: 'fine', duplicates: [], line: 1 }], 'who waited behind it is served');

  await t.rejects(parse('throw'), new TypeError('a mistake'));
  await t.rejects(parse('exit'), { message: 'the decoding thread ended by itself with code 3' });
  t.equal((await parse('fine'))[0]?.value, 'fine');
});

t.test('a thread that ends before it can tell how long it ran fails its input only', async (t) => {
  const thread = new DecodeThread(broken);
  t.teardown(() => thread.stop());
  // A new one each time: which comes first, the question or its end, is left to chance.
  for (let round = 0; round < 20; round += 1) {
    await t.rejects(thread.parse(Buffer.from('exit'), 'yaml'), { message: /^the decoding thread ended by itself/ });
  }
});

t.test('running out of memory ends the thread only', async (t) => {
  const thread = new DecodeThread(broken, { deadlineMs: 60_000 });
  t.teardown(() => thread.stop());
  await t.rejects(thread.parse(Buffer.from('memory'), 'yaml'), new DecodeError('reading needs too much memory'));
  t.equal((await thread.parse(Buffer.from('fine'), 'yaml'))[0]?.value, 'fine');
});

t.test('stopping rejects what is running and what waits', async (t) => {
  const thread = new DecodeThread(broken);
  const running = thread.parse(Buffer.from('loop'), 'yaml');
  const waiting = thread.parse(Buffer.from('fine'), 'yaml');
  t.equal(thread.waiting, 1);
  const both = Promise.allSettled([running, waiting]);
  await thread.stop();
  for (const result of await both) t.type(result.status === 'rejected' && result.reason, DecodeThreadStopped);
});
