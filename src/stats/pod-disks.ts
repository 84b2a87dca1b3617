import type { Pod, Volume } from '../api/pod.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import { Semaphore } from '../util/semaphore.ts';
import { measurePodDisk, mountedVolumes, type PodDisk, type StoragePlaces } from './pod-disk.ts';
import { type FsUsage, type PodDiskUsage, sumOfUsage, type VolumeUsage } from './usage.ts';
import type { UsageIo } from './usage-reader.ts';

export interface PodDisksOptions {
  readonly places: StoragePlaces;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly io: Pick<UsageIo, 'fs'>;
  /** Name of the claim that a volume is of. */
  readonly claimNameOf: (pod: Pod, volume: Volume) => string | undefined;
  /** Both are replaced by tests only. */
  readonly patienceMs?: number;
  readonly measure?: (pod: Pod, places: StoragePlaces, signal: AbortSignal) => Promise<PodDisk>;
}

/** As a kubelet's `volumeStatsAggPeriod`. */
const PERIOD_MS = 60_000;
/** Whoever asks is not kept waiting by large trees: he is told of them when he asks again. */
const PATIENCE_MS = 2_000;
/** Trees that take long to measure do not keep the others waiting, nor the disk busy. Evictions wait for none of these. */
const AT_ONCE = 2;

/** Measures what pods have on disks when somebody asks, few pods at once, and keeps it for a minute. */
export class PodDisks {
  readonly #options: PodDisksOptions;
  readonly #measure: NonNullable<PodDisksOptions['measure']>;
  readonly #patienceMs: number;
  readonly #atOnce = new Semaphore(AT_ONCE);
  readonly #stopped = new AbortController();
  /** By UID, of those that are under way: how long somebody waits for them. */
  readonly #refreshes = new Map<string, Promise<void>>();
  /** By UID, of those that were asked for last. */
  readonly #known = new Map<string, { readonly fromMs: number; readonly usage: PodDiskUsage }>();

  constructor(options: PodDisksOptions) {
    this.#options = options;
    this.#measure = options.measure ?? measurePodDisk;
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** By UID. What was measured a minute ago is measured anew; what takes long is told as it was, or left out. */
  async recent(pods: readonly Pod[]): Promise<ReadonlyMap<string, PodDiskUsage>> {
    const uids = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const uid of this.#known.keys()) if (!uids.has(uid)) this.#known.delete(uid);
    const now = this.#options.clock.monotonicMs();
    const due = pods.filter(({ metadata }) => {
      const known = this.#known.get(metadata.uid);
      return !known || now - known.fromMs >= PERIOD_MS;
    });
    await Promise.all(due.map((pod) => this.#refresh(pod)));
    return new Map([...this.#known].map(([uid, { usage }]) => [uid, usage]));
  }

  /** Never fails. A tree that takes long is waited for once, not by everyone who asks meanwhile. */
  #refresh(pod: Pod): Promise<void> {
    const { uid } = pod.metadata;
    const measure = () => this.#measureUsage(pod).finally(() => this.#refreshes.delete(uid));
    const refresh = this.#refreshes.get(uid) ?? withPatience(measure(), this.#patienceMs);
    this.#refreshes.set(uid, refresh);
    return refresh;
  }

  async #measureUsage(pod: Pod): Promise<void> {
    const { clock, io, logger, places } = this.#options;
    const { uid } = pod.metadata;
    const { signal } = this.#stopped;
    try {
      const disk = await this.#atOnce.use(() => this.#measure(pod, places, signal), { signal });
      const fs = await io.fs(places.podsDir);
      const mounted = new Map<string, FsUsage>();
      for (const [name, path] of mountedVolumes(pod, places.podsDir)) {
        const own = await io.fs(path);
        if (own) mounted.set(name, own);
      }
      const usage = { atMs: clock.now(), fs, logs: disk.logs, ...this.#volumes(pod, disk, fs, mounted) };
      this.#known.set(uid, { fromMs: clock.monotonicMs(), usage });
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error, podUid: uid }, 'the disks of a pod are not known');
    }
  }

  #volumes(
    pod: Pod,
    { emptyDirs, payloads, others }: PodDisk,
    fs: FsUsage | undefined,
    mounted: ReadonlyMap<string, FsUsage>,
  ): Pick<PodDiskUsage, 'volumes' | 'own'> {
    const volumes = (pod.spec.volumes ?? []).flatMap((volume): VolumeUsage[] => {
      const { name } = volume;
      const onDisk = emptyDirs.get(name) ?? payloads.get(name);
      const ownFs = onDisk && fs ? { ...fs, usedBytes: onDisk.bytes, inodesUsed: onDisk.inodes } : mounted.get(name);
      return ownFs ? [{ name, claim: this.#options.claimNameOf(pod, volume), fs: ownFs }] : [];
    });
    return { volumes, own: sumOfUsage([...emptyDirs.values(), ...payloads.values(), others]) };
  }
}

async function withPatience(work: Promise<unknown>, patienceMs: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, patienceMs);
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
