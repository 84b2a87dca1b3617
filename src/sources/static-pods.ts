import { randomUUID } from 'node:crypto';
import type { KindDefinition } from '../api/kind.ts';
import { namespaceKind, podKind, priorityClassKind, runtimeClassKind, serviceAccountKind } from '../api/kinds.ts';
import type { KubeObject } from '../api/meta.ts';
import type { Pod } from '../api/pod.ts';
import { applyPriorityClass } from '../api/pod-priority.ts';
import { applyRuntimeClass } from '../api/pod-runtime-class.ts';
import { judgePod } from '../api/pod-security/evaluate.ts';
import { securityPolicy } from '../api/pod-security/policy.ts';
import { applyServiceAccount } from '../api/service-account.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import {
  type DesiredPods,
  fileAnnotation,
  fullName,
  hashAnnotation,
  isStaticPod,
  type StaticPod,
  seenAnnotation,
  staticUidAnnotation,
  uidOfHash,
} from './static-pod.ts';

export interface StaticPodsOptions {
  readonly store: Pick<Store, 'get' | 'list' | 'create' | 'watch'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether a pod that has ended for good is to be made again: the machine went down, and not the pod. */
  isToBeMadeAgain(pod: Pod): boolean;
  /** Begins the graceful end of a pod; its object goes when all of it is gone. */
  requestDelete(namespace: string, name: string, options: { readonly uid: string }): unknown;
  /** Tells why a pod that a file asks for is not there. */
  report(file: string, message: string): void;
}

/**
 * Brings the stored pods in line with what the manifest directory asks for: makes what is missing, and deletes what is
 * not asked for or was asked for differently. Everything is decided from what is stored now, so it does not matter who
 * deleted a pod, or at which point an earlier daemon ended.
 *
 *   not stored ──create──► stored, same hash ──manifest changed or gone, or a client──► deleting ──all gone──► not stored
 *
 * Nothing happens before the directory was read for the first time.
 */
export class StaticPods {
  readonly #options: StaticPodsOptions;
  /** By full name. */
  #desired: ReadonlyMap<string, StaticPod> | undefined;
  #unreadFiles: ReadonlySet<string> = new Set();
  /** Every UID that a static pod had since the daemon started: another pod never gets it, not even a twin. */
  readonly #usedUids = new Set<string>();
  /** What was reported of a pod and still holds, by full name. */
  readonly #reported = new Map<string, string>();
  #stopWatches: (() => void)[] = [];

  constructor(options: StaticPodsOptions) {
    this.#options = options;
  }

  start(): void {
    const { store } = this.#options;
    this.#stopWatches = [
      store.watch(podKind, {}, ({ type, object }) => {
        if (isStaticPod(object)) this.#usedUids.add(object.metadata.uid ?? '');
        if (type === 'DELETED' && this.#desired?.has(fullName(object))) this.#reconcile();
      }),
      // They may let a pod in that had to wait.
      ...[namespaceKind, runtimeClassKind, priorityClassKind].map((kind) =>
        store.watch(kind as KindDefinition<KubeObject>, {}, ({ type }) => {
          if (type !== 'DELETED' && this.#reported.size > 0) this.#reconcile();
        }),
      ),
    ];
  }

  async stop(): Promise<void> {
    for (const stop of this.#stopWatches.splice(0)) stop();
    this.#desired = undefined;
  }

  /** What ended only because of the machine's end is made again: at the start, and when that was called off. */
  makeAgain(): void {
    for (const pod of this.#options.store.list(podKind).items) {
      if (isStaticPod(pod) && this.#options.isToBeMadeAgain(pod)) this.#delete(pod);
    }
  }

  /** What the directory asks for now. Calling it again with the same repairs what went wrong before. */
  async apply({ pods, unreadFiles }: Pick<DesiredPods, 'pods' | 'unreadFiles'>): Promise<void> {
    const isFirst = this.#desired === undefined;
    this.#desired = new Map(pods.map((desired) => [fullName(desired.pod), desired]));
    this.#unreadFiles = unreadFiles;
    if (isFirst) this.makeAgain();
    this.#reconcile();
  }

  #reconcile(): void {
    const desired = this.#desired;
    if (desired === undefined) return;
    for (const pod of this.#options.store.list(podKind).items) {
      if (isStaticPod(pod) && !this.#isWanted(pod, desired.get(fullName(pod)))) this.#delete(pod);
    }
    for (const [name, wanted] of desired) this.#ensure(name, wanted);
    for (const name of this.#reported.keys()) if (!desired.has(name)) this.#reported.delete(name);
  }

  #isWanted({ metadata }: Pod, wanted: StaticPod | undefined): boolean {
    const { annotations = {} } = metadata;
    if (wanted !== undefined) return annotations[hashAnnotation] === wanted.hash;
    return this.#unreadFiles.has(annotations[fileAnnotation] ?? '');
  }

  #delete({ metadata }: Pod): void {
    if (metadata.deletionTimestamp) return;
    const { namespace = '', name = '', uid = '' } = metadata;
    const { logger, requestDelete } = this.#options;
    try {
      requestDelete(namespace, name, { uid });
      logger.info({ pod: `${namespace}/${name}`, uid }, 'the manifest of a static pod is gone or has changed: it ends');
    } catch (error) {
      logger.error(
        { err: error, pod: `${namespace}/${name}`, uid },
        'a static pod could not be deleted, it is tried again',
      );
    }
  }

  #ensure(name: string, wanted: StaticPod): void {
    const { store, logger } = this.#options;
    const existing = store.get(podKind, wanted.pod.metadata.namespace, wanted.pod.metadata.name ?? '');
    if (existing) {
      // A former version is on its way out: its end leads here again.
      if (isStaticPod(existing)) this.#reported.delete(name);
      else this.#reportOnce(name, wanted, `the pod ${name} was made through the API: a static pod cannot replace it`);
      return;
    }
    const pod = this.#newPod(wanted);
    const problem = this.#admit(name, pod);
    if (problem !== undefined) {
      this.#reportOnce(name, wanted, problem);
      return;
    }
    try {
      const { metadata } = store.create(podKind, pod);
      this.#usedUids.add(metadata.uid ?? '');
      this.#reported.delete(name);
      logger.info({ pod: name, uid: metadata.uid, file: wanted.file }, 'a static pod was made from its manifest');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#reportOnce(name, wanted, `the pod ${name} could not be stored: ${reason}`);
    }
  }

  /** As through the API: the namespace must be there and let the pod in; classes and service account have their say. */
  #admit(name: string, pod: Pod): string | undefined {
    const { store } = this.#options;
    const namespace = store.get(namespaceKind, undefined, pod.metadata.namespace ?? '');
    if (!namespace) return `the namespace ${pod.metadata.namespace} of the pod ${name} does not exist`;
    if (namespace.metadata.deletionTimestamp) {
      return `the namespace ${pod.metadata.namespace} of the pod ${name} is being deleted`;
    }
    const { runtimeClassName, serviceAccountName = 'default' } = pod.spec;
    applyServiceAccount(pod, store.get(serviceAccountKind, pod.metadata.namespace, serviceAccountName));
    const runtimeClass = runtimeClassName ? store.get(runtimeClassKind, undefined, runtimeClassName) : undefined;
    const forbidden =
      applyRuntimeClass(pod, runtimeClass) ??
      applyPriorityClass(pod, store.list(priorityClassKind).items) ??
      judgePod(pod, securityPolicy(namespace.metadata.labels)).forbidden;
    return forbidden === undefined ? undefined : `the pod ${name} is forbidden: ${forbidden}`;
  }

  /**
   * The pod as the API would store it. Its UID follows from the manifest, so that a daemon whose store was lost finds
   * the containers that run; only a twin of a pod that was deleted gets a new one.
   */
  #newPod({ pod, hash }: StaticPod): Pod {
    const now = new Date(this.#options.clock.now()).toISOString();
    const seconds = now.replace(/\.\d+Z$/, 'Z');
    const ownUid = uidOfHash(hash);
    const uid = this.#usedUids.has(ownUid) ? randomUUID() : ownUid;
    return {
      ...pod,
      spec: { ...pod.spec },
      metadata: {
        ...pod.metadata,
        uid,
        creationTimestamp: seconds,
        generation: 1,
        annotations: { ...pod.metadata.annotations, [seenAnnotation]: now, [staticUidAnnotation]: uid },
      },
      status: {
        ...pod.status,
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: seconds, observedGeneration: 1 }],
      },
    };
  }

  #reportOnce(name: string, wanted: StaticPod, message: string): void {
    if (this.#reported.get(name) === message) return;
    this.#reported.set(name, message);
    this.#options.report(wanted.file, message);
  }
}
