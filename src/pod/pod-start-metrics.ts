import { Histogram, type Registry } from 'prom-client';
import { podKind } from '../api/kinds.ts';
import type { Pod } from '../api/pod.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { isTerminalPhase } from './phase.ts';

/** How one pass of a pod's worker is called in metrics: its first one, one on the way to its end, every other. */
export type PassKind = 'create' | 'kill' | 'sync';

export interface PodStartMetricsOptions {
  readonly registry: Registry;
  readonly store: Pick<Store, 'resourceVersion' | 'watch'>;
  readonly clock: Clock;
}

/** When a pod began to pull images, and when it had the last of them. */
interface Pulls {
  readonly beganMs: number;
  readonly endedMs: number | undefined;
}

/** A kubelet's. */
const START_BUCKETS = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
];

const STATIC_SOURCE = 'kubernetes.io/config.source';

/** A kubelet's metrics of how long pods take to start, and passes of their workers, under its names. */
export class PodStartMetrics {
  readonly #store: PodStartMetricsOptions['store'];
  readonly #clock: Clock;
  readonly #starts: Histogram;
  readonly #passes: Histogram<'operation_type'>;
  /** Pods that were created since the daemon started, and have not started yet. */
  readonly #starting = new Map<string, Pulls | undefined>();
  #stopWatch: (() => void) | undefined;

  constructor({ registry, store, clock }: PodStartMetricsOptions) {
    this.#store = store;
    this.#clock = clock;
    const registers = [registry];
    this.#starts = new Histogram({
      name: 'kubelet_pod_start_sli_duration_seconds',
      help: 'From the creation of a pod until its containers have started, without pulls of images and init containers.',
      buckets: START_BUCKETS,
      registers,
    });
    this.#passes = new Histogram({
      name: 'kubelet_pod_worker_duration_seconds',
      help: 'How long a pass over one pod took.',
      labelNames: ['operation_type'],
      registers,
    });
  }

  start(): void {
    const { resourceVersion } = this.#store;
    this.#stopWatch = this.#store.watch(podKind, { resourceVersion }, ({ type, object }) => {
      const { uid } = object.metadata;
      if (type === 'ADDED' && isFromApi(object)) this.#starting.set(uid, undefined);
      else if (type === 'DELETED') this.#starting.delete(uid);
      else this.#look(object);
    });
  }

  stop(): void {
    this.#stopWatch?.();
  }

  passed(kind: PassKind, seconds: number): void {
    this.#passes.observe({ operation_type: kind }, seconds);
  }

  pullBegan(uid: string): void {
    if (!this.#starting.has(uid)) return;
    const beganMs = this.#starting.get(uid)?.beganMs ?? this.#clock.now();
    this.#starting.set(uid, { beganMs, endedMs: undefined });
  }

  pullEnded(uid: string): void {
    const pulls = this.#starting.get(uid);
    if (pulls) this.#starting.set(uid, { ...pulls, endedMs: this.#clock.now() });
  }

  #look(pod: Pod): void {
    const { uid } = pod.metadata;
    if (!this.#starting.has(uid)) return;
    const isOver = isTerminalPhase(pod.status?.phase) || pod.metadata.deletionTimestamp !== undefined;
    if (!isOver && !haveStarted(pod)) return;
    if (haveStarted(pod)) this.#starts.observe(startSeconds(pod, this.#starting.get(uid), this.#clock.now()));
    this.#starting.delete(uid);
  }
}

function isFromApi({ metadata }: Pod): boolean {
  return (metadata.annotations?.[STATIC_SOURCE] ?? 'api') === 'api';
}

function haveStarted({ spec, status }: Pod): boolean {
  const started = (status?.containerStatuses ?? []).filter(({ state }) => state?.running ?? state?.terminated);
  return started.length === spec.containers.length;
}

/** Without what depends on the images alone. Never negative: what is subtracted has whole seconds, and may overlap. */
export function startSeconds({ metadata, status }: Pod, pulls: Pulls | undefined, nowMs: number): number {
  const total = nowMs - Date.parse(metadata.creationTimestamp ?? '');
  const pulling = pulls ? (pulls.endedMs ?? nowMs) - pulls.beganMs : 0;
  const init = (status?.initContainerStatuses ?? []).map(({ state }) => {
    const { startedAt = '', finishedAt = '' } = state?.terminated ?? {};
    const ms = Date.parse(finishedAt) - Date.parse(startedAt);
    return Number.isFinite(ms) ? ms : 0;
  });
  return Math.max(0, total - pulling - init.reduce((sum, ms) => sum + ms, 0)) / 1000;
}
