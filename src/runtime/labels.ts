import { ContainerSchema } from '../api/pod/container.ts';
import { LifecycleHandlerSchema } from '../api/pod/probe.ts';
import type { Container, ContainerPort, LifecycleHandler, Pod } from '../api/pod.ts';
import { asShape } from '../api/structural.ts';

// A kubelet's own names, so that crictl, log agents, and a kubelet that takes the node over find what they know.
const POD_NAME = 'io.kubernetes.pod.name';
const POD_NAMESPACE = 'io.kubernetes.pod.namespace';
const POD_UID = 'io.kubernetes.pod.uid';
const CONTAINER_NAME = 'io.kubernetes.container.name';
const CONTAINER_HASH = 'io.kubernetes.container.hash';
const CONTAINER_PORTS = 'io.kubernetes.container.ports';
const RESTART_COUNT = 'io.kubernetes.container.restartCount';
const TERMINATION_MESSAGE_PATH = 'io.kubernetes.container.terminationMessagePath';
const TERMINATION_MESSAGE_POLICY = 'io.kubernetes.container.terminationMessagePolicy';
const PRE_STOP_HANDLER = 'io.kubernetes.container.preStopHandler';
const POD_GRACE_PERIOD = 'io.kubernetes.pod.terminationGracePeriod';

/** Which mini-kubelet made the sandbox or container. Without it an object of the runtime is somebody else's. */
const INSTANCE = 'mini-kubelet.io/instance';
/** How long this start was held back after the previous end; absent on the first start. The next delay follows from it. */
const RESTART_DELAY_SECONDS = 'mini-kubelet.io/restart-delay-seconds';
/** The manifest's `lifecycle.stopSignal`. */
const STOP_SIGNAL = 'mini-kubelet.io/stop-signal';

/** What identifies a pod in the runtime. Labels of the manifest stay out: some runtimes obey labels that users may write. */
export interface PodIdentity {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
}

/** What a container's labels and annotations tell about how it was made. */
export interface ContainerIdentity {
  readonly pod: PodIdentity;
  readonly containerName: string;
  /** Hash of the definition that the container was made from, see `containerHash`. */
  readonly hash: string;
  readonly restartCount: number;
  /** Undefined on a first start. */
  readonly restartDelaySeconds: number | undefined;
  readonly terminationMessagePath: string;
  readonly terminationMessagePolicy: string;
  /** Undefined when the pod's manifest is lost and none was written. */
  readonly podGracePeriodSeconds: number | undefined;
  /** What the container does before it is stopped, also when its pod's manifest is lost. */
  readonly preStop?: LifecycleHandler | undefined;
  readonly ports?: readonly ContainerPort[] | undefined;
  /** The manifest's `lifecycle.stopSignal`, such as `SIGUSR1`. */
  readonly stopSignal?: string | undefined;
}

/** Selects what the mini-kubelet `instance` made, in the runtime's list calls. */
export function instanceSelector(instance: string): Record<string, string> {
  return { [INSTANCE]: instance };
}

/** Selects what the mini-kubelet `instance` made for one pod. */
export function podSelector(instance: string, uid: string): Record<string, string> {
  return { [INSTANCE]: instance, [POD_UID]: uid };
}

export function sandboxLabels(pod: Pod, instance: string): Record<string, string> {
  const { name, namespace, uid } = pod.metadata;
  return {
    [POD_NAME]: name ?? '',
    [POD_NAMESPACE]: namespace ?? '',
    [POD_UID]: uid ?? '',
    [INSTANCE]: instance,
  };
}

export function containerLabels(pod: Pod, container: Container, instance: string): Record<string, string> {
  return { ...sandboxLabels(pod, instance), [CONTAINER_NAME]: container.name };
}

export function containerAnnotations(
  pod: Pod,
  container: Container,
  restartCount: number,
  restartDelaySeconds: number | undefined,
): Record<string, string> {
  return {
    [CONTAINER_HASH]: containerHash(container),
    [RESTART_COUNT]: String(restartCount),
    [TERMINATION_MESSAGE_PATH]: container.terminationMessagePath ?? '',
    [TERMINATION_MESSAGE_POLICY]: container.terminationMessagePolicy ?? '',
    [POD_GRACE_PERIOD]: String(pod.spec.terminationGracePeriodSeconds ?? ''),
    ...(container.ports?.length ? { [CONTAINER_PORTS]: JSON.stringify(container.ports) } : {}),
    ...(container.lifecycle?.preStop ? { [PRE_STOP_HANDLER]: JSON.stringify(container.lifecycle.preStop) } : {}),
    ...(container.lifecycle?.stopSignal ? { [STOP_SIGNAL]: container.lifecycle.stopSignal } : {}),
    ...(restartDelaySeconds === undefined ? {} : { [RESTART_DELAY_SECONDS]: String(restartDelaySeconds) }),
  };
}

/** Undefined when the labels are not complete, so that the object cannot be one of ours. */
export function parsePodIdentity(labels: Record<string, string>): PodIdentity | undefined {
  const { [POD_NAME]: name, [POD_NAMESPACE]: namespace, [POD_UID]: uid } = labels;
  return name && namespace && uid ? { name, namespace, uid } : undefined;
}

export function parseContainerIdentity(
  labels: Record<string, string>,
  annotations: Record<string, string>,
): ContainerIdentity | undefined {
  const pod = parsePodIdentity(labels);
  const containerName = labels[CONTAINER_NAME];
  if (!pod || !containerName) return undefined;
  return {
    pod,
    containerName,
    hash: annotations[CONTAINER_HASH] ?? '',
    restartCount: parseCount(annotations[RESTART_COUNT]) ?? 0,
    restartDelaySeconds: parseCount(annotations[RESTART_DELAY_SECONDS]),
    terminationMessagePath: annotations[TERMINATION_MESSAGE_PATH] ?? '',
    terminationMessagePolicy: annotations[TERMINATION_MESSAGE_POLICY] ?? '',
    podGracePeriodSeconds: parseCount(annotations[POD_GRACE_PERIOD]),
    preStop: asShape(LifecycleHandlerSchema, parseJson(annotations[PRE_STOP_HANDLER])),
    ports: asShape(ContainerSchema, { name: containerName, ports: parseJson(annotations[CONTAINER_PORTS]) })?.ports,
    stopSignal: annotations[STOP_SIGNAL],
  };
}

/** Undefined for what is no JSON: another kubelet may have written it. */
function parseJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function parseCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/**
 * 32-bit FNV-1a, in hex, over what makes a running container obsolete when it changes: its name and image. As in the
 * kubelet, other fields do not count: they cannot change in a pod's life.
 */
export function containerHash(container: Pick<Container, 'name' | 'image'>): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(JSON.stringify({ name: container.name, image: container.image ?? '' }))) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash.toString(16);
}
