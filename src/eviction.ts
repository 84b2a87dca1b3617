import { join } from 'node:path';
import type { Pod } from './api/pod.ts';
import type { Config } from './config/config.ts';
import type { EventRecorder } from './events/recorder.ts';
import { StorageWatch } from './node/eviction/storage-watch.ts';
import { EVICTED } from './pod/disruption.ts';
import type { PodManager } from './pod/pod-manager.ts';
import type { PodCache } from './runtime/pod-cache.ts';
import type { UsageSource } from './server/http/kubelet-routes.ts';
import type { Clock } from './util/clock.ts';
import type { Logger } from './util/log.ts';

export interface EvictionParts {
  readonly config: Pick<Config, 'stateDirectory' | 'podLogsDir'>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly recorder: EventRecorder;
  readonly cache: PodCache;
  readonly podManager: PodManager;
  readonly usage: UsageSource;
}

/** How long the containers of a pod have that takes what it must not, as in a kubelet. */
const IMMEDIATE_GRACE_MS = 1000;

/** Builds what ends pods that take too much of the node, and starts it. No logic. */
export function startEviction(parts: EvictionParts): { stop(): void } {
  const { config, logger, clock, recorder, cache, podManager, usage } = parts;
  const evict = (pod: Pod, message: string) => {
    if (!podManager.endEarly(pod, { reason: EVICTED, message }, clock.now() + IMMEDIATE_GRACE_MS)) return;
    recorder.event(pod, 'Warning', EVICTED, message);
    logger.warn({ pod: `${pod.metadata.namespace}/${pod.metadata.name}`, message }, 'a pod is evicted');
  };
  const storageWatch = new StorageWatch({
    places: { podsDir: join(config.stateDirectory, 'pods'), logDirectory: config.podLogsDir },
    logger,
    pods: () => podManager.livePods(),
    observed: (uid) => cache.get(uid),
    written: async () => (await usage.layers()).written,
    evict,
  });
  storageWatch.start();
  return { stop: () => storageWatch.stop() };
}
