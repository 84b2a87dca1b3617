/** What is known of an image that may be removed. Times: milliseconds, of one clock. */
export interface ImageUse {
  readonly id: string;
  readonly sizeBytes: number;
  readonly firstSeenMs: number;
  /** Undefined: never, as far as is known. */
  readonly lastUsedMs: number | undefined;
}

export interface ImageGcPolicy {
  /** From this usage of the disk on images are removed, so many that it is `lowThresholdPercent`. 100: never. */
  readonly highThresholdPercent: number;
  readonly lowThresholdPercent: number;
  /** Younger ones stay: what was pulled just now is about to be used. */
  readonly minAgeMs: number;
  /** Ones that were not used for longer go, whatever the disk has; 0: they do not. */
  readonly maxAgeMs: number;
}

/** How much is to be removed to come from the high to the low threshold; 0: nothing (image_gc_manager.go). PURE. */
export function bytesToFree(
  { highThresholdPercent, lowThresholdPercent }: ImageGcPolicy,
  disk: { readonly capacityBytes: number; readonly availableBytes: number },
): number {
  const { capacityBytes } = disk;
  if (capacityBytes <= 0 || highThresholdPercent >= 100) return 0;
  const availableBytes = Math.min(disk.availableBytes, capacityBytes);
  const usedPercent = 100 - Math.floor((availableBytes * 100) / capacityBytes);
  if (usedPercent < highThresholdPercent) return 0;
  return Math.max(0, Math.floor((capacityBytes * (100 - lowThresholdPercent)) / 100) - availableBytes);
}

/** The images that may go, in the order in which they do: the longest unused first, then those that came first. PURE. */
export function removableImages(images: readonly ImageUse[], { minAgeMs }: ImageGcPolicy, nowMs: number): ImageUse[] {
  const never = Number.NEGATIVE_INFINITY;
  return images
    .filter(({ firstSeenMs }) => nowMs - firstSeenMs >= minAgeMs)
    .sort((a, b) => compare(a.lastUsedMs ?? never, b.lastUsedMs ?? never) || compare(a.firstSeenMs, b.firstSeenMs));
}

/** Those that nobody has used for too long, counted from when they were seen first. PURE. */
export function outdatedImages(images: readonly ImageUse[], { maxAgeMs }: ImageGcPolicy, nowMs: number): ImageUse[] {
  if (maxAgeMs === 0) return [];
  return images.filter(({ lastUsedMs, firstSeenMs }) => nowMs - (lastUsedMs ?? firstSeenMs) > maxAgeMs);
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
