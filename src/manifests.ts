import type { Decoder } from './api/decode/decode.ts';
import type { KindDefinition } from './api/kind.ts';
import {
  configMapKind,
  persistentVolumeClaimKind,
  persistentVolumeKind,
  secretKind,
  serviceAccountKind,
  storageClassKind,
} from './api/kinds.ts';
import type { KubeObject } from './api/meta.ts';
import { createPodKind, type PodKindOptions } from './api/pod-kind.ts';
import type { Config } from './config/config.ts';
import { isEndedByShutdown } from './pod/node-shutdown-status.ts';
import type { PodApi } from './pod/pod-api.ts';
import { rfc3339 } from './pod/times.ts';
import { ManifestSource } from './sources/manifest-dir.ts';
import { StaticObjects } from './sources/static-objects.ts';
import { StaticPods } from './sources/static-pods.ts';
import { removeOrMark } from './store/finalizers.ts';
import type { Store } from './store/store.ts';
import { systemClock } from './util/clock.ts';
import type { Logger } from './util/log.ts';

/** The parts of the daemon that the manifest directory needs. */
export interface ManifestParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly store: Store;
  readonly decoder: Decoder;
  readonly podApi: PodApi;
  readonly podOptions: PodKindOptions;
  readonly isShuttingDown: () => boolean;
  /** Tells users what is wrong with a file. */
  readonly report: (file: string, message: string) => void;
}

export interface Manifests {
  /** Static pods that a shutdown has ended are made again: it did not come to pass. */
  makeAgain(): void;
  stop(): Promise<void>;
}

/** What may be in the manifest directory besides pods. */
export const objectKinds = [
  configMapKind,
  secretKind,
  serviceAccountKind,
  storageClassKind,
  persistentVolumeKind,
  persistentVolumeClaimKind,
] as readonly KindDefinition<KubeObject>[];

/** Begins to read the manifest directory. No logic. @returns undefined where the configuration names none. */
export function startManifests(parts: ManifestParts): Manifests | undefined {
  const { store, logger, decoder, podApi, report } = parts;
  const { staticPodPath, nodeName, fileCheckFrequencyMs } = parts.config;
  if (staticPodPath === '') return undefined;
  const staticPods = new StaticPods({
    store,
    clock: systemClock,
    logger,
    requestDelete: (namespace, name, request) => podApi.requestDelete(namespace, name, request),
    isToBeMadeAgain: (pod) => !parts.isShuttingDown() && isEndedByShutdown(pod),
    report,
  });
  const staticObjects = new StaticObjects({
    store,
    kinds: objectKinds,
    remove: (kind, object) => {
      const now = rfc3339(systemClock.now());
      removeOrMark(store, kind, object, { uid: object.metadata.uid }, now);
    },
    clock: systemClock,
    logger,
    report,
  });
  const source = new ManifestSource({
    directory: staticPodPath,
    nodeName,
    podKind: createPodKind(parts.podOptions),
    objectKinds,
    decoder,
    logger,
    scanIntervalMs: fileCheckFrequencyMs,
    sink: {
      apply: async (desired) => {
        // What pods are made from comes before them.
        staticObjects.apply(desired);
        await staticPods.apply(desired);
      },
    },
    report,
  });
  staticObjects.start();
  staticPods.start();
  source.start();
  return {
    makeAgain: () => staticPods.makeAgain(),
    stop: async () => {
      await source.stop();
      await staticPods.stop();
      staticObjects.stop();
    },
  };
}
