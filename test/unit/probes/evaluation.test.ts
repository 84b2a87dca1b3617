import t from 'tap';
import type { Container, Probe } from '../../../src/api/pod.ts';
import {
  afterAnswer,
  containerProbes,
  initialDelayMs,
  initialStates,
  isAsking,
  type KnownStatus,
  nextDueMs,
  PROBE_KINDS,
  type ProbeAnswer,
  type ProbeKind,
  type ProbeStates,
  probeOf,
} from '../../../src/probes/evaluation.ts';

const probe = (change: Partial<Probe> = {}): Probe => ({
  periodSeconds: 10,
  successThreshold: 1,
  failureThreshold: 3,
  timeoutSeconds: 1,
  ...change,
});
const container = (change: Partial<Container> = {}): Container => ({ name: 'web', ...change });

type Answers = readonly (readonly [ProbeKind, ProbeAnswer])[];

function states(of: Container, answers: Answers, known?: KnownStatus): ProbeStates {
  let reached = initialStates(of, known);
  for (const [kind, answer] of answers) {
    const state = reached[kind];
    const asked = probeOf(of, kind);
    if (!state || !asked) throw new Error(`there is no ${kind} probe`);
    reached = { ...reached, [kind]: afterAnswer(state, asked, answer) };
  }
  return reached;
}

const times = (count: number, kind: ProbeKind, answer: ProbeAnswer): Answers =>
  Array.from({ length: count }, () => [kind, answer] as const);

interface Row {
  readonly container: Container;
  readonly answers?: Answers;
  readonly known?: KnownStatus;
  readonly isStarted: boolean;
  readonly isReady: boolean;
  readonly fails?: 'liveness' | 'startup';
  /** The probes that go on asking. */
  readonly asking: readonly ProbeKind[];
}

const all = container({ startupProbe: probe(), livenessProbe: probe(), readinessProbe: probe() });
const started: Answers = [['startup', 'success']];

const rows: Readonly<Record<string, Row>> = {
  'alive and ready as long as the only probe, liveness, has not failed': {
    container: container({ livenessProbe: probe() }),
    isStarted: true,
    isReady: true,
    asking: ['liveness'],
  },
  'not ready before the first answer': {
    container: container({ readinessProbe: probe() }),
    isStarted: true,
    isReady: false,
    asking: ['readiness'],
  },
  'ready after one success': {
    container: container({ readinessProbe: probe() }),
    answers: times(1, 'readiness', 'success'),
    isStarted: true,
    isReady: true,
    asking: ['readiness'],
  },
  'not ready before as many successes as it takes': {
    container: container({ readinessProbe: probe({ successThreshold: 3 }) }),
    answers: times(2, 'readiness', 'success'),
    isStarted: true,
    isReady: false,
    asking: ['readiness'],
  },
  'successes count in a row only': {
    container: container({ readinessProbe: probe({ successThreshold: 3 }) }),
    answers: [
      ...times(2, 'readiness', 'success'),
      ...times(1, 'readiness', 'failure'),
      ...times(2, 'readiness', 'success'),
    ],
    isStarted: true,
    isReady: false,
    asking: ['readiness'],
  },
  'ready until as many failures as it takes': {
    container: container({ readinessProbe: probe() }),
    answers: [...times(1, 'readiness', 'success'), ...times(2, 'readiness', 'failure')],
    isStarted: true,
    isReady: true,
    asking: ['readiness'],
  },
  'not ready after as many failures, and asked on': {
    container: container({ readinessProbe: probe() }),
    answers: [...times(1, 'readiness', 'success'), ...times(3, 'readiness', 'failure')],
    isStarted: true,
    isReady: false,
    asking: ['readiness'],
  },
  'a failure in between begins the count anew': {
    container: container({ livenessProbe: probe() }),
    answers: [
      ...times(2, 'liveness', 'failure'),
      ...times(1, 'liveness', 'success'),
      ...times(2, 'liveness', 'failure'),
    ],
    isStarted: true,
    isReady: true,
    asking: ['liveness'],
  },
  'a failed liveness probe asks no more': {
    container: container({ livenessProbe: probe(), readinessProbe: probe() }),
    answers: [...times(1, 'readiness', 'success'), ...times(3, 'liveness', 'failure')],
    isStarted: true,
    isReady: true,
    fails: 'liveness',
    asking: ['readiness'],
  },
  'the startup probe holds back the others': {
    container: all,
    isStarted: false,
    isReady: false,
    asking: ['startup'],
  },
  'some failures of the startup probe change nothing': {
    container: all,
    answers: times(2, 'startup', 'failure'),
    isStarted: false,
    isReady: false,
    asking: ['startup'],
  },
  'the startup probe is done after its success': {
    container: all,
    answers: started,
    isStarted: true,
    isReady: false,
    asking: ['liveness', 'readiness'],
  },
  'a failed startup probe ends all asking': {
    container: all,
    answers: times(3, 'startup', 'failure'),
    isStarted: false,
    isReady: false,
    fails: 'startup',
    asking: [],
  },
  'started, and so ready, by the startup probe alone': {
    container: container({ startupProbe: probe() }),
    answers: started,
    isStarted: true,
    isReady: true,
    asking: [],
  },
  'what was ready before a restart of the daemon stays so': {
    container: all,
    known: { started: true, ready: true },
    isStarted: true,
    isReady: true,
    asking: ['liveness', 'readiness'],
  },
  'and is not ready any more when its probe fails often enough': {
    container: all,
    known: { started: true, ready: true },
    answers: times(3, 'readiness', 'failure'),
    isStarted: true,
    isReady: false,
    asking: ['liveness', 'readiness'],
  },
  'what was not started before a restart of the daemon is not': {
    container: all,
    known: { started: false, ready: false },
    isStarted: false,
    isReady: false,
    asking: ['startup'],
  },
};

for (const [name, row] of Object.entries(rows)) {
  t.test(name, async (t) => {
    const reached = states(row.container, row.answers ?? [], row.known);
    const result = containerProbes(row.container, reached, true);
    t.equal(result.isStarted, row.isStarted, 'started');
    t.equal(result.isReady, row.isReady, 'ready');
    const message = row.fails && `Container web failed ${row.fails} probe, will be restarted`;
    t.equal(result.failure?.message, message, 'failure');
    t.strictSame(
      PROBE_KINDS.filter((kind) => isAsking(kind, reached)),
      row.asking,
      'asking',
    );
  });
}

t.test('a failure tells the grace period of its own probe, and whether the container comes back', async (t) => {
  const own = probe({ failureThreshold: 1, terminationGracePeriodSeconds: 5 });
  const failed = container({ livenessProbe: own, startupProbe: probe() });
  const reached = states(failed, [...started, ['liveness', 'failure']]);
  t.strictSame(containerProbes(failed, reached, false).failure, {
    message: 'Container web failed liveness probe',
    graceSeconds: 5,
  });
  const plain = container({ startupProbe: probe({ failureThreshold: 1 }) });
  t.strictSame(containerProbes(plain, states(plain, [['startup', 'failure']]), true).failure, {
    message: 'Container web failed startup probe, will be restarted',
    graceSeconds: undefined,
  });
});

t.test('the initial delay counts from the second in which the container started', async (t) => {
  const startedAtNanos = 1_000_900_000_000n;
  const delayed = probe({ initialDelaySeconds: 5 });
  t.equal(initialDelayMs(delayed, startedAtNanos, 1_001_000), 4000);
  t.equal(initialDelayMs(delayed, startedAtNanos, 1_004_999), 1);
  t.equal(initialDelayMs(delayed, startedAtNanos, 1_020_000), 0, 'over');
  t.equal(initialDelayMs(probe(), startedAtNanos, 1_000_950), 0, 'none');
  t.equal(initialDelayMs(delayed, startedAtNanos, 0), 5000, 'a clock that was set back does not make it longer');
});

t.test('questions come in step, and those that were missed are not made up for', async (t) => {
  t.equal(nextDueMs(1000, 500, 1100), 1500, 'in step with the first');
  t.equal(nextDueMs(1000, 500, 1700), 1700, 'at once after one that took longer than its period');
  t.equal(nextDueMs(1000, 500, 301_000), 301_000, 'once after a long standstill');
});
