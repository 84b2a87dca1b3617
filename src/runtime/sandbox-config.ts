import type { Pod } from '../api/pod.ts';
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
    linux: {
      cgroupParent: settings.cgroupParent,
      securityContext: {
        namespaceOptions: namespaceOptions(pod),
        privileged: spec.containers.some((container) => container.securityContext?.privileged === true),
        seccomp: { profileType: 'RuntimeDefault' },
        ...supplementalGroups(pod),
        ...(runAsUser === undefined ? {} : { runAsUser: { value: runAsUser } }),
        ...(runAsGroup === undefined ? {} : { runAsGroup: { value: runAsGroup } }),
      },
    },
  };
}

/** Which namespaces the containers of a pod share, and with whom. */
export function namespaceOptions(pod: Pod): NamespaceOption {
  const { hostNetwork, hostIPC, hostPID, shareProcessNamespace } = pod.spec;
  return {
    network: hostNetwork ? 'NODE' : 'POD',
    ipc: hostIPC ? 'NODE' : 'POD',
    pid: hostPID ? 'NODE' : shareProcessNamespace ? 'POD' : 'CONTAINER',
  };
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
