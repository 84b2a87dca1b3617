import type { Config } from './config/config.ts';
import { containerLogPath } from './logs/paths.ts';
import { LogRotator } from './logs/rotate.ts';
import type { CriClient } from './runtime/cri-client.ts';
import type { PodCache } from './runtime/pod-cache.ts';
import { systemClock } from './util/clock.ts';
import type { Logger } from './util/log.ts';

export interface LogRotationParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly client: CriClient;
  readonly cache: PodCache;
}

/** As a kubelet's containerLogMonitorInterval. */
const LOG_ROTATION_INTERVAL_MS = 10_000;

/** Builds what rotates the logs of the containers that run, and starts it. No logic. */
export function startLogRotation({ config, logger, client, cache }: LogRotationParts): LogRotator {
  const logRotator = new LogRotator({
    root: config.podLogsDir,
    maxBytes: config.containerLogMaxSizeBytes,
    maxFiles: config.containerLogMaxFiles,
    intervalMs: LOG_ROTATION_INTERVAL_MS,
    clock: systemClock,
    logger,
    runningLogs: () =>
      cache.runningContainers().map(({ id, pod, containerName, restartCount }) => ({
        containerId: id,
        path: containerLogPath(pod, containerName, restartCount),
      })),
    reopen: (containerId, signal) => client.reopenContainerLog(containerId, { signal }),
  });
  logRotator.start();
  return logRotator;
}
