import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { KindDefinition } from '../api/kind.ts';
import type { KubeObject } from '../api/meta.ts';
import { alreadyExists, conflict, expired, notFound } from '../api/status-error.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import type { HistoryLimits } from './change-history.ts';
import { ObjectDatabase, type ObjectRow } from './database.ts';
import { DiskWriter, type WriteOptions } from './disk-writer.ts';
import { StoreUnreadableError } from './errors.ts';
import { KindCache, type ObjectEvent } from './kind-cache.ts';
import { Reserve } from './reserve.ts';
import { parseResourceVersion } from './resource-version.ts';
import { isSealed, openSecretBox, SealError, type SealPlace, type SecretBox } from './secret-box.ts';
import { secretKeysFile } from './secret-keys.ts';
import { tooLargeResourceVersion } from './statuses.ts';
import { removalMark, resumeVersionHistory, type VersionHistory } from './version-history.ts';

/** More than the log can hold when it is brought over into the database, which may make that larger by as much. */
const defaultReserveBytes = 8 * 1024 * 1024;

export interface StoreOptions {
  /** The database file; its directory exists. */
  readonly path: string;
  /** Keys of what is encrypted; made when it is missing. By default `secrets.key` beside the database. */
  readonly keyPath?: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Identity of the running kernel, by default the kernel's own. */
  readonly bootId?: string;
  readonly history?: HistoryLimits;
  /** Largest size of the file, so that no client can fill the disk. Default 1 GiB. */
  readonly maxBytes?: number;
  /** Disk space kept by for the day when the disk is full. Default 8 MiB. */
  readonly reserveBytes?: number;
}

export interface ListFilter<T> {
  readonly namespace?: string | undefined;
  readonly filter?: ((object: T) => boolean) | undefined;
}

export interface WatchOptions<T> {
  readonly namespace?: string;
  readonly filter?: (object: T) => boolean;
  /** Go on after this one. Undefined, '' or '0': begin with the present objects, as ADDED. */
  readonly resourceVersion?: string;
}

/**
 * All objects of the daemon: on disk in SQLite, and parsed and frozen in memory, from where every read is answered.
 *
 * A write is complete when the method returns: the process may die then and nothing is lost or half there. To be sure
 * of a power cut as well, wait for `flushed()` before telling anybody.
 */
export class Store {
  readonly #path: string;
  readonly #keyPath: string;
  readonly #logger: Logger;
  readonly #bootId: string;
  readonly #historyLimits: HistoryLimits;
  readonly #db: ObjectDatabase;
  readonly #writer: DiskWriter;
  readonly #caches = new Map<string, KindCache>();
  #box: SecretBox | undefined;
  #resourceVersion = 0;
  #past: VersionHistory = { resourceVersion: 0, forgottenUpTo: () => 0 };

  constructor(options: StoreOptions) {
    this.#path = options.path;
    this.#keyPath = options.keyPath ?? join(dirname(options.path), secretKeysFile);
    this.#logger = options.logger;
    this.#bootId = options.bootId ?? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    this.#historyLimits = options.history ?? { maxChanges: 5_000, maxLength: 3 * 1024 * 1024 };
    this.#db = new ObjectDatabase(options.path, options.maxBytes ?? 2 ** 30);
    this.#writer = new DiskWriter({
      db: this.#db,
      reserve: new Reserve(`${options.path}.reserve`, options.reserveBytes ?? defaultReserveBytes),
      logger: options.logger,
    });
  }

  /** @throws StoreLockedError, StoreUnreadableError: the daemon must not start then. */
  open(): void {
    this.#db.open();
    try {
      this.#load();
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  close(): void {
    this.#writer.stop();
    this.#db.close();
  }

  /** Of the last write, of any kind; what a list taken now stands at. */
  get resourceVersion(): string {
    return String(this.#resourceVersion);
  }

  /** Why writes are refused (the disk failed), or undefined while all is well. */
  get failure(): Error | undefined {
    return this.#writer.failure;
  }

  /** Resolves when everything written so far would survive a power cut. @throws StatusError when the disk fails. */
  flushed(): Promise<void> {
    return this.#writer.flushed();
  }

  /**
   * Adds an object; `metadata.resourceVersion` is given here, the other metadata is the caller's business.
   *
   * @throws StatusError AlreadyExists, InsufficientStorage.
   */
  create<T extends KubeObject>(kind: KindDefinition<T>, object: T, options: WriteOptions = {}): T {
    const { namespace = '', name = '' } = object.metadata;
    if (this.#cache(kindName(kind)).get(keyOf(namespace, name))) throw alreadyExists(kind, name);
    this.#writer.requireReserve();
    return this.#put(kind, object, options);
  }

  get<T extends KubeObject>(kind: KindDefinition<T>, namespace: string | undefined, name: string): T | undefined {
    return this.#cache(kindName(kind)).get(keyOf(namespace ?? '', name))?.object as T | undefined;
  }

  /** In the order of namespace and name. */
  list<T extends KubeObject>(
    kind: KindDefinition<T>,
    options: ListFilter<T> = {},
  ): { items: T[]; resourceVersion: string } {
    const matches = matcherOf(options);
    const items = [...this.#cache(kindName(kind)).values()].filter(matches) as T[];
    return { items, resourceVersion: this.resourceVersion };
  }

  /**
   * As `list`, but as the objects were at a past resourceVersion.
   *
   * @returns undefined when changes since then are forgotten.
   * @throws StatusError Timeout (504) when that resourceVersion has not been reached.
   */
  listAt<T extends KubeObject>(
    kind: KindDefinition<T>,
    resourceVersion: number,
    options: ListFilter<T> = {},
  ): T[] | undefined {
    if (resourceVersion > this.#resourceVersion) throw tooLargeResourceVersion(resourceVersion, this.#resourceVersion);
    const objects = this.#cache(kindName(kind)).valuesAt(resourceVersion);
    return objects?.filter(matcherOf(options)) as T[] | undefined;
  }

  /** The first of a kind to be created of those that `matches`: `creationTimestamp` tells no order within a second. */
  findOldest<T extends KubeObject>(kind: KindDefinition<T>, matches: (object: T) => boolean): T | undefined {
    for (const object of this.#cache(kindName(kind)).valuesByAge() as Generator<T>) {
      if (matches(object)) return object;
    }
    return undefined;
  }

  /**
   * Replaces an object by what `mutate` makes of it; the frozen current state goes in. Nothing is written when it gives
   * undefined, the same object, or one that is equal, and what it throws comes out.
   *
   * @throws StatusError NotFound, InsufficientStorage.
   */
  update<T extends KubeObject>(
    kind: KindDefinition<T>,
    namespace: string | undefined,
    name: string,
    mutate: (current: T) => T | undefined,
    options: WriteOptions = {},
  ): T {
    const entry = this.#cache(kindName(kind)).get(keyOf(namespace ?? '', name));
    if (!entry) throw notFound(kind, name);
    const current = entry.object as T;
    const next = mutate(current);
    if (next === undefined || next === current) return current;
    if (next.metadata.name !== current.metadata.name || next.metadata.namespace !== current.metadata.namespace) {
      throw new Error(`an update cannot rename ${namespace}/${name}`);
    }
    if (isSameBody(bodyOf(next, current.metadata.resourceVersion), entry)) return current;
    return this.#put(kind, next, options);
  }

  /**
   * Removes an object. With `uid` or `resourceVersion` only if it still is that one.
   *
   * @returns its last state, with the resourceVersion of the removal.
   * @throws StatusError NotFound, Conflict.
   */
  delete<T extends KubeObject>(
    kind: KindDefinition<T>,
    namespace: string | undefined,
    name: string,
    preconditions: { uid?: string | undefined; resourceVersion?: string | undefined } = {},
    options: WriteOptions = {},
  ): T {
    const cache = this.#cache(kindName(kind));
    const key = keyOf(namespace ?? '', name);
    const current = cache.get(key)?.object;
    if (!current) throw notFound(kind, name);
    checkPreconditions(kind, current, preconditions);
    const resourceVersion = this.#resourceVersion + 1;
    this.#writer.write(options, false, () =>
      this.#db.remove(
        { kind: kindName(kind), namespace: namespace ?? '', name },
        removalMark(kindName(kind), resourceVersion),
      ),
    );
    this.#resourceVersion = resourceVersion;
    return cache.delete(key, resourceVersion) as T;
  }

  /**
   * Tells `listener` of changes: the past ones (or the present objects) before this returns, the coming ones each
   * after the task that made it. A listener that throws is logged and kept.
   *
   * @returns ends the watch.
   * @throws StatusError Expired (410) when changes after `resourceVersion` are forgotten, Timeout (504) when that
   *   resourceVersion has not been reached, BadRequest when it is no number.
   */
  watch<T extends KubeObject>(
    kind: KindDefinition<T>,
    options: WatchOptions<T>,
    listener: (event: ObjectEvent<T>) => void,
  ): () => void {
    const cache = this.#cache(kindName(kind));
    const since = parseResourceVersion(options.resourceVersion);
    if (since > this.#resourceVersion) throw tooLargeResourceVersion(since, this.#resourceVersion);
    const stop = cache.watch(
      matcherOf(options),
      since === 0 ? undefined : since,
      this.#resourceVersion,
      listener as (event: ObjectEvent) => void,
    );
    if (!stop) throw expired(`too old resource version: ${since} (${cache.oldestResourceVersion})`);
    return stop;
  }

  /**
   * Names this database, from its first use on: what the daemon makes outside carries it. A new database has another
   * name, so that what an old one left is never taken for its own.
   */
  get instanceId(): string {
    const known = this.#db.meta('instanceId');
    if (known !== undefined) return known;
    const created = randomUUID();
    this.#db.setMeta('instanceId', created);
    return created;
  }

  #load(): void {
    const rows = [...this.#db.rows()];
    const box = openSecretBox(this.#keyPath, rows, this.#path);
    this.#box = box;
    this.#past = resumeVersionHistory(this.#db, rows, this.#bootId);
    this.#resourceVersion = this.#past.resourceVersion;
    this.#writer.start();
    for (const row of rows) {
      try {
        const body = isSealed(row.body) ? box.open(row.body, row) : row.body;
        this.#cache(row.kind).load(keyOf(row.namespace, row.name), body);
      } catch (error) {
        // What a parser says of its text may be a part of a secret.
        const why = error instanceof SealError ? error.message : 'it is no JSON';
        throw new StoreUnreadableError(this.#path, `the record of ${row.kind} ${row.namespace}/${row.name}: ${why}`);
      }
    }
    this.#sealAnew(rows, box);
  }

  /** After a rotation of keys: what an older one has sealed is sealed with the new one. */
  #sealAnew(rows: readonly ObjectRow[], box: SecretBox): void {
    const old = rows.filter(({ body }) => isSealed(body) && !box.isCurrent(body));
    if (old.length === 0) return;
    for (const row of old) this.#db.put({ ...row, body: box.seal(box.open(row.body, row), row) });
    this.#db.shrinkLog();
    this.#logger.info({ count: old.length }, 'Secrets were encrypted anew: older keys are not needed any more');
  }

  #cache(kind: string): KindCache {
    let cache = this.#caches.get(kind);
    if (!cache) {
      cache = new KindCache(this.#past.forgottenUpTo(kind), this.#historyLimits, (error) =>
        this.#logger.error({ err: error, kind }, 'a watcher failed on an event'),
      );
      this.#caches.set(kind, cache);
    }
    return cache;
  }

  #put<T extends KubeObject>(kind: KindDefinition<T>, object: T, options: WriteOptions): T {
    const { namespace = '', name, uid } = object.metadata;
    if (!name || !uid) throw new Error(`a ${kind.kind} without name or uid cannot be stored`);
    const isNew = !this.#cache(kindName(kind)).get(keyOf(namespace, name));
    const resourceVersion = this.#resourceVersion + 1;
    const body = bodyOf(object, String(resourceVersion));
    const place = { kind: kindName(kind), namespace, name };
    this.#writer.write(options, isNew, () =>
      this.#db.put({ ...place, uid, resourceVersion, body: kind.isSecret ? this.#seal(body, place) : body }),
    );
    this.#resourceVersion = resourceVersion;
    return this.#cache(kindName(kind)).set(keyOf(namespace, name), body, resourceVersion) as T;
  }

  #seal(body: string, place: SealPlace): string {
    if (!this.#box) throw new Error('the store is not open');
    return this.#box.seal(body, place);
  }
}

function kindName(kind: { readonly group: string; readonly plural: string }): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

/** Sorts by namespace, then name: no character of either comes before the one between them. */
function keyOf(namespace: string, name: string): string {
  return `${namespace}\0${name}`;
}

function bodyOf(object: KubeObject, resourceVersion: string | undefined): string {
  return JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion } });
}

/** The order of members makes no difference, but then the length is the same. */
function isSameBody(body: string, entry: { readonly object: KubeObject; readonly body: string }): boolean {
  if (body === entry.body) return true;
  return body.length === entry.body.length && isDeepStrictEqual(JSON.parse(body), entry.object);
}

function matcherOf<T>(options: ListFilter<T>): (object: KubeObject) => boolean {
  const { namespace, filter } = options;
  return (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) && (!filter || filter(object as T));
}

/** @throws StatusError Conflict when the object is another, or in another state, than a client wants. */
export function checkPreconditions(
  kind: KindDefinition<KubeObject>,
  current: KubeObject,
  wanted: { uid?: string | undefined; resourceVersion?: string | undefined },
): void {
  const { name = '', uid, resourceVersion } = current.metadata;
  if (wanted.uid !== undefined && wanted.uid !== uid) {
    throw conflict(kind, name, `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`);
  }
  if (wanted.resourceVersion !== undefined && wanted.resourceVersion !== resourceVersion) {
    throw conflict(
      kind,
      name,
      `Precondition failed: ResourceVersion in precondition: ${wanted.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
    );
  }
}
