import { Registry } from 'prom-client';
import t from 'tap';
import type { Pod, PodStatus } from '../../../src/api/pod.ts';
import { PodStartMetrics } from '../../../src/pod/pod-start-metrics.ts';
import type { ObjectEvent } from '../../../src/store/kind-cache.ts';

const createdMs = Date.parse('2026-01-01T00:00:00Z');
const running = { running: { startedAt: '2026-01-01T00:00:05Z' } };

function pod(status: Partial<PodStatus> = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
    spec: { containers: [{ name: 'a' }, { name: 'b' }] },
    status,
  };
}

const containers = (...states: object[]) =>
  ({ containerStatuses: states.map((state) => ({ state })) }) as unknown as Partial<PodStatus>;

function start() {
  let nowMs = createdMs;
  let tell: (event: ObjectEvent<Pod>) => void = () => {};
  const registry = new Registry();
  const store = {
    resourceVersion: '1',
    watch: (_kind: unknown, _options: unknown, listener: typeof tell) => {
      tell = listener;
      return () => {};
    },
  };
  const clock = { now: () => nowMs, monotonicMs: () => 0 };
  const metrics = new PodStartMetrics({ registry, store: store as never, clock });
  metrics.start();
  return {
    metrics,
    at: (seconds: number) => {
      nowMs = createdMs + seconds * 1000;
    },
    tell: (type: ObjectEvent['type'], object: Pod) => tell({ type, object }),
    read: async () => {
      const text = await registry.metrics();
      const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
      const name = 'kubelet_pod_start_sli_duration_seconds';
      return { count: value(`${name}_count`), seconds: value(`${name}_sum`), text };
    },
  };
}

t.test('a pod has started when all its containers have, and counts once', async (t) => {
  const { at, tell, read } = start();
  tell('ADDED', pod());
  at(3);
  tell('MODIFIED', pod(containers(running, { waiting: {} })));
  t.equal((await read()).count, 0);
  at(6);
  tell('MODIFIED', pod(containers(running, running)));
  at(9);
  tell('MODIFIED', pod(containers(running, running)));
  t.match(await read(), { count: 1, seconds: 6 });
});

t.test('pulls and init containers are left out', async (t) => {
  const { metrics, at, tell, read } = start();
  tell('ADDED', pod());
  at(1);
  metrics.pullBegan('u');
  at(3);
  metrics.pullBegan('u');
  metrics.pullEnded('u');
  at(11);
  metrics.pullEnded('u');
  at(16);
  const terminated = { startedAt: '2026-01-01T00:00:11Z', finishedAt: '2026-01-01T00:00:14Z' };
  const initContainerStatuses = [{ state: { terminated } }] as unknown as PodStatus['initContainerStatuses'];
  tell('MODIFIED', pod({ ...containers(running, running), initContainerStatuses }));
  t.match(await read(), { count: 1, seconds: 3 });
});

t.test('what does not start, was there before, or comes from a file is not counted', async (t) => {
  const { metrics, at, tell, read } = start();
  const started = containers(running, running);
  tell('MODIFIED', pod(started));
  tell('ADDED', pod({}, { annotations: { 'kubernetes.io/config.source': 'file' } }));
  tell('MODIFIED', pod(started, { annotations: { 'kubernetes.io/config.source': 'file' } }));
  tell('ADDED', pod());
  tell('MODIFIED', pod({ phase: 'Failed' }));
  tell('MODIFIED', pod(started));
  metrics.pullBegan('unknown');
  metrics.pullEnded('unknown');
  at(2);
  t.match(await read(), { count: 0 });
});

t.test('passes of workers by what they are', async (t) => {
  const { metrics, read } = start();
  metrics.passed('create', 0.5);
  metrics.passed('sync', 0.25);
  metrics.passed('sync', 0.25);
  const { text } = await read();
  t.match(text, 'kubelet_pod_worker_duration_seconds_count{operation_type="create"} 1');
  t.match(text, 'kubelet_pod_worker_duration_seconds_sum{operation_type="sync"} 0.5');
});
