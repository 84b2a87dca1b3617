import { podKind } from '../api/kinds.ts';
import type { Pod } from '../api/pod.ts';
import type { EventRecorder } from '../events/recorder.ts';
import { isStaticPod } from '../sources/static-pod.ts';
import type { Store } from '../store/store.ts';

export interface ArrivalsOptions {
  readonly store: Pick<Store, 'list' | 'watch'>;
  readonly recorder: Pick<EventRecorder, 'event'>;
  readonly nodeName: string;
  /** Why nothing can be started at all; undefined when it can, or when that is not known yet. */
  runtimeProblem(): string | undefined;
}

/**
 * Tells of new pods what a scheduler would, and why they have to wait while the runtime is away: no worker acts then,
 * and before the runtime answered for the first time there is none.
 */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  /** UIDs of the pods that have come to the node. */
  readonly #here = new Set<string>();
  #stopWatch: (() => void) | undefined;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  start(): void {
    const { store } = this.#options;
    let isNew = false;
    this.#stopWatch = store.watch(podKind, {}, ({ type, object }) => {
      const { uid = '' } = object.metadata;
      if (type === 'DELETED') this.#here.delete(uid);
      else if (object.spec.nodeName && !this.#here.has(uid)) {
        this.#here.add(uid);
        if (isNew) this.#arrived(object);
      }
    });
    // The watch begins with the pods that are there already.
    isNew = true;
  }

  stop(): void {
    this.#stopWatch?.();
  }

  /** The runtime went away, or is found to be away. */
  runtimeLost(): void {
    for (const pod of this.#options.store.list(podKind).items) this.#reportWaiting(pod);
  }

  #arrived(pod: Pod): void {
    const { recorder, nodeName } = this.#options;
    const { namespace, name } = pod.metadata;
    // A manifest's pod is where its file is: nobody chose a node for it.
    if (!isStaticPod(pod)) {
      recorder.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${namespace}/${name} to ${nodeName}`);
    }
    this.#reportWaiting(pod);
  }

  #reportWaiting(pod: Pod): void {
    const problem = this.#options.runtimeProblem();
    if (problem === undefined || pod.metadata.deletionTimestamp || !pod.spec.nodeName || !hasNotStarted(pod)) return;
    this.#options.recorder.event(pod, 'Warning', 'ContainerRuntimeUnavailable', `the pod waits: ${problem}`);
  }
}

function hasNotStarted({ status }: Pod): boolean {
  return status?.phase === 'Pending' && !status.containerStatuses?.some(({ containerID }) => containerID);
}
