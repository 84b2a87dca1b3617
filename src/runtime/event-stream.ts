import type { Logger } from '../util/log.ts';
import type { CriClient } from './cri-client.ts';
import type { Envelope__Output } from './generated/containerd/services/events/v1/Envelope.ts';
import { RuntimeError } from './runtime-error.ts';

/** Something happened to a container or sandbox: a hint to look, never itself the truth. */
export interface RuntimeEvent {
  readonly id: string;
  readonly kind: 'started' | 'exited' | 'deleted';
}

export interface EventStreamOptions {
  readonly client: Pick<CriClient, 'containerEvents' | 'containerdEvents'>;
  readonly logger: Logger;
  onEvent(event: RuntimeEvent): void;
  /** Called when events may have been missed: at the start, after every break, and each `relistMs` when there is no stream. */
  onGap(): void;
  /** How often `onGap` is called while the runtime has no event stream at all. Default 1 s, as a kubelet's relist. */
  readonly relistMs?: number;
}

const RETRY_MIN_MS = 100;
/** While there is no stream, every attempt to open one is a relist: so often as a kubelet without events. */
const RETRY_MAX_MS = 1000;
/** A stream tells nothing when it is opened: one that has not failed for this long is there. */
const SETTLED_MS = 500;
/** Where the events come from, and whether they come. */
export interface EventStreamState {
  readonly source: 'cri' | 'containerd' | 'none';
  /** False while changes are only seen by relisting. */
  readonly isFollowing: boolean;
}

/** Everything of containers that CRI made, in containerd's filter language. */
const CONTAINERD_FILTERS = [
  'namespace==k8s.io,topic=="/tasks/start"',
  'namespace==k8s.io,topic=="/tasks/exit"',
  'namespace==k8s.io,topic=="/containers/delete"',
];

/**
 * The runtime's events, from the first of these that it has: CRI's GetContainerEvents, containerd's own event service
 * (containerd 1.6 has no other), or none, in which case the listener is told to relist every second. A broken stream is
 * opened again, and every break is reported as a gap.
 */
export class EventStream {
  readonly #options: EventStreamOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #state: EventStreamState = { source: 'cri', isFollowing: false };
  #isLossTold = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
  }

  get state(): EventStreamState {
    return this.#state;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { logger, onGap } = this.#options;
    const { signal } = this.#stop;
    let retryMs = RETRY_MIN_MS;
    let source: EventStreamState['source'] = 'cri';
    while (!signal.aborted) {
      const openedAt = performance.now();
      const following: EventStreamState = { source, isFollowing: source !== 'none' };
      const settled = setTimeout(() => this.#settled(following), SETTLED_MS);
      onGap();
      try {
        if (source === 'cri') await this.#followCri(signal);
        else if (source === 'containerd') await this.#followContainerd(signal);
        else await delay(this.#options.relistMs ?? 1000, signal);
      } catch (error) {
        if (!(error instanceof RuntimeError)) throw error;
        if (error.code === 'UNIMPLEMENTED') {
          source = source === 'cri' ? 'containerd' : 'none';
          logger.debug({ source }, 'the runtime has no such event stream, trying the next source');
          continue;
        }
        this.#lost(source, error);
      } finally {
        clearTimeout(settled);
        this.#state = { source, isFollowing: false };
      }
      if (signal.aborted || source === 'none') continue;
      retryMs = performance.now() - openedAt > RETRY_MAX_MS ? RETRY_MIN_MS : Math.min(retryMs * 2, RETRY_MAX_MS);
      await delay(retryMs, signal);
      // The runtime that comes back may be another one.
      source = 'cri';
    }
  }

  #settled(state: EventStreamState): void {
    this.#state = state;
    if (state.isFollowing && this.#isLossTold)
      this.#options.logger.info({ source: state.source }, 'the runtime event stream is back');
    if (state.isFollowing) this.#isLossTold = false;
  }

  /** Told once for each time that it is lost, however long it takes to come back. */
  #lost(source: EventStreamState['source'], error: RuntimeError): void {
    if (this.#isLossTold) return;
    this.#isLossTold = true;
    this.#options.logger.warn(
      { cause: error.message, source },
      'lost the runtime event stream: what the runtime has is listed every second until the stream is back',
    );
  }

  #followCri(signal: AbortSignal): Promise<void> {
    const kinds = {
      CONTAINER_CREATED_EVENT: undefined,
      CONTAINER_STARTED_EVENT: 'started',
      CONTAINER_STOPPED_EVENT: 'exited',
      CONTAINER_DELETED_EVENT: 'deleted',
    } as const;
    return this.#options.client.containerEvents((event) => {
      const kind = kinds[event.containerEventType];
      if (kind) this.#options.onEvent({ id: event.containerId, kind });
    }, signal);
  }

  #followContainerd(signal: AbortSignal): Promise<void> {
    return this.#options.client.containerdEvents(
      CONTAINERD_FILTERS,
      (envelope) => {
        const event = parseContainerdEvent(envelope);
        if (event) this.#options.onEvent(event);
      },
      signal,
    );
  }
}

/**
 * The three containerd events of interest all begin with the container's id as field 1. A task's exit has in field 2 the
 * id of the process: for an `exec` inside the container it differs, and says nothing about the container.
 */
export function parseContainerdEvent(envelope: Envelope__Output): RuntimeEvent | undefined {
  const payload = envelope.event?.value;
  if (!payload) return undefined;
  const [id, rest] = takeStringField(payload, 1);
  if (id === undefined) return undefined;
  switch (envelope.topic) {
    case '/tasks/start':
      return { id, kind: 'started' };
    case '/tasks/exit': {
      const [processId] = takeStringField(rest, 2);
      return processId === undefined || processId === id ? { id, kind: 'exited' } : undefined;
    }
    case '/containers/delete':
      return { id, kind: 'deleted' };
    default:
      return undefined;
  }
}

/** Reads a short string at the front of a protobuf message when it is field `number`: [value, what follows it]. */
function takeStringField(bytes: Buffer, number: number): [string | undefined, Buffer] {
  const length = bytes[1];
  const wireTypeString = 2;
  // Ids are 64 characters: a length of more than one byte is none.
  if (bytes[0] !== ((number << 3) | wireTypeString) || length === undefined || length > 127) return [undefined, bytes];
  return [bytes.toString('utf8', 2, 2 + length), bytes.subarray(2 + length)];
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
