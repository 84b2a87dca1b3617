import type { Pod, ResourceRequirements } from '../api/pod.ts';
import type { Action } from './actions.ts';
import { fieldPath } from './containers.ts';
import type { Outcome } from './execute.ts';
import { NO_FACTS, type PodFacts, type Problem } from './facts.ts';
import { usableSandbox } from './instances.ts';
import { containerProblem, isInterruption, messageOf, podProblem, StepError } from './problems.ts';
import type { ResizeProblem } from './resize.ts';
import type { PodServices } from './services.ts';

/** What could not be changed may be soon: memory is given back, another pod ends. */
const RESIZE_RETRY_MS = 10_000;

/**
 * What a pod's worker learns from what comes of its steps: kept as facts for the next plan, and told to users as events.
 *
 *     step done ──────► what stood in its way is forgotten
 *     step failed ────► a problem, with the time at which the step is tried again
 *     runtime away ───► a problem of the pod as a whole, whatever the step was for: no container is to blame
 *     step given up ──► nothing
 */
export class WorkerFacts {
  readonly #uid: string;
  readonly #services: PodServices;
  #known: PodFacts = NO_FACTS;
  #podFailures = 0;

  constructor(uid: string, services: PodServices) {
    this.#uid = uid;
    this.#services = services;
  }

  /** What is remembered. What can be asked for at any time (probes, hooks, the network) is not in it. */
  get known(): PodFacts {
    return this.#known;
  }

  noteReleased(): void {
    this.#known = { ...this.#known, isReleased: true };
  }

  // ---- starts and failures ----

  noteStarts(
    pod: Pod | undefined,
    action: Action,
    outcome: Extract<Outcome, { readonly kind: 'ran' }>,
    signal: AbortSignal,
  ): void {
    const services = this.#services;
    const problems = new Map(this.#known.startProblems);
    for (const name of outcome.started) problems.delete(name);
    for (const [name, error] of outcome.startFailures) {
      if (isInterruption(error, signal)) {
        this.#noteInterruption(error, signal);
        continue;
      }
      if (pod && !usableSandbox(pod, services.cache.get(this.#uid))) {
        // Nothing is wrong with the container: its sandbox ended meanwhile, and the next pass makes another.
        const message = `the pod sandbox ended: ${messageOf(error)}`;
        this.notePodProblem(new StepError('FailedCreatePodSandBox', message, error), 'FailedSync');
        continue;
      }
      const problem = containerProblem(error, 'RunContainerError', services.clock.now());
      problems.set(name, problem);
      services.logger.warn(
        { err: error, podUid: this.#uid, container: name, action: action.kind },
        'a container did not start',
      );
      if (pod && problem.reason.startsWith('CreateContainer')) {
        services.recorder.event(pod, 'Warning', 'Failed', `Error: ${problem.message}`, fieldPath(pod, name));
      }
    }
    this.#known = { ...this.#known, startProblems: problems };
  }

  noteFailure(pod: Pod | undefined, action: Action, error: unknown, signal: AbortSignal): void {
    const services = this.#services;
    const uid = this.#uid;
    if (action.kind === 'runPod' && action.sandboxId === undefined) {
      // The runtime may have reserved the attempt though it made nothing.
      const minSandboxAttempt = Math.max(this.#known.minSandboxAttempt, action.attempt + 1);
      this.#known = { ...this.#known, minSandboxAttempt };
    }
    if (isInterruption(error, signal)) {
      this.#noteInterruption(error, signal);
      return;
    }
    if (action.kind === 'resizePod') {
      const message = messageOf(error);
      const before = this.#known.resizeFailure?.message;
      this.#known = { ...this.#known, resizeFailure: { message, retryAtMs: services.clock.now() + RESIZE_RETRY_MS } };
      if (pod && message !== before) services.recorder.event(pod, 'Warning', 'ResizeError', message);
      return;
    }
    if (action.kind === 'refreshVolumes') {
      // The containers go on with what the volumes have.
      services.logger.warn({ err: error, podUid: uid }, 'volumes of a running pod could not be brought up to date');
      if (pod) services.recorder.event(pod, 'Warning', 'FailedMount', messageOf(error));
      return;
    }
    const isGarbage =
      pod && !pod.metadata.deletionTimestamp && (action.kind === 'removeSandbox' || action.kind === 'removeContainer');
    const problem = isGarbage ? this.#noteGarbageProblem(error) : this.notePodProblem(error, 'FailedSync');
    services.logger.warn(
      { err: error, podUid: uid, action: action.kind },
      'a step for the pod failed, it will be tried again',
    );
    if (pod) services.recorder.event(pod, 'Warning', problem.reason, problem.message);
  }

  /** The runtime is away: it is asked again a little later, unless its monitor sees it come back before. */
  #noteInterruption(error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.notePodProblem(error, 'ContainerRuntimeUnavailable');
    void this.#services.monitor.check();
  }

  /** The pod as a whole is held back for a time that grows with every failure in a row. */
  notePodProblem(error: unknown, fallbackReason: string): Problem {
    this.#podFailures += 1;
    const problem = podProblem(error, fallbackReason, this.#podFailures, this.#services.clock.now());
    this.#known = { ...this.#known, podProblem: problem };
    return problem;
  }

  #noteGarbageProblem(error: unknown): Problem {
    const problem = podProblem(error, 'FailedKillPod', 5, this.#services.clock.now());
    this.#known = { ...this.#known, garbageRetryAtMs: problem.retryAtMs };
    return problem;
  }

  clearPodProblem(): void {
    this.#podFailures = 0;
    this.#known = { ...this.#known, podProblem: undefined };
  }

  clearProblems(): void {
    this.clearPodProblem();
    this.#known = { ...this.#known, startProblems: new Map(), garbageRetryAtMs: 0 };
  }

  /** What failed for want of a ConfigMap or Secret is not held back any more. */
  forgetMissingSources(): void {
    const { podProblem, startProblems } = this.#known;
    if (podProblem?.reason === 'FailedMount') this.clearPodProblem();
    const others = [...startProblems].filter(([, problem]) => problem.reason !== 'CreateContainerConfigError');
    this.#known = { ...this.#known, startProblems: new Map(others) };
  }

  // ---- resources that change while containers run ----

  noteResizePending(pod: Pod | undefined, problem: ResizeProblem | undefined): void {
    const before = this.#known.resizePending;
    if (before?.message === problem?.message) return;
    this.#known = { ...this.#known, resizePending: problem };
    if (!pod || !problem || before?.reason === problem.reason) return;
    this.#services.recorder.event(pod, 'Warning', `Resize${problem.reason}`, problem.message);
  }

  noteResized(pod: Pod | undefined, containers: ReadonlyMap<string, ResourceRequirements>): void {
    this.#known = {
      ...this.#known,
      resizedContainers: new Map([...this.#known.resizedContainers, ...containers]),
      resizeFailure: undefined,
    };
    if (pod) this.#services.recorder.event(pod, 'Normal', 'ResizeCompleted', 'Pod resize completed');
  }

  /** The pod wants nothing else than what its status says that it has. */
  forgetResize(): void {
    this.#known = { ...this.#known, resizedContainers: new Map(), resizeFailure: undefined };
  }
}
