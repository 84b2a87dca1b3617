import * as grpc from '@grpc/grpc-js';
import { removeForgottenTask, signalTask } from './containerd-task.ts';
import type { Envelope__Output } from './generated/containerd/services/events/v1/Envelope.ts';
import type { AttachRequest } from './generated/runtime/v1/AttachRequest.ts';
import type { AuthConfig } from './generated/runtime/v1/AuthConfig.ts';
import type { Container__Output } from './generated/runtime/v1/Container.ts';
import type { ContainerConfig } from './generated/runtime/v1/ContainerConfig.ts';
import type { ContainerEventResponse__Output } from './generated/runtime/v1/ContainerEventResponse.ts';
import type { ContainerStats__Output } from './generated/runtime/v1/ContainerStats.ts';
import type { ContainerStatus__Output } from './generated/runtime/v1/ContainerStatus.ts';
import type { ExecRequest } from './generated/runtime/v1/ExecRequest.ts';
import type { ExecSyncResponse__Output } from './generated/runtime/v1/ExecSyncResponse.ts';
import type { FilesystemUsage__Output } from './generated/runtime/v1/FilesystemUsage.ts';
import type { Image__Output } from './generated/runtime/v1/Image.ts';
import type { ImageServiceDefinition } from './generated/runtime/v1/ImageService.ts';
import type { LinuxContainerResources } from './generated/runtime/v1/LinuxContainerResources.ts';
import type { PodSandbox__Output } from './generated/runtime/v1/PodSandbox.ts';
import type { PodSandboxConfig } from './generated/runtime/v1/PodSandboxConfig.ts';
import type { PodSandboxStatus__Output } from './generated/runtime/v1/PodSandboxStatus.ts';
import type { RuntimeConfigResponse__Output } from './generated/runtime/v1/RuntimeConfigResponse.ts';
import type { RuntimeServiceDefinition } from './generated/runtime/v1/RuntimeService.ts';
import type { StatusResponse__Output } from './generated/runtime/v1/StatusResponse.ts';
import type { VersionResponse__Output } from './generated/runtime/v1/VersionResponse.ts';
import { loadProto } from './proto.ts';
import { isFailedPrecondition, isNotFound, isUnimplemented, RuntimeError, toRuntimeError } from './runtime-error.ts';
import type { CallObserver } from './runtime-metrics.ts';

/** As large as a kubelet accepts: a list of some thousand containers. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/** StopContainer ends by itself after its grace period; this much later the runtime counts as hung. */
const STOP_SLACK_MS = 15_000;
/** So much longer than a command's own limit the runtime may take to tell that it killed it. */
const EXEC_SLACK_MS = 5000;
const DEFAULT_TIMEOUT_MS = 120_000;
/** How much before the deadline, as it is counted here, the runtime may take it to be over. */
const DEADLINE_TOLERANCE_MS = 100;

/** What is asked of the ImageService. */
const IMAGE_METHODS: ReadonlySet<string> = new Set<UnaryMethod>([
  'ImageStatus',
  'PullImage',
  'ListImages',
  'RemoveImage',
  'ImageFsInfo',
]);

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Default: the client's `timeoutMs`. */
  readonly timeoutMs?: number;
}

export interface CriClientOptions {
  /** `unix:///path/of/the.sock`. */
  readonly endpoint: string;
  /** Where images are kept, if not at `endpoint`. */
  readonly imageEndpoint?: string;
  /** Deadline of every call that has no better one, milliseconds. Default: 2 minutes, as a kubelet's runtimeRequestTimeout. */
  readonly timeoutMs?: number;
  /** Told of each call that ended; one that was cancelled is no error. */
  readonly observe?: CallObserver;
}

type Methods = RuntimeServiceDefinition & ImageServiceDefinition;
type UnaryMethod = Exclude<keyof Methods & string, 'GetContainerEvents'>;
type Request<M extends UnaryMethod> = Parameters<Methods[M]['requestSerialize']>[0];
type Response<M extends UnaryMethod> = ReturnType<Methods[M]['responseDeserialize']>;

/**
 * The runtime's CRI v1 services as promises. Every call has a deadline and takes an AbortSignal; every failure is a
 * RuntimeError. Stopping or removing what is already gone succeeds, so that each effect may be repeated.
 */
export class CriClient {
  readonly #options: CriClientOptions;
  readonly #runtime;
  readonly #images;
  readonly #containerdEvents;
  readonly #containerdTasks;
  readonly #methods: Methods;

  constructor(options: CriClientOptions) {
    this.#options = options;
    const proto = loadProto();
    this.#methods = { ...proto.runtime.v1.RuntimeService.service, ...proto.runtime.v1.ImageService.service };
    const channelOptions: grpc.ClientOptions = {
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      // As a kubelet: a restarted runtime is found again within 3 s.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 3000,
      'grpc.enable_retries': 0,
      'grpc.enable_http_proxy': 0,
    };
    const credentials = grpc.credentials.createInsecure();
    this.#runtime = new proto.runtime.v1.RuntimeService(options.endpoint, credentials, channelOptions);
    this.#images =
      options.imageEndpoint && options.imageEndpoint !== options.endpoint
        ? new proto.runtime.v1.ImageService(options.imageEndpoint, credentials, channelOptions)
        : new proto.runtime.v1.ImageService(options.endpoint, credentials, {
            ...channelOptions,
            channelOverride: this.#runtime.getChannel(),
          });
    const sameChannel = { ...channelOptions, channelOverride: this.#runtime.getChannel() };
    const { events, tasks } = proto.containerd.services;
    this.#containerdEvents = new events.v1.Events(options.endpoint, credentials, sameChannel);
    this.#containerdTasks = new tasks.v1.Tasks(options.endpoint, credentials, sameChannel);
  }

  close(): void {
    this.#containerdTasks.close();
    this.#containerdEvents.close();
    this.#images.close();
    this.#runtime.close();
  }

  /** @throws RuntimeError `UNIMPLEMENTED` from a runtime without CRI v1. */
  version(options?: CallOptions): Promise<VersionResponse__Output> {
    return this.#call('Version', { version: 'v1' }, options);
  }

  /** @param verbose asks for `info` as well. */
  status(options?: CallOptions & { verbose?: boolean }): Promise<StatusResponse__Output> {
    return this.#call('Status', { verbose: options?.verbose ?? false }, options);
  }

  /** @throws RuntimeError `UNIMPLEMENTED` before containerd 2.0: the runtime does not tell its cgroup driver. */
  runtimeConfig(options?: CallOptions): Promise<RuntimeConfigResponse__Output> {
    return this.#call('RuntimeConfig', {}, options);
  }

  /** Creates and starts a pod sandbox and sets up its network. Returns its id. */
  async runPodSandbox(config: PodSandboxConfig, runtimeHandler: string, options?: CallOptions): Promise<string> {
    return (await this.#call('RunPodSandbox', { config, runtimeHandler }, options)).podSandboxId;
  }

  /**
   * Whether the runtime has, or is still making or taking back, a sandbox with the namespace, name, uid and attempt of
   * `config`. Nothing else tells of one whose call was cut off. It is asked for with a runtime handler that there is
   * not: containerd reserves the name before it looks for the handler. Any other failure is a no.
   */
  async isSandboxReserved(config: PodSandboxConfig): Promise<boolean> {
    try {
      await this.runPodSandbox(config, 'mini-kubelet.no-such-handler');
    } catch (error) {
      return error instanceof RuntimeError && error.details.startsWith('failed to reserve sandbox name');
    }
    return true;
  }

  stopPodSandbox(podSandboxId: string, options?: CallOptions): Promise<void> {
    return this.#ensureGone('StopPodSandbox', { podSandboxId }, options);
  }

  /** Removes a sandbox that was stopped, with its containers. */
  async removePodSandbox(podSandboxId: string, options?: CallOptions): Promise<void> {
    const remove = () => this.#ensureGone('RemovePodSandbox', { podSandboxId }, options);
    await remove().catch(async (error: unknown) => {
      if (!isFailedPrecondition(error)) throw error;
      const { containers } = await this.#call('ListContainers', { filter: { podSandboxId } }, options);
      await Promise.all(containers.map(({ id }) => this.removeContainer(id, options)));
      await remove();
    });
  }

  /** Undefined when there is no such sandbox. */
  async podSandboxStatus(podSandboxId: string, options?: CallOptions): Promise<PodSandboxStatus__Output | undefined> {
    return (await this.#find('PodSandboxStatus', { podSandboxId }, options))?.status ?? undefined;
  }

  async listPodSandboxes(labelSelector: Record<string, string>, options?: CallOptions): Promise<PodSandbox__Output[]> {
    return (await this.#call('ListPodSandbox', { filter: { labelSelector } }, options)).items;
  }

  /** Makes a container in a sandbox, not running yet. Returns its id. */
  async createContainer(
    podSandboxId: string,
    config: ContainerConfig,
    sandboxConfig: PodSandboxConfig,
    options?: CallOptions,
  ): Promise<string> {
    return (await this.#call('CreateContainer', { podSandboxId, config, sandboxConfig }, options)).containerId;
  }

  async startContainer(containerId: string, options?: CallOptions): Promise<void> {
    await this.#call('StartContainer', { containerId }, options);
  }

  /**
   * Sends the container's stop signal, waits up to `graceSeconds`, then kills. Resolves when the container is dead.
   *
   * `stopSignal`, the kernel's number, is for a containerd that knows only the signal of the image.
   */
  async stopContainer(
    containerId: string,
    graceSeconds: number,
    options?: CallOptions & { readonly stopSignal?: number | undefined },
  ): Promise<void> {
    const stopSignal = options?.stopSignal;
    if (stopSignal !== undefined) {
      const graceMs = graceSeconds * 1000;
      if (await signalTask(this.#containerdTasks, containerId, stopSignal, graceMs, options?.signal)) {
        await this.#stop(containerId, 0, options);
        return;
      }
    }
    await this.#stop(containerId, graceSeconds, options);
  }

  #stop(containerId: string, graceSeconds: number, options?: CallOptions): Promise<void> {
    const timeoutMs = graceSeconds * 1000 + STOP_SLACK_MS;
    return this.#ensureGone('StopContainer', { containerId, timeout: graceSeconds }, { timeoutMs, ...options });
  }

  /** Removes a container that ended. */
  async removeContainer(containerId: string, options?: CallOptions): Promise<void> {
    const remove = () => this.#ensureGone('RemoveContainer', { containerId }, options);
    await remove().catch(async (error: unknown) => {
      if (!isFailedPrecondition(error)) throw error;
      await removeForgottenTask(this.#containerdTasks, containerId).catch((failure: unknown) => {
        throw isUnimplemented(failure) ? error : failure;
      });
      await remove();
    });
  }

  /** Undefined when there is no such container. */
  async containerStatus(containerId: string, options?: CallOptions): Promise<ContainerStatus__Output | undefined> {
    return (await this.#find('ContainerStatus', { containerId }, options))?.status ?? undefined;
  }

  async listContainers(labelSelector: Record<string, string>, options?: CallOptions): Promise<Container__Output[]> {
    return (await this.#call('ListContainers', { filter: { labelSelector } }, options)).containers;
  }

  /** Changes the limits of a running container. Numbers that are 0 or missing stay as they are. */
  async updateContainerResources(
    containerId: string,
    linux: LinuxContainerResources,
    options?: CallOptions,
  ): Promise<void> {
    await this.#call('UpdateContainerResources', { containerId, linux }, options);
  }

  /** Makes the runtime open the container's log file anew, after it was renamed away. */
  async reopenContainerLog(containerId: string, options?: CallOptions): Promise<void> {
    await this.#call('ReopenContainerLog', { containerId }, options);
  }

  /**
   * Runs a command in a container and waits for its end. `timeoutSeconds` is enforced by the runtime, which kills the
   * command then.
   *
   * @throws RuntimeError also when the command could not be run, or did not end in time.
   */
  execSync(
    containerId: string,
    cmd: readonly string[],
    timeoutSeconds: number,
    options?: CallOptions,
  ): Promise<ExecSyncResponse__Output> {
    const request = { containerId, cmd: [...cmd], timeout: timeoutSeconds };
    return this.#call('ExecSync', request, { timeoutMs: timeoutSeconds * 1000 + EXEC_SLACK_MS, ...options });
  }

  /** Where to connect to for a command in a container: a URL of the runtime's own streaming server. */
  async exec(request: ExecRequest, options?: CallOptions): Promise<string> {
    return (await this.#call('Exec', request, options)).url;
  }

  /** Where to connect to for the running process of a container. */
  async attach(request: AttachRequest, options?: CallOptions): Promise<string> {
    return (await this.#call('Attach', request, options)).url;
  }

  /** Where to connect to for ports of a sandbox's network namespace. */
  async portForward(podSandboxId: string, ports: readonly number[], options?: CallOptions): Promise<string> {
    return (await this.#call('PortForward', { podSandboxId, port: [...ports] }, options)).url;
  }

  /** The image with this name or id, or undefined when the node has none. */
  async imageStatus(image: string, options?: CallOptions): Promise<Image__Output | undefined> {
    return (await this.#find('ImageStatus', { image: { image } }, options))?.image ?? undefined;
  }

  /** All images of the node, those of others that use the runtime included. */
  async listImages(options?: CallOptions): Promise<Image__Output[]> {
    return (await this.#call('ListImages', {}, options)).images;
  }

  /** Removes an image with all its names. */
  removeImage(image: string, options?: CallOptions): Promise<void> {
    return this.#ensureGone('RemoveImage', { image: { image } }, options);
  }

  /** Returns the reference under which the pulled image is known, usually its id. */
  async pullImage(
    image: string,
    auth: AuthConfig | undefined,
    sandboxConfig: PodSandboxConfig,
    options?: CallOptions,
  ): Promise<string> {
    return (await this.#call('PullImage', { image: { image }, auth: auth ?? null, sandboxConfig }, options)).imageRef;
  }

  /** Of each container how much its writable layer holds; the kernel tells the rest better. */
  async listContainerStats(
    labelSelector: Record<string, string>,
    options?: CallOptions,
  ): Promise<ContainerStats__Output[]> {
    return (await this.#call('ListContainerStats', { filter: { labelSelector } }, options)).stats;
  }

  /** Where images are kept, and how much they take. */
  async imageFsInfo(options?: CallOptions): Promise<FilesystemUsage__Output[]> {
    return (await this.#call('ImageFsInfo', {}, options)).imageFilesystems;
  }

  /** CRI's event stream. `onEvent` is called until the returned promise settles: it rejects when the stream breaks. */
  containerEvents(onEvent: (event: ContainerEventResponse__Output) => void, signal: AbortSignal): Promise<void> {
    return this.#stream('GetContainerEvents', this.#runtime.GetContainerEvents({}), onEvent, signal);
  }

  /** containerd's own event stream, restricted by containerd's filter expressions. */
  containerdEvents(filters: string[], onEvent: (event: Envelope__Output) => void, signal: AbortSignal): Promise<void> {
    return this.#stream('Subscribe', this.#containerdEvents.Subscribe({ filters }), onEvent, signal);
  }

  async #ensureGone<M extends UnaryMethod>(method: M, request: Request<M>, options?: CallOptions): Promise<void> {
    await this.#find(method, request, options);
  }

  async #find<M extends UnaryMethod>(
    method: M,
    request: Request<M>,
    options?: CallOptions,
  ): Promise<Response<M> | undefined> {
    try {
      return await this.#call(method, request, options);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #call<M extends UnaryMethod>(method: M, request: Request<M>, options: CallOptions = {}): Promise<Response<M>> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(new RuntimeError(method, 'CANCELLED', 'cancelled before it was sent'));
    const definition: Methods[M] = this.#methods[method];
    const client: grpc.Client = IMAGE_METHODS.has(method) ? this.#images : this.#runtime;
    const startedAt = performance.now();
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      const running = client.makeUnaryRequest(
        definition.path,
        definition.requestSerialize as (value: Request<M>) => Buffer,
        definition.responseDeserialize as (bytes: Buffer) => Response<M>,
        request,
        new grpc.Metadata(),
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          signal?.removeEventListener('abort', cancel);
          const tookMs = performance.now() - startedAt;
          this.#options.observe?.(method, tookMs / 1000, error !== null && !signal?.aborted);
          const isLate = !signal?.aborted && tookMs > timeoutMs - DEADLINE_TOLERANCE_MS;
          if (error) reject(toRuntimeError(method, error, isLate));
          else resolve(response as Response<M>);
        },
      );
      const cancel = () => running.cancel();
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  #stream<Res>(
    method: string,
    stream: grpc.ClientReadableStream<Res>,
    onEvent: (event: Res) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const cancel = () => stream.cancel();
      const settle = (error?: grpc.ServiceError) => {
        signal.removeEventListener('abort', cancel);
        if (error && !signal.aborted) reject(toRuntimeError(method, error));
        else resolve();
      };
      signal.addEventListener('abort', cancel, { once: true });
      if (signal.aborted) cancel();
      stream.on('data', onEvent);
      stream.on('error', (error: grpc.ServiceError) => settle(error));
      stream.on('end', () => settle());
    });
  }
}
