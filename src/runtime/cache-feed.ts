import type { Logger } from '../util/log.ts';
import { EventStream, type EventStreamOptions, type EventStreamState } from './event-stream.ts';
import type { PodCache } from './pod-cache.ts';

export interface CacheFeedOptions {
  readonly client: EventStreamOptions['client'];
  readonly cache: Pick<PodCache, 'handleEvent' | 'relist'>;
  readonly logger: Logger;
  readonly isRuntimeReady: () => boolean;
  /** How often everything is listed though nothing tells of a change: it repairs what an event missed. */
  readonly relistMs: number;
  /** Called as often, while the runtime is ready. */
  readonly onPeriodicRelist: () => void;
  /** For work whose failure ends nothing: it is logged. */
  readonly background: (work: Promise<unknown>, failure: string) => void;
}

const LATE_RELISTS_MS = [2_000, 10_000];

/** Keeps the pod cache right: hands it the runtime's events, and has it list anew where these may have missed something. */
export class CacheFeed {
  readonly #options: CacheFeedOptions;
  readonly #events: EventStream;
  #relistTimer: NodeJS.Timeout | undefined;

  constructor(options: CacheFeedOptions) {
    const { client, cache, logger, background } = options;
    this.#options = options;
    this.#events = new EventStream({
      client,
      logger,
      onEvent: (event) => background(cache.handleEvent(event), 'could not follow an event of the runtime'),
      onGap: () => this.#relist(),
    });
  }

  get eventStream(): EventStreamState {
    return this.#events.state;
  }

  start(): void {
    const { isRuntimeReady, relistMs, onPeriodicRelist } = this.#options;
    this.#events.start();
    this.#relistTimer = setInterval(() => {
      if (!isRuntimeReady()) return;
      this.#relist();
      onPeriodicRelist();
    }, relistMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#relistTimer);
    await this.#events.stop();
  }

  /** What a call of a daemon that was killed was just making may appear after the first list. */
  relistLater(): void {
    for (const delayMs of LATE_RELISTS_MS) setTimeout(() => this.#relist(), delayMs).unref();
  }

  #relist(): void {
    const { cache, isRuntimeReady, background } = this.#options;
    if (isRuntimeReady()) background(cache.relist(), 'could not list what the runtime has');
  }
}
