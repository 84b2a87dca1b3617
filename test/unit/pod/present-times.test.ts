import t from 'tap';
import { plan } from '../../../src/pod/plan.ts';
import { withPresentTimes } from '../../../src/pod/present-times.ts';
import { ClockSteps } from '../../../src/util/clock-steps.ts';
import { ended, factsWith, NOW, observed, podWith, sandbox, show } from './fixtures.ts';

const settings = { maxRestartDelaySeconds: 300 };

for (const [direction, byMs] of [
  ['forward', 86_400_000],
  ['back', -86_400_000],
] as const) {
  t.test(`a restart is held back for as long as was meant when the clock is set ${direction}`, async (t) => {
    let nowMs = NOW;
    let monotonicMs = 0;
    const steps = new ClockSteps({ now: () => nowMs, monotonicMs: () => monotonicMs }, () => {});
    const pod = podWith({ containers: [{ name: 'a', image: 'one' }] });
    const seen = observed([sandbox()], [ended('a', 1, { restartCount: 1, restartDelaySeconds: 10 })]);
    /** The clock is set, and so much time passes. */
    const after = (ms: number, setByMs = 0) => {
      nowMs += ms + setByMs;
      monotonicMs += ms;
      const present = withPresentTimes(seen, (time) => steps.inPresentTime(time));
      const { actions, wakeAtMs } = plan(pod, present, factsWith(), settings, nowMs);
      return { actions: actions.map(show), leftMs: wakeAtMs && wakeAtMs - nowMs };
    };
    t.strictSame(after(1000), { actions: [], leftMs: 19_000 });
    t.strictSame(after(1000, byMs), { actions: [], leftMs: 18_000 });
    t.match(after(18_000).actions, [/a#2/]);
  });
}

t.test('nothing is changed while nobody sets the clock', async (t) => {
  const seen = observed([sandbox()], [ended('a', 1)]);
  t.equal(
    withPresentTimes(seen, (ms) => ms),
    seen,
  );
});
