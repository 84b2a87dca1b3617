import { type ConfigReferences, configReferences } from '../api/config-sources.ts';
import { configMapKind, persistentVolumeClaimKind, podKind, secretKind, serviceAccountKind } from '../api/kinds.ts';
import type { KubeObject } from '../api/meta.ts';
import type { Pod, PodStatus } from '../api/pod.ts';
import { type Disruption, disruptedStatus } from './disruption.ts';
import { isTerminalPhase } from './phase.ts';
import { PodWorker } from './pod-worker.ts';
import { countedPod, isResizePending, type ResizeProblem } from './resize.ts';
import type { PodServices } from './services.ts';
import { rfc3339 } from './times.ts';

/** Why a pod cannot run on this node. */
export interface Rejection {
  readonly reason: string;
  readonly message: string;
}

export interface PodManagerOptions {
  readonly services: PodServices;
  /** Pure: whether `pod` fits beside `others`. */
  readonly admit: (pod: Pod, others: readonly Pod[]) => Rejection | undefined;
  /** Pure: why the resources that `pod` wants do not fit beside `others`. */
  readonly resizeProblem: (pod: Pod, others: readonly Pod[]) => ResizeProblem | undefined;
  /** Called with the pods that hold resources, after they changed. */
  readonly onActivePods: (pods: readonly Pod[]) => void;
}

/**
 * Gives every pod its worker, and wakes the workers when something happened. Until the runtime was listed completely
 * once, no worker acts: what looks missing may only not have been seen yet.
 */
export class PodManager {
  readonly #options: PodManagerOptions;
  readonly #workers = new Map<string, PodWorker>();
  /** The stored pods by UID. */
  readonly #pods = new Map<string, Pod>();
  /** By when pods have to be stopped before the machine goes down, by UID. */
  readonly #endDeadlines = new Map<string, number>();
  #isSynced = false;
  #stopWatches: readonly (() => void)[] = [];

  constructor(options: PodManagerOptions) {
    this.#options = options;
  }

  start(): void {
    const { store, clockSteps } = this.#options.services;
    const { resourceVersion } = store;
    clockSteps.start();
    this.#stopWatches = [
      store.watch(podKind, {}, ({ type, object }) => {
        const uid = object.metadata.uid ?? '';
        if (type === 'DELETED') this.#pods.delete(uid);
        else this.#pods.set(uid, object);
        this.#wake(uid);
        if (type === 'DELETED' || isTerminalPhase(object.status?.phase)) this.#wakePendingResizes();
      }),
      store.watch(configMapKind, { resourceVersion }, ({ object }) => this.#sourceChanged('configMaps', object)),
      store.watch(secretKind, { resourceVersion }, ({ object }) => this.#sourceChanged('secrets', object)),
      store.watch(serviceAccountKind, { resourceVersion }, ({ object }) =>
        this.#sourceChanged('serviceAccounts', object),
      ),
      store.watch(persistentVolumeClaimKind, { resourceVersion }, ({ object }) =>
        this.#sourceChanged('claims', object),
      ),
    ];
  }

  /** Ends the workers; containers go on running. */
  async stop(): Promise<void> {
    for (const stop of this.#stopWatches) stop();
    this.#options.services.clockSteps.stop();
    this.#options.services.probes.stop();
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()));
  }

  /** Whether the workers act: the runtime is there, and all that it has is known. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** The runtime has changed something of a pod, or its probes have. */
  observedChanged(uid: string): void {
    this.#wake(uid);
  }

  /** From now on the runtime's answers are complete: act. Also for pods that only the runtime knows. */
  runtimeSynced(): void {
    this.#isSynced = true;
    for (const uid of new Set([...this.#pods.keys(), ...this.#options.services.cache.podUids()])) this.#wake(uid);
    this.retryAll();
  }

  /** What made steps fail may be over, such as a missing network: nothing is held back any more. */
  retryAll(): void {
    for (const worker of this.#workers.values()) worker.retry();
  }

  /** The runtime cannot be reached: what is known of it grows old. */
  runtimeLost(): void {
    this.#isSynced = false;
  }

  /** The pods that have not ended. */
  livePods(): Pod[] {
    return [...this.#pods.keys()].flatMap((uid) => {
      const pod = this.#currentPod(uid);
      return pod && isOurs(pod) && !isTerminalPhase(pod.status?.phase) ? [pod] : [];
    });
  }

  /**
   * The node needs the pod to be gone: it ends for good, its containers by `deadlineMs` at the latest (since the epoch).
   *
   * @returns false when it has ended, or was decided to end, already.
   */
  endEarly({ metadata }: Pod, why: Disruption, deadlineMs: number): boolean {
    const { uid = '', namespace, name = '' } = metadata;
    const { clock, store } = this.#options.services;
    const current = this.#currentPod(uid);
    if (!current || isTerminalPhase(current.status?.phase)) return false;
    const isNew = !current.metadata.deletionTimestamp && current.status?.reason !== why.reason;
    this.#endDeadlines.set(uid, Math.min(this.#endDeadlines.get(uid) ?? deadlineMs, deadlineMs));
    // One that is being deleted ends anyway, only sooner.
    if (isNew) {
      store.update(podKind, namespace, name, (pod) =>
        pod.metadata.uid === uid ? { ...pod, status: disruptedStatus(pod, why, clock.now()) } : undefined,
      );
    }
    this.#wake(uid);
    return isNew;
  }

  /** Resolves when the pod has ended and given back what it had. */
  async whenReleased({ metadata }: Pod): Promise<void> {
    await this.#workers.get(metadata.uid ?? '')?.released;
  }

  /** Whether a pod with this UID is stored. */
  hasPod(uid: string): boolean {
    return this.#pods.has(uid);
  }

  #wake(uid: string): void {
    const worker = this.#workers.get(uid);
    const pod = this.#pods.get(uid);
    if (worker) worker.wake();
    else if (pod ? isOurs(pod) : this.#isSynced && this.#isKnownToRuntime(uid)) this.#startWorker(uid);
  }

  /** A ConfigMap, Secret or claim came, changed or went: what is made from it can be made now, or has to be made anew. */
  #sourceChanged(kind: keyof ConfigReferences, { metadata }: KubeObject): void {
    for (const [uid, pod] of this.#pods) {
      if (pod.metadata.namespace !== metadata.namespace) continue;
      if (configReferences(pod)[kind].has(metadata.name)) this.#workers.get(uid)?.sourceChanged();
    }
  }

  #isKnownToRuntime(uid: string): boolean {
    const { sandboxes, containers } = this.#options.services.cache.get(uid);
    return sandboxes.length > 0 || containers.length > 0;
  }

  #startWorker(uid: string): void {
    const { services } = this.#options;
    const worker = new PodWorker({
      uid,
      services,
      getPod: () => this.#currentPod(uid),
      isRuntimeUsable: () => this.#isSynced,
      admit: (pod) => this.#admit(pod),
      onFinished: () => this.#finish(uid),
      resizeProblem: (pod) => this.#options.resizeProblem(pod, this.#othersThan(pod)),
      onResized: () => {
        this.#tellActivePods();
        this.#wakePendingResizes();
      },
      endDeadlineMs: () => this.#endDeadlines.get(uid),
    });
    this.#workers.set(uid, worker);
    worker.start();
  }

  /** As stored at this moment: the watch tells only after the task that wrote. */
  #currentPod(uid: string): Pod | undefined {
    const known = this.#pods.get(uid);
    if (!known) return undefined;
    const current = this.#options.services.store.get(podKind, known.metadata.namespace, known.metadata.name ?? '');
    return current?.metadata.uid === uid ? current : undefined;
  }

  #finish(uid: string): void {
    const worker = this.#workers.get(uid);
    this.#workers.delete(uid);
    this.#endDeadlines.delete(uid);
    void worker?.stop();
    this.#options.services.probes.forget(uid);
    this.#tellActivePods();
  }

  #admit(pod: Pod): PodStatus {
    const { services, admit } = this.#options;
    const rejection = admit(pod, this.#othersThan(pod));
    const startTime = rfc3339(services.clock.now());
    if (rejection) return { ...pod.status, phase: 'Failed', startTime, ...rejection };
    queueMicrotask(() => this.#tellActivePods());
    return { ...pod.status, phase: 'Pending', startTime };
  }

  #othersThan(pod: Pod): Pod[] {
    return this.#activePods().filter((other) => other.metadata.uid !== pod.metadata.uid);
  }

  /** There may be room now for those that want more. */
  #wakePendingResizes(): void {
    for (const [uid, pod] of this.#pods) if (isResizePending(pod)) this.#wake(uid);
  }

  #tellActivePods(): void {
    this.#options.onActivePods(this.#activePods());
  }

  /** Those that were admitted and have not ended: they hold what they requested. */
  #activePods(): Pod[] {
    return [...this.#pods.keys()].flatMap((uid) => {
      const pod = this.#currentPod(uid);
      return pod?.status?.startTime && !isTerminalPhase(pod.status.phase) ? [countedPod(pod)] : [];
    });
  }
}

/** A pod that waits for a node is nobody's work, until it is to be removed. */
function isOurs({ metadata, spec }: Pod): boolean {
  return Boolean(spec.nodeName ?? metadata.deletionTimestamp);
}
