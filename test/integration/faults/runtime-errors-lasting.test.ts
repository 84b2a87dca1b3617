// Any runtime will do.
// Calls to the runtime that fail for as long as nobody mends it, and calls that it never answers.
import t from 'tap';
import { isReady } from '../pod/pods.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { leaksSince, takeSnapshot } from '../support/leaks.ts';
import { waitFor } from '../support/wait.ts';
import { inRuntime, singleManifest, startProxy, waitForEvent } from './faults.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const proxy = await startProxy(runtime);
t.teardown(() => proxy.stop());
const daemon = await startDaemon({ runtime: proxy });
t.teardown(() => daemon.stop());
const baseline = await takeSnapshot({ runtime, daemon });

t.test('what fails always is tried again with pauses, and tells why', async (t) => {
  await daemon.createPod(singleManifest('cannot-go'));
  await daemon.waitForExistingPod('cannot-go', isReady);
  proxy.forgetCalls();
  const methods = {
    StartContainer: ['cannot-start', /^Failed: Error: StartContainer is out of order/],
    CreateContainer: ['cannot-be-made', /^Failed: Error: CreateContainer is out of order/],
    RunPodSandbox: ['cannot-begin', /^FailedCreatePodSandBox: .*RunPodSandbox is out of order/],
  } as const;
  for (const [method, [name, event]] of Object.entries(methods)) {
    proxy.inject(method, `error(Internal: ${method} is out of order)`);
    await daemon.createPod(singleManifest(name));
    await waitForEvent(daemon, name, event);
  }
  proxy.inject('StopPodSandbox', 'error(Internal: StopPodSandbox is out of order)');
  await daemon.api.expectOk('DELETE', podPath('cannot-go'));
  await waitForEvent(daemon, 'cannot-go', /^FailedKillPod: .*StopPodSandbox is out of order/);
  const isPatient = () => proxy.calls('RunPodSandbox').filter(({ fault }) => fault === 'error').length >= 4;
  await waitFor('the fourth attempt of a sandbox', isPatient, 30_000);

  const problemOf = async (name: string) => {
    const { status } = await daemon.getPod(name);
    return { phase: status?.phase, reason: status?.reason, waiting: status?.containerStatuses?.[0]?.state?.waiting };
  };
  t.match(await problemOf('cannot-begin'), { phase: 'Pending', reason: 'FailedCreatePodSandBox' });
  t.match(await problemOf('cannot-be-made'), {
    phase: 'Pending',
    waiting: { reason: 'CreateContainerError', message: 'CreateContainer is out of order' },
  });
  t.match(await problemOf('cannot-start'), {
    phase: 'Pending',
    waiting: { reason: 'RunContainerError', message: 'StartContainer is out of order' },
  });
  t.match(await daemon.getPod('cannot-go'), { metadata: { deletionTimestamp: /Z$/ } }, 'still terminating');
  for (const method of [...Object.keys(methods), 'StopPodSandbox']) {
    const failed = proxy.calls(method).filter(({ fault }) => fault === 'error');
    const times = failed.map(({ startedAtMs }) => startedAtMs);
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    t.comment(`${method}: pauses of ${pauses.map(Math.round).join(', ')} ms`);
    t.ok(
      pauses.every((ms) => ms > 900),
      `${method} at most once a second`,
    );
  }

  proxy.clear();
  const names = Object.values(methods).map(([name]) => name);
  for (const name of names) await daemon.waitForExistingPod(name, isReady, { timeoutMs: 30_000 });
  await daemon.waitForPod('cannot-go', (pod) => pod === undefined, { timeoutMs: 30_000 });
  await Promise.all(names.map((name) => daemon.deletePod(name)));
  t.same(await leaksSince(baseline, { runtime, daemon }), []);
});

t.test('a call that is never answered has a deadline', async (t) => {
  await daemon.end();
  daemon.writeConfig({ runtimeRequestTimeout: '5s' });
  await daemon.start();
  const holds: readonly (readonly [string, string])[] = ['RunPodSandbox', 'CreateContainer', 'StartContainer'].flatMap(
    (method) => ['1*hold', '1*holdAfter'].map((fault) => [method, fault] as const),
  );
  const nameOf = (method: string, fault: string) => `deadline-${method}-${fault.slice(2)}`.toLowerCase();
  for (const [method, fault] of holds) {
    const before = proxy.heldCalls;
    proxy.inject(method, fault);
    await daemon.createPod(singleManifest(nameOf(method, fault)));
    await waitFor(`${method} to be held`, () => proxy.heldCalls > before);
  }
  for (const [method, fault] of holds) {
    const pod = await daemon.waitForExistingPod(nameOf(method, fault), isReady, { timeoutMs: 40_000 });
    const { sandboxes, containers } = await inRuntime(runtime, pod.metadata.uid);
    t.equal(sandboxes.length, 1, nameOf(method, fault));
    t.same(
      containers.map(({ state, attempt }) => `${state} ${attempt}`),
      ['CONTAINER_RUNNING 0'],
    );
  }
  proxy.clear();
  await Promise.all(holds.map(([method, fault]) => daemon.deletePod(nameOf(method, fault))));
  t.same(await leaksSince(baseline, { runtime, daemon }), []);
});
