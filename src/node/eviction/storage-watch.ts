import type { Pod } from '../../api/pod.ts';
import type { ObservedPod } from '../../runtime/observed.ts';
import { measurePodDisk, type StoragePlaces } from '../../stats/pod-disk.ts';
import type { Logger } from '../../util/log.ts';
import { Semaphore } from '../../util/semaphore.ts';
import { podStorageUsage } from './pod-storage.ts';
import { hasContainerStorageLimit, hasStorageLimit, storageLimitProblem } from './storage-limits.ts';

export interface StorageWatchOptions {
  readonly places: StoragePlaces;
  readonly logger: Logger;
  /** The pods that have not ended. */
  pods(): readonly Pod[];
  observed(uid: string): ObservedPod;
  /** What the runtime tells of writable layers, by the container's id. */
  written(): Promise<ReadonlyMap<string, { readonly usedBytes: number }>>;
  /** Decides that the pod ends. */
  evict(pod: Pod, message: string): void;
}

/** As a kubelet's eviction manager. */
const INTERVAL_MS = 10_000;
/** Trees that take long to measure do not keep the others waiting, nor the disk busy. */
const AT_ONCE = 2;

/**
 * Ends pods that have more on the disk than they may: emptyDir volumes with a sizeLimit, and containers with a limit of
 * ephemeral-storage. Only those pods are looked at, one after the other, and each anew when it was 10 s ago.
 */
export class StorageWatch {
  readonly #options: StorageWatchOptions;
  readonly #atOnce = new Semaphore(AT_ONCE);
  /** UIDs of the pods that are being measured. */
  readonly #measuring = new Set<string>();
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: StorageWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#look(), INTERVAL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopped.abort();
  }

  async #look(): Promise<void> {
    const pods = this.#options.pods().filter((pod) => pod.status?.startTime && hasStorageLimit(pod));
    const due = pods.filter(({ metadata }) => !this.#measuring.has(metadata.uid));
    if (due.length === 0) return;
    try {
      const written = due.some(hasContainerStorageLimit) ? await this.#options.written() : new Map();
      await Promise.all(due.map((pod) => this.#check(pod, written)));
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#options.logger.error({ err: error }, 'the storage of pods is not known');
    }
  }

  async #check(pod: Pod, written: ReadonlyMap<string, { readonly usedBytes: number }>): Promise<void> {
    const { places, logger, observed, evict } = this.#options;
    const { signal } = this.#stopped;
    const { uid } = pod.metadata;
    this.#measuring.add(uid);
    try {
      const disk = await this.#atOnce.use(() => measurePodDisk(pod, places, signal));
      const usage = podStorageUsage(disk, observed(uid), written);
      const problem = storageLimitProblem(pod, usage);
      if (problem !== undefined && !signal.aborted) evict(pod, problem);
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error, podUid: uid }, 'the storage of a pod could not be measured');
    } finally {
      this.#measuring.delete(uid);
    }
  }
}
