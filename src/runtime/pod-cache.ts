import type { Logger } from '../util/log.ts';
import { Semaphore } from '../util/semaphore.ts';
import type { CriClient } from './cri-client.ts';
import type { RuntimeEvent } from './event-stream.ts';
import type { Container__Output } from './generated/runtime/v1/Container.ts';
import type { PodSandbox__Output } from './generated/runtime/v1/PodSandbox.ts';
import { instanceSelector } from './labels.ts';
import {
  type ObservedContainer,
  type ObservedPod,
  type ObservedSandbox,
  toObservedContainer,
  toObservedPod,
  toObservedSandbox,
} from './observed.ts';
import { ReadOrder } from './read-order.ts';

export interface PodCacheOptions {
  readonly client: Pick<CriClient, 'listPodSandboxes' | 'listContainers' | 'podSandboxStatus' | 'containerStatus'>;
  /** Only what carries this instance's label is ever looked at. */
  readonly instance: string;
  readonly logger: Logger;
  /** Called after what is known of a pod changed. */
  onChange(podUid: string): void;
}

interface Entry<T> {
  /** Counts up over all entries: a list that began before the entry was made cannot know it. */
  readonly addedAt: number;
  readonly sandboxId: string;
  readonly observed: T | undefined;
}

const STATUS_CALLS_AT_ONCE = 16;
/**
 * An exit event can run ahead of the state that CRI tells, on containerd 1.6 always: by some 30 ms, in which it is asked
 * often, then ever less, until it is left to the relist.
 */
const EXIT_RETRY_DELAYS_MS = [1, 2, 4, 8, 8, 8, 8, 8, 8, 8, 8, 16, 32, 64, 128, 256, 512, 1024, 2048];

/**
 * What the runtime has of our pods, kept right by events and by relisting. Only this class asks the runtime for state;
 * everybody else reads here.
 */
export class PodCache {
  readonly #options: PodCacheOptions;
  readonly #sandboxes = new Map<string, Entry<ObservedSandbox>>();
  readonly #containers = new Map<string, Entry<ObservedContainer>>();
  readonly #statusCalls = new Semaphore(STATUS_CALLS_AT_ONCE);
  readonly #reads = new ReadOrder();
  /** Who waits for a container's end, by its id. */
  readonly #ends = new Map<string, Set<() => void>>();
  #sequence = 0;
  #relisting: Promise<void> | undefined;
  #relistAgain = false;

  constructor(options: PodCacheOptions) {
    this.#options = options;
  }

  /** What is known of one pod; an empty one when nothing is. */
  get(podUid: string): ObservedPod {
    const sandboxes = [...this.#sandboxes.values()].flatMap(({ observed }) =>
      observed?.pod.uid === podUid ? [observed] : [],
    );
    const containers = [...this.#containers.values()].flatMap(({ observed }) =>
      observed?.pod.uid === podUid ? [observed] : [],
    );
    return toObservedPod(podUid, sandboxes, containers);
  }

  /** The pods of which the runtime has anything. */
  podUids(): ReadonlySet<string> {
    const uids = new Set<string>();
    for (const { observed } of this.#sandboxes.values()) if (observed) uids.add(observed.pod.uid);
    for (const { observed } of this.#containers.values()) if (observed) uids.add(observed.pod.uid);
    return uids;
  }

  /** A sandbox was removed, and with it all its containers. */
  forgetSandbox(id: string): void {
    for (const [containerId, entry] of this.#containers) {
      if (entry.sandboxId === id) this.#replace(this.#containers, containerId, undefined, '');
    }
    this.#replace(this.#sandboxes, id, undefined, '');
  }

  /** All containers that run, of all pods. */
  runningContainers(): ObservedContainer[] {
    return [...this.#containers.values()].flatMap(({ observed }) => (observed?.state === 'RUNNING' ? [observed] : []));
  }

  /** What each container does. */
  containerStates(): ObservedContainer['state'][] {
    return [...this.#containers.values()].flatMap(({ observed }) => (observed ? [observed.state] : []));
  }

  /** Undefined when it is not known, or not ours. */
  getContainer(id: string): ObservedContainer | undefined {
    return this.#containers.get(id)?.observed;
  }

  /** Undefined when it is not known, or not ours. */
  getSandbox(id: string): ObservedSandbox | undefined {
    return this.#sandboxes.get(id)?.observed;
  }

  /**
   * Resolves when the container does not run any more, as far as is known: it ended, or is gone. Resolves as well when
   * `signal` is aborted.
   */
  whenEnded(id: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted || !this.#mayRun(id)) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = this.#ends.get(id) ?? new Set();
      const end = () => {
        signal.removeEventListener('abort', end);
        waiting.delete(end);
        if (waiting.size === 0) this.#ends.delete(id);
        resolve();
      };
      this.#ends.set(id, waiting.add(end));
      signal.addEventListener('abort', end, { once: true });
    });
  }

  #mayRun(id: string): boolean {
    const state = this.getContainer(id)?.state;
    return state === 'RUNNING' || state === 'UNKNOWN';
  }

  /** Reads everything anew. Calls while one is under way share one more run after it. */
  async relist(): Promise<void> {
    if (this.#relisting) {
      this.#relistAgain = true;
      return this.#relisting;
    }
    this.#relisting = this.#relistUntilDone();
    try {
      await this.#relisting;
    } finally {
      this.#relisting = undefined;
    }
  }

  /** Makes events of a container that was just created count, before its first status is read. */
  trackContainer(id: string, sandboxId: string): void {
    if (!this.#containers.has(id))
      this.#containers.set(id, { addedAt: ++this.#sequence, sandboxId, observed: undefined });
  }

  /** Acts on a hint about one of our containers or sandboxes; others are passed over. */
  async handleEvent(event: RuntimeEvent): Promise<void> {
    // Of most starts we know already, having made them.
    if (event.kind === 'started' && this.#isKnownToRun(event.id)) return;
    if (this.#sandboxes.has(event.id)) {
      await this.#retryUntil(
        () => this.refreshSandbox(event.id),
        (state) => event.kind !== 'exited' || state !== 'READY',
      );
    } else if (this.#containers.has(event.id)) {
      await this.#retryUntil(
        () => this.refreshContainer(event.id),
        // One that ended at once may not even be told as running yet.
        (state) => event.kind !== 'exited' || state === 'EXITED' || state === undefined,
      );
    }
  }

  #isKnownToRun(id: string): boolean {
    return (
      this.#sandboxes.get(id)?.observed?.state === 'READY' || this.#containers.get(id)?.observed?.state === 'RUNNING'
    );
  }

  /** Reads one container anew. Returns its state, or undefined when it is gone. */
  async refreshContainer(id: string, sandboxId?: string): Promise<ObservedContainer['state'] | undefined> {
    const known = this.#containers.get(id);
    const owner = sandboxId ?? known?.sandboxId ?? '';
    const answer = await this.#reads.latest(id, () =>
      this.#statusCalls.use(() => this.#options.client.containerStatus(id)),
    );
    if (answer === 'overtaken') return this.#containers.get(id)?.observed?.state;
    const status = answer.value;
    // A container whose sandbox is not known yet is left to the relist, which tells both.
    if (status && owner === '') return undefined;
    const observed = status && toObservedContainer({ podSandboxId: owner }, status);
    this.#replace(this.#containers, id, observed, owner);
    return observed?.state;
  }

  /** Reads one sandbox anew. Returns its state, or undefined when it is gone. */
  async refreshSandbox(id: string): Promise<ObservedSandbox['state'] | undefined> {
    const answer = await this.#reads.latest(id, () =>
      this.#statusCalls.use(() => this.#options.client.podSandboxStatus(id)),
    );
    if (answer === 'overtaken') return this.#sandboxes.get(id)?.observed?.state;
    const status = answer.value;
    const observed = status && toObservedSandbox(status);
    this.#replace(this.#sandboxes, id, observed, '');
    return observed?.state;
  }

  #replace<T extends ObservedContainer | ObservedSandbox>(
    entries: Map<string, Entry<T>>,
    id: string,
    observed: T | undefined,
    sandboxId: string,
  ): void {
    const before = entries.get(id);
    if (observed) entries.set(id, { addedAt: before?.addedAt ?? ++this.#sequence, sandboxId, observed });
    else entries.delete(id);
    if (!this.#mayRun(id)) for (const end of this.#ends.get(id) ?? []) end();
    if (isSame(before?.observed, observed)) return;
    const uid = observed?.pod.uid ?? before?.observed?.pod.uid;
    if (uid) this.#options.onChange(uid);
  }

  async #retryUntil<S>(refresh: () => Promise<S>, isExpected: (state: S) => boolean): Promise<void> {
    for (const delayMs of EXIT_RETRY_DELAYS_MS) {
      if (isExpected(await refresh())) return;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }

  async #relistUntilDone(): Promise<void> {
    do {
      this.#relistAgain = false;
      await this.#relistOnce();
    } while (this.#relistAgain);
  }

  async #relistOnce(): Promise<void> {
    const startedAt = this.#sequence;
    const selector = instanceSelector(this.#options.instance);
    const [sandboxes, containers] = await Promise.all([
      this.#options.client.listPodSandboxes(selector),
      this.#options.client.listContainers(selector),
    ]);
    await Promise.all([
      ...sandboxes.filter((item) => this.#isSandboxStale(item)).map((item) => this.refreshSandbox(item.id)),
      ...containers
        .filter((item) => this.#isContainerStale(item))
        .map((item) => this.refreshContainer(item.id, item.podSandboxId)),
    ]);
    this.#dropMissing(this.#sandboxes, new Set(sandboxes.map((item) => item.id)), startedAt);
    this.#dropMissing(this.#containers, new Set(containers.map((item) => item.id)), startedAt);
  }

  #isSandboxStale(item: PodSandbox__Output): boolean {
    const known = this.#sandboxes.get(item.id)?.observed;
    return known?.state !== (item.state === 'SANDBOX_READY' ? 'READY' : 'NOTREADY');
  }

  #isContainerStale(item: Container__Output): boolean {
    const known = this.#containers.get(item.id)?.observed;
    return !known || `CONTAINER_${known.state}` !== item.state;
  }

  #dropMissing<T extends ObservedContainer | ObservedSandbox>(
    entries: Map<string, Entry<T>>,
    listed: ReadonlySet<string>,
    startedAt: number,
  ): void {
    for (const [id, entry] of entries) {
      if (!listed.has(id) && entry.addedAt <= startedAt) this.#replace(entries, id, undefined, '');
    }
  }
}

function isSame(
  a: ObservedContainer | ObservedSandbox | undefined,
  b: ObservedContainer | ObservedSandbox | undefined,
): boolean {
  const text = (value: unknown) =>
    JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? item.toString() : item));
  return a === b || (a !== undefined && b !== undefined && text(a) === text(b));
}
