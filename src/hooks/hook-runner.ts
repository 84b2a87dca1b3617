import type { LifecycleHandler } from '../api/pod.ts';
import type { PodCache } from '../runtime/pod-cache.ts';
import { type HookClients, type HookTarget, runHandler } from './run-handler.ts';

export type HookKind = 'postStart' | 'preStop';

export type HookOutcome =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly message: string }
  /** The container ended before its hook did, or the daemon ends. */
  | { readonly kind: 'abandoned' };

/** How the postStart hook of a container stands. One that has none, or whose hook succeeded, is not listed. */
export type PostStartState = { readonly kind: 'running' } | { readonly kind: 'failed'; readonly message: string };

/** By container id. */
export type PostStartStates = ReadonlyMap<string, PostStartState>;

export const NO_POST_STARTS: PostStartStates = new Map();

/** What has to be told while or after a hook runs. */
export interface HookReports {
  onFailure(message: string): void;
  /** A server that was to be asked in HTTPS speaks HTTP; `host` with its port. */
  onHttpFallback(host: string): void;
}

export interface HookRunnerOptions extends HookClients {
  readonly cache: Pick<PodCache, 'whenEnded'>;
  /** Called when the state of a postStart hook of one of the pod's containers has changed. */
  onChange(podUid: string): void;
}

interface Run {
  readonly podUid: string;
  readonly hook: HookKind;
  readonly containerId: string;
  readonly containerName: string;
  readonly abort: AbortController;
  readonly done: Promise<HookOutcome>;
  outcome: HookOutcome | undefined;
}

/**
 * Runs the hooks of containers, each at most once in a daemon's life: who asks for a hook that runs, or has run, gets
 * that one's outcome. So a step for the pod that is given up and taken up again (the grace period became shorter, another
 * container changed) does not do a hook twice. What is known of a container goes with its end, but for a postStart hook
 * that failed: that the container never started is known until it is started again, or the pod is forgotten.
 */
export class HookRunner {
  readonly #options: HookRunnerOptions;
  readonly #runs = new Map<string, Run>();
  /** Containers that are being started and have a postStart hook, with their pods' UIDs. */
  readonly #starting = new Map<string, string>();

  constructor(options: HookRunnerOptions) {
    this.#options = options;
  }

  /** Runs a hook, or waits for the one that was begun before. Never rejects. */
  run(
    hook: HookKind,
    podUid: string,
    handler: LifecycleHandler,
    target: HookTarget,
    reports: HookReports,
  ): Promise<HookOutcome> {
    const key = keyOf(hook, target.containerId);
    const running = this.#runs.get(key);
    if (running) return running.done;
    const abort = new AbortController();
    const done = this.#run(handler, target, reports, abort.signal).then((outcome) => {
      run.outcome = outcome;
      if (hook === 'postStart') this.#options.onChange(podUid);
      return outcome;
    });
    const { containerId, containerName } = target;
    const run: Run = { podUid, hook, containerId, containerName, abort, done, outcome: undefined };
    if (hook === 'postStart') this.#forget((old) => old.podUid === podUid && old.containerName === containerName);
    this.#runs.set(key, run);
    this.#forgetAtEnd(run);
    return done;
  }

  /** A container that has a postStart hook is about to be started: nobody is to see it run without. */
  expectPostStart(podUid: string, containerId: string): void {
    this.#starting.set(containerId, podUid);
  }

  /** The container is started, and so is its hook, or neither is any more. */
  forgetExpected(containerId: string): void {
    this.#starting.delete(containerId);
  }

  /** The postStart hooks of a pod that run, are about to, or have failed. */
  postStarts(podUid: string): PostStartStates {
    const states = new Map<string, PostStartState>();
    for (const [id, uid] of this.#starting) if (uid === podUid) states.set(id, { kind: 'running' });
    for (const run of this.#runs.values()) {
      if (run.podUid !== podUid || run.hook !== 'postStart') continue;
      if (!run.outcome) states.set(run.containerId, { kind: 'running' });
      else if (run.outcome.kind === 'failed') states.set(run.containerId, run.outcome);
    }
    return states;
  }

  /** Forgets how the hooks of a pod went that is gone. */
  forgetPod(podUid: string): void {
    this.#forget((run) => run.podUid === podUid);
  }

  /** Resolves when no postStart hook of the pod runs any more. */
  async postStartsDone(podUid: string): Promise<void> {
    const runs = [...this.#runs.values()].filter((run) => run.podUid === podUid && run.hook === 'postStart');
    await Promise.all(runs.map((run) => run.done));
  }

  /** Gives up all hooks that run. */
  stop(): void {
    for (const run of this.#runs.values()) run.abort.abort();
    this.#runs.clear();
  }

  async #run(
    handler: LifecycleHandler,
    target: HookTarget,
    reports: HookReports,
    signal: AbortSignal,
  ): Promise<HookOutcome> {
    try {
      const { fellBackAt } = await runHandler(this.#options, handler, target, signal);
      if (fellBackAt !== undefined) reports.onHttpFallback(fellBackAt);
      return { kind: 'succeeded' };
    } catch (error) {
      if (signal.aborted) return { kind: 'abandoned' };
      const message = error instanceof Error ? error.message : String(error);
      reports.onFailure(message);
      return { kind: 'failed', message };
    }
  }

  /** Of hooks that are done. */
  #forget(isMeant: (run: Run) => boolean): void {
    for (const [key, run] of this.#runs) if (run.outcome && isMeant(run)) this.#runs.delete(key);
  }

  #forgetAtEnd(run: Run): void {
    void this.#options.cache.whenEnded(run.containerId, run.abort.signal).then(() => {
      const hasFailed = run.hook === 'postStart' && run.outcome?.kind === 'failed';
      if (!hasFailed) this.#runs.delete(keyOf(run.hook, run.containerId));
      run.abort.abort();
      if (run.hook === 'postStart') this.#options.onChange(run.podUid);
    });
  }
}

function keyOf(hook: HookKind, containerId: string): string {
  return `${hook} ${containerId}`;
}
