import { imageNameProblem, imageRepository } from '../api/image-name.ts';
import type { Container, Pod } from '../api/pod.ts';
import type { ImageUser } from '../runtime/container-config.ts';
import type { CriClient } from '../runtime/cri-client.ts';
import type { PodSandboxConfig } from '../runtime/generated/runtime/v1/PodSandboxConfig.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';
import type { Clock } from '../util/clock.ts';
import { untilAborted } from '../util/until-aborted.ts';
import { judgeAccess, mustVerify, type VerificationSettings } from './image-access.ts';
import { ImageError, pullFailure } from './image-error.ts';
import type { ImagePuller, PulledImage } from './image-puller.ts';
import type { PullCredential } from './keyring.ts';
import { PullBackOff } from './pull-back-off.ts';
import type { PullCredentials } from './pull-credentials.ts';
import type { PullRecords } from './pull-records.ts';

/** An image on this node. */
export interface LocalImage {
  /** The runtime's id of the image: stays the same image when a tag moves. */
  readonly id: string;
  readonly user: ImageUser;
  readonly sizeBytes: bigint;
}

/** What a pod wants: an image to make a container of, whose name it has, or an image with the files of a volume. */
export type WantedImage = Pick<Container, 'image' | 'imagePullPolicy'> & { readonly name?: string };

export interface ImageManagerOptions {
  readonly client: Pick<CriClient, 'imageStatus'>;
  readonly clock: Clock;
  readonly puller: Pick<ImagePuller, 'pull'>;
  readonly credentials: Pick<PullCredentials, 'lookup'>;
  readonly records: PullRecords;
  readonly verification: VerificationSettings;
  /** Called with the id of an image that a container is about to be made with. */
  onUse(imageId: string): void;
  /** Called with what a kubelet would write as Events, of a container or of the pod. */
  onEvent(
    pod: Pod,
    containerName: string | undefined,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): void;
}

/** How often a container whose image must not or cannot be pulled is looked at again. */
const NEVER_PULL_RETRY_MS = 10_000;

/** One wish of a pod for an image. */
interface Wish {
  readonly pod: Pod;
  readonly wanted: WantedImage;
  readonly image: string;
  readonly repository: string;
  readonly sandboxConfig: PodSandboxConfig;
  readonly signal: AbortSignal;
  /** Looked up once, and only when they are needed. */
  credentials(): Promise<readonly PullCredential[]>;
}

/** Gets images onto the node as the pull policy of each container and volume says (pkg/kubelet/images/image_manager.go). */
export class ImageManager {
  readonly #options: ImageManagerOptions;
  readonly #backOff = new PullBackOff();

  constructor(options: ImageManagerOptions) {
    this.#options = options;
  }

  /**
   * Makes sure that an image is on the node, and that the pod may use it.
   *
   * @throws ImageError when it is not; RuntimeError when the runtime cannot be asked, or the pull was cancelled.
   */
  async ensureImage(
    pod: Pod,
    wanted: WantedImage,
    sandboxConfig: PodSandboxConfig,
    signal: AbortSignal,
  ): Promise<LocalImage> {
    const wish = this.#wishOf(pod, wanted, sandboxConfig, signal);
    const { image } = wish;
    const policy = wanted.imagePullPolicy ?? 'IfNotPresent';
    const present = policy === 'Always' ? undefined : await this.#inspect(image, signal);
    if (present && (await this.#mayUse(wish, present.id))) {
      this.#options.onUse(present.id);
      const message = `Container image "${image}" already present on machine and can be accessed by the pod`;
      this.#event(wish, 'Normal', 'Pulled', message);
      return present;
    }
    if (policy === 'Never') {
      // The same for one that is not there and for one that the pod may not use: nobody learns what others have.
      const message = `Container image "${image}" is not present with pull policy of Never`;
      this.#event(wish, 'Warning', 'ErrImageNeverPull', message);
      this.#event(wish, 'Warning', 'Failed', 'Error: ErrImageNeverPull');
      throw new ImageError('ErrImageNeverPull', message, NEVER_PULL_RETRY_MS);
    }
    return await this.#pull(wish);
  }

  /** Forgets the failures of a pod that is gone. */
  forgetPod(uid: string): void {
    this.#backOff.clearAll(`${uid}_`);
  }

  #wishOf(pod: Pod, wanted: WantedImage, sandboxConfig: PodSandboxConfig, signal: AbortSignal): Wish {
    const image = wanted.image ?? '';
    const repository = imageRepository(image);
    if (repository === undefined) {
      const problem = `couldn't parse image name "${image}": ${imageNameProblem(image)}`;
      const message = `Failed to apply default image tag "${image}": ${problem}`;
      this.#event({ pod, wanted }, 'Warning', 'InspectFailed', message);
      this.#event({ pod, wanted }, 'Warning', 'Failed', 'Error: InvalidImageName');
      throw new ImageError('InvalidImageName', message, NEVER_PULL_RETRY_MS);
    }
    let found: Promise<readonly PullCredential[]> | undefined;
    const credentials = () => {
      found ??= this.#options.credentials.lookup(pod, repository);
      // A plugin may take its time: what it says is kept for the next one who asks.
      return untilAborted(found, signal);
    };
    return { pod, wanted, image, repository, sandboxConfig, signal, credentials };
  }

  /** Whether a pod may use an image that is there, without asking a registry. */
  async #mayUse({ repository, signal, credentials }: Wish, id: string): Promise<boolean> {
    const { records, verification } = this.#options;
    if (verification.policy === 'NeverVerify') return true;
    if (!mustVerify(verification, repository, await records.isPulledHere(id, signal))) return true;
    const hashOf = (credential: PullCredential) => records.hashOf(credential);
    const withoutCredential = judgeAccess(records.get(id), repository, [], hashOf);
    if (withoutCredential.mayUse) return true;
    const verdict = judgeAccess(records.get(id), repository, await credentials(), hashOf);
    if (verdict.mayUse && verdict.unrecorded?.source) {
      const { unrecorded } = verdict;
      records.addSecret(repository, id, verdict.unrecorded.source, hashOf(unrecorded));
    }
    return verdict.mayUse;
  }

  async #pull(wish: Wish): Promise<LocalImage> {
    const { clock, records } = this.#options;
    const { pod, image, repository, signal } = wish;
    const key = `${pod.metadata.uid}_${image}`;
    const held = this.#backOff.held(key, clock.monotonicMs());
    if (held) {
      const message = `Back-off pulling image "${image}": ${held.reason}: ${held.message}`;
      this.#event(wish, 'Normal', 'BackOff', `Back-off pulling image "${image}"`);
      this.#event(wish, 'Warning', 'Failed', 'Error: ImagePullBackOff');
      throw new ImageError('ImagePullBackOff', message, held.leftMs);
    }
    const credentials = await wish.credentials();
    const askedAt = clock.monotonicMs();
    await records.begin(image, signal);
    this.#event(wish, 'Normal', 'Pulling', `Pulling image "${image}"`);
    const { local, pulled } = await this.#pullNow(wish, credentials).catch((error: unknown) => {
      records.failed(image, !(error instanceof RuntimeError) || error.isOutcomeUnknown || signal.aborted);
      throw this.#toPullError(wish, key, error);
    });
    records.succeeded(image, repository, local.id, pulled.credential);
    this.#options.onUse(local.id);
    this.#backOff.clear(key);
    const [pullTime, wholeTime] = [seconds(pulled.pullMs), seconds(clock.monotonicMs() - askedAt)];
    const message = `Successfully pulled image "${image}" in ${pullTime} (${wholeTime} including waiting). Image size: ${local.sizeBytes} bytes.`;
    this.#event(wish, 'Normal', 'Pulled', message);
    return local;
  }

  async #pullNow(
    { image, sandboxConfig, signal }: Wish,
    credentials: readonly PullCredential[],
  ): Promise<{ local: LocalImage; pulled: PulledImage }> {
    // It may still wait for its turn, behind pulls that stand still.
    const pulled = await untilAborted(this.#options.puller.pull(image, credentials, sandboxConfig, signal), signal);
    const local = await this.#inspect(pulled.ref, signal);
    if (!local) throw new ImageError('ImageInspectError', `image "${image}" is gone right after its pull`, 1000);
    return { local, pulled };
  }

  #toPullError(wish: Wish, key: string, error: unknown): unknown {
    if (!(error instanceof RuntimeError) || error.isUnavailable || wish.signal.aborted) return error;
    const { image } = wish;
    const { reason, message } = pullFailure(image, error.details);
    const delayMs = this.#backOff.fail(key, this.#options.clock.monotonicMs(), reason, message);
    this.#event(wish, 'Warning', 'Failed', `Failed to pull image "${image}": ${error.details}`);
    this.#event(wish, 'Warning', 'Failed', `Error: ${reason}`);
    return new ImageError(reason, message, Math.min(delayMs, 1000));
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

  #event(
    { pod, wanted }: Pick<Wish, 'pod' | 'wanted'>,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): void {
    this.#options.onEvent(pod, wanted.name, type, reason, message);
  }
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(3)}s`;
}
