import { mock } from 'node:test';
import t, { type Test } from 'tap';
import type { Container, Pod } from '../../../src/api/pod.ts';
import type { ProbeOutcome } from '../../../src/probes/outcome.ts';
import { ProbeManager } from '../../../src/probes/probe-manager.ts';
import type { Question } from '../../../src/probes/prober.ts';
import type { ObservedContainer } from '../../../src/runtime/observed.ts';
import { container as instance, NOW, nanosAt, observed, podWith, sandbox, UID } from '../pod/fixtures.ts';

const SUCCESS: ProbeOutcome = { kind: 'success' };
const FAILURE: ProbeOutcome = { kind: 'failure', message: 'no' };
/** Tests that give a container several probes copy it, since they are told apart by their objects. */
const probe = { exec: { command: ['true'] }, periodSeconds: 2, timeoutSeconds: 1, failureThreshold: 2 };

/** Time stands still but for `advance`; every question is answered at once unless `hold` is set. */
function setUp(t: Test, of: Partial<Container>, change: { status?: Pod['status']; random?: number } = {}) {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const pod = podWith({ containers: [{ name: 'a', image: 'one', ...of }] }, change.status ?? {});
  const world = {
    nowMs: 0,
    asked: [] as string[],
    events: [] as string[],
    changes: 0,
    answers: {} as Record<string, ProbeOutcome>,
    /** Ends a question that was held back, and all of it. */
    release: undefined as (() => void) | undefined,
    hold: false,
  };
  const nameOf = ({ probe: asked, container }: Question) =>
    asked === container.livenessProbe ? 'liveness' : asked === container.readinessProbe ? 'readiness' : 'startup';
  const manager = new ProbeManager({
    prober: {
      ask: (question) => {
        const name = nameOf(question);
        world.asked.push(`${name} ${question.containerId} at ${Math.floor(world.nowMs / 1000)}`);
        const outcome = Promise.resolve(world.answers[name] ?? SUCCESS);
        if (!world.hold) return { outcome, ended: outcome };
        const ended = new Promise<void>((resolve) => {
          world.release = resolve;
        });
        return { outcome: ended.then(() => outcome), ended };
      },
    },
    recorder: { event: (_pod, _type, reason, message) => world.events.push(`${reason}: ${message}`) },
    metrics: { observe: () => {}, forgetPod: () => {} },
    clock: { now: () => NOW + world.nowMs, monotonicMs: () => world.nowMs },
    random: () => change.random ?? 0,
    onChange: () => {
      world.changes += 1;
    },
  });
  const sync = (containers: readonly ObservedContainer[] = [fresh()], isStopping = false) =>
    manager.sync(observed([sandbox()], containers), { pod, podIP: '10.0.0.9', isStopping });
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const advance = async (seconds: number) => {
    for (let step = 0; step < seconds * 10; step += 1) {
      world.nowMs += 100;
      mock.timers.tick(100);
      await settle();
    }
  };
  const start = async () => {
    sync();
    mock.timers.tick(0);
    await settle();
  };
  return { manager, world, sync, advance, start, settle };
}

/** Just started. */
const fresh = (change: Partial<ObservedContainer> = {}) => instance('a', { startedAtNanos: nanosAt(0), ...change });

t.test('a container without probes is not spoken of', async (t) => {
  const { sync } = setUp(t, {});
  t.equal(sync().size, 0);
});

t.test('asks at once, then in each period, and tells changes only', async (t) => {
  const { world, sync, advance, start } = setUp(t, { readinessProbe: probe });
  await start();
  await advance(4.5);
  t.strictSame(world.asked, ['readiness a0 at 0', 'readiness a0 at 2', 'readiness a0 at 4']);
  t.equal(world.changes, 1);
  t.match(sync().get('a0'), { isStarted: true, isReady: true });
});

t.test('readiness and liveness are asked at once when the container has started', async (t) => {
  const { world, advance, start } = setUp(t, {
    startupProbe: { ...probe },
    livenessProbe: { ...probe },
    readinessProbe: probe,
  });
  world.answers.startup = FAILURE;
  await start();
  await advance(1);
  world.answers.startup = SUCCESS;
  await advance(1.2);
  t.strictSame(world.asked, ['startup a0 at 0', 'startup a0 at 2', 'liveness a0 at 2', 'readiness a0 at 2']);
});

t.test('after a liveness failure nothing is asked before there is another container', async (t) => {
  const { world, sync, advance, start } = setUp(t, { livenessProbe: probe });
  world.answers.liveness = FAILURE;
  await start();
  await advance(10);
  t.equal(world.asked.length, 2);
  t.match(sync().get('a0')?.failure, { message: 'Container a failed liveness probe, will be restarted' });
  world.answers.liveness = SUCCESS;
  const next = fresh({ id: 'a1', restartCount: 1 });
  t.equal(sync([next, fresh({ state: 'EXITED' })]).get('a1')?.failure, undefined);
  t.notOk(sync([next]).has('a0'));
  await advance(0.1);
  t.strictSame(world.asked.slice(2), ['liveness a1 at 10']);
});

t.test('an initial delay holds back the first question', async (t) => {
  const { world, advance, start } = setUp(t, { livenessProbe: { ...probe, initialDelaySeconds: 3 } });
  await start();
  await advance(2.9);
  t.strictSame(world.asked, []);
  await advance(0.2);
  t.strictSame(world.asked, ['liveness a0 at 3']);
});

t.test('a probe does not overlap itself, and its neighbour goes on', async (t) => {
  const { world, advance, start, settle } = setUp(t, { readinessProbe: probe, livenessProbe: { ...probe } });
  await start();
  world.hold = true;
  await advance(2);
  const releaseReadiness = world.release;
  world.hold = false;
  await advance(0.1);
  t.equal(world.asked.length, 4, 'both are held back');
  releaseReadiness?.();
  await settle();
  await advance(6);
  const asked = (name: string) => world.asked.filter((item) => item.startsWith(name)).length;
  t.equal(asked('readiness'), 5);
  t.equal(asked('liveness'), 2);
});

t.test('a pod that ends is only asked whether it is ready', async (t) => {
  const { world, sync, advance, start } = setUp(t, { livenessProbe: { ...probe }, readinessProbe: probe });
  await start();
  world.asked.length = 0;
  sync([fresh()], true);
  await advance(2.1);
  t.strictSame(world.asked, ['readiness a0 at 2']);
  sync([fresh({ state: 'EXITED' })], true);
  await advance(5);
  t.equal(world.asked.length, 1, 'and not any more when it has stopped');
});

t.test('what was ready before a restart of the daemon is ready, and is asked at a random time', async (t) => {
  const status = {
    containerStatuses: [
      { name: 'a', containerID: 'containerd://a0', ready: true, started: true, state: { running: {} } },
    ],
  } as unknown as Pod['status'] & object;
  const { world, sync, advance, start } = setUp(t, { readinessProbe: probe }, { status, random: 0.5 });
  t.match(sync().get('a0'), { isReady: true });
  await start();
  t.strictSame(world.asked, []);
  await advance(1.1);
  t.strictSame(world.asked, ['readiness a0 at 1']);
  t.match(sync([fresh({ id: 'a1' })]).get('a1'), { isReady: false }, 'another container is not');
});

t.test('what starts soon after a restart of the daemon is asked at once whether it is ready', async (t) => {
  const status = {
    containerStatuses: [{ name: 'a', containerID: 'x://a0', ready: false, started: false, state: { running: {} } }],
  } as unknown as Pod['status'] & object;
  const probes = { startupProbe: { ...probe }, readinessProbe: { ...probe, periodSeconds: 60 } };
  const { world, advance, start } = setUp(t, probes, { status, random: 0.9 });
  await start();
  await advance(2.2);
  t.strictSame(world.asked, ['startup a0 at 1', 'readiness a0 at 1']);
});

t.test('events say what happened, and what repeats itself is said again after 5 s', async (t) => {
  const { world, advance, start } = setUp(t, { readinessProbe: { ...probe, periodSeconds: 1 } });
  world.answers.readiness = FAILURE;
  await start();
  await advance(4.5);
  t.strictSame(world.events, ['Unhealthy: Readiness probe failed: no']);
  await advance(1);
  t.equal(world.events.length, 2);
  world.answers.readiness = { kind: 'unknown', message: 'no such port' };
  await advance(1);
  world.answers.readiness = { kind: 'unknown', message: undefined };
  await advance(1);
  world.answers.readiness = { kind: 'success', warning: 'elsewhere' };
  await advance(1);
  t.strictSame(world.events.slice(2), [
    'Unhealthy: Readiness probe errored and resulted in unknown state: no such port',
    'ProbeWarning: Readiness probe warning: elsewhere',
  ]);
});

t.test('a question that could not be asked counts for nothing', async (t) => {
  const { world, sync, advance, start } = setUp(t, { livenessProbe: { ...probe, failureThreshold: 1 } });
  world.answers.liveness = { kind: 'unknown', message: 'no such program' };
  await start();
  await advance(6);
  t.equal(sync().get('a0')?.failure, undefined);
  t.equal(world.changes, 0);
});

t.test('nothing is asked after the pod is forgotten, or after the end', async (t) => {
  for (const end of ['forget', 'stop'] as const) {
    const { manager, world, advance, start } = setUp(t, { livenessProbe: probe });
    await start();
    manager[end](UID);
    await advance(5);
    t.equal(world.asked.length, 1, end);
    mock.timers.reset();
  }
});
