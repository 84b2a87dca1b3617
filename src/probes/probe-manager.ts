import type { Container, ContainerStatus, Pod } from '../api/pod.ts';
import type { EventRecorder } from '../events/recorder.ts';
import type { ObservedContainer, ObservedPod } from '../runtime/observed.ts';
import type { Clock } from '../util/clock.ts';
import { ContainerProber, type ProbedPod } from './container-prober.ts';
import { PROBE_KINDS, probeOf } from './evaluation.ts';
import type { ProbeMetrics } from './metrics.ts';
import type { Prober } from './prober.ts';
import { type ContainerProbes, NO_PROBE_RESULTS, type ProbeResults } from './results.ts';

export interface ProbeManagerOptions {
  readonly prober: Pick<Prober, 'ask'>;
  readonly recorder: Pick<EventRecorder, 'event'>;
  readonly metrics: Pick<ProbeMetrics, 'observe' | 'forgetPod'>;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  /** What the probes of a pod say has changed. */
  readonly onChange: (uid: string) => void;
}

/**
 * Probes the containers that run. It is told of a pod whenever something of it may have changed, and keeps one timer
 * for each probe in between.
 */
export class ProbeManager {
  readonly #options: ProbeManagerOptions;
  readonly #startedMs: number;
  /** By pod UID, then by container id. */
  readonly #probers = new Map<string, Map<string, ContainerProber>>();
  #isStopped = false;

  constructor(options: ProbeManagerOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
  }

  /** Ends all probing; results are of no more use. */
  stop(): void {
    this.#isStopped = true;
    for (const uid of [...this.#probers.keys()]) this.forget(uid);
  }

  /**
   * Probes exactly the containers that now run and have probes, and tells what is known of them. A container id that was
   * not seen before begins undecided, or with what the stored status says of this very id.
   */
  sync(observed: ObservedPod, probed: ProbedPod): ProbeResults {
    const { pod } = probed;
    const targets = this.#isStopped ? [] : probedContainers(pod, observed);
    const probers = this.#probers.get(observed.uid) ?? new Map<string, ContainerProber>();
    const ids = new Set(targets.map(({ instance }) => instance.id));
    for (const [id, prober] of probers) {
      if (ids.has(id)) continue;
      prober.stop();
      probers.delete(id);
    }
    if (targets.length === 0) {
      this.#probers.delete(observed.uid);
      return NO_PROBE_RESULTS;
    }
    this.#probers.set(observed.uid, probers);
    const results = new Map<string, ContainerProbes>();
    for (const { container, instance } of targets) {
      let prober = probers.get(instance.id);
      if (!prober) {
        prober = this.#makeProber(container, instance, probed);
        probers.set(instance.id, prober);
      }
      prober.update(probed);
      results.set(instance.id, prober.result);
    }
    return results;
  }

  /** The pod is gone. */
  forget(uid: string): void {
    for (const prober of this.#probers.get(uid)?.values() ?? []) prober.stop();
    this.#probers.delete(uid);
    this.#options.metrics.forgetPod(uid);
  }

  #makeProber(container: Container, instance: ObservedContainer, probed: ProbedPod): ContainerProber {
    const { prober, recorder, metrics, clock, onChange } = this.#options;
    const { pod } = probed;
    const known = storedStatus(pod, instance);
    return new ContainerProber(
      {
        container,
        containerId: instance.id,
        startedAtNanos: instance.startedAtNanos,
        isRestarted: isSidecar(pod, container) || (container.restartPolicy ?? pod.spec.restartPolicy) !== 'Never',
        known,
        extraDelayMs: (periodMs) => (known ? this.#spreadMs(periodMs) : 0),
        prober,
        recorder,
        metrics,
        clock,
        onChange: () => onChange(instance.pod.uid),
      },
      probed,
    );
  }

  /** What was probed before a restart of the daemon must not be probed all at once after it. */
  #spreadMs(periodMs: number): number {
    const { clock, random } = this.#options;
    return clock.monotonicMs() - this.#startedMs < periodMs ? random() * periodMs : 0;
  }
}

/** The newest instance of each app container and sidecar that has a probe, where it runs. */
function probedContainers(
  pod: Pod,
  observed: ObservedPod,
): { readonly container: Container; readonly instance: ObservedContainer }[] {
  const sidecars = (pod.spec.initContainers ?? []).filter((container) => isSidecar(pod, container));
  return [...sidecars, ...pod.spec.containers].flatMap((container) => {
    if (!PROBE_KINDS.some((kind) => probeOf(container, kind))) return [];
    const instance = observed.containers.find(({ containerName }) => containerName === container.name);
    return instance?.state === 'RUNNING' ? [{ container, instance }] : [];
  });
}

function isSidecar(pod: Pod, container: Container): boolean {
  return container.restartPolicy === 'Always' && pod.spec.initContainers?.includes(container) === true;
}

/** What the status says of this very container; only an earlier life of the daemon can have written it. */
function storedStatus({ status }: Pod, { id }: ObservedContainer): ContainerStatus | undefined {
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return all.find((item) => item.state?.running !== undefined && item.containerID?.endsWith(`//${id}`));
}
