import { join } from 'node:path';
import { podKind } from './api/kinds.ts';
import type { CgroupManager } from './cgroups/cgroup-manager.ts';
import { detectCgroups } from './cgroups/detect.ts';
import type { CriClient } from './runtime/cri-client.ts';
import type { PodCache } from './runtime/pod-cache.ts';
import type { UsageSource } from './server/http/kubelet-routes.ts';
import { readLayers } from './stats/layer-reader.ts';
import { PodDisks } from './stats/pod-disks.ts';
import { runningPods } from './stats/running-pods.ts';
import { UsageCollector } from './stats/usage-collector.ts';
import { kernelUsageIo, UsageReader } from './stats/usage-reader.ts';
import { claimNameOf } from './storage/claim-users.ts';
import type { Store } from './store/store.ts';
import type { Clock } from './util/clock.ts';
import type { Logger } from './util/log.ts';

export interface UsageParts {
  readonly stateDirectory: string;
  readonly podLogsDir: string;
  readonly logger: Logger;
  readonly store: Store;
  readonly client: CriClient;
  readonly cache: PodCache;
  /** Undefined until the runtime has answered for the first time: until then no pod of ours is known to run. */
  readonly cgroups: () => CgroupManager | undefined;
  readonly clock: Clock;
}

export interface UsageMeters {
  readonly source: UsageSource;
  /** Ends what is being measured. */
  stop(): void;
}

/** Builds what tells the usage of node and pods. No logic. */
export async function createUsageMeters(parts: UsageParts): Promise<UsageMeters> {
  const { stateDirectory, podLogsDir, logger, store, client, cache, clock } = parts;
  const collector = new UsageCollector({
    reader: new UsageReader({ layout: await detectCgroups(), stateDirectory, clock, io: kernelUsageIo }),
    running: () => {
      const cgroups = parts.cgroups();
      if (!cgroups) return [];
      return runningPods({
        pods: store.list(podKind).items,
        containers: cache.runningContainers(),
        sandboxOf: (id) => cache.getSandbox(id),
        cgroupOf: (pod) => cgroups.podPath(pod),
      });
    },
    clock,
  });
  const podDisks = new PodDisks({
    places: { podsDir: join(stateDirectory, 'pods'), logDirectory: podLogsDir },
    logger,
    clock,
    io: kernelUsageIo,
    claimNameOf,
  });
  const source: UsageSource = {
    usage: () => collector.usage(),
    ratedUsage: () => collector.ratedUsage(),
    layers: () => readLayers({ client, instance: store.instanceId, io: kernelUsageIo }),
    podDisks: () => {
      const running = new Set(cache.runningContainers().map(({ pod }) => pod.uid));
      return podDisks.recent(store.list(podKind).items.filter(({ metadata }) => running.has(metadata.uid)));
    },
    runningContainers: () => cache.runningContainers(),
  };
  return { source, stop: () => podDisks.stop() };
}
