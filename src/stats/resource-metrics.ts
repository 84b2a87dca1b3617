import type { Labels, MetricFamily, Sample } from './exposition.ts';
import type { CgroupUsage, PodUsage, Usage } from './usage.ts';

interface Measured extends CgroupUsage {
  readonly atMs: number;
  readonly startedAtMs?: number;
}

type Value = (usage: Measured) => number | undefined;

const cpuSeconds: Value = ({ cpu }) => cpu && cpu.usageNanos / 1e9;
const workingSet: Value = ({ memory }) => memory?.workingSetBytes;
const swap: Value = ({ memory }) => memory?.swapBytes;
const startTime: Value = ({ startedAtMs }) => startedAtMs && startedAtMs / 1000;

/** A kubelet's `/metrics/resource`, which a metrics-server reads. PURE. */
export function resourceMetrics({ node, pods }: Usage): MetricFamily[] {
  const family = (
    name: string,
    type: MetricFamily['type'],
    help: string,
    of: readonly (readonly [Measured, Labels])[],
    value: Value,
  ): MetricFamily => ({ name, type, help, samples: of.flatMap(([usage, labels]) => sample(usage, labels, value)) });

  const ofNode = [[node, {}]] as const;
  const ofPods = pods.map((pod) => [pod, podLabels(pod)] as const);
  const ofContainers = pods.flatMap((pod) =>
    pod.containers.map((container) => [container, { container: container.name, ...podLabels(pod) }] as const),
  );
  return [
    family('container_cpu_usage_seconds_total', 'counter', 'CPU time of the container.', ofContainers, cpuSeconds),
    family('container_memory_working_set_bytes', 'gauge', 'Working set of the container.', ofContainers, workingSet),
    family('container_start_time_seconds', 'gauge', 'When the container was started.', ofContainers, startTime),
    family('container_swap_usage_bytes', 'gauge', 'Swap that the container uses.', ofContainers, swap),
    family('node_cpu_usage_seconds_total', 'counter', 'CPU time of the node.', ofNode, cpuSeconds),
    family('node_memory_working_set_bytes', 'gauge', 'Working set of the node.', ofNode, workingSet),
    family('node_swap_usage_bytes', 'gauge', 'Swap that the node uses.', ofNode, swap),
    family('pod_cpu_usage_seconds_total', 'counter', 'CPU time of the pod.', ofPods, cpuSeconds),
    family('pod_memory_working_set_bytes', 'gauge', 'Working set of the pod.', ofPods, workingSet),
    family('pod_swap_usage_bytes', 'gauge', 'Swap that the pod uses.', ofPods, swap),
    {
      name: 'resource_scrape_error',
      type: 'gauge',
      help: 'Whether reading failed: 0, for a failure is an answer of 500.',
      samples: [{ value: 0 }],
    },
  ];
}

function podLabels({ name, namespace }: PodUsage): Labels {
  return { namespace, pod: name };
}

function sample(usage: Measured, labels: Labels, read: Value): Sample[] {
  const value = read(usage);
  return value === undefined ? [] : [{ labels, value, atMs: usage.atMs }];
}
