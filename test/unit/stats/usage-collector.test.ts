import t from 'tap';
import type { NodeUsage, PodUsage } from '../../../src/stats/usage.ts';
import { UsageCollector } from '../../../src/stats/usage-collector.ts';
import type { RunningPod } from '../../../src/stats/usage-reader.ts';
import { someUsage } from '../server/support.ts';

/** A node with one pod that has run since `startedAtMs`, on a clock that stands still but for the collector's own pauses. */
function collectorOf(startedAtMs: number) {
  const time = { ms: 1_000_000 };
  const counts = { reads: 0, pauses: 0 };
  const cpu = () => ({ usageNanos: time.ms * 250_000 });
  const [measured] = someUsage.pods;
  if (!measured) throw new Error('there is no pod');
  const node = (): NodeUsage => ({ ...someUsage.node, cpu: cpu() });
  const running: RunningPod = { ...measured, startedAtMs, cgroup: '/pod', networkSandboxId: undefined, containers: [] };
  const readPod = (pod: RunningPod): PodUsage => ({
    ...measured,
    startedAtMs: pod.startedAtMs,
    cpu: cpu(),
    containers: measured.containers.map((container) => ({ ...container, startedAtMs, cpu: cpu() })),
  });
  const collector = new UsageCollector({
    reader: {
      readNode: async () => {
        counts.reads += 1;
        return node();
      },
      readPod,
    },
    running: () => [running],
    clock: { now: () => time.ms, monotonicMs: () => time.ms },
    pause: async (ms) => {
      counts.pauses += 1;
      time.ms += ms;
    },
  });
  return { collector, time, counts };
}

const longAgo = -1_000_000_000;

t.test('whoever asks first waits for a second sample, whoever comes later does not', async (t) => {
  const { collector, time, counts } = collectorOf(longAgo);
  const { node, pods } = await collector.ratedUsage();
  t.equal(counts.pauses, 1);
  for (const { cpu } of [node, ...pods, ...pods.flatMap(({ containers }) => containers)]) {
    t.equal(cpu?.rate?.nanoCores, 250_000_000);
  }
  time.ms += 15_000;
  await collector.ratedUsage();
  t.equal(counts.pauses, 1);
});

t.test('what was read is shared for a second', async (t) => {
  const { collector, time, counts } = collectorOf(longAgo);
  await Promise.all([collector.usage(), collector.usage()]);
  time.ms += 500;
  await collector.usage();
  t.equal(counts.reads, 1);
  time.ms += 500;
  await collector.usage();
  t.equal(counts.reads, 2);
});

t.test('a failure is told, and not kept', async (t) => {
  let isBroken = true;
  const collector = new UsageCollector({
    reader: {
      readNode: async () => {
        if (isBroken) throw new Error('no /proc');
        return someUsage.node;
      },
      readPod: () => {
        throw new Error('there is no pod');
      },
    },
    running: () => [],
    clock: { now: () => 0, monotonicMs: () => 0 },
  });
  await t.rejects(collector.usage(), /no \/proc/);
  isBroken = false;
  t.equal((await collector.usage()).node.maxProcesses, someUsage.node.maxProcesses);
});

t.test('a container that has just started needs no second sample', async (t) => {
  const { collector, counts } = collectorOf(990_000);
  const before = await collector.usage();
  t.equal(before.pods[0]?.containers[0]?.cpu?.rate?.windowMs, 10_000);
  t.equal(before.node.cpu?.rate, undefined);
  t.equal(counts.pauses, 0);
});
