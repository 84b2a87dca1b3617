import type { Pod, SELinuxOptions } from '../api/pod.ts';
import { dottedSysctl } from '../api/sysctls.ts';
import type { DNSConfig } from './generated/runtime/v1/DNSConfig.ts';
import type { NamespaceOption } from './generated/runtime/v1/NamespaceOption.ts';
import type { PodSandboxConfig } from './generated/runtime/v1/PodSandboxConfig.ts';
import type { PortMapping } from './generated/runtime/v1/PortMapping.ts';
import { sandboxLabels } from './labels.ts';

export interface SandboxSettings {
  readonly instance: string;
  /** Higher than that of every sandbox that the pod ever had: the runtime reserves (pod, attempt) even for one that failed. */
  readonly attempt: number;
  readonly hostname: string;
  readonly dns: Required<DNSConfig>;
  readonly portMappings: readonly PortMapping[];
  readonly cgroupParent: string;
  /** What the ids of the pod are on the host; undefined when they are the same. */
  readonly userNamespace?: IdMapping | undefined;
  readonly logDirectory: string;
}

/** CRI's configuration of a pod's sandbox, as a kubelet would write it (pkg/kubelet/kuberuntime/kuberuntime_sandbox.go). */
export function sandboxConfig(pod: Pod, settings: SandboxSettings): PodSandboxConfig {
  const { metadata, spec } = pod;
  const security = spec.securityContext ?? {};
  const runAsUser = security.runAsUser;
  const runAsGroup = security.runAsGroup;
  return {
    metadata: {
      name: metadata.name ?? '',
      namespace: metadata.namespace ?? '',
      uid: metadata.uid ?? '',
      attempt: settings.attempt,
    },
    // With the host's UTS namespace there is no name to set.
    hostname: spec.hostNetwork ? '' : settings.hostname,
    logDirectory: settings.logDirectory,
    dnsConfig: settings.dns,
    portMappings: spec.hostNetwork ? [] : [...settings.portMappings],
    labels: sandboxLabels(pod, settings.instance),
    annotations: resourceClasses(metadata.annotations),
    linux: {
      cgroupParent: settings.cgroupParent,
      sysctls: Object.fromEntries((security.sysctls ?? []).map(({ name, value }) => [dottedSysctl(name), value])),
      securityContext: {
        namespaceOptions: namespaceOptions(pod, settings.userNamespace),
        ...selinuxOptions(security.seLinuxOptions),
        privileged: isPrivileged(pod),
        seccomp: { profileType: 'RuntimeDefault' },
        ...supplementalGroups(pod),
        ...(runAsUser === undefined ? {} : { runAsUser: { value: runAsUser } }),
        ...(runAsGroup === undefined ? {} : { runAsGroup: { value: runAsGroup } }),
      },
    },
  };
}

/** Classes of I/O and of caches that the runtime's own configuration names: a pod can choose one, and no more than that. */
const RESOURCE_CLASS = /^(blockio|rdt)\.resources\.beta\.kubernetes\.io\//;

/** The only annotations of a manifest that the runtime sees: a kubelet gives it all, and some runtimes obey others. */
function resourceClasses(annotations: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => RESOURCE_CLASS.test(name)));
}

/** So many ids from `containerId` on are those from `hostId` on outside. */
export interface IdMapping {
  readonly hostId: number;
  readonly containerId: number;
  readonly length: number;
}

/** Which namespaces the containers of a pod share, and with whom. */
export function namespaceOptions(pod: Pod, userNamespace?: IdMapping): NamespaceOption {
  const { hostNetwork, hostIPC, hostPID, shareProcessNamespace } = pod.spec;
  return {
    network: hostNetwork ? 'NODE' : 'POD',
    ipc: hostIPC ? 'NODE' : 'POD',
    pid: hostPID ? 'NODE' : shareProcessNamespace ? 'POD' : 'CONTAINER',
    ...(userNamespace ? { usernsOptions: { mode: 'POD', uids: [userNamespace], gids: [userNamespace] } } : {}),
  };
}

export function selinuxOptions(options: SELinuxOptions | undefined): { selinuxOptions?: SELinuxOptions } {
  return options ? { selinuxOptions: options } : {};
}

/** The groups that every process of the pod is in besides its own: that of the volumes first, as a kubelet's. */
export function supplementalGroups({ spec }: Pod): {
  supplementalGroups: number[];
  supplementalGroupsPolicy: 'Merge' | 'Strict';
} {
  const { fsGroup, supplementalGroups: groups = [], supplementalGroupsPolicy } = spec.securityContext ?? {};
  return {
    supplementalGroups: [...(fsGroup === undefined ? [] : [fsGroup]), ...groups],
    supplementalGroupsPolicy: supplementalGroupsPolicy ?? 'Merge',
  };
}

/** Whether any container is: a runtime makes no privileged container in another sandbox. */
function isPrivileged({ spec }: Pod): boolean {
  const all = [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
  return all.some((container) => container.securityContext?.privileged === true);
}
