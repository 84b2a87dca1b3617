import type { KubeObject } from '../api/meta.ts';
import { ChangeHistory, type ChangeType, type HistoryLimits, type PastChange } from './change-history.ts';
import { deepFreeze } from './deep-freeze.ts';

export interface ObjectEvent<T = KubeObject> {
  readonly type: ChangeType;
  /** Frozen. For DELETED the last state, with the resourceVersion of the deletion. */
  readonly object: T;
}

export type Matcher = (object: KubeObject) => boolean;

interface Watcher {
  readonly matches: Matcher;
  readonly listener: (event: ObjectEvent) => void;
  /** Events up to here were already told, as part of the state that the watch began with. */
  readonly toldUpTo: number;
}

interface Change {
  readonly resourceVersion: number;
  readonly type: ChangeType;
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
}

interface Entry {
  readonly object: KubeObject;
  readonly body: string;
}

/** All objects of one kind, parsed and frozen, their latest history, and who watches them. */
export class KindCache {
  /** In the order in which they were created. */
  readonly #entries = new Map<string, Entry>();
  readonly #history: ChangeHistory;
  readonly #watchers = new Set<Watcher>();
  readonly #undelivered: Change[] = [];
  readonly #onListenerError: (error: unknown) => void;
  #sortedKeys: string[] | undefined;
  #deliveryScheduled = false;

  constructor(resourceVersion: number, limits: HistoryLimits, onListenerError: (error: unknown) => void) {
    this.#history = new ChangeHistory(resourceVersion, limits);
    this.#onListenerError = onListenerError;
  }

  get oldestResourceVersion(): number {
    return this.#history.oldest;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** In the order of their keys: namespace, then name. */
  *values(): Generator<KubeObject> {
    this.#sortedKeys ??= [...this.#entries.keys()].sort();
    for (const key of this.#sortedKeys) {
      const entry = this.#entries.get(key);
      if (entry) yield entry.object;
    }
  }

  /** The objects as they were at a past resourceVersion, in the order of their keys; undefined when that is forgotten. */
  valuesAt(resourceVersion: number): KubeObject[] | undefined {
    const changed = this.#history.bodiesAt(resourceVersion);
    if (!changed) return undefined;
    if (changed.size === 0) return [...this.values()];
    const keys = [...this.#entries.keys(), ...[...changed.keys()].filter((key) => !this.#entries.has(key))].sort();
    return keys.flatMap((key) => {
      if (!changed.has(key)) return this.#entries.get(key)?.object ?? [];
      const body = changed.get(key);
      return body === undefined ? [] : deepFreeze(parseObject(body));
    });
  }

  /** In the order in which they were created. */
  *valuesByAge(): Generator<KubeObject> {
    for (const { object } of this.#entries.values()) yield object;
  }

  /** An object that was on disk at the start; the oldest first. */
  load(key: string, body: string): void {
    this.#entries.set(key, { object: deepFreeze(parseObject(body)), body });
  }

  /** Takes over what has just been written, and tells the watchers after the running task. */
  set(key: string, body: string, resourceVersion: number): KubeObject {
    const object = deepFreeze(parseObject(body));
    const before = this.#entries.get(key);
    this.#entries.set(key, { object, body });
    if (!before) this.#sortedKeys = undefined;
    this.#changed(
      key,
      { resourceVersion, type: before ? 'MODIFIED' : 'ADDED', object, previous: before?.object },
      body,
      before?.body,
    );
    return object;
  }

  /** @returns the last state with the resourceVersion of its deletion. */
  delete(key: string, resourceVersion: number): KubeObject | undefined {
    const before = this.#entries.get(key);
    if (!before) return undefined;
    this.#entries.delete(key);
    this.#sortedKeys = undefined;
    const object = withResourceVersion(before.object, resourceVersion);
    this.#changed(key, { resourceVersion, type: 'DELETED', object, previous: before.object }, before.body, before.body);
    return object;
  }

  /**
   * Tells `listener` every change of the objects that match: those after `since` at once, the coming ones each after
   * the task that made it. An object that comes to match is ADDED to this watcher, one that no longer does DELETED.
   *
   * @param since undefined: begin with the present objects as ADDED.
   * @param now the present resourceVersion.
   * @returns ends the watch; undefined when changes after `since` are forgotten.
   */
  watch(
    matches: Matcher,
    since: number | undefined,
    now: number,
    listener: (event: ObjectEvent) => void,
  ): (() => void) | undefined {
    const past = since === undefined ? [] : this.#history.since(since);
    if (!past) return undefined;
    const watcher: Watcher = { matches, listener, toldUpTo: now };
    this.#watchers.add(watcher);
    if (since === undefined) {
      for (const object of this.values())
        this.#pass(watcher, { resourceVersion: now, type: 'ADDED', object, previous: undefined });
    }
    for (const change of past) this.#pass(watcher, parsePast(change));
    return () => {
      this.#watchers.delete(watcher);
    };
  }

  #changed(key: string, change: Change, body: string, previousBody: string | undefined): void {
    this.#history.add({ resourceVersion: change.resourceVersion, key, type: change.type, body, previousBody });
    if (this.#watchers.size === 0) return;
    this.#undelivered.push(change);
    if (this.#deliveryScheduled) return;
    this.#deliveryScheduled = true;
    queueMicrotask(() => this.#deliver());
  }

  /** A listener may write: what it changes is appended, so that every watcher sees all changes in the same order. */
  #deliver(): void {
    for (let change = this.#undelivered.shift(); change; change = this.#undelivered.shift()) {
      for (const watcher of this.#watchers) {
        if (change.resourceVersion > watcher.toldUpTo) this.#pass(watcher, change);
      }
    }
    this.#deliveryScheduled = false;
  }

  #pass(watcher: Watcher, change: Change): void {
    try {
      const event = project(change, watcher.matches);
      if (event) watcher.listener(event);
    } catch (error) {
      this.#onListenerError(error);
    }
  }
}

/** What a change means to a watcher who sees only the objects that match. */
function project(change: Change, matches: Matcher): ObjectEvent | undefined {
  const did = change.previous !== undefined && matches(change.previous);
  if (change.type === 'DELETED') return did ? { type: 'DELETED', object: change.object } : undefined;
  const does = matches(change.object);
  if (does) return { type: did ? 'MODIFIED' : 'ADDED', object: change.object };
  if (!did || !change.previous) return undefined;
  return { type: 'DELETED', object: withResourceVersion(change.previous, change.resourceVersion) };
}

function parsePast(past: PastChange): Change {
  const object = parseObject(past.body);
  return {
    resourceVersion: past.resourceVersion,
    type: past.type,
    object: past.type === 'DELETED' ? withResourceVersion(object, past.resourceVersion) : deepFreeze(object),
    previous: past.previousBody === undefined ? undefined : parseObject(past.previousBody),
  };
}

function withResourceVersion(object: KubeObject, resourceVersion: number): KubeObject {
  return deepFreeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(resourceVersion) } });
}

/** Bodies are written by this daemon only, from objects that were valid. */
function parseObject(body: string): KubeObject {
  return JSON.parse(body);
}
