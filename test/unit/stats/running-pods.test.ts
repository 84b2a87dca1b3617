import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import type { ObservedContainer, ObservedSandbox } from '../../../src/runtime/observed.ts';
import { runningPods } from '../../../src/stats/running-pods.ts';

const pod = (name: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', uid: `uid-${name}` },
  spec: { containers: [] },
  status: { startTime: '2026-01-01T00:00:00Z' },
});
const container = (podName: string, containerName: string) =>
  ({
    id: `${podName}-${containerName}`,
    sandboxId: `sandbox-${podName}`,
    containerName,
    image: 'busybox',
    pod: { uid: `uid-${podName}` },
    startedAtNanos: 5_000_000n,
  }) as ObservedContainer;
const sandboxOf = (id: string) => ({ id, hostNetwork: id === 'sandbox-host' }) as ObservedSandbox;

t.test('pods of which something runs, in order, each with its network unless it is the host', async (t) => {
  const running = runningPods({
    pods: [pod('web'), pod('host'), pod('ended')],
    containers: [
      container('web', 'side'),
      container('web', 'main'),
      container('host', 'main'),
      container('foreign', 'x'),
    ],
    sandboxOf,
    cgroupOf: ({ metadata }) => `/kubepods/pod${metadata.uid}`,
  });
  t.same(
    running.map(({ name, networkSandboxId, containers }) => [name, networkSandboxId, containers.map((c) => c.name)]),
    [
      ['host', undefined, ['main']],
      ['web', 'sandbox-web', ['main', 'side']],
    ],
  );
  t.match(running[1], {
    cgroup: '/kubepods/poduid-web',
    startedAtMs: Date.parse('2026-01-01T00:00:00Z'),
    containers: [{ id: 'web-main', image: 'busybox', startedAtMs: 5 }, {}],
  });
});
