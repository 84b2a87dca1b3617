import { join } from 'node:path';
import type { Container, Pod } from '../api/pod.ts';
import { toCriSignal } from '../api/stop-signal.ts';
import type { ContainerConfig } from './generated/runtime/v1/ContainerConfig.ts';
import type { LinuxContainerResources } from './generated/runtime/v1/LinuxContainerResources.ts';
import type { LinuxContainerSecurityContext } from './generated/runtime/v1/LinuxContainerSecurityContext.ts';
import type { Mount } from './generated/runtime/v1/Mount.ts';
import type { NamespaceOption } from './generated/runtime/v1/NamespaceOption.ts';
import type { SecurityProfile } from './generated/runtime/v1/SecurityProfile.ts';
import type { Signal } from './generated/runtime/v1/Signal.ts';
import { containerAnnotations, containerLabels } from './labels.ts';
import { type IdMapping, namespaceOptions, selinuxOptions, supplementalGroups } from './sandbox-config.ts';

/** Who an image says that its process runs as: a number, or a name that only the image's own files can resolve. */
export type ImageUser = { readonly uid: bigint } | { readonly username: string } | undefined;

export interface ContainerSettings {
  readonly instance: string;
  readonly restartCount: number;
  readonly restartDelaySeconds: number | undefined;
  /** What the image's name was resolved to: used instead of the name, so that a tag moved meanwhile changes nothing. */
  readonly imageRef: string;
  readonly imageUser: ImageUser;
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** In order; a later one with the same name wins. */
  readonly envs: readonly { readonly key: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly resources: LinuxContainerResources;
  /** The container whose process namespace an ephemeral container shares. */
  readonly targetId?: string | undefined;
  /** Relative to the sandbox's log directory. */
  readonly logPath: string;
  readonly maskedPaths: readonly string[];
  /** What the ids of the pod are on the host; undefined when they are the same. */
  readonly userNamespace?: IdMapping | undefined;
  /** Directory of the profiles of type Localhost. */
  readonly seccompDirectory: string;
  /** For a container that names no profile. */
  readonly defaultSeccomp: 'RuntimeDefault' | 'Unconfined';
}

/** Paths below /proc that no container may write (pkg/securitycontext/util.go). CRI has no default: empty means writable. */
export const READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** Paths that no container may see (pkg/securitycontext/util.go), but for those that exist once per CPU. */
export const MASKED_PATHS: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

/** CRI's configuration of a container, as a kubelet would write it (pkg/kubelet/kuberuntime/kuberuntime_container.go). */
export function containerConfig(pod: Pod, container: Container, settings: ContainerSettings): ContainerConfig {
  return {
    metadata: { name: container.name, attempt: settings.restartCount },
    image: { image: settings.imageRef, userSpecifiedImage: container.image ?? '' },
    command: [...settings.command],
    args: [...settings.args],
    workingDir: container.workingDir ?? '',
    envs: [...settings.envs],
    mounts: [...settings.mounts],
    labels: containerLabels(pod, container, settings.instance),
    annotations: containerAnnotations(pod, container, settings.restartCount, settings.restartDelaySeconds),
    logPath: settings.logPath,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    ...stopSignal(container),
    linux: {
      resources: settings.resources,
      securityContext: securityContext(pod, container, settings),
    },
  };
}

function stopSignal({ lifecycle }: Container): Pick<ContainerConfig, 'stopSignal'> {
  if (!lifecycle?.stopSignal) return {};
  return { stopSignal: toCriSignal(lifecycle.stopSignal) as Extract<Signal, string> };
}

function securityContext(pod: Pod, container: Container, settings: ContainerSettings): LinuxContainerSecurityContext {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const runAsGroup = own.runAsGroup ?? shared.runAsGroup;
  return {
    namespaceOptions: targetNamespace(namespaceOptions(pod, settings.userNamespace), settings.targetId),
    privileged: own.privileged ?? false,
    readonlyRootfs: own.readOnlyRootFilesystem ?? false,
    noNewPrivs: own.allowPrivilegeEscalation === false,
    capabilities: {
      addCapabilities: [...(own.capabilities?.add ?? [])],
      dropCapabilities: [...(own.capabilities?.drop ?? [])],
    },
    ...supplementalGroups(pod),
    maskedPaths: isUnmasked(pod, container) ? [] : [...settings.maskedPaths],
    readonlyPaths: isUnmasked(pod, container) ? [] : [...READONLY_PATHS],
    seccomp: seccompProfile(pod, container, settings),
    ...appArmorProfile(pod, container),
    ...selinuxOptions(own.seLinuxOptions ?? shared.seLinuxOptions),
    ...runAs(runAsUser, settings.imageUser),
    ...(runAsGroup === undefined ? {} : { runAsGroup: { value: runAsGroup } }),
  };
}

/** Processes of the target are seen by those of this container, unless all of the pod see each other anyway. */
function targetNamespace(options: NamespaceOption, targetId: string | undefined): NamespaceOption {
  return targetId !== undefined && options.pid === 'CONTAINER' ? { ...options, pid: 'TARGET', targetId } : options;
}

function runAs(runAsUser: number | undefined, imageUser: ImageUser): LinuxContainerSecurityContext {
  if (runAsUser !== undefined) return { runAsUser: { value: runAsUser } };
  if (imageUser === undefined) return {};
  return 'uid' in imageUser
    ? { runAsUser: { value: imageUser.uid.toString() } }
    : { runAsUsername: imageUser.username };
}

/** Always one: a runtime that is sent none would run the container unconfined. */
function seccompProfile(pod: Pod, container: Container, settings: ContainerSettings): SecurityProfile {
  const profile = container.securityContext?.seccompProfile ?? pod.spec.securityContext?.seccompProfile;
  if (!profile) return { profileType: settings.defaultSeccomp };
  const name = localhostSeccompProfile(pod, container);
  if (name === undefined) return { profileType: profile.type === 'Unconfined' ? 'Unconfined' : 'RuntimeDefault' };
  return { profileType: 'Localhost', localhostRef: join(settings.seccompDirectory, name) };
}

/** The file of the container's seccomp profile, relative to the directory of profiles; undefined for another type. */
export function localhostSeccompProfile(pod: Pod, container: Container): string | undefined {
  const profile = container.securityContext?.seccompProfile ?? pod.spec.securityContext?.seccompProfile;
  return profile?.type === 'Localhost' ? (profile.localhostProfile ?? '') : undefined;
}

/** Root in a user namespace is nobody on the host: only then may a container see all of /proc. */
function isUnmasked({ spec }: Pod, { securityContext }: Container): boolean {
  return securityContext?.procMount === 'Unmasked' && spec.hostUsers === false;
}

/** None unless the manifest has one: the runtime then uses its own default where the host has AppArmor. */
function appArmorProfile(pod: Pod, container: Container): Pick<LinuxContainerSecurityContext, 'apparmor'> {
  const profile = container.securityContext?.appArmorProfile ?? pod.spec.securityContext?.appArmorProfile;
  if (!profile) return {};
  const { type, localhostProfile } = profile;
  if (type === 'Localhost') return { apparmor: { profileType: type, localhostRef: localhostProfile ?? '' } };
  return { apparmor: { profileType: type === 'Unconfined' ? 'Unconfined' : 'RuntimeDefault' } };
}

const MAX_UID = 2n ** 31n - 1n;

/**
 * Why the container must not start as the user it would get, or undefined when it may
 * (`verifyRunAsNonRoot` in pkg/kubelet/kuberuntime/security_context_others.go).
 */
export function runAsUserProblem(pod: Pod, container: Container, imageUser: ImageUser): string | undefined {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const runAsNonRoot = own.runAsNonRoot ?? shared.runAsNonRoot ?? false;
  if (runAsUser !== undefined) {
    return runAsNonRoot && runAsUser === 0
      ? `container's runAsUser breaks non-root policy (container: ${container.name})`
      : undefined;
  }
  if (imageUser && 'uid' in imageUser && (imageUser.uid < 0n || imageUser.uid > MAX_UID)) {
    // A runtime looks such a number up as a name: what it then runs as is not what the image says.
    return `image's user ${imageUser.uid} is out of range 0-${MAX_UID} (container: ${container.name})`;
  }
  if (!runAsNonRoot) return undefined;
  if (imageUser === undefined || ('uid' in imageUser && imageUser.uid === 0n)) {
    return `container has runAsNonRoot and image will run as root (container: ${container.name})`;
  }
  if ('username' in imageUser) {
    return `container has runAsNonRoot and image has non-numeric user (${imageUser.username}), cannot verify user is non-root (container: ${container.name})`;
  }
  return undefined;
}
