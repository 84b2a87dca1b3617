import { randomUUID } from 'node:crypto';
import { formatFieldError } from '../api/field-error.ts';
import type { KindDefinition } from '../api/kind.ts';
import { namespaceKind } from '../api/kinds.ts';
import type { KubeObject } from '../api/meta.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import { isStaticObject, objectName, type StaticObject, staticAnnotations } from './static-object.ts';
import { fileAnnotation } from './static-pod.ts';
import { keepWrittenParts } from './written-parts.ts';

export interface StaticObjectsOptions {
  readonly store: Pick<Store, 'get' | 'list' | 'create' | 'update' | 'delete' | 'watch'>;
  /** Deletes as a client's request does: what is in use is only marked. */
  remove(kind: KindDefinition<KubeObject>, object: KubeObject): void;
  /** Those that files may ask for. */
  readonly kinds: readonly KindDefinition<KubeObject>[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Tells why an object that a file asks for is not there. */
  report(file: string, message: string): void;
}

export interface DesiredObjects {
  readonly objects: readonly StaticObject[];
  /** Files that could not be read so far: their objects, if any are stored from before, are to stay as they are. */
  readonly unreadFiles: ReadonlySet<string>;
}

/**
 * Brings the stored objects of these kinds in line with what the manifest directory asks for. The files
 * rule: what a client changed or deleted is brought back. Everything is decided from what is stored now.
 *
 * Nothing happens before the directory was read for the first time.
 */
export class StaticObjects {
  readonly #options: StaticObjectsOptions;
  /** By `objectName`. */
  #desired: ReadonlyMap<string, StaticObject> | undefined;
  #unreadFiles: ReadonlySet<string> = new Set();
  /** What was reported of an object and still holds, by its name. */
  readonly #reported = new Map<string, string>();
  #stopWatches: (() => void)[] = [];

  constructor(options: StaticObjectsOptions) {
    this.#options = options;
  }

  start(): void {
    const { store, kinds } = this.#options;
    this.#stopWatches = [
      ...kinds.map((kind) =>
        store.watch(kind, {}, ({ type, object }) => {
          if (type === 'DELETED' && this.#desired?.has(objectName(kind, object))) this.#reconcile();
        }),
      ),
      store.watch(namespaceKind, {}, ({ type }) => {
        if (type === 'ADDED' && this.#reported.size > 0) this.#reconcile();
      }),
    ];
  }

  stop(): void {
    for (const stop of this.#stopWatches.splice(0)) stop();
    this.#desired = undefined;
  }

  /** What the directory asks for now. Calling it again with the same repairs what went wrong before. */
  apply({ objects, unreadFiles }: DesiredObjects): void {
    this.#desired = new Map(objects.map((wanted) => [objectName(wanted.kind, wanted.object), wanted]));
    this.#unreadFiles = unreadFiles;
    this.#reconcile();
  }

  #reconcile(): void {
    const desired = this.#desired;
    if (desired === undefined) return;
    const { store, kinds, remove, logger } = this.#options;
    for (const kind of kinds) {
      for (const object of store.list(kind, { filter: isStaticObject }).items) {
        const name = objectName(kind, object);
        if (desired.has(name) || this.#unreadFiles.has(object.metadata.annotations?.[fileAnnotation] ?? '')) continue;
        if (object.metadata.deletionTimestamp) continue;
        remove(kind, object);
        logger.info({ object: name }, 'an object was deleted, as its manifest is gone');
      }
    }
    for (const [name, wanted] of desired) this.#ensureSafely(name, wanted);
    for (const name of this.#reported.keys()) if (!desired.has(name)) this.#reported.delete(name);
  }

  #ensureSafely(name: string, wanted: StaticObject): void {
    let problem: string | undefined;
    try {
      problem = this.#ensure(name, wanted);
    } catch (error) {
      problem = `the ${name} could not be stored: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (problem === undefined) this.#reported.delete(name);
    else if (this.#reported.get(name) !== problem) {
      this.#reported.set(name, problem);
      this.#options.report(wanted.file, problem);
    }
  }

  /** Returns why it cannot be as the file asks for. */
  #ensure(name: string, { kind, object, file }: StaticObject): string | undefined {
    const { store, logger } = this.#options;
    const { namespace } = object.metadata;
    const existing = store.get(kind, namespace, object.metadata.name);
    if (!existing) {
      const there = kind.namespaced ? store.get(namespaceKind, undefined, namespace ?? '') : undefined;
      if (kind.namespaced && !there) return `the namespace ${namespace} of the ${name} does not exist`;
      if (there?.metadata.deletionTimestamp) return `the namespace ${namespace} of the ${name} is being deleted`;
      store.create(kind, this.#stored(object, file));
      logger.info({ object: name, file }, 'an object was made from its manifest');
      return undefined;
    }
    if (!isStaticObject(existing)) return `the ${name} was made through the API: a manifest cannot replace it`;
    // It is made again when it is gone.
    if (existing.metadata.deletionTimestamp) return undefined;
    const next = this.#stored(object, file, existing);
    keepWrittenParts(kind, next, existing);
    const problems = kind.validateUpdate(next, existing);
    if (problems.length === 0) {
      store.update(kind, namespace, object.metadata.name, () => next);
      return undefined;
    }
    // Data may depend on it, such as on a claim.
    if (existing.metadata.finalizers?.length) {
      const detail = problems.map(formatFieldError).join(', ');
      return `the ${name} stays as it is, for it cannot be changed so, and is not deleted for that: ${detail}`;
    }
    // What cannot be changed, such as an immutable ConfigMap, is made anew.
    store.delete(kind, namespace, object.metadata.name, { uid: existing.metadata.uid });
    store.create(kind, this.#stored(object, file));
    return undefined;
  }

  /** As the API would store it: a new object, or the next state of one. */
  #stored(object: KubeObject, file: string, existing?: KubeObject): KubeObject {
    const uid = existing?.metadata.uid ?? randomUUID();
    const now = new Date(this.#options.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    return {
      ...object,
      metadata: {
        ...object.metadata,
        uid,
        creationTimestamp: existing?.metadata.creationTimestamp ?? now,
        annotations: { ...object.metadata.annotations, ...staticAnnotations(file, uid) },
      },
    };
  }
}
