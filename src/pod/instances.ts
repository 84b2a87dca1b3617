import type { Container, Pod } from '../api/pod.ts';
import type { ContainerProbes } from '../probes/results.ts';
import type { ObservedContainer, ObservedPod, ObservedSandbox } from '../runtime/observed.ts';
import type { PodFacts } from './facts.ts';

/** One container of the manifest and what the runtime has of it. */
export interface ContainerInstances {
  /** The newest one, in whatever state. */
  readonly latest: ObservedContainer | undefined;
  /** The newest one that ended before `latest`. */
  readonly previous: ObservedContainer | undefined;
  /** Those that nobody needs any more: all that ended, but for the newest of them. */
  readonly superfluous: readonly ObservedContainer[];
}

export function isAlive(container: ObservedContainer): boolean {
  // UNKNOWN may still run: it counts as alive until it was stopped.
  return container.state === 'RUNNING' || container.state === 'UNKNOWN';
}

/** Sorts out what the runtime has of the container `name`. */
export function instancesOf(observed: ObservedPod, name: string): ContainerInstances {
  const all = observed.containers.filter((container) => container.containerName === name);
  const [latest, ...older] = all;
  const ended = all.filter((container) => container.state === 'EXITED');
  return {
    latest,
    previous: older.find((container) => container.state === 'EXITED'),
    superfluous: ended.slice(1),
  };
}

/** What the probes say of a running instance. One that was not probed yet has neither started nor is it ready. */
export function probesOf(
  container: Pick<Container, 'startupProbe' | 'readinessProbe'>,
  instance: ObservedContainer,
  facts: PodFacts,
): ContainerProbes {
  const isStarted = !container.startupProbe;
  const unprobed = { isStarted, isReady: isStarted && !container.readinessProbe, failure: undefined };
  return facts.probes.get(instance.id) ?? unprobed;
}

/** The sandbox that new containers can be made in: the newest one, if it is ready and has what the manifest asks for. */
export function usableSandbox(pod: Pod, observed: ObservedPod): ObservedSandbox | undefined {
  const newest = observed.sandboxes[0];
  if (newest?.state !== 'READY') return undefined;
  const hostNetwork = pod.spec.hostNetwork ?? false;
  if (newest.hostNetwork !== hostNetwork) return undefined;
  return hostNetwork || newest.ips.length > 0 ? newest : undefined;
}
