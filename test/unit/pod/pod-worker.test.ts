import { pino } from 'pino';
import t, { type Test } from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { PodWorker } from '../../../src/pod/pod-worker.ts';
import type { PodServices } from '../../../src/pod/services.ts';
import { Semaphore } from '../../../src/util/semaphore.ts';
import { NOW, observed, podWith, UID } from './fixtures.ts';

/**
 * A worker whose pod can never get a cgroup, under a clock that stands still: what is held back stays so for ever.
 * `attempts` and `deletions` wait for as many calls.
 */
function startWorker(t: Test, first: Pod, runtime = { isUsable: true }) {
  let pod = first;
  const attempts = counter();
  const deletions = counter();
  const judgements: string[] = [];
  const services = {
    cache: { get: () => observed([], []) },
    monitor: { health: { state: 'unknown' } },
    cgroups: {
      ensurePod: async () => {
        attempts.add();
        throw new Error('no space left');
      },
      removePod: async () => {},
    },
    volumes: { unmountPod: async () => {} },
    images: { forgetPod: () => {} },
    hooks: { postStarts: () => new Map(), forgetPod: () => {} },
    recorder: { event: () => {} },
    probes: { sync: () => new Map(), forget: () => {} },
    store: {
      update: (_kind: unknown, _namespace: unknown, _name: unknown, mutate: (current: Pod) => Pod) => {
        pod = mutate(pod);
        return pod;
      },
      delete: () => deletions.add(),
      flushed: async () => {},
    },
    clock: { now: () => NOW, monotonicMs: () => 0 },
    clockSteps: { inPresentTime: (ms: number) => ms },
    logger: pino({ level: 'silent' }),
    startMetrics: { passed: () => {} },
    runtimeWork: new Semaphore(1),
    sandboxes: new Semaphore(1),
    settings: { maxRestartDelaySeconds: 300, hostIPs: () => [], logDirectory: '/nowhere', logLinksDirectory: '' },
  };
  const worker = new PodWorker({
    uid: UID,
    services: services as unknown as PodServices,
    getPod: () => pod,
    isRuntimeUsable: () => runtime.isUsable,
    admit: () => {
      judgements.push(runtime.isUsable ? 'usable' : 'away');
      return { phase: 'Failed', startTime: new Date(NOW).toISOString() };
    },
    onFinished: () => {},
  });
  worker.start();
  t.teardown(() => worker.stop());
  const change = (metadata: Partial<Pod['metadata']>, spec: Partial<Pod['spec']> = {}) => {
    pod = { ...pod, metadata: { ...pod.metadata, ...metadata }, spec: { ...pod.spec, ...spec } };
    worker.wake();
  };
  return { worker, change, attempts, deletions, runtime, judgements };
}

/** Counts calls; `reaches` resolves when there were as many. */
function counter() {
  let count = 0;
  const waiting: { wanted: number; resolve: () => void }[] = [];
  return {
    add: () => {
      count += 1;
      for (const { wanted, resolve } of waiting) if (count >= wanted) resolve();
    },
    get count() {
      return count;
    },
    reaches: (wanted: number) =>
      count >= wanted
        ? Promise.resolve()
        : new Promise<void>((resolve) => {
            waiting.push({ wanted, resolve });
          }),
  };
}

const hostNetworkPod = podWith({ hostNetwork: true });

t.test('a pod that is held back by a failure is deleted without waiting', async (t) => {
  const { change, attempts, deletions } = startWorker(t, hostNetworkPod);
  await attempts.reaches(1);
  await new Promise(setImmediate);
  change({ deletionTimestamp: new Date(NOW).toISOString(), deletionGracePeriodSeconds: 0 });
  await deletions.reaches(1);
  t.equal(attempts.count, 1);
});

t.test('a pod that was changed is tried again at once, one that was only looked at is not', async (t) => {
  const { worker, change, attempts } = startWorker(t, hostNetworkPod);
  await attempts.reaches(1);
  worker.wake();
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  t.equal(attempts.count, 1);
  change({ generation: 2 }, { ephemeralContainers: [{ name: 'debug', image: 'x' }] });
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  t.equal(attempts.count, 1, 'an ephemeral container changes nothing for the others');
  change({ generation: 3 }, { activeDeadlineSeconds: 1_000_000_000 });
  await attempts.reaches(2);
});

t.test('a pod that only the runtime can judge waits for the runtime', async (t) => {
  const asking: [string, Partial<Pod['spec']>, boolean][] = [
    ['nothing', {}, false],
    ['a user namespace', { hostUsers: false }, true],
    ['strict groups', { securityContext: { supplementalGroupsPolicy: 'Strict' } }, true],
    ['the files of an image', { volumes: [{ name: 'files', image: { reference: 'one' } }] }, true],
  ];
  for (const [what, spec, waits] of asking) {
    const { startTime, ...status } = podWith().status ?? {};
    const { worker, runtime, judgements } = startWorker(t, { ...podWith(spec), status }, { isUsable: false });
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    t.same(judgements, waits ? [] : ['away'], what);
    runtime.isUsable = true;
    worker.wake();
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    t.same(judgements, waits ? ['usable'] : ['away'], what);
  }
});
