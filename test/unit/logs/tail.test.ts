import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { findTailStart } from '../../../src/logs/tail.ts';

const directory = t.testdir({});
/** What of `log` the last `lines` lines are. */
async function tail(log: string, lines: number): Promise<string> {
  const path = join(directory, 'log');
  await writeFile(path, log);
  const file = await open(path);
  try {
    return log.slice(await findTailStart(file, log.length, lines));
  } finally {
    await file.close();
  }
}
const at = '2016-10-06T00:17:01Z stdout';

t.test('the last lines, or all of them', async (t) => {
  const log = `${at} F a\n${at} F b\n${at} F c\n`;
  t.equal(await tail(log, 0), '');
  t.equal(await tail(log, 1), `${at} F c\n`);
  t.equal(await tail(log, 2), `${at} F b\n${at} F c\n`);
  t.equal(await tail(log, 3), log);
  t.equal(await tail(log, 1e9), log);
  t.equal(await tail('', 5), '');
});

t.test('the pieces of a long line are one line', async (t) => {
  const long = `${at} P b\n${at} P b\n${at} F b\n`;
  t.equal(await tail(`${at} F a\n${long}`, 1), long);
  t.equal(await tail(`${at} F a\n${long}${at} F c\n`, 2), `${long}${at} F c\n`);
  t.equal(await tail(`${long}${at} F c\n`, 2), `${long}${at} F c\n`);
});

t.test('a line that is still being written counts', async (t) => {
  t.equal(await tail(`${at} F a\n${at} F b`, 1), `${at} F b`);
  t.equal(await tail(`${at} F a\n${at} P b\n`, 1), `${at} P b\n`);
  t.equal(await tail(`${at} F a\n${at} P b\n${at} P c`, 1), `${at} P b\n${at} P c`);
});

t.test('what is no log line does not count', async (t) => {
  t.equal(await tail(`${at} F a\ngarbage\n${at} F b\n\n`, 2), `${at} F a\ngarbage\n${at} F b\n\n`);
});

t.test('lines across the borders of the blocks in which the file is read', async (t) => {
  const blockBytes = 65_536;
  const last = `${at} F end\n`;
  for (let shift = -40; shift <= 40; shift += 1) {
    // The line's header straddles the border for most of these.
    const wanted = `${at} F ${'x'.repeat(blockBytes - last.length - at.length - 4 + shift)}\n${last}`;
    t.equal((await tail(`${at} F a\n${wanted}`, 2)).length, wanted.length, `shifted by ${shift}`);
  }
  const huge = `${at} F ${'y'.repeat(300_000)}\n`;
  t.equal((await tail(`${at} F a\n${huge}`, 1)).length, huge.length);
  t.equal((await tail(huge, 1)).length, huge.length);
});
