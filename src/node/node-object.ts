import type { Node, NodeCondition, NodeRuntimeHandler, NodeStatus, Taint } from '../api/node.ts';
import type { NodeResources } from './allocatable.ts';
import type { MachineInfo } from './node-info.ts';

/** One of the runtime's own conditions, as CRI's Status call gives it. */
export interface RuntimeCondition {
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

/** What is known of the container runtime. */
export type RuntimeHealth =
  /** Not asked yet. */
  | { readonly state: 'unknown' }
  /** It does not answer. */
  | { readonly state: 'down'; readonly message: string }
  | {
      readonly state: 'up';
      /** `containerd`, `cri-o`. */
      readonly name: string;
      readonly version: string;
      readonly runtimeReady: RuntimeCondition;
      readonly networkReady: RuntimeCondition;
      readonly supplementalGroupsPolicy?: boolean;
      readonly handlers?: readonly NodeRuntimeHandler[];
    };

/** Everything that the node object tells, but for what users wrote into it. */
export interface NodeFacts {
  readonly name: string;
  /** Shown as its address of type Hostname. */
  readonly hostname: string;
  /** IPv4 first. */
  readonly hostIPs: readonly string[];
  /** Set on top of the standard ones, and taken away when they are not among these any more. */
  readonly labels: Readonly<Record<string, string>>;
  /** Given to the object when it is made; later it is up to users. */
  readonly taints: readonly Taint[];
  readonly resources: NodeResources;
  readonly machine: MachineInfo;
  readonly swapBytes: bigint;
  /** Shown as the kubelet's version. */
  readonly version: string;
  /** Where the API listens for TLS; absent when it does not. */
  readonly apiPort?: number;
  /** The machine is about to go down. */
  readonly isShuttingDown?: boolean;
  readonly runtime: RuntimeHealth;
}

/** Names of the labels that the configuration gave to the Node: how a later one knows which of them it has to take away. */
const CONFIGURED_LABELS_ANNOTATION = 'mini-kubelet.io/configured-labels';

/**
 * The node object as it should be. Labels, taints and other settings that users wrote into the stored one stay; the
 * time of a condition's last change stays while its status does. PURE (pkg/kubelet/kubelet_node_status.go.)
 *
 * @param stored undefined when there is none yet.
 * @param uid for a new object.
 */
export function nodeObject(stored: Node | undefined, facts: NodeFacts, uid: string, now: number): Node {
  const labels = {
    ...labelsOfOthers(stored),
    'kubernetes.io/hostname': facts.hostname,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': facts.machine.architecture,
    ...facts.labels,
  };
  const spec = stored?.spec ?? (facts.taints.length > 0 ? { taints: [...facts.taints] } : {});
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      ...(stored?.metadata ?? { name: facts.name, uid, creationTimestamp: rfc3339(now) }),
      labels,
      ...withConfiguredLabels(stored?.metadata.annotations, Object.keys(facts.labels)),
    },
    spec,
    status: nodeStatus(stored?.status, facts, now),
  };
}

/** All but those that an earlier configuration gave. */
function labelsOfOthers(stored: Node | undefined): Record<string, string> {
  const given = new Set(stored?.metadata.annotations?.[CONFIGURED_LABELS_ANNOTATION]?.split(','));
  return Object.fromEntries(Object.entries(stored?.metadata.labels ?? {}).filter(([name]) => !given.has(name)));
}

function withConfiguredLabels(
  annotations: Readonly<Record<string, string>> | undefined,
  names: readonly string[],
): { annotations?: Record<string, string> } {
  const { [CONFIGURED_LABELS_ANNOTATION]: _, ...others } = annotations ?? {};
  const next = names.length > 0 ? { ...others, [CONFIGURED_LABELS_ANNOTATION]: names.toSorted().join(',') } : others;
  return annotations || names.length > 0 ? { annotations: next } : {};
}

/** PURE */
export function nodeStatus(previous: NodeStatus | undefined, facts: NodeFacts, now: number): NodeStatus {
  const { machine, runtime, resources } = facts;
  const up = runtime.state === 'up' ? runtime : undefined;
  return {
    ...previous,
    capacity: { ...resources.capacity },
    allocatable: { ...resources.allocatable },
    conditions: nodeConditions(previous?.conditions ?? [], facts, now),
    addresses: [
      ...facts.hostIPs.map((address) => ({ type: 'InternalIP' as const, address })),
      { type: 'Hostname' as const, address: facts.hostname },
    ],
    daemonEndpoints: facts.apiPort === undefined ? {} : { kubeletEndpoint: { Port: facts.apiPort } },
    nodeInfo: {
      machineID: machine.machineId,
      systemUUID: machine.systemUuid,
      bootID: machine.bootId,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      // A runtime that is away for a moment keeps its name.
      containerRuntimeVersion: up ? `${up.name}://${up.version}` : (previous?.nodeInfo?.containerRuntimeVersion ?? ''),
      kubeletVersion: facts.version,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: machine.architecture,
      ...(facts.swapBytes > 0n && { swap: { capacity: Number(facts.swapBytes) } }),
    },
    ...(up?.handlers?.length && { runtimeHandlers: [...up.handlers] }),
    ...(up?.supplementalGroupsPolicy !== undefined && {
      features: { supplementalGroupsPolicy: up.supplementalGroupsPolicy },
    }),
  };
}

function nodeConditions(previous: readonly NodeCondition[], facts: NodeFacts, now: number): NodeCondition[] {
  const problems = readinessProblems(facts.runtime);
  if (facts.isShuttingDown) problems.push('node is shutting down');
  const current: Pick<NodeCondition, 'type' | 'status' | 'reason' | 'message'>[] = [
    {
      type: 'MemoryPressure',
      status: 'False',
      reason: 'KubeletHasSufficientMemory',
      message: 'kubelet has sufficient memory available',
    },
    {
      type: 'DiskPressure',
      status: 'False',
      reason: 'KubeletHasNoDiskPressure',
      message: 'kubelet has no disk pressure',
    },
    {
      type: 'PIDPressure',
      status: 'False',
      reason: 'KubeletHasSufficientPID',
      message: 'kubelet has sufficient PID available',
    },
    problems.length === 0
      ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
      : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: aggregate(problems) },
  ];
  const time = rfc3339(now);
  return current.map((condition) => {
    const before = previous.find((other) => other.type === condition.type);
    const since = before?.status === condition.status ? (before.lastTransitionTime ?? time) : time;
    return { ...condition, lastHeartbeatTime: time, lastTransitionTime: since };
  });
}

/** Why no pod can be started now, in a kubelet's words; empty when one can. PURE */
export function readinessProblems(runtime: RuntimeHealth): string[] {
  if (runtime.state === 'unknown') return ['container runtime status check may not have completed yet'];
  if (runtime.state === 'down') return [`container runtime is down: ${runtime.message}`];
  const { runtimeReady, networkReady } = runtime;
  return [
    ...(runtimeReady.status ? [] : [`container runtime not ready: ${conditionText('RuntimeReady', runtimeReady)}`]),
    ...(networkReady.status
      ? []
      : [`container runtime network not ready: ${conditionText('NetworkReady', networkReady)}`]),
  ];
}

function conditionText(name: string, { status, reason, message }: RuntimeCondition): string {
  return `${name}=${status} reason:${reason} message:${message}`;
}

function aggregate(problems: readonly string[]): string {
  return problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`;
}

/** Kubernetes' times are whole seconds. */
function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
