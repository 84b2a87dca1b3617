import { pino } from 'pino';
import t from 'tap';
import type { Container__Output } from '../../../src/runtime/generated/runtime/v1/Container.ts';
import type { ContainerStatus__Output } from '../../../src/runtime/generated/runtime/v1/ContainerStatus.ts';
import type { PodSandbox__Output } from '../../../src/runtime/generated/runtime/v1/PodSandbox.ts';
import type { PodSandboxStatus__Output } from '../../../src/runtime/generated/runtime/v1/PodSandboxStatus.ts';
import { PodCache } from '../../../src/runtime/pod-cache.ts';

const INSTANCE = 'mini-kubelet.io/instance';

/** A runtime that keeps sandboxes and containers and answers as CRI does. */
class FakeRuntime {
  readonly sandboxes = new Map<string, PodSandboxStatus__Output>();
  readonly containers = new Map<string, { sandboxId: string; status: ContainerStatus__Output }>();
  statusCalls = 0;
  /** Runs once, in the middle of the next list. */
  duringList: (() => void) | undefined;

  addPod(uid: string, instance = 'me'): void {
    const labels = podLabels(uid, instance);
    this.sandboxes.set(`s-${uid}`, {
      id: `s-${uid}`,
      metadata: { name: 'web', namespace: 'default', uid, attempt: 0 },
      state: 'SANDBOX_READY',
      // As containerd 1.6 tells of a sandbox whose creation failed.
      createdAt: '-6795364578871345152',
      network: { ip: '10.0.0.2', additionalIps: [] },
      linux: null,
      labels,
      annotations: {},
      runtimeHandler: '',
    });
    this.addContainer(uid, 'a', instance);
  }

  addContainer(uid: string, name: string, instance = 'me'): void {
    const id = `${name}-${uid}`;
    const labels = { ...podLabels(uid, instance), 'io.kubernetes.container.name': name };
    this.containers.set(id, { sandboxId: `s-${uid}`, status: containerStatus(id, labels) });
  }

  exit(id: string): void {
    const container = this.containers.get(id);
    if (container) container.status = { ...container.status, state: 'CONTAINER_EXITED', exitCode: 3 };
  }

  async listPodSandboxes(selector: Record<string, string>): Promise<PodSandbox__Output[]> {
    const found = [...this.sandboxes.values()].filter((item) => item.labels[INSTANCE] === selector[INSTANCE]);
    await undefined;
    this.duringList?.();
    this.duringList = undefined;
    return found;
  }

  async listContainers(selector: Record<string, string>): Promise<Container__Output[]> {
    return [...this.containers.values()]
      .filter(({ status }) => status.labels[INSTANCE] === selector[INSTANCE])
      .map(({ sandboxId, status }) => ({ ...status, podSandboxId: sandboxId }));
  }

  async podSandboxStatus(id: string): Promise<PodSandboxStatus__Output | undefined> {
    this.statusCalls += 1;
    return this.sandboxes.get(id);
  }

  async containerStatus(id: string): Promise<ContainerStatus__Output | undefined> {
    this.statusCalls += 1;
    return this.containers.get(id)?.status;
  }
}

function podLabels(uid: string, instance: string): Record<string, string> {
  return {
    'io.kubernetes.pod.name': 'web',
    'io.kubernetes.pod.namespace': 'default',
    'io.kubernetes.pod.uid': uid,
    [INSTANCE]: instance,
  };
}

function containerStatus(id: string, labels: Record<string, string>): ContainerStatus__Output {
  return {
    id,
    metadata: { name: 'a', attempt: 0 },
    state: 'CONTAINER_RUNNING',
    createdAt: '1767225600000000001',
    startedAt: '1767225600000000002',
    finishedAt: '0',
    exitCode: 0,
    image: null,
    imageRef: '',
    reason: '',
    message: '',
    labels,
    annotations: { 'io.kubernetes.container.restartCount': '4' },
    mounts: [],
    logPath: '',
    imageId: '',
    user: null,
    stopSignal: 'RUNTIME_DEFAULT',
  };
}

function setUp() {
  const runtime = new FakeRuntime();
  const changes: string[] = [];
  const cache = new PodCache({
    client: runtime,
    instance: 'me',
    logger: pino({ level: 'silent' }),
    onChange: (uid) => changes.push(uid),
  });
  return { runtime, cache, changes };
}

t.test('what the runtime has of a pod is found, with times to the nanosecond', async (t) => {
  const { runtime, cache } = setUp();
  runtime.addPod('one');
  await cache.relist();
  const pod = cache.get('one');
  t.match(pod.sandboxes, [{ id: 's-one', state: 'READY', ips: ['10.0.0.2'] }]);
  t.match(pod.containers, [{ id: 'a-one', state: 'RUNNING', restartCount: 4, sandboxId: 's-one' }]);
  t.equal(pod.containers[0]?.createdAtNanos, 1767225600000000001n);
});

t.test('pods of another client of the runtime are not seen', async (t) => {
  const { runtime, cache, changes } = setUp();
  runtime.addPod('theirs', 'somebody else');
  await cache.relist();
  await cache.handleEvent({ id: 'a-theirs', kind: 'exited' });
  t.same([...cache.podUids()], []);
  t.same(changes, []);
  t.equal(runtime.statusCalls, 0);
});

t.test('the end of a container is seen by its event, and told once', async (t) => {
  const { runtime, cache, changes } = setUp();
  runtime.addPod('one');
  await cache.relist();
  changes.length = 0;
  runtime.exit('a-one');
  await cache.handleEvent({ id: 'a-one', kind: 'exited' });
  await cache.relist();
  t.match(cache.get('one').containers, [{ state: 'EXITED', exitCode: 3 }]);
  t.same(changes, ['one']);
});

t.test('an event that runs ahead of the state is waited for', async (t) => {
  const { runtime, cache } = setUp();
  runtime.addPod('one');
  await cache.relist();
  const handled = cache.handleEvent({ id: 'a-one', kind: 'exited' });
  runtime.exit('a-one');
  await handled;
  t.match(cache.get('one').containers, [{ state: 'EXITED' }]);
});

t.test('the end of a container is waited for that ended before it was told as running', async (t) => {
  const { runtime, cache } = setUp();
  runtime.addPod('one');
  const container = runtime.containers.get('a-one');
  if (container) container.status = { ...container.status, state: 'CONTAINER_CREATED' };
  await cache.relist();
  const handled = cache.handleEvent({ id: 'a-one', kind: 'exited' });
  await new Promise((resolve) => setImmediate(resolve));
  runtime.exit('a-one');
  await handled;
  t.match(cache.get('one').containers, [{ state: 'EXITED' }]);
});

t.test('a missed end or removal is found by relisting', async (t) => {
  const { runtime, cache } = setUp();
  runtime.addPod('one');
  runtime.addPod('two');
  await cache.relist();
  runtime.exit('a-one');
  runtime.sandboxes.delete('s-two');
  runtime.containers.delete('a-two');
  await cache.relist();
  t.match(cache.get('one').containers, [{ state: 'EXITED' }]);
  t.same([...cache.podUids()], ['one']);
});

t.test('relisting asks only for what changed', async (t) => {
  const { runtime, cache } = setUp();
  runtime.addPod('one');
  await cache.relist();
  runtime.statusCalls = 0;
  await cache.relist();
  t.equal(runtime.statusCalls, 0);
});

t.test('a container made while a list is under way is not taken for gone', async (t) => {
  const { runtime, cache } = setUp();
  runtime.addPod('one');
  await cache.relist();
  runtime.duringList = () => {
    runtime.addPod('two');
    cache.trackContainer('a-two', 's-two');
  };
  await cache.relist();
  await cache.handleEvent({ id: 'a-two', kind: 'started' });
  t.match(cache.get('two').containers, [{ id: 'a-two', sandboxId: 's-two' }]);
});
