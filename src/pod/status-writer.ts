import { isDeepStrictEqual } from 'node:util';
import { podKind } from '../api/kinds.ts';
import type { Pod, PodStatus } from '../api/pod.ts';
import type { ObservedPod } from '../runtime/observed.ts';
import { networkProblem } from '../runtime/runtime-monitor.ts';
import { fieldPath } from './containers.ts';
import type { PodFacts, Problem } from './facts.ts';
import type { PodServices } from './services.ts';
import { statusOf } from './status.ts';
import { statusEvents } from './status-events.ts';
import { readTerminationMessages } from './termination-messages.ts';

export interface StatusWriterOptions {
  readonly uid: string;
  readonly services: PodServices;
  /** The object as it is now; undefined when it is gone. */
  readonly getPod: () => Pod | undefined;
}

/** Computes the status of one pod, stores it where it has changed, and tells what is new in it as events. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  #terminationMessages: ReadonlyMap<string, string> = new Map();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** Reads what only files tell. To be done before `write`, which waits for nothing. */
  async readTerminationMessages(pod: Pod, observed: ObservedPod): Promise<void> {
    const { services } = this.#options;
    this.#terminationMessages = await readTerminationMessages(services, pod, observed, this.#terminationMessages);
  }

  /** @param pod as it is now. */
  write(pod: Pod, observed: ObservedPod, facts: PodFacts): void {
    const { services } = this.#options;
    const { settings, monitor, clock } = services;
    const status = statusOf(
      pod,
      observed,
      { ...facts, podProblem: facts.podProblem ?? this.#networkProblem(pod, observed) },
      {
        hostIPs: settings.hostIPs(),
        maxRestartDelaySeconds: settings.maxRestartDelaySeconds,
        runtimeName: monitor.health.state === 'up' ? monitor.health.name : '',
        terminationMessages: this.#terminationMessages,
      },
      clock.now(),
    );
    const isStored = this.store(pod, status) !== undefined;
    if (!isStored) return;
    for (const { reason, message, containerName } of statusEvents(pod, status)) {
      const path = containerName === undefined ? undefined : fieldPath(pod, containerName);
      services.recorder.event(pod, 'Warning', reason, message, path);
    }
  }

  #networkProblem(pod: Pod, observed: ObservedPod): Problem | undefined {
    const problem = networkProblem(this.#options.services.monitor.health);
    if (!problem || pod.spec.hostNetwork || observed.sandboxes[0]?.state === 'READY') return undefined;
    const message = `network is not ready: ${problem}`;
    return { reason: 'NetworkPluginNotReady', message, retryAtMs: 0 };
  }

  /** Returns the stored pod, or undefined when it is gone meanwhile. */
  store(pod: Pod, status: PodStatus): Pod | undefined {
    const { services, uid, getPod } = this.#options;
    if (!getPod() || isDeepStrictEqual(pod.status, status)) return getPod();
    const { namespace, name = '' } = pod.metadata;
    return services.store.update(
      podKind,
      namespace,
      name,
      (current) => (current.metadata.uid === uid ? { ...current, status } : undefined),
      // It can be observed again: a power cut loses nothing.
      { durable: false },
    );
  }
}
