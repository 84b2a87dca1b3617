import type { Container, Pod } from '../api/pod.ts';
import type { ImageUser } from '../runtime/container-config.ts';
import type { CriClient } from '../runtime/cri-client.ts';
import type { PodSandboxConfig } from '../runtime/generated/runtime/v1/PodSandboxConfig.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';
import type { Clock } from '../util/clock.ts';
import { Semaphore } from '../util/semaphore.ts';
import { imageNameProblem } from './image-name.ts';
import { PullBackOff } from './pull-back-off.ts';

/** An image on this node. */
export interface LocalImage {
  /** The runtime's id of the image: stays the same image when a tag moves. */
  readonly id: string;
  readonly user: ImageUser;
  readonly sizeBytes: bigint;
}

/** Why a container's image cannot be used, as `state.waiting` shows it. */
export class ImageError extends Error {
  readonly reason:
    | 'ErrImagePull'
    | 'ImagePullBackOff'
    | 'ErrImageNeverPull'
    | 'InvalidImageName'
    | 'ImageInspectError'
    | 'RegistryUnavailable';
  /** When to try again, milliseconds from now. */
  readonly retryAfterMs: number;

  constructor(reason: ImageError['reason'], message: string, retryAfterMs: number) {
    super(message);
    this.name = 'ImageError';
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface ImageManagerOptions {
  readonly client: Pick<CriClient, 'imageStatus' | 'pullImage'>;
  readonly clock: Clock;
  /** How many pulls may run at once. */
  readonly maxParallelPulls: number;
  /** Called with what a kubelet would write as Events. */
  onEvent(pod: Pod, container: Container, type: 'Normal' | 'Warning', reason: string, message: string): void;
}

/** A pull may take long, but not for ever: the runtime itself gives up on one that makes no progress. */
const PULL_TIMEOUT_MS = 60 * 60 * 1000;
/** How often a container whose image must not or cannot be pulled is looked at again. */
const NEVER_PULL_RETRY_MS = 10_000;

/** Gets images onto the node as each container's pull policy says (pkg/kubelet/images/image_manager.go). */
export class ImageManager {
  readonly #options: ImageManagerOptions;
  readonly #backOff = new PullBackOff();
  readonly #pulls: Semaphore;

  constructor(options: ImageManagerOptions) {
    this.#options = options;
    this.#pulls = new Semaphore(options.maxParallelPulls);
  }

  /**
   * Makes sure that the container's image is on the node.
   *
   * @throws ImageError when it is not; RuntimeError when the runtime cannot be asked, or the pull was cancelled.
   */
  async ensureImage(
    pod: Pod,
    container: Container,
    sandboxConfig: PodSandboxConfig,
    signal: AbortSignal,
  ): Promise<LocalImage> {
    const image = container.image ?? '';
    const invalid = imageNameProblem(image);
    if (invalid !== undefined) {
      const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": ${invalid}`;
      this.#event(pod, container, 'Warning', 'InspectFailed', message);
      this.#event(pod, container, 'Warning', 'Failed', 'Error: InvalidImageName');
      throw new ImageError('InvalidImageName', message, NEVER_PULL_RETRY_MS);
    }
    const policy = container.imagePullPolicy ?? 'IfNotPresent';
    const present = policy === 'Always' ? undefined : await this.#inspect(image, signal);
    if (present) {
      this.#event(
        pod,
        container,
        'Normal',
        'Pulled',
        `Container image "${image}" already present on machine and can be accessed by the pod`,
      );
      return present;
    }
    if (policy === 'Never') {
      const message = `Container image "${image}" is not present with pull policy of Never`;
      this.#event(pod, container, 'Warning', 'ErrImageNeverPull', message);
      this.#event(pod, container, 'Warning', 'Failed', 'Error: ErrImageNeverPull');
      throw new ImageError('ErrImageNeverPull', message, NEVER_PULL_RETRY_MS);
    }
    return await this.#pull(pod, container, image, sandboxConfig, signal);
  }

  /** Forgets the failures of a pod that is gone. */
  forgetPod(uid: string): void {
    this.#backOff.clearAll(`${uid}_`);
  }

  async #pull(
    pod: Pod,
    container: Container,
    image: string,
    sandboxConfig: PodSandboxConfig,
    signal: AbortSignal,
  ): Promise<LocalImage> {
    const { clock, client } = this.#options;
    const key = `${pod.metadata.uid}_${image}`;
    const held = this.#backOff.held(key, clock.monotonicMs());
    if (held) {
      const message = `Back-off pulling image "${image}": ${held.reason}: ${held.message}`;
      this.#event(pod, container, 'Normal', 'BackOff', `Back-off pulling image "${image}"`);
      this.#event(pod, container, 'Warning', 'Failed', 'Error: ImagePullBackOff');
      throw new ImageError('ImagePullBackOff', message, held.leftMs);
    }
    const askedAt = clock.monotonicMs();
    this.#event(pod, container, 'Normal', 'Pulling', `Pulling image "${image}"`);
    try {
      const { ref, pullMs } = await this.#pulls.use(async () => {
        const startedAt = clock.monotonicMs();
        const pulled = await client.pullImage(image, undefined, sandboxConfig, { signal, timeoutMs: PULL_TIMEOUT_MS });
        return { ref: pulled, pullMs: clock.monotonicMs() - startedAt };
      });
      this.#backOff.clear(key);
      const local = await this.#inspect(ref, signal);
      if (!local) throw new ImageError('ImageInspectError', `image "${image}" is gone right after its pull`, 1000);
      const wholeMs = clock.monotonicMs() - askedAt;
      this.#event(
        pod,
        container,
        'Normal',
        'Pulled',
        `Successfully pulled image "${image}" in ${seconds(pullMs)} (${seconds(wholeMs)} including waiting). Image size: ${local.sizeBytes} bytes.`,
      );
      return local;
    } catch (error) {
      if (!(error instanceof RuntimeError) || error.isUnavailable || signal.aborted) throw error;
      const reason = error.details.startsWith('RegistryUnavailable') ? 'RegistryUnavailable' : 'ErrImagePull';
      const delayMs = this.#backOff.fail(key, clock.monotonicMs(), reason, error.details);
      this.#event(pod, container, 'Warning', 'Failed', `Failed to pull image "${image}": ${error.details}`);
      this.#event(pod, container, 'Warning', 'Failed', `Error: ${reason}`);
      throw new ImageError(reason, error.details, Math.min(delayMs, 1000));
    }
  }

  async #inspect(image: string, signal: AbortSignal): Promise<LocalImage | undefined> {
    const found = await this.#options.client.imageStatus(image, { signal });
    if (!found) return undefined;
    const user: ImageUser = found.uid
      ? { uid: BigInt(found.uid.value) }
      : found.username
        ? { username: found.username }
        : undefined;
    return { id: found.id, user, sizeBytes: BigInt(found.size) };
  }

  #event(pod: Pod, container: Container, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#options.onEvent(pod, container, type, reason, message);
  }
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(3)}s`;
}
