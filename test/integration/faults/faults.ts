import { join } from 'node:path';
import type { Event } from '../../../src/api/event.ts';
import type { Container, Pod, PodSpec } from '../../../src/api/pod.ts';
import { podManifest, shell } from '../pod/pods.ts';
import type { RuntimeFixture } from '../support/containerd.ts';
import type { DaemonFixture } from '../support/daemon.ts';
import { GrpcFaultProxy } from '../support/grpc-fault-proxy.ts';
import { leaksSince, type ResourceSnapshot, type SnapshotSources } from '../support/leaks.ts';

/** A proxy in front of the runtime, for the daemon to be started with. */
export async function startProxy(runtime: RuntimeFixture): Promise<GrpcFaultProxy> {
  const proxy = new GrpcFaultProxy(join(runtime.root.path, 'p.sock'), runtime.socketPath);
  await proxy.start();
  return proxy;
}

/** Two containers that obey SIGTERM at once and share a volume in memory: a sandbox, a mount, and a network to leak. */
export function pairManifest(name: string, spec: Partial<PodSpec> = {}, metadata: Partial<Pod['metadata']> = {}) {
  const volumeMounts = [{ name: 'memory', mountPath: '/memory' }];
  return podManifest(
    name,
    ['a', 'b'].map((container) => ({ name: container, command: shell(''), volumeMounts })),
    { volumes: [{ name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }], ...spec },
    metadata,
  );
}

/** One container that obeys SIGTERM at once. */
export function singleManifest(name: string, spec: Partial<PodSpec> = {}, container: Partial<Container> = {}) {
  return podManifest(name, [{ name: 'a', command: shell(''), ...container }], spec);
}

/** A container that ignores SIGTERM. */
export const stubborn = ['sh', '-c', "trap '' TERM; while :; do sleep 1; done"];

/** What must stay as it is while others fail: nobody touched the pod's sandbox and containers. */
export function identityOf({ metadata, status }: Pod) {
  return {
    uid: metadata.uid,
    startTime: status?.startTime,
    podIP: status?.podIP,
    containers: status?.containerStatuses?.map(({ name, containerID, restartCount, state }) => ({
      name,
      containerID,
      restartCount,
      startedAt: state?.running?.startedAt,
    })),
  };
}

export function isRunning(pod: Pod): boolean {
  return pod.status?.phase === 'Running';
}

/** What the runtime itself says of a pod, in an order that does not depend on the runtime's. */
export async function inRuntime(runtime: RuntimeFixture, uid: string | undefined) {
  const labelSelector = { 'io.kubernetes.pod.uid': uid ?? '' };
  const { items } = await runtime.cri.call('ListPodSandbox', { filter: { labelSelector } });
  const { containers } = await runtime.cri.call('ListContainers', { filter: { labelSelector } });
  return {
    sandboxes: items
      .map(({ id, state, metadata }) => ({ id, state, attempt: metadata?.attempt ?? 0 }))
      .sort((a, b) => a.attempt - b.attempt),
    containers: containers
      .map(({ id, state, labels, metadata }) => ({
        id,
        name: labels['io.kubernetes.container.name'] ?? '',
        state,
        attempt: metadata?.attempt ?? 0,
      }))
      .sort((a, b) => a.name.localeCompare(b.name) || a.attempt - b.attempt),
  };
}

/** Id of a container without the runtime's name in front. */
export function containerId(pod: Pod, name: string): string {
  const status = pod.status?.containerStatuses?.find((item) => item.name === name);
  return (status?.containerID ?? '').replace(/^.*:\/\//, '');
}

/** The events about a pod, as `Reason: message`. */
export async function eventsOf(daemon: DaemonFixture, pod: string, namespace = 'default'): Promise<string[]> {
  const path = `/api/v1/namespaces/${namespace}/events`;
  const { items } = await daemon.api.expectOk<{ items: Event[] }>('GET', path);
  return items.filter(({ involvedObject }) => involvedObject.name === pod).map(textOf);
}

/** Waits on a watch for an event about the pod whose `Reason: message` matches. */
export async function waitForEvent(
  daemon: DaemonFixture,
  pod: string,
  pattern: RegExp,
  timeoutMs = 30_000,
): Promise<Event> {
  const path = '/api/v1/namespaces/default/events?watch=true';
  const seen: string[] = [];
  try {
    for await (const { object } of daemon.api.watch<Event>(path, AbortSignal.timeout(timeoutMs))) {
      if (object.involvedObject?.name !== pod) continue;
      seen.push(textOf(object));
      if (pattern.test(textOf(object))) return object;
    }
  } catch (error) {
    if (!(error instanceof Error) || !/Abort|Timeout/.test(error.name)) throw error;
  }
  throw new Error(`no event about ${pod} matches ${pattern} within ${timeoutMs} ms; seen:\n${seen.join('\n')}`);
}

function textOf({ reason, message }: Event): string {
  return `${reason}: ${message}`;
}

/**
 * As `leaksSince`, but for shims: containerd 1.6, cut off by the daemon's death in the middle of RunPodSandbox, at times
 * takes back all that it made but an empty shim, which it then does not know any more. No CRI client can remove that.
 */
export async function leaksButShims(baseline: ResourceSnapshot, sources: SnapshotSources): Promise<string[]> {
  const leaks = await leaksSince(baseline, sources);
  return leaks.filter((leak) => !leak.startsWith('shims: '));
}
