import { readdirSync } from 'node:fs';
import t from 'tap';
import { removeBrokenCniResults } from '../../../src/network/cni-results.ts';

t.test('what a power failure has cut off goes, what can be read stays', async (t) => {
  const directory = t.testdir({
    empty: '',
    half: '{"kind":"cniCac',
    zeros: '\0\0\0',
    whole: '{"kind":"cniCacheV1"}',
    below: {},
  });
  const removed = await removeBrokenCniResults(directory, Date.now() + 60_000);
  t.strictSame(
    removed.sort(),
    ['empty', 'half', 'zeros'].map((name) => `${directory}/${name}`),
  );
  t.strictSame(readdirSync(directory).sort(), ['below', 'whole']);
});

t.test('a clock that was set back hides nothing', async (t) => {
  const directory = t.testdir({ empty: '' });
  t.equal((await removeBrokenCniResults(directory, 0)).length, 1);
});

t.test('a file that is being written is left alone', async (t) => {
  const directory = t.testdir({ empty: '' });
  t.strictSame(await removeBrokenCniResults(directory, Date.now()), []);
});

t.test('no network has ever been used here', async (t) => {
  t.strictSame(await removeBrokenCniResults(`${t.testdir()}/none`, 0), []);
});
