import type { Config } from './config/config.ts';
import { Logind } from './node/logind.ts';
import { NodeShutdown } from './node/node-shutdown.ts';
import { shutdownPeriods } from './node/shutdown-groups.ts';
import { NODE_SHUTDOWN } from './pod/node-shutdown-status.ts';
import type { PodManager } from './pod/pod-manager.ts';
import { systemClock } from './util/clock.ts';
import { run, start } from './util/exec.ts';
import type { Logger } from './util/log.ts';

/** Settings of systemd-logind that live until the next boot. */
const LOGIND_SETTINGS = '/run/systemd/logind.conf.d';

/** The parts of the daemon that a shutdown of the machine concerns. */
export interface ShutdownParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly systemBusAddress: string | undefined;
  readonly podManager: () => PodManager | undefined;
  readonly onChange: (isShuttingDown: boolean) => void;
  /** For work whose failure ends nothing: it is logged. */
  readonly background: (work: Promise<unknown>, failure: string) => void;
}

export interface ShutdownWatch {
  readonly isShuttingDown: boolean;
  stop(): Promise<void>;
}

/**
 * Where the configuration asks for it, the machine's shutdown waits until the pods have ended. No logic.
 *
 * @returns undefined where it does not.
 */
export function startShutdownWatch(parts: ShutdownParts): ShutdownWatch | undefined {
  const { config, logger, podManager } = parts;
  const periods = shutdownPeriods({
    totalMs: config.shutdownGracePeriodMs,
    criticalMs: config.shutdownGracePeriodCriticalPodsMs,
    byPriority: config.shutdownPeriodsByPriority,
  });
  if (periods.length === 0) return undefined;
  const logind = new Logind({
    run,
    start,
    logger,
    holdMs: periods.reduce((sum, { periodMs }) => sum + periodMs, 0),
    busAddress: parts.systemBusAddress,
    settingsDirectory: LOGIND_SETTINGS,
    onPrepare: (isStarting) => parts.background(shutdown.prepare(isStarting), 'the shutdown could not be prepared for'),
  });
  const shutdown = new NodeShutdown({
    source: logind,
    periods,
    clock: systemClock,
    logger,
    pods: () => podManager()?.livePods() ?? [],
    end: (pod, deadlineMs) => void podManager()?.endEarly(pod, NODE_SHUTDOWN, deadlineMs),
    whenReleased: async (pod) => await podManager()?.whenReleased(pod),
    onChange: parts.onChange,
  });
  logind.start();
  return {
    get isShuttingDown() {
      return shutdown.isShuttingDown;
    },
    stop: async () => {
      shutdown.stop();
      await logind.stop();
    },
  };
}
