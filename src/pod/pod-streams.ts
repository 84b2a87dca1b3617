import type { Pod } from '../api/pod.ts';
import { badRequest, internalError, type StatusError, serviceUnavailable } from '../api/status-error.ts';
import type { CriClient } from '../runtime/cri-client.ts';
import type { ObservedContainer } from '../runtime/observed.ts';
import type { PodCache } from '../runtime/pod-cache.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';
import { connectStream, type StreamProtocol } from '../runtime/streaming.ts';
import type { SpdyConnection } from '../spdy/connection.ts';

export interface PodStreamsOptions {
  readonly client: Pick<CriClient, 'exec' | 'execSync' | 'attach' | 'portForward'>;
  readonly cache: Pick<PodCache, 'get'>;
}

/** Which streams a client wants. */
export interface WantedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** A command that is run at an endpoint is killed after this. */
const RUN_TIMEOUT_SECONDS = 120;
/** Characters of a failed command's words. */
const MAX_SHOWN_OUTPUT = 1_000;

/**
 * Opens streams into a pod's containers and network. Texts of the refusals are a kubelet's.
 *
 * All throw StatusError: 500 when there is nothing to connect to, 503 when the runtime is away.
 */
export class PodStreams {
  readonly #options: PodStreamsOptions;

  constructor(options: PodStreamsOptions) {
    this.#options = options;
  }

  /** Starts a command in a running container. */
  exec(
    pod: Pod,
    container: string,
    command: readonly string[],
    wanted: WantedStreams,
    signal: AbortSignal,
  ): Promise<SpdyConnection> {
    const { id } = this.#runningContainer(pod, container);
    const request = { containerId: id, cmd: [...command], ...wanted };
    return open('Exec', 'v4.channel.k8s.io', signal, () => this.#options.client.exec(request, { signal }));
  }

  /** Runs a command to its end. What it writes is collected by the runtime, which has a bound for it. */
  async run(pod: Pod, container: string, command: readonly string[], signal: AbortSignal): Promise<Uint8Array> {
    const { id } = this.#runningContainer(pod, container, internalError);
    try {
      const { stdout, stderr, exitCode } = await this.#options.client.execSync(id, command, RUN_TIMEOUT_SECONDS, {
        signal,
      });
      if (exitCode === 0) return Buffer.concat([stdout, stderr]);
      const shown = stderr.toString('utf8').slice(0, MAX_SHOWN_OUTPUT);
      throw internalError(`command '${command.join(' ')}' exited with ${exitCode}: ${shown}`);
    } catch (error) {
      throw statusOf(error, internalError);
    }
  }

  /** Joins the streams of a running container's first process. */
  attach(pod: Pod, container: string, wanted: WantedStreams, signal: AbortSignal): Promise<SpdyConnection> {
    const { id } = this.#runningContainer(pod, container);
    const request = { containerId: id, ...wanted };
    return open('Attach', 'v4.channel.k8s.io', signal, () => this.#options.client.attach(request, { signal }));
  }

  /** Reaches into the pod's network namespace: the runtime connects there, to whatever listens on loopback too. */
  portForward(pod: Pod, signal: AbortSignal): Promise<SpdyConnection> {
    const { sandboxes } = this.#options.cache.get(pod.metadata.uid);
    const sandbox = sandboxes.find(({ state }) => state === 'READY');
    if (!sandbox) throw refused(`failed to find sandboxID for pod ${podName(pod)}`);
    return open('PortForward', 'portforward.k8s.io', signal, () =>
      this.#options.client.portForward(sandbox.id, [], { signal }),
    );
  }

  #runningContainer(pod: Pod, container: string, refuse = refused): ObservedContainer {
    const { containers } = this.#options.cache.get(pod.metadata.uid);
    const found = containers.find(({ containerName, state }) => containerName === container && state === 'RUNNING');
    if (!found) throw refuse(`container not found (${JSON.stringify(container)})`);
    return found;
  }
}

async function open(
  method: string,
  protocol: StreamProtocol,
  signal: AbortSignal,
  ask: () => Promise<string>,
): Promise<SpdyConnection> {
  try {
    return await connectStream(method, await ask(), protocol, signal);
  } catch (error) {
    throw statusOf(error, refused);
  }
}

/** @param refuse for what has no better answer. */
function statusOf(error: unknown, refuse: (why: string) => StatusError): unknown {
  if (!(error instanceof RuntimeError)) return error;
  if (error.isUnavailable) return serviceUnavailable(`the container runtime is away: ${error.details}`);
  if (error.code === 'INVALID_ARGUMENT') return badRequest(error.details);
  return refuse(error.details);
}

function refused(why: string): StatusError {
  return internalError(`unable to upgrade connection: ${why}`);
}

function podName({ metadata }: Pod): string {
  return `${metadata.name}_${metadata.namespace}`;
}
