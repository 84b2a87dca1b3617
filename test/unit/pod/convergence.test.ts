import fc from 'fast-check';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import type { Action } from '../../../src/pod/actions.ts';
import { plan } from '../../../src/pod/plan.ts';
import { statusOf } from '../../../src/pod/status.ts';
import { containerHash } from '../../../src/runtime/labels.ts';
import type { ObservedContainer, ObservedSandbox } from '../../../src/runtime/observed.ts';
import {
  type ContainerName,
  container,
  factsWith,
  images,
  initContainers,
  NOW,
  nanosAt,
  observed,
  podWith,
  sandbox,
} from './fixtures.ts';

// Whatever the runtime has of a pod: doing what `plan` says, on a runtime where every call works, comes to an end, and at
// the end the pod is what it should be.

interface World {
  /** Seconds before NOW by which every delay is over; each effect takes one. */
  seconds: number;
  /** Sandboxes that an app container was in from the start. */
  initializedAtFirst: ReadonlySet<string>;
  pod: Pod | undefined;
  sandboxes: ObservedSandbox[];
  containers: ObservedContainer[];
  isReleased: boolean;
}

const MAX_ROUNDS = 30;
const settings = { maxRestartDelaySeconds: 300 };

const sandboxes = fc.uniqueArray(
  fc.record({ attempt: fc.nat(3), state: fc.constantFrom('READY' as const, 'NOTREADY' as const), hasIp: fc.boolean() }),
  { selector: (item) => item.attempt, maxLength: 3 },
);
const containers = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('a' as const, 'b' as const, 'i' as const, 's' as const),
    restartCount: fc.nat(3),
    state: fc.constantFrom('CREATED' as const, 'RUNNING' as const, 'EXITED' as const, 'UNKNOWN' as const),
    sandboxAttempt: fc.nat(3),
    exitCode: fc.constantFrom(0, 1, 137),
    isChanged: fc.boolean(),
    hasRun: fc.boolean(),
  }),
  { selector: (item) => `${item.name}${item.restartCount}`, maxLength: 8 },
);
const worlds = fc.record({
  restartPolicy: fc.constantFrom('Always' as const, 'OnFailure' as const, 'Never' as const),
  hasInit: fc.boolean(),
  hasRule: fc.boolean(),
  fate: fc.constantFrom('live', 'delete', 'unknown', 'failed'),
  sandboxes,
  containers,
});

t.test('any pod in any state of the runtime comes to rest where it should be', async () => {
  fc.assert(
    fc.property(worlds, (seed) => {
      const world: World = {
        seconds: -100_000,
        initializedAtFirst: new Set(
          seed.containers.flatMap(({ name, sandboxAttempt }) =>
            name === 'a' || name === 'b' ? [`s${sandboxAttempt}`] : [],
          ),
        ),
        pod: seed.fate === 'unknown' ? undefined : podFor(seed),
        sandboxes: seed.sandboxes.map(({ attempt, state, hasIp }) =>
          sandbox({ attempt, state, ips: hasIp ? ['10.0.0.2'] : [] }),
        ),
        containers: seed.containers.map((item) =>
          container(item.name, {
            restartCount: item.restartCount,
            state: item.state,
            sandboxId: `s${item.sandboxAttempt}`,
            exitCode: item.exitCode,
            createdAtNanos: nanosAt(-200_000 + item.restartCount * 10),
            // One that was cut off at its start is shown as created or as ended.
            startedAtNanos:
              item.hasRun || item.state === 'UNKNOWN' || item.state === 'RUNNING'
                ? nanosAt(-200_000 + item.restartCount * 10)
                : 0n,
            finishedAtNanos: item.state === 'EXITED' ? nanosAt(-199_995 + item.restartCount * 10) : 0n,
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

interface PodSeed {
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never';
  readonly hasInit: boolean;
  readonly hasRule: boolean;
  readonly fate: string;
}

function podFor({ fate, restartPolicy, hasInit, hasRule }: PodSeed): Pod {
  const deletion = { deletionTimestamp: new Date(NOW).toISOString(), deletionGracePeriodSeconds: 30 };
  const pod = podWith(
    { restartPolicy, ...(hasInit ? { initContainers } : {}) },
    fate === 'failed' ? { phase: 'Failed' } : {},
    fate === 'delete' ? deletion : {},
  );
  const [first] = pod.spec.containers;
  if (hasRule && first) {
    first.restartPolicy = restartPolicy;
    first.restartPolicyRules = [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [1] } }];
  }
  return pod;
}

/** Init containers that were started come to their end. */
function passTime(world: World): void {
  world.seconds += 1;
  world.containers = world.containers.map((item) =>
    item.containerName === 'i' && item.state === 'RUNNING'
      ? { ...item, state: 'EXITED', exitCode: 0, finishedAtNanos: nanosAt(world.seconds) }
      : item,
  );
}

/** Whether app containers may start in a sandbox. */
function isInitialized(world: World, sandboxId: string): boolean {
  if (!world.pod?.spec.initContainers) return true;
  if (world.initializedAtFirst.has(sandboxId)) return true;
  const here = world.containers.filter((item) => item.sandboxId === sandboxId);
  return here.some((item) => item.containerName === 'i' && item.state === 'EXITED' && item.exitCode === 0);
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
    const isWaiting = world.containers.some((item) => item.containerName === 'i' && item.state === 'RUNNING');
    if (actions.length === 0 && !(world.pod?.spec.initContainers && isWaiting)) return;
    passTime(world);
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
      // An id of its own: no container is from before it.
      const sandboxId = action.sandboxId ?? `new${action.attempt}`;
      if (!action.sandboxId) world.sandboxes.push(sandbox({ id: sandboxId, attempt: action.attempt }));
      for (const start of action.starts) {
        const name = start.containerName as ContainerName;
        if ((name === 'a' || name === 'b') && !isInitialized(world, sandboxId)) throw new Error(`${name} is too early`);
        const inPlace = world.containers.filter((item) => item.sandboxId === sandboxId);
        const isFirst = name === 'i' && !inPlace.some((item) => item.containerName === 'i');
        if (isFirst && !inPlace.some((item) => item.containerName === 's' && item.state === 'RUNNING')) {
          throw new Error('an init container does not wait for the sidecar before it');
        }
        if (world.containers.some((item) => item.containerName === name && item.state === 'RUNNING'))
          throw new Error(`two of ${name}`);
        const hash = containerHash({ name, image: images[name] });
        world.containers = world.containers.filter((item) => item.id !== start.createdId);
        if (world.containers.some((item) => item.containerName === name && item.restartCount === start.restartCount)) {
          throw new Error('restart count is taken');
        }
        const times = { createdAtNanos: nanosAt(world.seconds), startedAtNanos: nanosAt(world.seconds) };
        world.containers.push(container(name, { restartCount: start.restartCount, sandboxId, hash, ...times }));
      }
      return;
    }
    case 'killContainer':
      world.containers = world.containers.map((item) =>
        item.id === action.containerId
          ? { ...item, state: 'EXITED', exitCode: 137, finishedAtNanos: nanosAt(world.seconds) }
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
  // An init container beside an app container that is there is nobody's any more.
  const lasting = alive.filter((item) => item.containerName !== 'i');
  const isInPlace = lasting.every((item) => ready.some((box) => box.id === item.sandboxId) && item.hash !== 'old');
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
