import type { Pod, PodStatus } from '../api/pod.ts';
import type { PostStartStates } from '../hooks/hook-runner.ts';
import { NO_PROBE_RESULTS, type ProbeResults } from '../probes/results.ts';
import type { ObservedPod } from '../runtime/observed.ts';
import { networkProblem } from '../runtime/runtime-monitor.ts';
import type { Action } from './actions.ts';
import { activeDeadlineMs, DEADLINE_EXCEEDED } from './active-deadline.ts';
import { atomicStart } from './atomic-start.ts';
import { configSourcesOf } from './config-sources.ts';
import { execute, type Outcome } from './execute.ts';
import type { PodFacts } from './facts.ts';
import { isEnding } from './phase.ts';
import { plan } from './plan.ts';
import type { PassKind } from './pod-start-metrics.ts';
import { withPresentTimes } from './present-times.ts';
import { isResized, type ResizeProblem, withPresentResources } from './resize.ts';
import { asksForRuntimeFeatures } from './runtime-features.ts';
import type { PodServices } from './services.ts';
import { StatusWriter } from './status-writer.ts';
import { withoutUnfinishedStarts } from './unfinished-start.ts';
import { VolumeFreshness, volumeSignature } from './volume-freshness.ts';
import { WorkerFacts } from './worker-facts.ts';

export interface PodWorkerOptions {
  readonly uid: string;
  readonly services: PodServices;
  /** The object as it is now; undefined when it is gone. */
  readonly getPod: () => Pod | undefined;
  /** False while the runtime cannot be worked with: nothing is done then but waiting for the next wake. */
  readonly isRuntimeUsable: () => boolean;
  /**
   * Whether the pod may have the resources that it wants now: why not, if its containers have others (see resize.ts).
   */
  readonly resizeProblem?: (pod: Pod) => ResizeProblem | undefined;
  /** Called when containers have got other resources. */
  readonly onResized?: () => void;
  /** Refuses or accepts a pod that was never started; returns the status to store in either case. */
  readonly admit: (pod: Pod) => PodStatus;
  /** By when the pod's containers have to be stopped, if the machine goes down. Milliseconds since the epoch. */
  readonly endDeadlineMs?: () => number | undefined;
  /** Called when the object is gone and the runtime has nothing of the pod. */
  readonly onFinished: () => void;
}

/** Longest time that a worker sleeps though nothing happens: a timer's limit is 2^31 ms. */
const MAX_SLEEP_MS = 3_600_000;

/**
 * Brings one pod to where it should be, one step after the other:
 *
 *     wake ──► read object and observation ──► status ──► plan ──► execute ──┐
 *      ▲                 ▲                                                   │
 *      │                 └──────────── until there is nothing to do ─────────┘
 *      └── object changed, runtime event, time is due
 *
 * Only this loop touches the pod, so its steps never meet each other.
 */
export class PodWorker {
  readonly #options: PodWorkerOptions;
  readonly #facts: WorkerFacts;
  readonly #status: StatusWriter;
  readonly #volumes = new VolumeFreshness();
  /** How often a ConfigMap or Secret of the pod changed. */
  #sourceChanges = 0;
  #isWoken = false;
  #isStopped = false;
  readonly #released = Promise.withResolvers<void>();
  #wakeSleeper: (() => void) | undefined;
  #step: { readonly aim: string; readonly abort: AbortController } | undefined;
  #lastAim: string | undefined;
  #spec: { readonly generation: number | undefined; readonly text: string } | undefined;
  /** The status is being written while a step runs. */
  #telling: Promise<void> | undefined;
  #tellAgain = false;
  #running: Promise<void> | undefined;

  constructor(options: PodWorkerOptions) {
    this.#options = options;
    this.#facts = new WorkerFacts(options.uid, options.services);
    this.#status = new StatusWriter(options);
  }

  /** Resolves when the pod has ended and given everything back, or when this worker has ended. */
  get released(): Promise<void> {
    return this.#released.promise;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Ends the loop after the running step was given up. Containers stay as they are. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#released.resolve();
    this.#step?.abort.abort();
    this.wake();
    await this.#running;
  }

  /** Something may have changed: look again soon. A running step is given up when the pod is now to end, or to end sooner. */
  wake(): void {
    const aim = this.#aim();
    // What failed on the way to another aim says nothing about this one: a deletion does not wait for a retry, nor does
    // a corrected image.
    if (aim !== this.#lastAim) this.#facts.clearProblems();
    this.#lastAim = aim;
    if (this.#step && this.#step.aim !== aim) this.#step.abort.abort();
    this.#tellDuringStep();
    this.#isWoken = true;
    this.#wakeSleeper?.();
  }

  /** As `wake`, for when what made earlier steps fail may be over: nothing is held back any more. */
  retry(): void {
    this.#facts.clearProblems();
    this.wake();
  }

  /** As `wake`, for when a ConfigMap or Secret of the pod changed: what failed for want of it is not held back any more. */
  sourceChanged(): void {
    this.#sourceChanges += 1;
    this.#facts.forgetMissingSources();
    this.wake();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#isWoken = false;
      const wakeAtMs = await this.#syncSafely();
      if (!this.#isWoken && !this.#isStopped) await this.#sleepUntil(wakeAtMs);
    }
  }

  /** A bug must not end the worker: it fails this pass, is logged with its stack, and the pass is tried again. */
  async #syncSafely(): Promise<number | undefined> {
    const { services, uid } = this.#options;
    const begin = services.clock.monotonicMs();
    const kind = this.#passKind();
    try {
      return await this.#sync();
    } catch (error) {
      services.logger.error({ err: error, podUid: uid }, 'syncing the pod failed unexpectedly');
      return this.#facts.notePodProblem(error, 'FailedSync').retryAtMs;
    } finally {
      services.startMetrics.passed(kind, (services.clock.monotonicMs() - begin) / 1000);
    }
  }

  #passKind(): PassKind {
    const pod = this.#options.getPod();
    if (!pod || pod.metadata.deletionTimestamp || isEnding(pod)) return 'kill';
    return pod.status?.startTime ? 'sync' : 'create';
  }

  /** Returns when to look again if nothing happens before. */
  async #sync(): Promise<number | undefined> {
    const { services } = this.#options;
    while (!this.#isStopped) {
      const pod = this.#admitted();
      const observed = this.#observed();
      const settings = { maxRestartDelaySeconds: services.settings.maxRestartDelaySeconds };
      const now = services.clock.now();
      if (!this.#options.isRuntimeUsable()) return undefined;
      if (pod) await this.#writeStatus(this.#allocated(pod), observed);
      else if (observed.sandboxes.length === 0 && observed.containers.length === 0) {
        this.#options.onFinished();
        return undefined;
      }
      const current = this.#allocated(this.#options.getPod());
      const { actions, wakeAtMs } = plan(current, observed, this.#currentFacts(current, observed), settings, now);
      if (actions.length === 0) return wakeAtMs;
      await this.#executeAll(current, actions, wakeAtMs);
    }
    return undefined;
  }

  #observed(): ObservedPod {
    const { cache, clockSteps } = this.#options.services;
    return withPresentTimes(cache.get(this.#options.uid), (ms) => clockSteps.inPresentTime(ms));
  }

  #admitted(): Pod | undefined {
    const { services, getPod, isRuntimeUsable, admit } = this.#options;
    const pod = getPod();
    if (!pod || pod.status?.startTime || isEnding(pod) || pod.metadata.deletionTimestamp) return pod;
    if (!isRuntimeUsable() && asksForRuntimeFeatures(pod)) return pod;
    const status = admit(pod);
    if (status.phase === 'Failed')
      services.recorder.event(pod, 'Warning', status.reason ?? 'Failed', status.message ?? '');
    return this.#status.store(pod, status);
  }

  /** The pod with the resources that it may have now. Notes why it may not have what it wants. */
  #allocated<T extends Pod | undefined>(pod: T): T {
    const isWanted = pod !== undefined && !isEnding(pod) && isResized(pod);
    const resizePending = isWanted ? this.#options.resizeProblem?.(pod) : undefined;
    if (!isWanted) this.#facts.forgetResize();
    this.#facts.noteResizePending(pod, resizePending);
    return resizePending && pod ? (withPresentResources(pod) as T) : pod;
  }

  #currentFacts(pod: Pod | undefined, observed: ObservedPod): PodFacts {
    const networkReady = networkProblem(this.#options.services.monitor.health) === undefined;
    const postStarts = this.#options.services.hooks.postStarts(this.#options.uid);
    const probes = this.#probe(pod, withoutStarting(observed, postStarts));
    const endDeadlineMs = this.#options.endDeadlineMs?.();
    const volumes = this.#volumes.facts(this.#volumeSignature(pod), this.#options.services.clock.now());
    return { ...this.#facts.known, networkReady, probes, postStarts, volumes, endDeadlineMs };
  }

  #volumeSignature(pod: Pod | undefined): string | undefined {
    return pod && volumeSignature(pod, configSourcesOf(this.#options.services.store, pod));
  }

  /** Has the containers probed that run now: none of them is seen without what its probes say. */
  #probe(pod: Pod | undefined, observed: ObservedPod): ProbeResults {
    const { probes, settings } = this.#options.services;
    if (!pod) {
      probes.forget(this.#options.uid);
      return NO_PROBE_RESULTS;
    }
    const podIP = pod.spec.hostNetwork ? settings.hostIPs()[0] : observed.sandboxes[0]?.ips[0];
    const isStopping = pod.metadata.deletionTimestamp !== undefined || isEnding(pod);
    return probes.sync(observed, { pod, podIP, isStopping });
  }

  /** @param wakeAtMs when the pod's aim may have changed though nothing happened: a deadline holds during a step as well. */
  async #executeAll(pod: Pod | undefined, actions: readonly Action[], wakeAtMs: number | undefined): Promise<void> {
    const abort = new AbortController();
    this.#step = { aim: this.#aim(), abort };
    const sourceChanges = this.#sourceChanges;
    const signature = this.#volumeSignature(pod);
    const timer = wakeAtMs === undefined ? undefined : setTimeout(() => this.wake(), this.#msUntil(wakeAtMs));
    try {
      const results = await Promise.allSettled(
        actions.map((action) => execute(this.#options.services, pod, action, abort.signal)),
      );
      if (results.every((result) => result.status === 'fulfilled')) this.#facts.clearPodProblem();
      for (const [index, result] of results.entries()) {
        const action = actions[index];
        if (!action) continue;
        this.#noteVolumes(pod, action, signature, result.status === 'fulfilled', abort.signal);
        if (result.status === 'fulfilled') this.#noteOutcome(pod, action, result.value, abort.signal);
        else this.#facts.noteFailure(pod, action, result.reason, abort.signal);
      }
      // What was missing when the step looked may have come while it went on.
      if (sourceChanges !== this.#sourceChanges) this.#facts.forgetMissingSources();
    } finally {
      clearTimeout(timer);
      this.#step = undefined;
      // The pass that follows must not plan with less than what the status says already.
      await this.#telling;
    }
  }

  /** A step can take as long as a pull or a grace period: what happens meanwhile is told without waiting for its end. */
  #tellDuringStep(): void {
    if (!this.#step || this.#isStopped) return;
    this.#tellAgain = true;
    this.#telling ??= this.#tellUntilDone().finally(() => {
      this.#telling = undefined;
    });
  }

  async #tellUntilDone(): Promise<void> {
    const { services, uid, getPod, isRuntimeUsable } = this.#options;
    try {
      while (this.#tellAgain && this.#step && isRuntimeUsable()) {
        this.#tellAgain = false;
        const pod = this.#allocated(getPod());
        if (pod) await this.#writeStatus(pod, this.#observed());
      }
    } catch (error) {
      services.logger.error({ err: error, podUid: uid }, 'the status could not be told during a step');
    }
  }

  #noteVolumes(
    pod: Pod | undefined,
    action: Action,
    signature: string | undefined,
    isDone: boolean,
    signal: AbortSignal,
  ): void {
    if (action.kind !== 'runPod' && action.kind !== 'refreshVolumes') return;
    if (isDone) this.#volumes.noteMade(signature, pod && this.#options.services.volumes.refreshDueAtMs(pod));
    else if (action.kind === 'refreshVolumes' && !signal.aborted) {
      this.#volumes.noteFailed(signature, this.#options.services.clock.now());
    }
  }

  #noteOutcome(pod: Pod | undefined, action: Action, outcome: Outcome, signal: AbortSignal): void {
    switch (outcome.kind) {
      case 'done':
        return;
      case 'released':
        this.#facts.noteReleased();
        this.#released.resolve();
        return;
      case 'resized':
        this.#facts.noteResized(pod, outcome.containers);
        this.#options.onResized?.();
        return;
      case 'ending':
        if (pod) this.#endPod(pod, outcome.reason, outcome.message);
        return;
      case 'ran':
        this.#facts.noteStarts(pod, action, outcome, signal);
    }
  }

  /** What the pod is to come to, and by when: a step towards another aim is given up. */
  #aim(): string {
    const pod = this.#options.getPod();
    if (!pod) return 'gone';
    const { deletionTimestamp = '' } = pod.metadata;
    const isGivenUp = isEnding(pod) || this.#hasFailedToStart(pod) || this.#isPastDeadline(pod);
    const deadline = this.#options.endDeadlineMs?.() ?? '';
    return `${isGivenUp} ${deletionTimestamp} ${deadline} ${this.#lastingSpec(pod)}`;
  }

  /** The spec but for ephemeral containers, which come to a pod as it is: a pull or a hook under way goes on. */
  #lastingSpec({ metadata, spec }: Pod): string {
    const { generation } = metadata;
    if (!this.#spec || this.#spec.generation !== generation) {
      this.#spec = { generation, text: JSON.stringify({ ...spec, ephemeralContainers: undefined }) };
    }
    return this.#spec.text;
  }

  #hasFailedToStart(pod: Pod): boolean {
    const { hooks, clock } = this.#options.services;
    const observed = withoutUnfinishedStarts(pod, this.#facts.known, this.#observed());
    return atomicStart(pod, observed, hooks.postStarts(this.#options.uid), clock.now()).kind === 'failed';
  }

  #isPastDeadline(pod: Pod): boolean {
    return (activeDeadlineMs(pod) ?? Number.POSITIVE_INFINITY) <= this.#options.services.clock.now();
  }

  #endPod(pod: Pod, reason: string, message: string): void {
    // What the manifest asks for is no cause for alarm (pkg/kubelet/active_deadline.go).
    const type = reason === DEADLINE_EXCEEDED ? 'Normal' : 'Warning';
    this.#options.services.recorder.event(pod, type, reason, message);
    const { status } = this.#options.getPod() ?? pod;
    this.#status.store(pod, { ...status, reason, message });
  }

  async #writeStatus(pod: Pod, observed: ObservedPod): Promise<void> {
    // A pod that was refused never had a container to tell of.
    if (isEnding(pod) && !pod.status?.containerStatuses) return;
    await this.#status.readTerminationMessages(pod, observed);
    // A client may have written conditions of its own meanwhile: from here on nothing comes between.
    const current = this.#allocated(this.#options.getPod() ?? pod);
    this.#status.write(current, observed, this.#currentFacts(current, observed));
  }

  #sleepUntil(wakeAtMs: number | undefined): Promise<void> {
    const ms = wakeAtMs === undefined ? MAX_SLEEP_MS : this.#msUntil(wakeAtMs);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wakeSleeper?.(), ms);
      this.#wakeSleeper = () => {
        clearTimeout(timer);
        this.#wakeSleeper = undefined;
        resolve();
      };
    });
  }

  /** Never more than a timer can take. */
  #msUntil(epochMs: number): number {
    return Math.min(Math.max(epochMs - this.#options.services.clock.now(), 0) + 1, MAX_SLEEP_MS);
  }
}

/** A container is not probed before its postStart hook is done. */
function withoutStarting(observed: ObservedPod, postStarts: PostStartStates): ObservedPod {
  if (postStarts.size === 0) return observed;
  return { ...observed, containers: observed.containers.filter(({ id }) => postStarts.get(id)?.kind !== 'running') };
}
