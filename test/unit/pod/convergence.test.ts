import fc from 'fast-check';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import type { Action } from '../../../src/pod/actions.ts';
import { plan } from '../../../src/pod/plan.ts';
import { statusOf } from '../../../src/pod/status.ts';
import { containerHash } from '../../../src/runtime/labels.ts';
import type { ObservedContainer, ObservedSandbox } from '../../../src/runtime/observed.ts';
import { container, factsWith, NOW, nanosAt, observed, podWith, sandbox } from './fixtures.ts';

// Whatever the runtime has of a pod: doing what `plan` says, on a runtime where every call works, comes to an end, and at
// the end the pod is what it should be.

interface World {
  pod: Pod | undefined;
  sandboxes: ObservedSandbox[];
  containers: ObservedContainer[];
  isReleased: boolean;
}

const MAX_ROUNDS = 12;
const settings = { maxRestartDelaySeconds: 300 };

const sandboxes = fc.uniqueArray(
  fc.record({ attempt: fc.nat(3), state: fc.constantFrom('READY' as const, 'NOTREADY' as const), hasIp: fc.boolean() }),
  { selector: (item) => item.attempt, maxLength: 3 },
);
const containers = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('a' as const, 'b' as const),
    restartCount: fc.nat(3),
    state: fc.constantFrom('CREATED' as const, 'RUNNING' as const, 'EXITED' as const, 'UNKNOWN' as const),
    sandboxAttempt: fc.nat(3),
    exitCode: fc.constantFrom(0, 1, 137),
    isChanged: fc.boolean(),
    hasRun: fc.boolean(),
  }),
  { selector: (item) => `${item.name}${item.restartCount}`, maxLength: 6 },
);
const worlds = fc.record({
  restartPolicy: fc.constantFrom('Always' as const, 'OnFailure' as const, 'Never' as const),
  fate: fc.constantFrom('live', 'delete', 'unknown', 'failed'),
  sandboxes,
  containers,
});

t.test('any pod in any state of the runtime comes to rest where it should be', async () => {
  fc.assert(
    fc.property(worlds, (seed) => {
      const world: World = {
        pod: seed.fate === 'unknown' ? undefined : podFor(seed.fate, seed.restartPolicy),
        sandboxes: seed.sandboxes.map(({ attempt, state, hasIp }) =>
          sandbox({ attempt, state, ips: hasIp ? ['10.0.0.2'] : [] }),
        ),
        containers: seed.containers.map((item) =>
          container(item.name, {
            restartCount: item.restartCount,
            state: item.state,
            sandboxId: `s${item.sandboxAttempt}`,
            exitCode: item.exitCode,
            finishedAtNanos: item.state === 'EXITED' ? nanosAt(-1000) : 0n,
            ...(item.hasRun ? {} : { startedAtNanos: 0n }),
            ...(item.isChanged ? { hash: 'old' } : {}),
          }),
        ),
        isReleased: false,
      };
      settle(world);
      return isAtRest(world, seed.fate);
    }),
    { numRuns: 3000 },
  );
});

function podFor(fate: string, restartPolicy: Pod['spec']['restartPolicy']): Pod {
  const deletion = { deletionTimestamp: new Date(NOW).toISOString(), deletionGracePeriodSeconds: 30 };
  return podWith({ restartPolicy }, fate === 'failed' ? { phase: 'Failed' } : {}, fate === 'delete' ? deletion : {});
}

function settle(world: World): void {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const seen = observed(world.sandboxes, world.containers);
    const facts = factsWith({ isReleased: world.isReleased });
    if (world.pod) {
      const status = statusOf(
        world.pod,
        seen,
        facts,
        { ...settings, hostIPs: [], runtimeName: 'r', terminationMessages: new Map() },
        NOW,
      );
      world.pod = { ...world.pod, status };
    }
    const { actions } = plan(world.pod, seen, facts, settings, NOW);
    if (actions.length === 0) return;
    for (const action of actions) apply(world, action);
  }
  throw new Error(`no rest after ${MAX_ROUNDS} rounds`);
}

function apply(world: World, action: Action): void {
  switch (action.kind) {
    case 'runPod': {
      const usable = world.sandboxes.some((item) => item.id === action.sandboxId && item.state === 'READY');
      if (action.sandboxId !== undefined && !usable) throw new Error('starts in a sandbox that is not ready');
      if (world.sandboxes.some((item) => item.attempt === action.attempt) && !action.sandboxId)
        throw new Error('attempt is taken');
      world.sandboxes = world.sandboxes.map((item) =>
        action.stopFirst.includes(item.id) ? { ...item, state: 'NOTREADY' } : item,
      );
      const sandboxId = action.sandboxId ?? `s${action.attempt}`;
      if (!action.sandboxId) world.sandboxes.push(sandbox({ attempt: action.attempt }));
      for (const start of action.starts) {
        const name = start.containerName as 'a' | 'b';
        if (world.containers.some((item) => item.containerName === name && item.state === 'RUNNING'))
          throw new Error(`two of ${name}`);
        const hash = containerHash({ name, image: name === 'a' ? 'one' : 'two' });
        world.containers = world.containers.filter((item) => item.id !== start.createdId);
        if (world.containers.some((item) => item.containerName === name && item.restartCount === start.restartCount)) {
          throw new Error('restart count is taken');
        }
        world.containers.push(container(name, { restartCount: start.restartCount, sandboxId, hash }));
      }
      return;
    }
    case 'killContainer':
      world.containers = world.containers.map((item) =>
        item.id === action.containerId
          ? { ...item, state: 'EXITED', exitCode: 137, finishedAtNanos: nanosAt(-1000) }
          : item,
      );
      return;
    case 'removeContainer':
      world.containers = world.containers.filter((item) => item.id !== action.containerId);
      return;
    case 'removeSandbox':
      world.sandboxes = world.sandboxes.filter((item) => item.id !== action.sandboxId);
      world.containers = world.containers.filter((item) => item.sandboxId !== action.sandboxId);
      return;
    case 'releaseResources':
      world.sandboxes = world.sandboxes.map((item) => ({ ...item, state: 'NOTREADY' }));
      world.isReleased = true;
      return;
    case 'finishDeletion':
      if (world.sandboxes.length + world.containers.length > 0) throw new Error('deleted too early');
      world.pod = undefined;
      return;
    case 'failPod':
      throw new Error('no pod here has reason to fail');
  }
}

function isAtRest(world: World, fate: string): boolean {
  const alive = world.containers.filter((item) => item.state === 'RUNNING' || item.state === 'UNKNOWN');
  if (fate === 'unknown' || fate === 'delete')
    return world.sandboxes.length === 0 && world.containers.length === 0 && !world.pod;
  if (fate === 'failed' || world.pod?.status?.phase === 'Failed' || world.pod?.status?.phase === 'Succeeded')
    return alive.length === 0 && world.isReleased;
  const ready = world.sandboxes.filter((item) => item.state === 'READY');
  const isInPlace = alive.every((item) => ready.some((box) => box.id === item.sandboxId) && item.hash !== 'old');
  const isComplete = ['a', 'b'].every((name) => {
    const newest = world.containers
      .filter((item) => item.containerName === name)
      .sort((x, y) => y.restartCount - x.restartCount)[0];
    if (newest?.state === 'RUNNING') return true;
    return (
      newest?.state === 'EXITED' &&
      (world.pod?.spec.restartPolicy === 'Never' ||
        (world.pod?.spec.restartPolicy === 'OnFailure' && newest.exitCode === 0))
    );
  });
  return isInPlace && isComplete;
}
