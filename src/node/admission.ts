import type { Taint } from '../api/node.ts';
import type { Pod, PodSpec } from '../api/pod.ts';
import { podRequests, type ResourceList } from '../api/pod-resources.ts';
import { cpuMilli, quantityBytes } from '../api/quantity.ts';
import { isSafeSysctl, matchesSysctl, sysctlNamespace } from '../api/sysctls.ts';
import { containersOf } from '../pod/containers.ts';
import { imageVolumeProblem } from '../pod/image-volumes.ts';
import { NODE_SHUTDOWN_REFUSED } from '../pod/node-shutdown-status.ts';
import type { ResizeProblem } from '../pod/resize.ts';
import type { ImageVolumeSupport } from '../runtime/runtime-monitor.ts';
import { conflictsOnHostPorts } from './host-ports.ts';
import { matchesNode } from './node-affinity.ts';
import { toleratesTaint } from './taints.ts';

/** What a pod is measured against. */
export interface AdmissionNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  /** Quantities by resource name. */
  readonly allocatable: Readonly<Record<string, string>>;
  readonly maxPods: number;
  /** As uname(2) has it. */
  readonly kernelRelease: string;
  /** Names, or beginnings with `*`, of sysctls that pods may set besides the safe ones. */
  readonly allowedUnsafeSysctls: readonly string[];
  /** The runtime's handler that the pod would run with; '' is the default one. */
  readonly runtimeHandler: string;
  /** The machine is about to go down. */
  readonly isShuttingDown?: boolean;
  /** What the runtime, and that handler, can do. */
  readonly features: {
    readonly supplementalGroupsPolicy: boolean;
    readonly userNamespaces: boolean;
    readonly imageVolumes: ImageVolumeSupport;
  };
}

/** Why a pod may not run here: becomes the reason and message of its status. */
export interface Rejection {
  readonly reason: string;
  readonly message: string;
}

/**
 * Whether the pod may run on this node next to the others, in a kubelet's order and words. Only the first reason is
 * given. PURE
 *
 * Other than a kubelet, which trusts a scheduler and ignores a resource that the node does not know, this refuses it:
 * nobody else looks. (pkg/kubelet/lifecycle/predicate.go.)
 *
 * @param others pods that are admitted already; terminated ones among them do not count, nor does the pod itself.
 */
export function admit(pod: Pod, others: Iterable<Pod>, node: AdmissionNode): Rejection | undefined {
  const active = [...others].filter((other) => !isTerminated(other) && other.metadata.uid !== pod.metadata.uid);
  const rejection =
    checkSysctls(pod, node) ??
    checkOs(pod) ??
    checkSupplementalGroups(pod, node) ??
    checkUserNamespace(pod, node) ??
    checkImageVolumes(pod, node) ??
    checkResources(pod, active, node) ??
    checkPlacement(pod, active, node) ??
    checkTaints(pod, node) ??
    checkShutdown(node);
  return rejection && { reason: rejection.reason, message: `Pod was rejected: ${rejection.message}` };
}

/**
 * Why a pod that runs may not have the CPU and memory that it asks for now (canResizePod in pkg/kubelet/allocation). PURE
 *
 * @param others as of `admit`. @param allocatable quantities by resource name.
 */
export function resizeProblem(
  pod: Pod,
  others: Iterable<Pod>,
  allocatable: Readonly<Record<string, string>>,
): ResizeProblem | undefined {
  const active = [...others].filter((other) => !isTerminated(other) && other.metadata.uid !== pod.metadata.uid);
  const requests = podRequests(pod);
  for (const resource of ['cpu', 'memory']) {
    const [requested, capacity] = [amountOf(requests, resource), amountOf(allocatable, resource)];
    if (requested <= capacity) continue;
    const message = `Node didn't have enough capacity: ${resource}, requested: ${requested}, capacity: ${capacity}`;
    return { reason: 'Infeasible', message };
  }
  for (const resource of ['cpu', 'memory']) {
    const [requested, capacity] = [amountOf(requests, resource), amountOf(allocatable, resource)];
    const used = active.reduce((sum, other) => sum + amountOf(podRequests(other), resource), 0n);
    if (requested > capacity - used) {
      return { reason: 'Deferred', message: outOf(resource, requested, used, capacity).message };
    }
  }
  return undefined;
}

function checkShutdown({ isShuttingDown }: AdmissionNode): Rejection | undefined {
  if (!isShuttingDown) return undefined;
  return { reason: NODE_SHUTDOWN_REFUSED, message: 'Pod was rejected as the node is shutting down.' };
}

function isTerminated(pod: Pod): boolean {
  return pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
}

/** (pkg/kubelet/sysctl/allowlist.go) */
function checkSysctls({ spec }: Pod, node: AdmissionNode): Rejection | undefined {
  for (const { name } of spec.securityContext?.sysctls ?? []) {
    const problem = sysctlProblem(name, spec, node);
    if (problem !== undefined) {
      return { reason: 'SysctlForbidden', message: `forbidden sysctl: ${JSON.stringify(name)} ${problem}` };
    }
  }
  return undefined;
}

function sysctlProblem(name: string, { hostIPC, hostNetwork }: PodSpec, node: AdmissionNode): string | undefined {
  const isAllowed = isSafeSysctl(name, node.kernelRelease) || matchesSysctl(name, node.allowedUnsafeSysctls);
  if (!isAllowed) return 'not allowlisted';
  const namespace = sysctlNamespace(name);
  if (namespace === 'ipc' && hostIPC) return 'not allowed with host ipc enabled';
  // With the host's network a pod also has the host's names.
  if (namespace !== 'ipc' && hostNetwork) return 'not allowed with host net enabled';
  return undefined;
}

const OS_LABEL = 'kubernetes.io/os';

function checkOs({ metadata, spec }: Pod): Rejection | undefined {
  const label = metadata.labels?.[OS_LABEL];
  if (label !== undefined && label !== 'linux') {
    return {
      reason: 'PodOSSelectorNodeLabelDoesNotMatch',
      message: `Failed to admit pod as the \`${OS_LABEL}\` label doesn't match node label`,
    };
  }
  if (spec.os !== undefined && spec.os.name !== 'linux') {
    return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
  }
  return undefined;
}

function checkSupplementalGroups({ spec }: Pod, { features }: AdmissionNode): Rejection | undefined {
  if (spec.securityContext?.supplementalGroupsPolicy !== 'Strict' || features.supplementalGroupsPolicy)
    return undefined;
  return {
    reason: 'SupplementalGroupsPolicyNotSupported',
    message: 'SupplementalGroupsPolicy=Strict is not supported in this node',
  };
}

/** A kubelet tries such a pod over and over. */
function checkUserNamespace({ spec }: Pod, { features, runtimeHandler }: AdmissionNode): Rejection | undefined {
  if (spec.hostUsers !== false || features.userNamespaces) return undefined;
  const handler = JSON.stringify(runtimeHandler);
  const message = `hostUsers=false: the runtime handler ${handler} does not support user namespaces`;
  return { reason: 'PodFeatureUnsupported', message };
}

function checkImageVolumes(pod: Pod, { features }: AdmissionNode): Rejection | undefined {
  const message = imageVolumeProblem(pod, containersOf(pod), features.imageVolumes);
  return message === undefined ? undefined : { reason: 'PodFeatureUnsupported', message };
}

/** The order in which a shortage is reported; other resources follow by name. */
const FIRST_RESOURCES: readonly string[] = ['cpu', 'memory', 'ephemeral-storage'];

function checkResources(pod: Pod, others: readonly Pod[], node: AdmissionNode): Rejection | undefined {
  if (others.length + 1 > node.maxPods) return outOf('pods', 1n, BigInt(others.length), BigInt(node.maxPods));
  const requests = podRequests(pod);
  const names = Object.keys(requests).filter((name) => !FIRST_RESOURCES.includes(name));
  const wanted = [...FIRST_RESOURCES, ...names.sort()]
    .map((resource) => ({ resource, requested: amountOf(requests, resource) }))
    .filter(({ requested }) => requested > 0n);
  if (wanted.length === 0) return undefined;
  const held = others.map((other) => podRequests(other));
  for (const { resource, requested } of wanted) {
    const used = held.reduce((sum, amounts) => sum + amountOf(amounts, resource), 0n);
    const capacity = amountOf(node.allocatable, resource);
    if (requested > capacity - used) return outOf(resource, requested, used, capacity);
  }
  return undefined;
}

/** CPU in thousandths, everything else in whole units. */
function amountOf(amounts: ResourceList, resource: string): bigint {
  const amount = Object.hasOwn(amounts, resource) ? amounts[resource] : undefined;
  if (amount === undefined) return 0n;
  return resource === 'cpu' ? BigInt(cpuMilli(amount)) : quantityBytes(amount);
}

function outOf(resource: string, requested: bigint, used: bigint, capacity: bigint): Rejection {
  const numbers = `requested: ${requested}, used: ${used}, capacity: ${capacity}`;
  return { reason: `OutOf${resource}`, message: `Node didn't have enough resource: ${resource}, ${numbers}` };
}

function checkPlacement(pod: Pod, others: readonly Pod[], node: AdmissionNode): Rejection | undefined {
  if (!matchesNode(pod, node)) return predicate('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
  if (pod.spec.nodeName && pod.spec.nodeName !== node.name) {
    return predicate('NodeName', "node(s) didn't match the requested node name");
  }
  if (conflictsOnHostPorts(pod, others)) {
    return predicate('NodePorts', "node(s) didn't have free ports for the requested pod ports");
  }
  return undefined;
}

/** Only NoExecute concerns a pod that has been placed already. Static pods belong to the node whatever its taints. */
function checkTaints(pod: Pod, node: AdmissionNode): Rejection | undefined {
  if (isStatic(pod)) return undefined;
  const untolerated = node.taints.some((taint) => taint.effect === 'NoExecute' && !toleratesTaint(pod, taint));
  return untolerated ? predicate('TaintToleration', "node(s) had taints that the pod didn't tolerate") : undefined;
}

function isStatic({ metadata }: Pod): boolean {
  const source = metadata.annotations?.['kubernetes.io/config.source'];
  return source !== undefined && source !== 'api';
}

function predicate(name: string, description: string): Rejection {
  return { reason: name, message: `Predicate ${name} failed: ${description}` };
}
