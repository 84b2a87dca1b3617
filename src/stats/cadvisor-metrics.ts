import type { Labels, MetricFamily, Sample } from './exposition.ts';
import type { CgroupUsage, InterfaceUsage, LayerUsage, Usage } from './usage.ts';

export interface Machine {
  readonly cpuCount: number;
  readonly memoryBytes: number;
}

/** A cgroup, or the node as the top of all of them. */
interface Series {
  readonly usage: CgroupUsage & { readonly atMs: number };
  readonly labels: Labels;
  /** Undefined: the node. */
  readonly startedAtMs: number | undefined;
  readonly containerId: string | undefined;
  readonly interfaces: readonly InterfaceUsage[];
}

interface Definition {
  readonly name: string;
  readonly type: MetricFamily['type'];
  readonly help: string;
  /** One for each series that the cgroup has, with labels of its own. */
  readonly values: (series: Series) => readonly (readonly [number | undefined, Labels?])[];
}

/** A family with one series for each cgroup. */
function one(
  name: string,
  type: MetricFamily['type'],
  help: string,
  value: (usage: CgroupUsage) => number | undefined,
): Definition {
  return { name: `container_${name}`, type, help, values: ({ usage }) => [[value(usage)]] };
}

function network(name: string, help: string, value: (usage: InterfaceUsage) => number): Definition {
  return {
    name: `container_network_${name}_total`,
    type: 'counter',
    help,
    values: ({ interfaces }) => interfaces.map((item) => [value(item), { interface: item.name }] as const),
  };
}

const seconds = (nanos: number | undefined) => (nanos === undefined ? undefined : nanos / 1e9);

/** What dashboards ask for of the names that cAdvisor gives. */
const definitions: readonly Definition[] = [
  {
    name: 'container_cpu_usage_seconds_total',
    type: 'counter',
    help: 'CPU time used.',
    values: ({ usage }) => [[seconds(usage.cpu?.usageNanos), { cpu: 'total' }]],
  },
  one('cpu_user_seconds_total', 'counter', 'CPU time in programs.', ({ cpu }) => seconds(cpu?.userNanos)),
  one('cpu_system_seconds_total', 'counter', 'CPU time in the kernel.', ({ cpu }) => seconds(cpu?.systemNanos)),
  one('cpu_cfs_periods_total', 'counter', 'Periods of the CPU limit.', ({ cpu }) => cpu?.periods),
  one(
    'cpu_cfs_throttled_periods_total',
    'counter',
    'Periods in which it was held back.',
    ({ cpu }) => cpu?.throttledPeriods,
  ),
  one('cpu_cfs_throttled_seconds_total', 'counter', 'How long it was held back.', ({ cpu }) =>
    seconds(cpu?.throttledNanos),
  ),
  one('memory_usage_bytes', 'gauge', 'Memory in use, the page cache included.', ({ memory }) => memory?.usageBytes),
  one(
    'memory_working_set_bytes',
    'gauge',
    'Memory that cannot be given back at once.',
    ({ memory }) => memory?.workingSetBytes,
  ),
  one('memory_rss', 'gauge', 'Memory of processes.', ({ memory }) => memory?.rssBytes),
  one('memory_cache', 'gauge', 'Page cache.', ({ memory }) => memory?.cacheBytes),
  one('memory_mapped_file', 'gauge', 'Mapped files.', ({ memory }) => memory?.mappedFileBytes),
  one('memory_swap', 'gauge', 'Swap in use.', ({ memory }) => memory?.swapBytes),
  {
    name: 'container_memory_failures_total',
    type: 'counter',
    help: 'Page faults.',
    values: ({ usage: { memory } }) => [
      [memory?.pageFaults, { failure_type: 'pgfault', scope: 'hierarchy' }],
      [memory?.majorPageFaults, { failure_type: 'pgmajfault', scope: 'hierarchy' }],
    ],
  },
  one(
    'spec_memory_limit_bytes',
    'gauge',
    'The memory limit; 0: none.',
    ({ memory }) => memory && (memory.limitBytes ?? 0),
  ),
  one('processes', 'gauge', 'Processes and threads.', ({ processes }) => processes),
  one('fs_reads_bytes_total', 'counter', 'Bytes read from disks.', ({ io }) => io?.readBytes),
  one('fs_writes_bytes_total', 'counter', 'Bytes written to disks.', ({ io }) => io?.writtenBytes),
  one('fs_reads_total', 'counter', 'Reads from disks.', ({ io }) => io?.reads),
  one('fs_writes_total', 'counter', 'Writes to disks.', ({ io }) => io?.writes),
  network('receive_bytes', 'Bytes received.', ({ rxBytes }) => rxBytes),
  network('receive_packets', 'Packets received.', ({ rxPackets }) => rxPackets),
  network('receive_packets_dropped', 'Packets that were not taken.', ({ rxDropped }) => rxDropped),
  network('receive_errors', 'Errors while receiving.', ({ rxErrors }) => rxErrors),
  network('transmit_bytes', 'Bytes sent.', ({ txBytes }) => txBytes),
  network('transmit_packets', 'Packets sent.', ({ txPackets }) => txPackets),
  network('transmit_packets_dropped', 'Packets that were not sent.', ({ txDropped }) => txDropped),
  network('transmit_errors', 'Errors while sending.', ({ txErrors }) => txErrors),
  {
    name: 'container_start_time_seconds',
    type: 'gauge',
    help: 'When it was started.',
    values: ({ startedAtMs }) => [[startedAtMs === undefined ? undefined : startedAtMs / 1000]],
  },
  {
    name: 'container_last_seen',
    type: 'gauge',
    help: 'When it was read.',
    values: ({ usage }) => [[Math.round(usage.atMs / 1000)]],
  },
];

/**
 * A kubelet's `/metrics/cadvisor`. The node has the id `/` and empty labels; a pod has a name of its own but no
 * container. PURE.
 */
export function cadvisorMetrics(usage: Usage, layers: LayerUsage, machine: Machine): MetricFamily[] {
  const all = seriesOf(usage);
  const families = definitions.map(({ name, type, help, values }) => ({
    name,
    type,
    help,
    samples: all.flatMap((series) =>
      values(series).flatMap(([value, labels]): Sample[] =>
        value === undefined ? [] : [{ labels: { ...series.labels, ...labels }, value, atMs: series.usage.atMs }],
      ),
    ),
  }));
  return [
    ...families,
    {
      name: 'container_fs_usage_bytes',
      type: 'gauge',
      help: "What it has written to its own layer of the image's file system.",
      samples: all.flatMap(({ labels, containerId, usage: { atMs } }): Sample[] => {
        const written = layers.written.get(containerId ?? '');
        return written ? [{ labels: { ...labels, device: '' }, value: written.usedBytes, atMs }] : [];
      }),
    },
    { name: 'machine_cpu_cores', type: 'gauge', help: 'CPUs of the node.', samples: [{ value: machine.cpuCount }] },
    {
      name: 'machine_memory_bytes',
      type: 'gauge',
      help: 'Memory of the node.',
      samples: [{ value: machine.memoryBytes }],
    },
  ];
}

function seriesOf({ node, pods }: Usage): Series[] {
  const empty = { container: '', image: '', name: '', namespace: '', pod: '' };
  const top: Series = {
    usage: node,
    labels: { ...empty, id: '/' },
    startedAtMs: node.bootedAtMs,
    containerId: undefined,
    interfaces: node.interfaces,
  };
  return [
    top,
    ...pods.flatMap((pod): Series[] => {
      const ofPod = { ...empty, namespace: pod.namespace, pod: pod.name };
      return [
        {
          usage: pod,
          labels: { ...ofPod, id: pod.cgroup },
          startedAtMs: pod.startedAtMs,
          containerId: undefined,
          interfaces: pod.interfaces ?? [],
        },
        ...pod.containers.map(
          (container): Series => ({
            usage: container,
            labels: {
              ...ofPod,
              container: container.name,
              id: container.cgroup,
              image: container.image,
              name: container.id,
            },
            startedAtMs: container.startedAtMs,
            containerId: container.id,
            interfaces: [],
          }),
        ),
      ];
    }),
  ];
}
