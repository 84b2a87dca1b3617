import t from 'tap';
import { parseDuration } from '../../../src/config/duration.ts';

t.test('durations as Go writes them', async (t) => {
  const table: [string, number | undefined][] = [
    ['0', 0],
    ['0s', 0],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['2us', 0.002],
    ['1h0m0.5s', 3_600_500],
    ['', undefined],
    ['60', undefined],
    ['1d', undefined],
    ['-1s', undefined],
    ['1 s', undefined],
    ['1m30', undefined],
    ['.s', undefined],
  ];
  for (const [text, ms] of table) t.equal(parseDuration(text), ms, text);
});
