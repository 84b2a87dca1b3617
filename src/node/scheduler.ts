import { nodeKind, podKind } from '../api/kinds.ts';
import type { Pod, PodCondition } from '../api/pod.ts';
import type { EventRecorder } from '../events/recorder.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import { bySchedulingOrder, schedule } from './scheduling.ts';

export interface SchedulerOptions {
  readonly store: Pick<Store, 'get' | 'list' | 'update' | 'watch'>;
  readonly recorder: Pick<EventRecorder, 'event'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeName: string;
}

/** How long after a failure to store a decision all of them are made again. */
const RETRY_MS = 5000;

/**
 * Gives pods that name no node the one there is, or tells why they have to wait. What was decided is in the pods
 * alone, so it is found again after a restart: a pod without a node waits.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  #stopWatches: (() => void)[] = [];
  #retry: NodeJS.Timeout | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  start(): void {
    const { store } = this.#options;
    this.#stopWatches = [
      store.watch(podKind, {}, ({ type, object }) => {
        if (type !== 'DELETED' && isWaiting(object)) this.#scheduleSafely([object]);
      }),
      store.watch(nodeKind, {}, () => this.#scheduleAll()),
    ];
  }

  stop(): void {
    for (const stop of this.#stopWatches.splice(0)) stop();
    clearTimeout(this.#retry);
  }

  #scheduleAll(): void {
    const waiting = this.#options.store.list(podKind, { filter: isWaiting }).items;
    this.#scheduleSafely([...waiting].sort(bySchedulingOrder));
  }

  /** A store that cannot be written must not end the watch. */
  #scheduleSafely(pods: readonly Pod[]): void {
    try {
      for (const pod of pods) this.#schedule(pod);
    } catch (error) {
      this.#options.logger.error({ err: error }, 'a pod could not be scheduled, it is tried again');
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.#scheduleAll(), RETRY_MS).unref();
    }
  }

  #schedule({ metadata }: Pod): void {
    const { store, nodeName, recorder } = this.#options;
    // As it is stored at this moment: the watch tells later.
    const pod = store.get(podKind, metadata.namespace, metadata.name ?? '');
    if (!pod || pod.metadata.uid !== metadata.uid || !isWaiting(pod)) return;
    const decision = schedule(pod, store.get(nodeKind, undefined, nodeName));
    if (decision.kind === 'bind') {
      this.#write({ ...pod, spec: { ...pod.spec, nodeName } }, { status: 'True' });
      return;
    }
    const { reason, message } = decision;
    const told = scheduledCondition(pod);
    if (told?.reason === reason && told.message === message) return;
    this.#write(pod, { status: 'False', reason, message });
    if (reason === 'Unschedulable') recorder.event(pod, 'Warning', 'FailedScheduling', message);
  }

  #write(pod: Pod, state: Pick<PodCondition, 'status' | 'reason' | 'message'>): void {
    const { store, clock } = this.#options;
    const { namespace, name = '', generation } = pod.metadata;
    const before = scheduledCondition(pod);
    const lastTransitionTime =
      before?.status === state.status && before.lastTransitionTime
        ? before.lastTransitionTime
        : new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const condition: PodCondition = {
      type: 'PodScheduled',
      ...state,
      ...(generation ? { observedGeneration: generation } : {}),
      lastTransitionTime,
    };
    const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== condition.type);
    const status = { ...pod.status, conditions: [...others, condition] };
    // It is decided again if a power cut loses it.
    store.update(podKind, namespace, name, () => ({ ...pod, status }), { durable: false });
  }
}

/** Whether the pod has no node yet, and may get one. */
function isWaiting({ metadata, spec, status }: Pod): boolean {
  return !spec.nodeName && !metadata.deletionTimestamp && status?.phase === 'Pending';
}

function scheduledCondition({ status }: Pod): PodCondition | undefined {
  return status?.conditions?.find(({ type }) => type === 'PodScheduled');
}
