import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../util/clock.ts';
import { type CpuHistory, freshHistory, MIN_WINDOW_MS, nextHistory, rateOf } from './cpu-rate.ts';
import type { CgroupUsage, NodeUsage, PodUsage, Usage } from './usage.ts';
import type { RunningPod, UsageReader } from './usage-reader.ts';

export interface UsageCollectorOptions {
  readonly reader: Pick<UsageReader, 'readNode' | 'readPod'>;
  /** What runs now. */
  readonly running: () => readonly RunningPod[];
  readonly clock: Clock;
  /** Replaced by tests only. */
  readonly pause?: (ms: number) => Promise<unknown>;
}

/** What was read is given to all who ask within this time: many scrapers cost no more than one. */
const SHARED_MS = 1_000;
/** Timers may be early by a moment. */
const TIMER_SLACK_MS = 20;
const NODE = 'node';

/**
 * What the node and its pods use, read when somebody asks and never otherwise. Of each cgroup two samples of its CPU time
 * are kept between the questions, from which the rates follow.
 */
export class UsageCollector {
  readonly #options: UsageCollectorOptions;
  readonly #pause: (ms: number) => Promise<unknown>;
  #histories = new Map<string, CpuHistory>();
  #last: { readonly atMs: number; readonly usage: Promise<Usage> } | undefined;

  constructor(options: UsageCollectorOptions) {
    this.#options = options;
    this.#pause = options.pause ?? ((ms) => delay(ms, undefined, { ref: false }));
  }

  /** At most a second old. Rates are there only where something was sampled before. */
  async usage(): Promise<Usage> {
    const atMs = this.#options.clock.monotonicMs();
    if (!this.#last || atMs - this.#last.atMs >= SHARED_MS) {
      const last = { atMs, usage: this.#collect() };
      this.#last = last;
      // Nothing of it is needed after that time, nor is a failure.
      const forget = () => {
        if (this.#last === last) this.#last = undefined;
      };
      last.usage.then(() => void setTimeout(forget, SHARED_MS).unref(), forget);
    }
    return this.#last.usage;
  }

  /** With rates of all that has run for a second: whoever asks for the first time waits for a second sample. */
  async ratedUsage(): Promise<Usage> {
    const usage = await this.usage();
    if (cgroupsOf(usage).every(({ cpu }) => cpu === undefined || cpu.rate !== undefined)) return usage;
    await this.#pause(MIN_WINDOW_MS + TIMER_SLACK_MS);
    return this.usage();
  }

  async #collect(): Promise<Usage> {
    const { reader, running } = this.#options;
    const histories = new Map<string, CpuHistory>();
    const node = await reader.readNode();
    const ratedNode: NodeUsage = { ...node, ...this.#rated(histories, NODE, node, undefined) };
    const pods: PodUsage[] = [];
    for (const runningPod of running()) {
      // Others get their turn between pods.
      await turn();
      const pod = reader.readPod(runningPod);
      pods.push({
        ...pod,
        ...this.#rated(histories, pod.uid, pod, pod.startedAtMs),
        containers: pod.containers.map((container) => ({
          ...container,
          ...this.#rated(histories, container.id, container, container.startedAtMs),
        })),
      });
    }
    this.#histories = histories;
    return { node: ratedNode, pods };
  }

  #rated(
    histories: Map<string, CpuHistory>,
    key: string,
    { cpu }: CgroupUsage,
    startedAtMs: number | undefined,
  ): Pick<CgroupUsage, 'cpu'> {
    if (!cpu) return {};
    const { clock } = this.#options;
    const sample = { atMs: clock.monotonicMs(), nanos: cpu.usageNanos };
    const fresh = startedAtMs === undefined ? undefined : freshHistory(clock.now() - startedAtMs, sample);
    const history = nextHistory(this.#histories.get(key) ?? fresh, sample);
    histories.set(key, history);
    return { cpu: { ...cpu, rate: rateOf(history) } };
  }
}

function cgroupsOf({ node, pods }: Usage): readonly CgroupUsage[] {
  return [node, ...pods.flatMap((pod) => [pod, ...pod.containers])];
}
