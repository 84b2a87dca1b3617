import type { Pod } from '../api/pod.ts';
import type { ObservedContainer, ObservedSandbox } from '../runtime/observed.ts';
import type { RunningPod } from './usage-reader.ts';

export interface RunningPodsInput {
  readonly pods: readonly Pod[];
  readonly containers: readonly ObservedContainer[];
  readonly sandboxOf: (sandboxId: string) => ObservedSandbox | undefined;
  /** Below each hierarchy's mount point. */
  readonly cgroupOf: (pod: Pod) => string;
}

/** The pods of which something runs, by namespace and name, as the runtime tells it. PURE. */
export function runningPods({ pods, containers, sandboxOf, cgroupOf }: RunningPodsInput): RunningPod[] {
  const byUid = Map.groupBy(containers, ({ pod }) => pod.uid);
  return pods
    .flatMap((pod): RunningPod[] => {
      const { name, namespace = '', uid = '' } = pod.metadata;
      const running = byUid.get(uid);
      if (!running) return [];
      const sandbox = sandboxOf(running[0]?.sandboxId ?? '');
      const starts = running.map(({ startedAtNanos }) => millis(startedAtNanos));
      return [
        {
          name,
          namespace,
          uid,
          startedAtMs: pod.status?.startTime ? Date.parse(pod.status.startTime) : Math.min(...starts),
          cgroup: cgroupOf(pod),
          networkSandboxId: sandbox && !sandbox.hostNetwork ? sandbox.id : undefined,
          containers: running
            .map(({ id, containerName, image, startedAtNanos }) => ({
              id,
              image,
              name: containerName,
              startedAtMs: millis(startedAtNanos),
            }))
            .sort((a, b) => (a.name < b.name ? -1 : 1)),
        },
      ];
    })
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function keyOf({ namespace, name }: RunningPod): string {
  return `${namespace}/${name}`;
}

function millis(nanos: bigint): number {
  return Number(nanos / 1_000_000n);
}
