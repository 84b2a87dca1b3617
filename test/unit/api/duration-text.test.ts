import t from 'tap';
import { ageText, durationText } from '../../../src/api/duration-text.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

t.test('durations as kubectl writes them', async (t) => {
  const cases: [number, string][] = [
    [-3 * second, '<invalid>'],
    [-1 * second, '0s'],
    [0, '0s'],
    [999, '0s'],
    [119 * second, '119s'],
    [2 * minute, '2m'],
    [2 * minute + second, '2m1s'],
    [9 * minute + 59 * second, '9m59s'],
    [10 * minute + 59 * second, '10m'],
    [179 * minute, '179m'],
    [3 * hour, '3h'],
    [3 * hour + minute, '3h1m'],
    [8 * hour + 59 * minute, '8h'],
    [47 * hour, '47h'],
    [2 * day, '2d'],
    [2 * day + hour, '2d1h'],
    [8 * day + 23 * hour, '8d'],
    [729 * day, '729d'],
    [730 * day, '2y'],
    [731 * day, '2y1d'],
    [8 * 365 * day + day, '8y'],
  ];
  for (const [ms, want] of cases) t.equal(durationText(ms), want, want);
});

t.test('ages', async (t) => {
  const now = Date.parse('2026-01-01T00:01:00Z');
  t.equal(ageText('2026-01-01T00:00:00Z', now), '60s');
  t.equal(ageText(undefined, now), '<unknown>');
});
