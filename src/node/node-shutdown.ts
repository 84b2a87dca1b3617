import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../api/pod.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import { type ShutdownPeriod, shutdownGroups } from './shutdown-groups.ts';

/** What is asked of the part that tells of the machine's shutdown. */
export interface ShutdownSource {
  /** Lets the machine go down. */
  release(): Promise<void>;
  /** Asks again to be told and waited for. */
  hold(): Promise<void>;
}

export interface NodeShutdownOptions {
  readonly source: ShutdownSource;
  /** In the order in which they pass. */
  readonly periods: readonly ShutdownPeriod[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** The pods that have not ended. */
  pods(): readonly Pod[];
  /** Decides that a pod ends, and by when its containers are stopped. Milliseconds since the epoch. */
  end(pod: Pod, deadlineMs: number): void;
  /** Resolves when nothing of the pod runs and its volumes are given back. */
  whenReleased(pod: Pod): Promise<void>;
  /** Called when the machine begins to go down, and when that is called off. */
  onChange(isShuttingDown: boolean): void;
}

/**
 * Ends the pods in order before the machine goes down (pkg/kubelet/nodeshutdown): those of the least priority first, then, in
 * the time that is kept for them, others. Each has its own grace period, cut to its group's. From the first word of
 * it on no pod is admitted.
 */
export class NodeShutdown {
  readonly #options: NodeShutdownOptions;
  #running: AbortController | undefined;

  constructor(options: NodeShutdownOptions) {
    this.#options = options;
  }

  get isShuttingDown(): boolean {
    return this.#running !== undefined;
  }

  /** To be called when the machine is about to go down, and with false when it is not any more. */
  async prepare(isStarting: boolean): Promise<void> {
    const { logger, onChange, source } = this.#options;
    if (isStarting === this.isShuttingDown) return;
    if (!isStarting) {
      this.stop();
      logger.info('the shutdown of the machine was called off');
      onChange(false);
      await source.hold();
      return;
    }
    logger.info('the machine is about to shut down: pods are ended');
    this.#running = new AbortController();
    const { signal } = this.#running;
    onChange(true);
    await this.#endPods(signal);
    if (!signal.aborted) await source.release();
  }

  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
  }

  async #endPods(signal: AbortSignal): Promise<void> {
    const { clock, periods, logger } = this.#options;
    for (const { pods, periodMs } of shutdownGroups(this.#options.pods(), periods)) {
      const deadlineMs = clock.now() + periodMs;
      for (const pod of pods) this.#options.end(pod, deadlineMs);
      const over = new AbortController();
      const givenUp = AbortSignal.any([signal, over.signal]);
      const time = delay(periodMs, 'late', { signal: givenUp }).catch(() => 'given up');
      const released = Promise.all(pods.map((pod) => this.#options.whenReleased(pod)));
      const first = await Promise.race([released, time]);
      over.abort();
      if (signal.aborted) return;
      if (first === 'late')
        logger.warn({ periodMs }, 'the time of a group of pods is over and not all of them have ended');
    }
  }
}
