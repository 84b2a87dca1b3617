// The fixtures themselves: a test that trusts a broken fixture proves nothing.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type RuntimeFixture, startContainerd, wantedContainerd } from './support/containerd.ts';
import { RawCri } from './support/cri.ts';
import { GrpcFaultProxy } from './support/grpc-fault-proxy.ts';
import { leaksSince, takeSnapshot } from './support/leaks.ts';
import { isAlive } from './support/processes.ts';
import { TestRegistry } from './support/registry.ts';
import { Timeline, timelineCommand } from './support/timeline.ts';
import { waitFor } from './support/wait.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());

/** A sandbox with one container, made by raw CRI calls. */
async function runContainer(fixture: RuntimeFixture, name: string, command: string[]) {
  const config = {
    metadata: { name, namespace: 'harness', uid: `uid-${name}`, attempt: 0 },
    logDirectory: join(fixture.root.path, 'logs', name),
    linux: { cgroupParent: `/${fixture.root.name}/${name}`, securityContext: {} },
  };
  const { podSandboxId } = await fixture.cri.call('RunPodSandbox', { config });
  const timeline = join(fixture.root.path, 'timeline', name);
  mkdirSync(timeline, { recursive: true });
  const { containerId } = await fixture.cri.call('CreateContainer', {
    podSandboxId,
    sandboxConfig: config,
    config: {
      metadata: { name: 'main', attempt: 0 },
      image: { image: 'mini-kubelet.local/demo:1' },
      command,
      logPath: 'main.log',
      mounts: [{ containerPath: '/timeline', hostPath: timeline }],
      linux: {},
    },
  });
  await fixture.cri.call('StartContainer', { containerId });
  return { podSandboxId, containerId, timeline };
}

t.test('a private containerd runs a container, and what was taken is given back', async (t) => {
  const baseline = await takeSnapshot({ runtime });
  const { podSandboxId, containerId } = await runContainer(runtime, 'give-back', ['sleep', '1000']);
  t.ok(isAlive(runtime.containerPid(containerId)));
  t.equal(runtime.network.leases().length, 1);
  const leaks = await leaksSince(baseline, { runtime }, 0);
  for (const kind of [
    'address leases',
    'network namespaces',
    'mounts',
    'cgroups',
    'shims',
    'sandboxes',
    'containers',
  ]) {
    t.ok(
      leaks.some((leak) => leak.startsWith(`${kind}: `)),
      `a running pod shows up under ${kind}`,
    );
  }
  await runtime.cri.call('StopPodSandbox', { podSandboxId });
  await runtime.cri.call('RemovePodSandbox', { podSandboxId });
  t.same(await leaksSince(baseline, { runtime }), []);
});

t.test('containers survive a killed containerd, and none survives a power cut', async (t) => {
  const { podSandboxId, containerId } = await runContainer(runtime, 'survivor', ['sleep', '1000']);
  const pid = runtime.containerPid(containerId);
  await runtime.restart();
  t.ok(isAlive(pid), 'the container goes on');
  await runtime.simulatePowerCut();
  t.notOk(isAlive(pid), 'the container is gone');
  await runtime.start();
  const { items } = await runtime.cri.call('ListPodSandbox', {});
  t.match(items, [{ id: podSandboxId, state: 'SANDBOX_NOTREADY' }]);
  t.equal(runtime.network.leases().length, 1, 'its address is still taken');
  await runtime.cri.call('StopPodSandbox', { podSandboxId });
  await runtime.cri.call('RemovePodSandbox', { podSandboxId });
  t.equal(runtime.network.leases().length, 0);
});

t.test('a paused containerd answers nothing until it goes on', async (t) => {
  await runtime.pause();
  await t.rejects(runtime.cri.call('Version', {}, 200), { code: 4 });
  runtime.resume();
  await t.resolves(runtime.cri.call('Version', {}));
});

t.test('the pod network fails as it is told', async (t) => {
  const config = { metadata: { name: 'no-net', namespace: 'harness', uid: 'uid-no-net', attempt: 0 }, linux: {} };
  runtime.network.fail('ADD', 'no address today');
  await t.rejects(runtime.cri.call('RunPodSandbox', { config }), /no address today/);
  t.match(runtime.network.calls().at(-2), { command: 'ADD' });
  t.match(runtime.network.calls().at(-1), { command: 'DEL' });
  runtime.network.clear();
  const { podSandboxId } = await runtime.cri.call('RunPodSandbox', { config });
  await runtime.cri.call('RemovePodSandbox', { podSandboxId });
});

t.test('a timeline tells in which order containers started and ended', async (t) => {
  const { timeline, podSandboxId, containerId } = await runContainer(runtime, 'timed', timelineCommand('main'));
  await waitFor('the first event', () => existsSync(join(timeline, 'events')));
  await runtime.cri.call('StopContainer', { containerId, timeout: '5' });
  const read = Timeline.read(timeline);
  t.same(
    read.events.map(({ what }) => what),
    ['start', 'term', 'exit'],
    String(read),
  );
  t.ok(read.secondsBetween(['main', 'term'], ['main', 'exit']) < 2);
  t.notOk(read.startsBefore('main', 'other'));
  await runtime.cri.call('RemovePodSandbox', { podSandboxId });

  const two = new Timeline(
    ['a start', 'b start', 'a exit', 'c start', 'b exit'].map((text, index) => {
      const [container = '', what = ''] = text.split(' ');
      return { container, what, uptimeSeconds: index };
    }),
  );
  t.ok(two.startsBefore('a', 'b'));
  t.ok(two.runTogether('a', 'b'));
  t.ok(two.runTogether('b', 'c'));
  t.notOk(two.runTogether('a', 'c'));
  t.ok(two.exitsBeforeStart('a', 'c'));
  t.ok(two.exitsBefore('a', 'b'));
});

t.test('calls through the fault proxy meet the faults in their order', async (t) => {
  const proxy = new GrpcFaultProxy(join(runtime.root.path, 'p.sock'), runtime.socketPath);
  await proxy.start();
  const cri = new RawCri(proxy.socketPath);
  t.teardown(async () => {
    cri.close();
    await proxy.stop();
  });

  proxy.inject('Version', '1*off->1*error(NotFound: boom)->1*errorAfter(late)->1*hold->1*holdAfter->1*delay(50)');
  await t.resolves(cri.call('Version', {}));
  await t.rejects(cri.call('Version', {}), { code: 5, details: 'boom' });
  await t.rejects(cri.call('Version', {}), { code: 2, details: 'late' });
  for (const nth of [4, 5]) {
    const held = cri.call('Version', {});
    await proxy.called('Version', nth);
    await t.rejects(
      Promise.race([held, new Promise((_, reject) => setTimeout(reject, 100, new Error('held')))]),
      /held/,
    );
    await waitFor('the call to be held', () => proxy.release() > 0);
    await t.resolves(held);
  }
  await t.resolves(cri.call('Version', {}));
  await t.resolves(cri.call('Version', {}), 'after the last term all is well');
  t.equal(proxy.calls('Version').length, 7);

  await t.rejects(cri.call('PodSandboxStatus', { podSandboxId: 'none' }), { code: 5 }, "the runtime's own errors pass");
  proxy.inject('Version', 'hold');
  await t.rejects(cri.call('Version', {}, 100), { code: 4 });
  proxy.clear();
  await runtime.kill();
  await t.rejects(cri.call('Version', {}, 2_000), { code: 14 });
  await runtime.start();
  await waitFor('the way through the proxy', () => cri.call('Version', {}, 1_000));
  t.throws(() => proxy.inject('Version', 'explode'), /not a kind of failpoint/);
});

t.test('the runtime pulls from the test registry, and fails with it', async (t) => {
  const registry = new TestRegistry(['app:1', 'secret:1', 'slow:1']);
  await registry.start(runtime);
  t.teardown(() => registry.stop());
  const pull = (name: string, timeoutMs?: number) =>
    runtime.cri.call('PullImage', { image: { image: registry.image(name) } }, timeoutMs);

  t.match((await pull('app:1')).imageRef, /^sha256:/);
  t.equal(registry.pulls('app'), 1);
  await t.rejects(pull('app:none'), { code: 5 });
  registry.fail('app', { kind: 'status', status: 503 });
  await t.rejects(pull('app:1'), /503/);

  registry.protect('secret', 'user', 'password');
  await t.rejects(pull('secret:1'));
  const auth = { username: 'user', password: 'password' };
  await t.resolves(runtime.cri.call('PullImage', { image: { image: registry.image('secret:1') }, auth }));

  registry.fail('slow', { kind: 'stall' });
  const startedAt = performance.now();
  // The runtime, which is told of the deadline, may be the first to say that it is over: the call is cancelled then.
  await t.rejects(pull('slow:1', 1_000), { code: /^[14]$/ });
  t.ok(performance.now() - startedAt > 900, 'at its deadline, and not before');
});
