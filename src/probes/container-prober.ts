import { isDeepStrictEqual } from 'node:util';
import type { Container, Pod } from '../api/pod.ts';
import type { EventRecorder } from '../events/recorder.ts';
import type { Clock } from '../util/clock.ts';
import {
  afterAnswer,
  containerProbes,
  initialDelayMs,
  initialStates,
  isAsking,
  type KnownStatus,
  PROBE_KINDS,
  type ProbeKind,
  type ProbeStates,
  probeOf,
} from './evaluation.ts';
import type { ProbeMetrics } from './metrics.ts';
import type { ProbeOutcome } from './outcome.ts';
import { ProbeLoop } from './probe-loop.ts';
import type { Asking, Prober } from './prober.ts';
import type { ContainerProbes } from './results.ts';

/** What changes in the life of a probed container. */
export interface ProbedPod {
  readonly pod: Pod;
  readonly podIP: string | undefined;
  /** The pod is to end: its containers are only asked whether they are ready. */
  readonly isStopping: boolean;
}

export interface ContainerProberOptions {
  readonly container: Container;
  readonly containerId: string;
  readonly startedAtNanos: bigint;
  readonly isRestarted: boolean;
  readonly known: KnownStatus | undefined;
  /** Delays those probes that ask from the beginning, given their period, milliseconds. */
  readonly extraDelayMs: (periodMs: number) => number;
  readonly prober: Pick<Prober, 'ask'>;
  readonly recorder: Pick<EventRecorder, 'event'>;
  readonly metrics: Pick<ProbeMetrics, 'observe'>;
  readonly clock: Clock;
  readonly onChange: () => void;
}

/** An event that says the same as the one before is not repeated sooner: a pod has only so many events. */
const REPEAT_EVENT_MS = 5_000;

const TITLES: Readonly<Record<ProbeKind, string>> = {
  startup: 'Startup',
  liveness: 'Liveness',
  readiness: 'Readiness',
};

/** The probes of one running container, from its start to its end. A restarted container gets another. */
export class ContainerProber {
  readonly #options: ContainerProberOptions;
  readonly #loops: ReadonlyMap<ProbeKind, ProbeLoop>;
  readonly #lastEvents = new Map<ProbeKind, { readonly message: string; readonly atMs: number }>();
  #states: ProbeStates;
  #result: ContainerProbes;
  #probed: ProbedPod;
  #isNew = true;

  constructor(options: ContainerProberOptions, probed: ProbedPod) {
    const { container, known, isRestarted } = options;
    this.#options = options;
    this.#probed = probed;
    this.#states = initialStates(container, known);
    this.#result = containerProbes(container, this.#states, isRestarted);
    this.#loops = new Map(
      PROBE_KINDS.flatMap((kind) => (probeOf(container, kind) ? [[kind, this.#makeLoop(kind)] as const] : [])),
    );
  }

  get result(): ContainerProbes {
    return this.#result;
  }

  /** Begins, stops or goes on with each probe, as the pod is now. */
  update(probed: ProbedPod): void {
    this.#probed = probed;
    this.#startAndStop(this.#isNew ? this.#options.extraDelayMs : () => 0);
    this.#isNew = false;
  }

  stop(): void {
    for (const loop of this.#loops.values()) loop.stop();
  }

  #startAndStop(extraDelayMs: (periodMs: number) => number): void {
    const { container, startedAtNanos, clock } = this.#options;
    for (const [kind, loop] of this.#loops) {
      const probe = probeOf(container, kind);
      const isWanted = isAsking(kind, this.#states) && (kind === 'readiness' || !this.#probed.isStopping);
      if (!probe || !isWanted) loop.stop();
      else loop.start(initialDelayMs(probe, startedAtNanos, clock.now()) + extraDelayMs(periodMs(probe)));
    }
  }

  #makeLoop(kind: ProbeKind): ProbeLoop {
    const { container, clock } = this.#options;
    return new ProbeLoop({
      periodMs: periodMs(probeOf(container, kind)),
      clock,
      ask: () => this.#ask(kind),
      onOutcome: (outcome, durationMs) => this.#noteOutcome(kind, outcome, durationMs),
    });
  }

  #ask(kind: ProbeKind): Asking {
    const { container, containerId, prober } = this.#options;
    const probe = probeOf(container, kind) ?? {};
    return prober.ask({ probe, container, containerId, podIP: this.#probed.podIP });
  }

  #noteOutcome(kind: ProbeKind, outcome: ProbeOutcome, durationMs: number): void {
    const { container, isRestarted, metrics, onChange } = this.#options;
    metrics.observe(this.#probed.pod, container.name, TITLES[kind], outcome.kind, durationMs / 1000);
    this.#tell(kind, outcome);
    const probe = probeOf(container, kind);
    const state = this.#states[kind];
    if (outcome.kind === 'unknown' || !probe || !state) return;
    this.#states = { ...this.#states, [kind]: afterAnswer(state, probe, outcome.kind) };
    const result = containerProbes(container, this.#states, isRestarted);
    this.#startAndStop(() => 0);
    if (isDeepStrictEqual(result, this.#result)) return;
    this.#result = result;
    onChange();
  }

  /** The words are the kubelet's (`probe` in pkg/kubelet/prober/prober.go). */
  #tell(kind: ProbeKind, outcome: ProbeOutcome): void {
    const title = TITLES[kind];
    switch (outcome.kind) {
      case 'success':
        if (outcome.warning === undefined) this.#lastEvents.delete(kind);
        else this.#event(kind, 'ProbeWarning', `${title} probe warning: ${outcome.warning}`);
        return;
      case 'failure':
        this.#event(kind, 'Unhealthy', `${title} probe failed: ${outcome.message}`);
        return;
      case 'unknown':
        if (outcome.message === undefined) return;
        this.#event(kind, 'Unhealthy', `${title} probe errored and resulted in unknown state: ${outcome.message}`);
    }
  }

  #event(kind: ProbeKind, reason: string, message: string): void {
    const { container, recorder, clock } = this.#options;
    const last = this.#lastEvents.get(kind);
    const nowMs = clock.monotonicMs();
    if (last?.message === message && nowMs - last.atMs < REPEAT_EVENT_MS) return;
    this.#lastEvents.set(kind, { message, atMs: nowMs });
    const list = this.#probed.pod.spec.initContainers?.some(({ name }) => name === container.name)
      ? 'initContainers'
      : 'containers';
    recorder.event(this.#probed.pod, 'Warning', reason, message, `spec.${list}{${container.name}}`);
  }
}

function periodMs(probe: { readonly periodSeconds?: number | undefined } | undefined): number {
  return Math.max(probe?.periodSeconds ?? 10, 1) * 1000;
}
