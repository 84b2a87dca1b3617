import t from 'tap';
import { type CpuHistory, freshHistory, nextHistory, rateOf } from '../../../src/stats/cpu-rate.ts';

/** What is told after samples at these seconds, of something that uses half a CPU. */
function windowsAt(seconds: readonly number[], first?: CpuHistory): (number | undefined)[] {
  let history = first;
  return seconds.map((second) => {
    history = nextHistory(history, { atMs: second * 1000, nanos: second * 5e8 });
    const rate = rateOf(history);
    if (rate) t.equal(rate.nanoCores, 5e8);
    return rate && rate.windowMs / 1000;
  });
}

t.test('one sample tells no rate, two do', async (t) => {
  t.same(windowsAt([0, 15, 30, 45]), [undefined, 15, 15, 15], 'asked each 15 s');
  t.same(windowsAt([0, 60, 120]), [undefined, 60, 60], 'asked each minute');
});

t.test('whoever asks often gets an average that follows, over no less than a second', async (t) => {
  const seconds = Array.from({ length: 60 }, (_, index) => index * 2);
  const [none, ...windows] = windowsAt(seconds);
  t.equal(none, undefined);
  t.ok(
    windows.every((window) => window !== undefined && window >= 1 && window <= 20),
    windows.join(' '),
  );
});

t.test('too soon after the first sample there is none, and the first is kept', async (t) => {
  t.same(windowsAt([0, 0.3, 0.6, 1.2]), [undefined, undefined, undefined, 1.2]);
});

t.test('a sample from long ago says nothing of the present', async (t) => {
  t.same(windowsAt([0, 3600, 3601]), [undefined, undefined, 1]);
});

t.test('a counter that went back begins anew', async (t) => {
  const history = nextHistory({ base: undefined, latest: { atMs: 0, nanos: 100 } }, { atMs: 5000, nanos: 50 });
  t.equal(rateOf(history), undefined);
  t.same(rateOf(nextHistory(history, { atMs: 7000, nanos: 60 })), { nanoCores: 5, windowMs: 2000 });
});

t.test('a container that has just started had used nothing before', async (t) => {
  const sample = { atMs: 50_000, nanos: 2e9 };
  const fresh = freshHistory(4000, sample);
  t.same(rateOf(nextHistory(fresh, sample)), { nanoCores: 5e8, windowMs: 4000 });
  t.equal(freshHistory(3_600_000, sample), undefined, 'what it used since an hour is no rate');
  t.equal(freshHistory(-5, sample), undefined, 'a start in the future is the clock being wrong');
});
