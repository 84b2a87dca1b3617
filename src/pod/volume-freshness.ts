import { type ConfigSources, configReferences } from '../api/config-sources.ts';
import type { Pod } from '../api/pod.ts';

/** What `plan` needs to know of the volumes of a pod that show objects of the API. */
export interface VolumeFacts {
  /** They may not show what they are to show now. */
  readonly isStale: boolean;
  /** When they will be stale though nothing changes. Milliseconds since the epoch. */
  readonly dueAtMs: number | undefined;
}

/** How long after a failure the volumes are tried again though nothing has changed. */
const RETRY_MS = 60_000;

/**
 * PURE. Changes whenever the volumes of a pod are to show something else; undefined when there is nothing in them that
 * could change.
 */
export function volumeSignature(pod: Pod, sources: ConfigSources): string | undefined {
  const volumes = pod.spec.volumes ?? [];
  const { configMaps, secrets, serviceAccounts } = configReferences({
    ...pod,
    spec: { ...pod.spec, containers: [], initContainers: [] },
  });
  const parts: unknown[] = [
    ...[...configMaps].map((name) => [name, identity(sources.configMap(name))]),
    ...[...secrets].map((name) => [name, identity(sources.secret(name))]),
    // Another account of the same name needs other tokens; what else changes of it makes no difference.
    ...[...serviceAccounts].map((name) => [name, sources.serviceAccount(name)?.metadata.uid ?? '']),
  ];
  const showsPod = volumes.some(
    ({ downwardAPI, projected }) => downwardAPI ?? projected?.sources?.some((source) => source.downwardAPI),
  );
  if (showsPod) parts.push(pod.metadata.labels ?? {}, pod.metadata.annotations ?? {});
  return parts.length === 0 ? undefined : JSON.stringify(parts);
}

function identity(object: { readonly metadata: Pod['metadata'] } | undefined): string {
  return object === undefined ? '' : `${object.metadata.uid} ${object.metadata.resourceVersion}`;
}

/**
 * Remembers what the volumes of a pod were made for. A daemon that has just started remembers nothing, and looks at all
 * volumes once: what changed while it was away is shown then.
 */
export class VolumeFreshness {
  #madeFor: string | undefined;
  #dueAtMs: number | undefined;

  facts(signature: string | undefined, now: number): VolumeFacts {
    const isDue = this.#dueAtMs !== undefined && this.#dueAtMs <= now;
    const isStale = signature !== undefined && (signature !== this.#madeFor || isDue);
    return { isStale, dueAtMs: isStale ? undefined : this.#dueAtMs };
  }

  /** @param signature as it was before the work began: what changed meanwhile makes the volumes stale again. */
  noteMade(signature: string | undefined, dueAtMs: number | undefined): void {
    this.#madeFor = signature;
    this.#dueAtMs = dueAtMs;
  }

  noteFailed(signature: string | undefined, now: number): void {
    this.noteMade(signature, now + RETRY_MS);
  }
}
