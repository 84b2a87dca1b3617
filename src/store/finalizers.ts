import type { KindDefinition } from '../api/kind.ts';
import type { KubeObject } from '../api/meta.ts';
import { checkPreconditions, type Store } from './store.ts';

/** Which object is meant, if it must still be that one. */
export interface RemovalOptions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/**
 * Removes an object, or, as long as it has finalizers, only marks it as being deleted. `now`: RFC 3339.
 *
 * @returns the marked object, or undefined when it is gone. @throws StatusError NotFound, Conflict.
 */
export function removeOrMark<T extends KubeObject>(
  store: Store,
  kind: KindDefinition<T>,
  { metadata }: KubeObject,
  options: RemovalOptions,
  now: string,
): T | undefined {
  const { namespace, name } = metadata;
  if (!store.get(kind, namespace, name)?.metadata.finalizers?.length) {
    store.delete(kind, namespace, name, options);
    return undefined;
  }
  return store.update(kind, namespace, name, (current) => {
    checkPreconditions(kind, current, options);
    if (current.metadata.deletionTimestamp) return current;
    return {
      ...current,
      metadata: { ...current.metadata, deletionTimestamp: now, deletionGracePeriodSeconds: 0 },
    };
  });
}

/** Ends an object that is being deleted when its last finalizer is gone. */
export function removeIfReleased<T extends KubeObject>(store: Store, kind: KindDefinition<T>, object: T): void {
  const { namespace, name, uid, deletionTimestamp, finalizers = [] } = object.metadata;
  if (deletionTimestamp && finalizers.length === 0) store.delete(kind, namespace, name, { uid });
}

/** Takes one finalizer away, and with the last one an object that is being deleted. */
export function removeFinalizer<T extends KubeObject>(
  store: Store,
  kind: KindDefinition<T>,
  { metadata }: T,
  finalizer: string,
): void {
  const { namespace, name } = metadata;
  const released = store.update(kind, namespace, name, (current) => {
    const { finalizers = [] } = current.metadata;
    if (!finalizers.includes(finalizer)) return current;
    const others = finalizers.filter((item) => item !== finalizer);
    return { ...current, metadata: { ...current.metadata, finalizers: others } };
  });
  removeIfReleased(store, kind, released);
}
