import type { CriClient } from '../runtime/cri-client.ts';
import type { Container__Output } from '../runtime/generated/runtime/v1/Container.ts';
import type { Image__Output } from '../runtime/generated/runtime/v1/Image.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import { bytesToFree, type ImageGcPolicy, type ImageUse, outdatedImages, removableImages } from './image-gc-order.ts';
import type { PullRecords } from './pull-records.ts';

export interface ImageGarbageCollectorOptions {
  readonly client: Pick<CriClient, 'listImages' | 'imageStatus' | 'removeImage' | 'listContainers' | 'imageFsInfo'>;
  readonly records: Pick<PullRecords, 'get' | 'tidy'>;
  readonly policy: ImageGcPolicy;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Capacity and rest of the file system that a directory is on. */
  diskSpace(directory: string): Promise<{ capacityBytes: number; availableBytes: number }>;
  /** The names of the images that volumes of pods have their files from: no container tells of them. */
  volumeImages(): readonly string[];
  /** Nothing is asked of a runtime that is away. */
  isRuntimeReady(): boolean;
  /** Called with what is to be told of the node when not enough could be removed. */
  onFreeDiskSpaceFailed(message: string): void;
}

/** As a kubelet's ImageGCPeriod. */
const PERIOD_MS = 5 * 60_000;
/** A disk that stays too full is told of so often: as long as an event is kept by default. */
const TELL_AGAIN_MS = 60 * 60_000;

interface Seen {
  readonly firstSeenMs: number;
  lastUsedMs: number | undefined;
}

/**
 * Removes images that no container is made of and no pod has a volume of, when the disk is full or they are old (pkg/kubelet/images/image_gc_manager.go). Unlike
 * a kubelet it only ever removes images that the daemon has pulled itself: what was imported may be had nowhere else, and what
 * other users of the runtime have pulled is theirs.
 */
export class ImageGarbageCollector {
  readonly #options: ImageGarbageCollectorOptions;
  readonly #seen = new Map<string, Seen>();
  /** When it was told that not enough could be removed; undefined when it could. Monotonic. */
  #failureToldAtMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: ImageGarbageCollectorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.#runInBackground(), PERIOD_MS);
    this.#timer.unref();
    this.#runInBackground();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** An image is about to be used: no container tells of it yet. */
  noteUse(imageId: string): void {
    const now = this.#options.clock.monotonicMs();
    const seen = this.#seen.get(imageId);
    if (seen) seen.lastUsedMs = now;
    else this.#seen.set(imageId, { firstSeenMs: now, lastUsedMs: now });
  }

  /** Removes what is too old, and what is too much for the disk. One run at a time. */
  async run(): Promise<void> {
    await this.#inTurn(async () => {
      const unused = await this.#unusedImages();
      const { policy, clock } = this.#options;
      const outdated = outdatedImages(unused, policy, clock.monotonicMs());
      await this.#remove(outdated, Number.POSITIVE_INFINITY, 'age');
      const wanted = bytesToFree(policy, await this.#diskSpace());
      const freed = await this.#free(
        unused.filter((image) => !outdated.includes(image)),
        wanted,
      );
      if (freed >= wanted) this.#failureToldAtMs = undefined;
      else this.#tellFailure(wanted, freed);
    });
  }

  /**
   * Removes images that are not used, the longest unused first, until so many bytes are free.
   *
   * @returns the bytes that were freed, as the runtime tells the images' sizes: possibly fewer than asked for.
   * @throws RuntimeError when the runtime cannot be asked.
   */
  async collect(bytes: number): Promise<number> {
    return await this.#inTurn(async () => await this.#free(await this.#unusedImages(), bytes));
  }

  /** The disk may be full of what is not the daemon's to remove, for weeks: each run would tell of other numbers of bytes. */
  #tellFailure(wanted: number, freed: number): void {
    const now = this.#options.clock.monotonicMs();
    if (this.#failureToldAtMs !== undefined && now - this.#failureToldAtMs < TELL_AGAIN_MS) return;
    this.#failureToldAtMs = now;
    const message = `Failed to garbage collect required amount of images. Attempted to free ${wanted} bytes, but only found ${freed} bytes eligible to free.`;
    this.#options.onFreeDiskSpaceFailed(message);
  }

  #runInBackground(): void {
    if (!this.#options.isRuntimeReady()) return;
    this.run().catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, 'could not remove unused images, it is tried again');
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => {});
    return result;
  }

  /** Those that may go, and what is known of them. */
  async #unusedImages(): Promise<ImageUse[]> {
    const { client, clock, records } = this.#options;
    const listedAtMs = clock.now();
    // Images first: one whose container is made in between is seen to be used.
    const images = await client.listImages();
    const containers = await client.listContainers({});
    await records.tidy(new Set(images.map(({ id }) => id)), listedAtMs);
    const used = new Set([...containers.flatMap(namesOfUsed), ...(await this.#idsOfVolumes())]);
    const now = clock.monotonicMs();
    const unused: ImageUse[] = [];
    for (const image of images) {
      const seen = this.#seen.get(image.id) ?? { firstSeenMs: now, lastUsedMs: undefined };
      this.#seen.set(image.id, seen);
      const isUsed = namesOf(image).some((name) => used.has(name));
      if (isUsed) seen.lastUsedMs = now;
      else if (!image.pinned && records.get(image.id) && !this.#isAboutToBeUsed(seen, now)) {
        unused.push({ id: image.id, sizeBytes: Number(image.size), ...seen });
      }
    }
    const present = new Set(images.map(({ id }) => id));
    for (const id of this.#seen.keys()) if (!present.has(id)) this.#seen.delete(id);
    return unused;
  }

  /** Only the runtime knows which image a name means. */
  async #idsOfVolumes(): Promise<string[]> {
    const { client, volumeImages } = this.#options;
    const images = await Promise.all([...new Set(volumeImages())].map((name) => client.imageStatus(name)));
    return images.flatMap((image) => (image ? [image.id] : []));
  }

  #isAboutToBeUsed({ lastUsedMs }: Seen, now: number): boolean {
    return lastUsedMs !== undefined && now - lastUsedMs < this.#options.policy.minAgeMs;
  }

  async #diskSpace(): Promise<{ capacityBytes: number; availableBytes: number }> {
    const [imageFs] = await this.#options.client.imageFsInfo();
    const directory = imageFs?.fsId?.mountpoint;
    return directory ? await this.#options.diskSpace(directory) : { capacityBytes: 0, availableBytes: 0 };
  }

  #free(unused: readonly ImageUse[], bytes: number): Promise<number> {
    const { policy, clock } = this.#options;
    return this.#remove(removableImages(unused, policy, clock.monotonicMs()), bytes, 'space');
  }

  /** One that cannot be removed keeps no other. */
  async #remove(images: readonly ImageUse[], bytes: number, reason: 'age' | 'space'): Promise<number> {
    const { client, logger } = this.#options;
    let freed = 0;
    for (const { id, sizeBytes } of images) {
      if (freed >= bytes) break;
      try {
        await client.removeImage(id);
        freed += sizeBytes;
        this.#seen.delete(id);
        logger.info({ image: id, sizeBytes, reason }, 'removed an image that nothing uses');
      } catch (error) {
        logger.warn({ err: error, image: id }, 'an image that nothing uses could not be removed');
      }
    }
    return freed;
  }
}

function namesOf({ id, repoTags, repoDigests }: Image__Output): readonly string[] {
  return [id, ...repoTags, ...repoDigests];
}

/** Runtimes differ in what they say here: an id, a digest, or the name that was asked for. */
function namesOfUsed({ image, imageRef }: Container__Output): string[] {
  return [imageRef, image?.image ?? ''].filter((name) => name !== '');
}
