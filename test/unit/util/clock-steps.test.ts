import fc from 'fast-check';
import t from 'tap';
import { ClockSteps } from '../../../src/util/clock-steps.ts';

const DAY = 86_400_000;
const START = Date.parse('2026-01-02T03:04:05Z');

/** A machine whose clock can be set. */
function machine() {
  let monotonicMs = 0;
  let offsetMs = START;
  const told: number[] = [];
  const clock = { now: () => offsetMs + monotonicMs, monotonicMs: () => monotonicMs };
  return {
    clock,
    told,
    steps: new ClockSteps(clock, (byMs) => told.push(byMs)),
    pass: (ms: number) => {
      monotonicMs += ms;
    },
    set: (byMs: number) => {
      offsetMs += byMs;
    },
  };
}

t.test('times stay as they are while nobody sets the clock', async (t) => {
  const { steps, clock, pass, told } = machine();
  const before = clock.now();
  pass(3_600_000);
  t.equal(steps.inPresentTime(before), before);
  t.strictSame(told, []);
});

for (const by of [DAY, -DAY]) {
  t.test(`what happened stays as long ago when the clock is set by ${by / DAY} day`, async (t) => {
    const { steps, clock, pass, set, told } = machine();
    const before = clock.now();
    pass(60_000);
    steps.inPresentTime(before);
    pass(2000);
    set(by);
    pass(1000);
    const unnoticed = clock.now();
    pass(4000);
    t.equal(clock.now() - steps.inPresentTime(before), 67_000);
    t.equal(clock.now() - steps.inPresentTime(unnoticed), 4000, 'also what happened before the step was noticed');
    t.strictSame(told, [by]);
  });
}

t.test('the end of a container in the future is from before a step that nobody saw', async (t) => {
  const { steps, clock, pass } = machine();
  const future = clock.now() + DAY;
  t.equal(steps.inPresentTime(future), clock.now());
  pass(5000);
  t.equal(clock.now() - steps.inPresentTime(future), 5000);
});

t.test('small corrections are no steps', async (t) => {
  const { steps, clock, set, told } = machine();
  const before = clock.now();
  set(500);
  t.equal(steps.inPresentTime(before), before);
  t.strictSame(told, []);
});

t.test('ages survive any number of steps forward, and steps back that are longer than what was seen', async () => {
  const step = fc.record({
    byMs: fc.oneof(fc.integer({ min: 100_000, max: 10 * DAY }), fc.integer({ min: -10 * DAY, max: -DAY })),
    passMs: fc.integer({ min: 0, max: 10_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 5 }), fc.integer({ min: 0, max: 10_000 }), (made, agoMs) => {
      const { steps, clock, pass, set } = machine();
      const before = clock.now();
      pass(agoMs);
      let ageMs = agoMs;
      for (const { byMs, passMs } of made) {
        steps.inPresentTime(0);
        set(byMs);
        pass(passMs);
        ageMs += passMs;
      }
      return clock.now() - steps.inPresentTime(before) === ageMs;
    }),
  );
});
