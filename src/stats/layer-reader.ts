import type { CriClient } from '../runtime/cri-client.ts';
import { instanceSelector } from '../runtime/labels.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';
import type { LayerUsage } from './usage.ts';
import type { UsageIo } from './usage-reader.ts';

export interface LayerReaderOptions {
  readonly client: Pick<CriClient, 'imageFsInfo' | 'listContainerStats'>;
  readonly instance: string;
  readonly io: Pick<UsageIo, 'fs'>;
}

/** Whoever asks for usage is not kept waiting by a runtime that is slow. */
const TIMEOUT_MS = 10_000;

/** What the runtime tells of its images and layers; nothing while it does not answer. */
export async function readLayers({ client, instance, io }: LayerReaderOptions): Promise<LayerUsage> {
  try {
    const [filesystems, stats] = await Promise.all([
      client.imageFsInfo({ timeoutMs: TIMEOUT_MS }),
      client.listContainerStats(instanceSelector(instance), { timeoutMs: TIMEOUT_MS }),
    ]);
    const mountpoint = filesystems[0]?.fsId?.mountpoint;
    const written = stats.flatMap(({ attributes, writableLayer }) =>
      attributes && writableLayer
        ? [
            [
              attributes.id,
              { usedBytes: count(writableLayer.usedBytes), inodesUsed: count(writableLayer.inodesUsed) },
            ] as const,
          ]
        : [],
    );
    return { imageFs: mountpoint ? await io.fs(mountpoint) : undefined, written: new Map(written) };
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    return { imageFs: undefined, written: new Map() };
  }
}

function count(value: { readonly value: string } | null): number {
  return Number(value?.value ?? 0);
}
