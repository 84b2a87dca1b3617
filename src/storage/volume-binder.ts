import { randomUUID } from 'node:crypto';
import { nodeKind, persistentVolumeClaimKind, persistentVolumeKind, podKind, storageClassKind } from '../api/kinds.ts';
import type { KubeObject } from '../api/meta.ts';
import { type PersistentVolume, VOLUME_PROTECTION } from '../api/persistent-volume.ts';
import { CLAIM_PROTECTION, type PersistentVolumeClaim } from '../api/persistent-volume-claim.ts';
import type { Pod } from '../api/pod.ts';
import { DEFAULT_CLASS, LOCAL_PROVISIONER, type StorageClass } from '../api/storage-class.ts';
import type { EventRecorder } from '../events/recorder.ts';
import { removeFinalizer, removeOrMark } from '../store/finalizers.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import { BIND_COMPLETED, type ClaimEvent, claimStep } from './claim-step.ts';
import { usesClaim, usesClaims } from './claim-users.ts';
import { ephemeralClaims, isAbandoned } from './ephemeral-claims.ts';
import { LocalProvisioner } from './local-provisioner.ts';
import type { NodeMatcher } from './match.ts';
import { type VolumePhase, volumeStep } from './volume-step.ts';

export interface VolumeBinderOptions {
  readonly store: Store;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeName: string;
  readonly matchesNode: NodeMatcher;
  /** Where volumes are made, absolute. */
  readonly directory: string;
}

/** What could not be made or removed is tried again after this time. */
const RETRY_MS = 30_000;
const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
/** The class that is made when there is none at all. */
const OWN_CLASS = 'local';

/**
 * Brings claims and volumes together, makes volumes, and takes them back: what PersistentVolumeController, the protection
 * controllers and the ephemeral volume controller are in a cluster.
 *
 * Everything is decided from what is stored, one object after the other, so that a daemon that was killed goes on. A
 * volume's object comes before its directory and goes after it, so that no directory is ever without an object:
 *
 *     claim ──► volume, reserved for it ──► directory ──► bound ──► claim gone: released ──► directory gone ──► gone
 */
export class VolumeBinder {
  readonly #options: VolumeBinderOptions;
  readonly #provisioner: LocalProvisioner;
  readonly #abort = new AbortController();
  /** What was told of a claim and still holds, by its uid. */
  readonly #told = new Map<string, string>();
  /** When a volume that could not be reclaimed is tried again, by its uid. Infinite while it is being reclaimed. */
  readonly #reclaims = new Map<string, number>();
  readonly #reclaiming = new Set<Promise<void>>();
  #stopWatches: (() => void)[] = [];
  #isDirty = false;
  #running: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: VolumeBinderOptions) {
    this.#options = options;
    this.#provisioner = new LocalProvisioner(options.directory);
  }

  start(): void {
    const { store } = this.#options;
    this.#ensureOwnClass();
    const mark = () => this.#mark();
    this.#stopWatches = [
      store.watch(persistentVolumeKind, {}, mark),
      store.watch(persistentVolumeClaimKind, {}, mark),
      store.watch(storageClassKind, {}, mark),
      store.watch(podKind, { filter: usesClaims }, mark),
    ];
  }

  async stop(): Promise<void> {
    for (const stop of this.#stopWatches.splice(0)) stop();
    clearTimeout(this.#retry);
    this.#abort.abort();
    await this.#running;
    await Promise.all(this.#reclaiming);
  }

  #mark(): void {
    this.#isDirty = true;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // Several changes at once are looked at once.
    await Promise.resolve();
    while (this.#isDirty && !this.#abort.signal.aborted) {
      this.#isDirty = false;
      await this.#reconcile();
    }
    // At once: a change that comes after this begins anew.
    this.#running = undefined;
  }

  /** One object's failure is not the others'. */
  async #reconcile(): Promise<void> {
    const { store } = this.#options;
    for (const pod of store.list(podKind, { filter: usesClaims }).items) {
      await this.#safely(pod, () => this.#ensureEphemeralClaims(pod));
    }
    const claims = store.list(persistentVolumeClaimKind).items;
    for (const claim of claims) await this.#safely(claim, () => this.#syncClaim(claim));
    const volumes = store.list(persistentVolumeKind).items;
    for (const volume of volumes) await this.#safely(volume, () => this.#syncVolume(volume));
    forgetOthers(this.#told, claims);
    forgetOthers(this.#reclaims, volumes);
  }

  async #safely(object: KubeObject, work: () => void | Promise<void>): Promise<void> {
    if (this.#abort.signal.aborted) return;
    try {
      await work();
    } catch (error) {
      const { namespace, name } = object.metadata;
      this.#options.logger.warn({ err: error, kind: object.kind, namespace, name }, 'storage: tried again later');
      this.#retryLater();
    }
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.#mark();
    }, RETRY_MS).unref();
  }

  // ---- claims ----

  #ensureEphemeralClaims(pod: Pod): void {
    const { store, recorder } = this.#options;
    const isOver = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    if (isOver || pod.metadata.deletionTimestamp || !this.#isStored(pod)) return;
    for (const claim of ephemeralClaims(pod, this.#classes(), this.#now())) {
      const { namespace, name } = claim.metadata;
      if (store.get(persistentVolumeClaimKind, namespace, name)) continue;
      try {
        store.create(persistentVolumeClaimKind, { ...claim, metadata: { ...claim.metadata, uid: randomUUID() } });
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error);
        recorder.event(pod, 'Warning', 'FailedBinding', `ephemeral volume: create PVC ${name}: ${detail}`);
        throw error;
      }
    }
  }

  async #syncClaim(listed: PersistentVolumeClaim): Promise<void> {
    const { store } = this.#options;
    const { namespace, name } = listed.metadata;
    const claim = store.get(persistentVolumeClaimKind, namespace, name);
    if (!claim || claim.metadata.uid !== listed.metadata.uid) return;
    const users = store.list(podKind, { namespace, filter: (pod) => usesClaim(pod, namespace, name) }).items;
    if (isAbandoned(claim, (uid) => users.some(({ metadata }) => metadata.uid === uid))) {
      removeOrMark(store, persistentVolumeClaimKind, claim, { uid: claim.metadata.uid }, this.#now());
    }
    if (claim.metadata.deletionTimestamp && users.length === 0) {
      removeFinalizer(store, persistentVolumeClaimKind, claim, CLAIM_PROTECTION);
      return;
    }
    const step = claimStep(claim, {
      volumes: store.list(persistentVolumeKind).items,
      classes: this.#classes(),
      matchesNode: this.#options.matchesNode,
      hasConsumer: users.some(isWaiting),
    });
    switch (step.kind) {
      case 'none':
        return;
      case 'setClass':
        this.#updateClaim(claim, (current) => ({
          ...current,
          spec: { ...current.spec, storageClassName: step.className },
        }));
        return;
      case 'bind':
        await this.#bind(claim, step.volume);
        return;
      case 'provision':
        this.#provision(claim, step.storageClass);
        return;
      case 'lose':
        this.#updateClaim(claim, (current) => ({ ...current, status: { ...current.status, phase: 'Lost' } }));
        this.#tell(claim, step.event);
        return;
      case 'wait':
        this.#tell(claim, step.event);
    }
  }

  #provision(claim: PersistentVolumeClaim, storageClass: StorageClass): void {
    const { store, nodeName } = this.#options;
    const labels = store.get(nodeKind, undefined, nodeName)?.metadata.labels ?? {};
    const hostname = labels['kubernetes.io/hostname'] ?? nodeName;
    const volume = this.#provisioner.volumeFor(claim, storageClass, { uid: randomUUID(), now: this.#now(), hostname });
    // It is bound in the next round, which its coming leads to.
    store.create(persistentVolumeKind, volume);
    const message = `Successfully provisioned volume ${volume.metadata.name}`;
    this.#tell(claim, { type: 'Normal', reason: 'ProvisioningSucceeded', message });
  }

  /** The volume first: a claim never names one that another could still get. */
  async #bind(claim: PersistentVolumeClaim, { metadata }: PersistentVolume): Promise<void> {
    const { store } = this.#options;
    const volume = store.update(persistentVolumeKind, undefined, metadata.name, (current) => withClaim(current, claim));
    if (this.#provisioner.isOwn(volume) && claim.status?.phase !== 'Bound') {
      try {
        await this.#provisioner.make(volume);
      } catch (error) {
        const message = `failed to provision volume: ${error instanceof Error ? error.message : String(error)}`;
        this.#tell(claim, { type: 'Warning', reason: 'ProvisioningFailed', message });
        throw error;
      }
    }
    const bound = this.#updateClaim(claim, (current) => withVolume(current, volume));
    if (bound) this.#setPhase(volume, 'Bound');
    this.#told.delete(claim.metadata.uid);
  }

  /** @returns undefined when the claim is gone, or another. */
  #updateClaim(
    { metadata }: PersistentVolumeClaim,
    change: (current: PersistentVolumeClaim) => PersistentVolumeClaim,
  ): PersistentVolumeClaim | undefined {
    const { store } = this.#options;
    const { namespace, name, uid } = metadata;
    const current = store.get(persistentVolumeClaimKind, namespace, name);
    if (current?.metadata.uid !== uid) return undefined;
    return store.update(persistentVolumeClaimKind, namespace, name, change);
  }

  // ---- volumes ----

  #syncVolume(listed: PersistentVolume): void {
    const { store } = this.#options;
    const volume = store.get(persistentVolumeKind, undefined, listed.metadata.name);
    if (!volume || volume.metadata.uid !== listed.metadata.uid) return;
    const { namespace, name } = volume.spec.claimRef ?? {};
    const claim = name === undefined ? undefined : store.get(persistentVolumeClaimKind, namespace, name);
    const isUsed =
      store.list(podKind, { namespace, filter: (pod) => usesClaim(pod, namespace, name) }).items.length > 0;
    const step = volumeStep(volume, claim, isUsed);
    switch (step.kind) {
      case 'none':
        return;
      case 'setPhase':
        this.#setPhase(volume, step.phase);
        return;
      case 'release':
        removeFinalizer(store, persistentVolumeKind, volume, VOLUME_PROTECTION);
        return;
      case 'reclaim':
        this.#reclaim(volume);
    }
  }

  #setPhase({ metadata }: PersistentVolume, phase: VolumePhase, problem?: { reason: string; message: string }): void {
    this.#options.store.update(persistentVolumeKind, undefined, metadata.name, (current) => {
      if (current.metadata.uid !== metadata.uid) return undefined;
      const { phase: before, lastPhaseTransitionTime } = current.status ?? {};
      if (before === phase && !problem) return undefined;
      const since = before === phase ? lastPhaseTransitionTime : this.#now();
      return { ...current, status: { phase, ...problem, ...(since ? { lastPhaseTransitionTime: since } : {}) } };
    });
  }

  /** Beside everything else, for a volume may hold millions of files. */
  #reclaim(volume: PersistentVolume): void {
    const { uid } = volume.metadata;
    if ((this.#reclaims.get(uid) ?? 0) > this.#options.clock.now()) return;
    if (volume.status?.phase === 'Bound') this.#setPhase(volume, 'Released');
    this.#reclaims.set(uid, Number.POSITIVE_INFINITY);
    const work = this.#remove(volume).finally(() => {
      this.#reclaiming.delete(work);
    });
    this.#reclaiming.add(work);
  }

  async #remove(volume: PersistentVolume): Promise<void> {
    const { store, clock, logger, recorder } = this.#options;
    const { name, uid } = volume.metadata;
    try {
      if (!this.#provisioner.isOwn(volume)) throw new Error('no volume plugin can delete it: it was not made here');
      await this.#provisioner.remove(volume, this.#abort.signal);
      const current = store.get(persistentVolumeKind, undefined, name);
      if (current?.metadata.uid === uid) {
        removeOrMark(store, persistentVolumeKind, current, { uid }, this.#now());
        removeFinalizer(store, persistentVolumeKind, current, VOLUME_PROTECTION);
      }
      this.#reclaims.delete(uid);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const message = error instanceof Error ? error.message : String(error);
      logger.warn({ err: error, volume: name }, 'a volume could not be deleted, it is tried again');
      this.#reclaims.set(uid, clock.now() + RETRY_MS);
      this.#retryLater();
      if (volume.status?.message !== message) recorder.event(volume, 'Warning', 'VolumeFailedDelete', message);
      if (store.get(persistentVolumeKind, undefined, name)) {
        this.#setPhase(volume, 'Failed', { reason: 'VolumeFailedDelete', message });
      }
    }
  }

  // ---- all ----

  /** Once for as long as it holds. */
  #tell(claim: PersistentVolumeClaim, { type, reason, message }: ClaimEvent): void {
    const text = `${reason} ${message}`;
    if (this.#told.get(claim.metadata.uid) === text) return;
    this.#told.set(claim.metadata.uid, text);
    this.#options.recorder.event(claim, type, reason, message);
  }

  #ensureOwnClass(): void {
    const { store, logger } = this.#options;
    if (this.#classes().length > 0) return;
    try {
      store.create(storageClassKind, {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'StorageClass',
        metadata: {
          name: OWN_CLASS,
          uid: randomUUID(),
          creationTimestamp: this.#now(),
          annotations: { [DEFAULT_CLASS]: 'true' },
        },
        provisioner: LOCAL_PROVISIONER,
        reclaimPolicy: 'Delete',
        volumeBindingMode: 'WaitForFirstConsumer',
      });
    } catch (error) {
      logger.error({ err: error }, 'the storage class could not be made');
    }
  }

  #classes(): StorageClass[] {
    return this.#options.store.list(storageClassKind).items;
  }

  #isStored({ metadata }: Pod): boolean {
    return this.#options.store.get(podKind, metadata.namespace, metadata.name)?.metadata.uid === metadata.uid;
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  }
}

function forgetOthers(known: Map<string, unknown>, objects: readonly KubeObject[]): void {
  const uids = new Set(objects.map(({ metadata }) => metadata.uid));
  for (const uid of known.keys()) if (!uids.has(uid)) known.delete(uid);
}

function isWaiting({ metadata, status }: Pod): boolean {
  return !metadata.deletionTimestamp && status?.phase !== 'Succeeded' && status?.phase !== 'Failed';
}

/** PURE. The volume, reserved for the claim. */
function withClaim(volume: PersistentVolume, { metadata }: PersistentVolumeClaim): PersistentVolume {
  const { claimRef } = volume.spec;
  if (claimRef?.uid === metadata.uid) return volume;
  const { namespace, name, uid, resourceVersion } = metadata;
  const annotations = { ...volume.metadata.annotations, ...(claimRef ? {} : { [BOUND_BY_CONTROLLER]: 'yes' }) };
  return {
    ...volume,
    metadata: { ...volume.metadata, annotations },
    spec: {
      ...volume.spec,
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        namespace,
        name,
        uid,
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
    },
  };
}

/** PURE. The claim, bound to the volume. */
function withVolume(claim: PersistentVolumeClaim, { metadata, spec }: PersistentVolume): PersistentVolumeClaim {
  const isChosen = claim.spec.volumeName === undefined || claim.spec.volumeName === '';
  return {
    ...claim,
    metadata: {
      ...claim.metadata,
      annotations: {
        ...claim.metadata.annotations,
        [BIND_COMPLETED]: 'yes',
        ...(isChosen ? { [BOUND_BY_CONTROLLER]: 'yes' } : {}),
      },
    },
    spec: { ...claim.spec, volumeName: metadata.name },
    status: {
      ...claim.status,
      phase: 'Bound',
      accessModes: [...(spec.accessModes ?? [])],
      ...(spec.capacity ? { capacity: spec.capacity } : {}),
    },
  };
}
