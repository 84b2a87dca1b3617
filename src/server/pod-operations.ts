import type { Pod } from '../api/pod.ts';
import type { SpdyConnection } from '../spdy/connection.ts';

export interface PodDeletion {
  /** Undefined: what the pod's spec says. */
  readonly gracePeriodSeconds?: number | undefined;
  /** Delete only this incarnation. */
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

export interface LogOptions {
  readonly follow: boolean;
  /** Only this many lines from the end. */
  readonly tailLines: number | undefined;
  /** Only lines from then on, epoch milliseconds. */
  readonly sinceTimeMs: number | undefined;
  /** Each line with its time before it. */
  readonly timestamps: boolean;
  /** Ends after so many bytes. */
  readonly limitBytes: number | undefined;
  readonly stream: 'All' | 'Stdout' | 'Stderr';
}

/** One run of one container, as the pod's status tells of it. */
export interface ContainerRun {
  readonly containerName: string;
  /** `containerd://0123...` */
  readonly containerID: string;
  /** How often it had been restarted by then: the number in the name of its log file. */
  readonly restartCount: number;
}

/** Which streams a client wants of a command. At least one of the first three; with `tty` there is no stderr. */
export interface WantedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** What the server asks of the part that runs pods. */
export interface PodOperations {
  /**
   * Begins the end of a pod: marks it (see pod/deletion.ts) and has its worker stop the containers. The object goes
   * away when all of the pod is gone.
   *
   * @returns the marked pod, as stored.
   * @throws StatusError NotFound, Conflict.
   */
  requestDelete(namespace: string, name: string, options: PodDeletion): Pod;

  /**
   * The log of one run; ends where the log ends, or when following once the container has ended.
   *
   * @throws StatusError or any error before the first byte; later ones break the stream.
   */
  openLog(pod: Pod, run: ContainerRun, options: LogOptions, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;

  /**
   * Starts a command in a container.
   *
   * @returns the runtime's end, on which nothing is open yet: streams with the header `streamtype`, as in Kubernetes'
   *   protocol v4.channel.k8s.io.
   * @throws StatusError when the container does not run, or the runtime refuses.
   */
  exec(
    pod: Pod,
    container: string,
    command: readonly string[],
    wanted: WantedStreams,
    signal: AbortSignal,
  ): Promise<SpdyConnection>;

  /**
   * Runs a command in a container to its end, which is to come soon.
   *
   * @returns what it has written, stdout before stderr.
   * @throws StatusError when it cannot be run, fails, or takes too long.
   */
  run(pod: Pod, container: string, command: readonly string[], signal: AbortSignal): Promise<Uint8Array>;

  /** Joins the streams of a running container; otherwise as `exec`. */
  attach(pod: Pod, container: string, wanted: WantedStreams, signal: AbortSignal): Promise<SpdyConnection>;

  /** For connections to ports in the pod's network: pairs of streams, as in Kubernetes' portforward.k8s.io. */
  portForward(pod: Pod, signal: AbortSignal): Promise<SpdyConnection>;
}
