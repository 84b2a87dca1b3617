import { fromCriSignal } from '../api/stop-signal.ts';
import type { Container__Output } from './generated/runtime/v1/Container.ts';
import type { ContainerStatus__Output } from './generated/runtime/v1/ContainerStatus.ts';
import type { PodSandboxStatus__Output } from './generated/runtime/v1/PodSandboxStatus.ts';
import { type ContainerIdentity, type PodIdentity, parseContainerIdentity, parsePodIdentity } from './labels.ts';

/** One pod sandbox as the runtime tells it. */
export interface ObservedSandbox {
  readonly id: string;
  readonly pod: PodIdentity;
  /** Rises by one with every new sandbox of the pod: the only order among them (the runtime's times can be wrong). */
  readonly attempt: number;
  readonly state: 'READY' | 'NOTREADY';
  /** The pod's addresses, the primary one first; empty with the host's network. */
  readonly ips: readonly string[];
  readonly hostNetwork: boolean;
}

export type ObservedContainerState = 'CREATED' | 'RUNNING' | 'EXITED' | 'UNKNOWN';

/** One container as the runtime tells it. Times are nanoseconds since the epoch, 0 for "not yet". */
export interface ObservedContainer extends ContainerIdentity {
  readonly id: string;
  readonly sandboxId: string;
  readonly state: ObservedContainerState;
  readonly createdAtNanos: bigint;
  readonly startedAtNanos: bigint;
  readonly finishedAtNanos: bigint;
  /** `finishedAtNanos` by the clock as it is set now, where it was set since then. */
  readonly endedAtNanos?: bigint;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly image: string;
  /** The image's digest reference where the runtime knows one. */
  readonly imageRef: string;
  /** Paths in the container that are read-only with all that is mounted below them. */
  readonly recursiveReadOnlyPaths: readonly string[];
  readonly user:
    | { readonly uid: number; readonly gid: number; readonly supplementalGroups: readonly number[] }
    | undefined;
  /** The signal that the runtime stops it with; undefined where the runtime does not tell. */
  readonly runtimeStopSignal?: string | undefined;
}

/** All that the runtime has of one pod. Sandboxes and each container's instances: the newest first. */
export interface ObservedPod {
  readonly uid: string;
  readonly identity: PodIdentity | undefined;
  readonly sandboxes: readonly ObservedSandbox[];
  readonly containers: readonly ObservedContainer[];
}

export function emptyObservedPod(uid: string): ObservedPod {
  return { uid, identity: undefined, sandboxes: [], containers: [] };
}

/** Undefined when the sandbox carries no pod's identity. */
export function toObservedSandbox(status: PodSandboxStatus__Output): ObservedSandbox | undefined {
  const pod = parsePodIdentity(status.labels);
  if (!pod) return undefined;
  const network = status.network;
  const ips = [network?.ip ?? '', ...(network?.additionalIps ?? []).map((item) => item.ip)].filter((ip) => ip !== '');
  return {
    id: status.id,
    pod,
    attempt: status.metadata?.attempt ?? 0,
    state: status.state === 'SANDBOX_READY' ? 'READY' : 'NOTREADY',
    ips,
    hostNetwork: status.linux?.namespaces?.options?.network === 'NODE',
  };
}

/** Undefined when the container carries no pod's identity. `listed` tells the sandbox, which the status does not. */
export function toObservedContainer(
  listed: Pick<Container__Output, 'podSandboxId'>,
  status: ContainerStatus__Output,
): ObservedContainer | undefined {
  const identity = parseContainerIdentity(status.labels, status.annotations);
  if (!identity) return undefined;
  const user = status.user?.linux;
  return {
    ...identity,
    id: status.id,
    sandboxId: listed.podSandboxId,
    state: toState(status.state),
    createdAtNanos: toNanos(status.createdAt),
    startedAtNanos: toNanos(status.startedAt),
    finishedAtNanos: toNanos(status.finishedAt),
    exitCode: status.exitCode,
    reason: status.reason,
    message: status.message,
    image: status.image?.userSpecifiedImage || status.image?.image || '',
    imageRef: status.imageRef,
    recursiveReadOnlyPaths: status.mounts
      .filter((mount) => mount.recursiveReadOnly)
      .map((mount) => mount.containerPath),
    user: user
      ? { uid: Number(user.uid), gid: Number(user.gid), supplementalGroups: user.supplementalGroups.map(Number) }
      : undefined,
    runtimeStopSignal: fromCriSignal(status.stopSignal),
  };
}

/** Sorts and groups what was seen of one pod. */
export function toObservedPod(
  uid: string,
  sandboxes: readonly ObservedSandbox[],
  containers: readonly ObservedContainer[],
): ObservedPod {
  return {
    uid,
    identity: sandboxes[0]?.pod ?? containers[0]?.pod,
    sandboxes: [...sandboxes].sort((a, b) => b.attempt - a.attempt),
    containers: [...containers].sort(
      (a, b) => b.restartCount - a.restartCount || compareBigint(b.createdAtNanos, a.createdAtNanos),
    ),
  };
}

function compareBigint(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A runtime that lost a time answers one long before the epoch, or a far future: both mean "unknown". */
function toNanos(text: string): bigint {
  const nanos = BigInt(text);
  return nanos > 0n ? nanos : 0n;
}

function toState(state: ContainerStatus__Output['state']): ObservedContainerState {
  switch (state) {
    case 'CONTAINER_CREATED':
      return 'CREATED';
    case 'CONTAINER_RUNNING':
      return 'RUNNING';
    case 'CONTAINER_EXITED':
      return 'EXITED';
    default:
      // Also an enum value from a newer or broken runtime.
      return 'UNKNOWN';
  }
}
