import { randomUUID } from 'node:crypto';
import type { Event } from '../api/event.ts';
import { eventKind } from '../api/kinds.ts';
import type { KubeObject } from '../api/meta.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import { COMBINED_PREFIX, SimilarEvents } from './similar-events.ts';
import { TokenBucket } from './token-bucket.ts';

export interface EventRecorderOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Name of the node, as the source of the events. */
  readonly host: string;
  /** How long an event is kept. Default: an hour, as Kubernetes' `--event-ttl`. */
  readonly ttlMs?: number;
}

type NewEvent = Omit<Event, 'count' | 'lastTimestamp'>;

/** Something that happened and is not stored yet; several of the same are one. */
interface Pending {
  event: NewEvent;
  count: number;
  lastMs: number;
}

/** The stored event that counts a repetition. */
interface Stored {
  readonly namespace: string;
  readonly name: string;
  /** Repetitions that came too fast to be written: they count with the next that is. */
  unwritten: number;
}

const component = 'mini-kubelet';

/** Events are written together, off the way of those who report them. */
const flushAfterMs = 100;

const purgeEveryMs = 60_000;
const maxEvents = 10_000;
const maxMessageLength = 1024;

/** Leaves room for a dot and 16 digits in the name of the event. */
const maxObjectNameLength = 253 - 17;

/** For each object, or part of one, as client-go's spam filter: a burst of 25, then one in five minutes. */
const objectBurst = 25;
const objectPerSecond = 1 / 300;

/** Reported as often as probes fail: what comes of it, such as Killing, must not be lost for it. */
const ownBudget: ReadonlySet<string> = new Set(['Unhealthy', 'ProbeWarning']);

/** For all together, as a kubelet's eventRecordQPS and eventBurst. */
const totalBurst = 100;
const totalPerSecond = 50;

/**
 * Writes Events about pods and the node: for people, never for the daemon itself. The same thing happening again
 * raises the count of its event. Bounded in number, age and rate, whatever happens how often.
 */
export class EventRecorder {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #host: string;
  readonly #ttlMs: number;
  readonly #pending = new Map<string, Pending>();
  /** Which stored event counts a repetition, by what makes them the same. */
  readonly #stored = new Map<string, Stored>();
  readonly #similar = new SimilarEvents();
  readonly #objectBuckets = new Map<string, TokenBucket>();
  readonly #totalBucket: TokenBucket;
  #flushTimer: NodeJS.Timeout | undefined;
  #purgeTimer: NodeJS.Timeout | undefined;
  #dropped = 0;

  constructor({ store, clock, logger, host, ttlMs = 3_600_000 }: EventRecorderOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
    this.#host = host;
    this.#ttlMs = ttlMs;
    this.#totalBucket = new TokenBucket(totalBurst, totalPerSecond, clock.monotonicMs());
  }

  /** Takes up the events of an earlier run. */
  start(): void {
    for (const event of this.#store.list(eventKind).items) {
      const { namespace, name } = event.metadata;
      if (event.source?.component === component) this.#stored.set(keyOf(event), { namespace, name, unwritten: 0 });
    }
    this.#purgeTimer = setInterval(() => this.#purge(), purgeEveryMs).unref();
    this.#purge();
  }

  stop(): void {
    clearInterval(this.#purgeTimer);
    this.flush();
  }

  /**
   * Something happened to an object. Costs next to nothing; never throws.
   *
   * @param fieldPath which part of it: `spec.containers{web}`.
   */
  event(involved: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void {
    const now = this.#clock.now();
    const single = this.#newEvent(involved, type, reason, shorten(message), fieldPath, now);
    const isTooMany = this.#similar.isTooMany(similarityOf(single), message, this.#clock.monotonicMs());
    const event = isTooMany ? { ...single, message: shorten(`${COMBINED_PREFIX}${message}`) } : single;
    const key = keyOf(event);
    const isLetThrough = this.#isLetThrough(event);
    const [same, stored] = [this.#pending.get(key), this.#stored.get(key)];
    if (same) {
      same.event = event;
      same.count += 1;
      same.lastMs = now;
    } else if (isLetThrough) {
      this.#pending.set(key, { event, count: 1, lastMs: now });
    } else if (stored) {
      stored.unwritten += 1;
      return;
    } else {
      this.#dropped += 1;
      return;
    }
    this.#flushTimer ??= setTimeout(() => this.flush(), flushAfterMs).unref();
  }

  /** Writes what waits. */
  flush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    for (const [key, pending] of this.#pending) {
      try {
        this.#write(key, pending);
      } catch (error) {
        // An event that cannot be kept is no reason to stop: the log has it.
        this.#logger.warn({ err: error, reason: pending.event.reason }, 'an event could not be stored');
      }
    }
    this.#pending.clear();
    if (this.#dropped > 0) this.#logger.warn({ count: this.#dropped }, 'events came too fast and were dropped');
    this.#dropped = 0;
  }

  #write(key: string, { event, count, lastMs }: Pending): void {
    const known = this.#stored.get(key);
    const lastTimestamp = rfc3339(lastMs);
    if (known && this.#store.get(eventKind, known.namespace, known.name)) {
      this.#store.update(
        eventKind,
        known.namespace,
        known.name,
        // Combined events tell the latest of them.
        (current) => ({
          ...current,
          message: event.message,
          count: (current.count ?? 1) + known.unwritten + count,
          lastTimestamp,
        }),
        { durable: false },
      );
      known.unwritten = 0;
      return;
    }
    const { namespace, name } = event.metadata;
    this.#store.create(eventKind, { ...event, count, lastTimestamp }, { durable: false });
    this.#stored.set(key, { namespace, name, unwritten: 0 });
  }

  #isLetThrough(event: NewEvent): boolean {
    const now = this.#clock.monotonicMs();
    const { uid, kind, name, namespace, fieldPath = '' } = event.involvedObject;
    const involved = `${uid ?? `${kind}/${namespace}/${name}`} ${fieldPath}`;
    const object = ownBudget.has(event.reason ?? '') ? `${involved} ${event.reason}` : involved;
    let bucket = this.#objectBuckets.get(object);
    if (!bucket) {
      bucket = new TokenBucket(objectBurst, objectPerSecond, now);
      this.#objectBuckets.set(object, bucket);
    }
    return bucket.take(now) && this.#totalBucket.take(now);
  }

  /** Removes what is too old or too much; also events that clients have made. Forgets what clients removed. */
  #purge(): void {
    const now = this.#clock.monotonicMs();
    for (const [object, bucket] of this.#objectBuckets) if (bucket.isFull(now)) this.#objectBuckets.delete(object);
    for (const [key, { namespace, name }] of this.#stored) {
      if (!this.#store.get(eventKind, namespace, name)) this.#stored.delete(key);
    }

    const oldestMs = this.#clock.now() - this.#ttlMs;
    const events = this.#store.list(eventKind).items;
    if (events.length === 0) return;
    const byAge = events
      .map((event) => ({ event, lastMs: lastTime(event) }))
      .sort((left, right) => left.lastMs - right.lastMs);
    const surplus = byAge.length - maxEvents;
    byAge.forEach(({ event, lastMs }, i) => {
      if (lastMs >= oldestMs && i >= surplus) return;
      const { namespace, name, uid } = event.metadata;
      this.#store.delete(eventKind, namespace, name, { uid }, { durable: false });
      if (this.#stored.get(keyOf(event))?.name === name) this.#stored.delete(keyOf(event));
    });
  }

  #newEvent(
    { apiVersion, kind, metadata }: KubeObject,
    type: string,
    reason: string,
    message: string,
    fieldPath: string | undefined,
    now: number,
  ): NewEvent {
    const namespace = metadata.namespace ?? 'default';
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: `${metadata.name.slice(0, maxObjectNameLength)}.${randomUUID().replaceAll('-', '').slice(0, 16)}`,
        namespace,
        uid: randomUUID(),
        creationTimestamp: rfc3339(now),
      },
      involvedObject: {
        kind,
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        name: metadata.name,
        uid: metadata.uid,
        apiVersion,
        ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
        ...(fieldPath === undefined ? {} : { fieldPath }),
      },
      reason,
      message,
      source: { component, host: this.#host },
      firstTimestamp: rfc3339(now),
      type,
      reportingComponent: component,
      reportingInstance: this.#host,
    };
  }
}

/** Two events with the same key are one that happened twice. */
function keyOf(event: NewEvent): string {
  if (event.message?.startsWith(COMBINED_PREFIX)) return similarityOf(event);
  return JSON.stringify([similarityOf(event), event.message]);
}

/**
 * Two events with the same similarity differ in their message only. Unlike client-go's, parts of an object count apart: of
 * many manifests that are broken each is told.
 */
function similarityOf({ involvedObject, type, reason }: NewEvent): string {
  const { kind, namespace, name, uid, fieldPath } = involvedObject;
  return JSON.stringify([kind, namespace, name, uid, fieldPath, type, reason]);
}

function shorten(message: string): string {
  return message.slice(0, maxMessageLength);
}

function lastTime({ lastTimestamp, eventTime, series, metadata }: Event): number {
  const times = [series?.lastObservedTime, lastTimestamp, eventTime, metadata.creationTimestamp];
  return Math.max(0, ...times.map((time) => (time ? Date.parse(time) : 0)));
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
