import { Counter, Histogram, Registry } from 'prom-client';
import type { Pod } from '../api/pod.ts';
import type { ProbeOutcome } from './outcome.ts';

const RESULTS: Readonly<Record<ProbeOutcome['kind'], string>> = {
  success: 'successful',
  failure: 'failed',
  unknown: 'unknown',
};

interface Series {
  readonly duration: Record<'probe_type' | 'container' | 'pod' | 'namespace', string>;
  readonly total: Partial<Record<ProbeOutcome['kind'], Record<string, string>>>;
}

/** A kubelet's metrics of probes, under its names. A pod's series go with the pod. */
export class ProbeMetrics {
  readonly registry = new Registry();
  readonly #total = new Counter({
    name: 'prober_probe_total',
    help: 'Probes of containers by result.',
    labelNames: ['probe_type', 'result', 'container', 'pod', 'namespace', 'pod_uid'],
    registers: [this.registry],
  });
  readonly #duration = new Histogram({
    name: 'prober_probe_duration_seconds',
    help: 'How long a probe took.',
    labelNames: ['probe_type', 'container', 'pod', 'namespace'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  });
  /** By pod UID, then by container and type. */
  readonly #series = new Map<string, Map<string, Series>>();

  /** @param type `Liveness`, `Readiness` or `Startup`. */
  observe(pod: Pod, container: string, type: string, result: ProbeOutcome['kind'], seconds: number): void {
    const series = this.#seriesOf(pod, container, type);
    const labels = series.total[result] ?? {
      ...series.duration,
      result: RESULTS[result],
      pod_uid: pod.metadata.uid ?? '',
    };
    series.total[result] = labels;
    this.#total.inc(labels);
    this.#duration.observe(series.duration, seconds);
  }

  #seriesOf({ metadata }: Pod, container: string, type: string): Series {
    const { uid = '', name = '', namespace = '' } = metadata;
    const ofPod = this.#series.get(uid) ?? new Map<string, Series>();
    this.#series.set(uid, ofPod);
    const key = `${container}/${type}`;
    const series = ofPod.get(key) ?? { duration: { probe_type: type, container, pod: name, namespace }, total: {} };
    ofPod.set(key, series);
    return series;
  }

  forgetPod(uid: string): void {
    for (const { duration, total } of this.#series.get(uid)?.values() ?? []) {
      this.#duration.remove(duration);
      for (const labels of Object.values(total)) this.#total.remove(labels);
    }
    this.#series.delete(uid);
  }
}
