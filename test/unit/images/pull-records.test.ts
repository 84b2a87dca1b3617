import { readdirSync } from 'node:fs';
import { pino } from 'pino';
import t from 'tap';
import { PullRecords } from '../../../src/images/pull-records.ts';

/** Records of a daemon that starts; `there` has the ids of what the runtime has, by name. */
function start(directory: string, there: Map<string, string>): PullRecords {
  const records = new PullRecords({
    directory,
    clock: { now: () => 1000, monotonicMs: () => 0 },
    logger: pino({ level: 'silent' }),
    imageId: async (image) => there.get(image),
  });
  records.load();
  return records;
}

const files = (directory: string) => ['pulling', 'pulled'].map((name) => readdirSync(`${directory}/${name}`).length);

t.test('what a daemon that was killed left behind becomes a record, or is forgotten', async (t) => {
  const directory = t.testdir({});
  const there = new Map([['kept', 'id-kept']]);
  const before = start(directory, there);
  for (const image of ['came', 'never-came', 'kept']) await before.begin(image, undefined);
  there.set('came', 'id-came');
  const after = start(directory, there);
  await after.tidy(new Set(['id-came', 'id-kept']), 0);
  t.match(after.get('id-came'), { credentialMapping: {} });
  t.equal(after.get('id-kept'), undefined, 'it was there before');
  t.same(files(directory), [1, 1], 'one may still come');
  await after.tidy(new Set(['id-came', 'id-kept']), 0);
  t.same(files(directory), [0, 1]);
});

t.test('records of images that are gone are forgotten, but not those of pulls that ended after the list', async (t) => {
  const directory = t.testdir({});
  const records = start(directory, new Map());
  await records.begin('a', undefined);
  records.succeeded('a', 'docker.io/library/a', 'id-a', undefined);
  await records.tidy(new Set(), 1000);
  t.ok(records.get('id-a'));
  await records.tidy(new Set(['id-a']), 2000);
  t.ok(records.get('id-a'));
  await records.tidy(new Set(), 2000);
  t.equal(records.get('id-a'), undefined);
  t.same(files(directory), [0, 0]);
  t.equal(start(directory, new Map()).get('id-a'), undefined);
});
