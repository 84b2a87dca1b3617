import type { ContainerStatus, Pod, PodStatus } from '../api/pod.ts';

/** An Event that follows from a change of the status. */
export interface StatusEvent {
  readonly reason: string;
  readonly message: string;
  /** The container that it is about; without it, the pod. */
  readonly containerName?: string;
}

/** What a change of the status is worth to be told as a Warning: each cause once, not each time it is looked at. PURE. */
export function statusEvents(pod: Pod, after: PodStatus): StatusEvent[] {
  const before = pod.status;
  const events = containersOf(after).flatMap((status) => {
    const earlier = containersOf(before).find(({ name }) => name === status.name);
    const isSame = isHeldBack(earlier) && earlier?.restartCount === status.restartCount;
    return isHeldBack(status) && !isSame ? [backOff(pod, status.name)] : [];
  });
  if (after.reason !== 'NetworkPluginNotReady' || before?.reason === after.reason) return events;
  return [...events, { reason: 'NetworkNotReady', message: after.message ?? '' }];
}

function backOff({ metadata }: Pod, containerName: string): StatusEvent {
  const pod = `${metadata.name}_${metadata.namespace}(${metadata.uid})`;
  const message = `Back-off restarting failed container ${containerName} in pod ${pod}`;
  return { reason: 'BackOff', message, containerName };
}

function isHeldBack(status: ContainerStatus | undefined): boolean {
  return status?.state?.waiting?.reason === 'CrashLoopBackOff';
}

function containersOf(status: PodStatus | undefined): ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}
