import { podKind } from '../api/kinds.ts';
import type { Pod } from '../api/pod.ts';
import { conflict } from '../api/status-error.ts';
import { containerLogPath } from '../logs/paths.ts';
import { readContainerLog } from '../logs/read.ts';
import type { PodCache } from '../runtime/pod-cache.ts';
import type { SpdyConnection } from '../spdy/connection.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { markForDeletion } from './deletion.ts';
import { PodStreams, type PodStreamsOptions, type WantedStreams } from './pod-streams.ts';

export interface PodApiOptions {
  readonly store: Store;
  readonly cache: PodCache;
  readonly client: PodStreamsOptions['client'];
  readonly clock: Clock;
  /** `/var/log/pods`. */
  readonly logDirectory: string;
}

export interface DeletionRequest {
  readonly gracePeriodSeconds?: number | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

export interface LogRequest {
  readonly follow: boolean;
  readonly tailLines: number | undefined;
  readonly sinceTimeMs: number | undefined;
  readonly timestamps: boolean;
  readonly limitBytes: number | undefined;
  readonly stream: 'All' | 'Stdout' | 'Stderr';
}

/** What the API server asks of the part that runs pods. */
export class PodApi {
  readonly #options: PodApiOptions;
  readonly #streams: PodStreams;

  constructor(options: PodApiOptions) {
    this.#options = options;
    this.#streams = new PodStreams(options);
  }

  /**
   * Begins the end of a pod; its worker does the rest, and removes the object at last.
   *
   * @throws StatusError NotFound, or Conflict when the pod is not the one that was meant.
   */
  requestDelete(namespace: string, name: string, request: DeletionRequest): Pod {
    const { store, clock } = this.#options;
    return store.update(podKind, namespace, name, (pod) => {
      const { uid, resourceVersion } = pod.metadata;
      if (request.uid !== undefined && request.uid !== uid) {
        throw conflict(
          podKind,
          name,
          `Precondition failed: UID in precondition: ${request.uid}, UID in object meta: ${uid}`,
        );
      }
      if (request.resourceVersion !== undefined && request.resourceVersion !== resourceVersion) {
        throw conflict(
          podKind,
          name,
          `Precondition failed: ResourceVersion in precondition: ${request.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
        );
      }
      return markForDeletion(pod, request.gracePeriodSeconds, clock.now());
    });
  }

  /** The log of one run of a container. @throws StatusError, or what opening the file failed with, before the first byte. */
  async openLog(
    pod: Pod,
    run: { readonly containerName: string; readonly containerID: string; readonly restartCount: number },
    request: LogRequest,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    const { namespace = '', name = '', uid = '' } = pod.metadata;
    const id = run.containerID.replace(/^.*:\/\//, '');
    return readContainerLog({
      root: this.#options.logDirectory,
      path: containerLogPath({ namespace, name, uid }, run.containerName, run.restartCount),
      follow: request.follow,
      timestamps: request.timestamps,
      signal,
      isRunning: () => this.#isRunning(uid, id),
      ...(request.stream === 'All' ? {} : { stream: request.stream === 'Stdout' ? 'stdout' : 'stderr' }),
      ...(request.tailLines === undefined ? {} : { tailLines: request.tailLines }),
      ...(request.sinceTimeMs === undefined ? {} : { sinceMs: request.sinceTimeMs }),
      ...(request.limitBytes === undefined ? {} : { limitBytes: request.limitBytes }),
    });
  }

  /** @see PodStreams */
  async exec(
    pod: Pod,
    container: string,
    command: readonly string[],
    wanted: WantedStreams,
    signal: AbortSignal,
  ): Promise<SpdyConnection> {
    return this.#streams.exec(pod, container, command, wanted, signal);
  }

  /** @see PodStreams */
  async run(pod: Pod, container: string, command: readonly string[], signal: AbortSignal): Promise<Uint8Array> {
    return this.#streams.run(pod, container, command, signal);
  }

  /** @see PodStreams */
  async attach(pod: Pod, container: string, wanted: WantedStreams, signal: AbortSignal): Promise<SpdyConnection> {
    return this.#streams.attach(pod, container, wanted, signal);
  }

  /** @see PodStreams */
  async portForward(pod: Pod, signal: AbortSignal): Promise<SpdyConnection> {
    return this.#streams.portForward(pod, signal);
  }

  #isRunning(podUid: string, containerId: string): boolean {
    const container = this.#options.cache.get(podUid).containers.find((item) => item.id === containerId);
    return container?.state === 'RUNNING';
  }
}
