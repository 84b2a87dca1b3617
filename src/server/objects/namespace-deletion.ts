import type { KindDefinition } from '../../api/kind.ts';
import { namespaceKind, podKind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/meta.ts';
import type { Namespace } from '../../api/namespace.ts';
import { forbidden } from '../../api/status-error.ts';
import type { Store } from '../../store/store.ts';
import type { Logger } from '../../util/log.ts';
import type { PodOperations } from '../pod-operations.ts';
import type { AnyKind } from '../representation.ts';

export interface NamespaceDeletionContext {
  readonly store: Store;
  readonly podOperations: Pick<PodOperations, 'requestDelete'>;
  readonly kinds: readonly AnyKind[];
}

/** What failed for one pod is tried again after this time at the latest. */
const retryMs = 5_000;

/** The namespace as it is from the beginning of its deletion on. `now`: RFC 3339. */
export function terminating(namespace: Namespace, now: string): Namespace {
  if (namespace.metadata.deletionTimestamp) return namespace;
  return {
    ...namespace,
    metadata: { ...namespace.metadata, deletionTimestamp: now },
    status: { ...namespace.status, phase: 'Terminating' },
  };
}

/** Refuses what is to be made in a namespace that is going, as Kubernetes' NamespaceLifecycle does. @throws StatusError 403. */
export function checkNotTerminating({ metadata }: Namespace, kind: AnyKind, name: string): void {
  if (!metadata.deletionTimestamp) return;
  const why = `unable to create new content in namespace ${metadata.name} because it is being terminated`;
  throw forbidden(`${kind.plural} ${JSON.stringify(name)} is forbidden: ${why}`, {
    name,
    kind: kind.plural,
    causes: [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${metadata.name} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  });
}

/**
 * Ends namespaces that are being deleted, from what is stored alone, so that it goes on after a restart:
 *
 *   Terminating ──► its pods are deleted, each with its own grace period ──last one gone──► everything else ──► itself
 *
 * The namespace stands until the end, so that nobody makes anything in it meanwhile.
 */
export class NamespaceDeletion {
  readonly #context: NamespaceDeletionContext;
  readonly #logger: Logger;
  readonly #retries = new Map<string, NodeJS.Timeout>();
  #stopWatches: (() => void)[] = [];

  constructor(context: NamespaceDeletionContext, logger: Logger) {
    this.#context = context;
    this.#logger = logger;
  }

  start(): void {
    const { store } = this.#context;
    this.#stopWatches = [
      store.watch(namespaceKind, {}, ({ object }) => this.#advance(object.metadata.name)),
      store.watch(podKind, {}, ({ object }) => this.#advance(object.metadata.namespace)),
    ];
  }

  stop(): void {
    for (const stop of this.#stopWatches.splice(0)) stop();
    for (const timer of this.#retries.values()) clearTimeout(timer);
    this.#retries.clear();
  }

  #advance(name: string): void {
    const { store } = this.#context;
    clearTimeout(this.#retries.get(name));
    this.#retries.delete(name);
    if (!store.get(namespaceKind, undefined, name)?.metadata.deletionTimestamp) return;
    try {
      if (this.#endPods(name)) this.#removeAll(name);
    } catch (error) {
      this.#logger.error({ err: error, namespace: name }, 'a namespace could not be deleted, it is tried again');
      this.#retries.set(name, setTimeout(() => this.#advance(name), retryMs).unref());
    }
  }

  /** @returns whether none is left. */
  #endPods(namespace: string): boolean {
    const { store, podOperations } = this.#context;
    const pods = store.list(podKind, { namespace }).items;
    for (const { metadata } of pods) {
      if (!metadata.deletionTimestamp) podOperations.requestDelete(namespace, metadata.name, { uid: metadata.uid });
    }
    return pods.length === 0;
  }

  /** One flush for all: what a crash leaves is removed by the next daemon, as the namespace goes last. */
  #removeAll(namespace: string): void {
    const { store, kinds } = this.#context;
    for (const kind of kinds.filter(({ namespaced }) => namespaced) as KindDefinition<KubeObject>[]) {
      for (const { metadata } of store.list(kind, { namespace }).items) {
        store.delete(kind, namespace, metadata.name, {}, { durable: false });
      }
    }
    store.delete(namespaceKind, undefined, namespace);
    this.#logger.info({ namespace }, 'a namespace was deleted with everything in it');
  }
}
