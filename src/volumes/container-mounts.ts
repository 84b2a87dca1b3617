import type { Container, Pod, VolumeMount } from '../api/pod.ts';

/** A volume of a pod as it lies on the host. */
export interface MountedVolume {
  /** Absolute path of a file or directory; '' for the files of an image. */
  readonly hostPath: string;
  /** The runtime's id of the image whose files it has: the runtime mounts them by itself, always read-only. */
  readonly image?: string;
  /** The source itself allows no writing, whatever a container asks for. */
  readonly readOnly?: boolean;
  /** A server has it, which may not answer: the daemon itself looks at nothing in it before it has. */
  readonly isRemote?: boolean;
  /** The daemon made it, so that its SELinux label may be changed; a path of the host keeps its label. */
  readonly isManaged: boolean;
}

/** By volume name. */
export type MountedVolumes = ReadonlyMap<string, MountedVolume>;

/** A Mount of CRI; `propagation` without the prefix that its enum has. */
export interface CriMount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly propagation: 'PRIVATE' | 'HOST_TO_CONTAINER' | 'BIDIRECTIONAL';
  readonly selinuxRelabel: boolean;
  readonly recursiveReadOnly: boolean;
  readonly image?: { readonly image: string };
  readonly imageSubPath?: string;
}

export interface ContainerMountFacts {
  /** Host path of the pod's hosts file. Undefined: the image's own is left. */
  readonly hostsFile?: string;
  /** Host path of the file that takes the termination message. */
  readonly terminationLog?: string;
  /** Where a volumeMount with a subPath is to be mounted from, by its index. */
  readonly subPaths?: ReadonlyMap<number, string>;
  /** Whether the runtime's handler can make a mount read-only with all that is mounted below it. */
  readonly recursiveReadOnlySupported?: boolean;
}

/** A mount that cannot be made as the manifest says; `reason` is the container's waiting reason. */
export class ContainerMountError extends Error {
  readonly reason: 'CreateContainerConfigError' | 'RROUnsupported';

  constructor(reason: ContainerMountError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ContainerMountError';
    this.reason = reason;
  }
}

const HOSTS_PATH = '/etc/hosts';

/**
 * PURE. All mounts of a container: its volumeMounts, the hosts file unless it mounts one itself, and the file for its
 * termination message (makeMounts in pkg/kubelet/kubelet_pods.go). A mount comes after those that it lies in.
 * resolv.conf, the host name's file and /dev/shm are the runtime's.
 *
 * @throws ContainerMountError
 */
export function containerMounts(
  _pod: Pod,
  container: Container,
  volumes: MountedVolumes,
  facts: ContainerMountFacts,
): CriMount[] {
  const mounts = (container.volumeMounts ?? []).map((mount, index) => volumeMount(mount, index, volumes, facts));
  const isTaken = (path: string) => mounts.some((mount) => normalPath(mount.containerPath) === path);
  if (facts.hostsFile !== undefined && !isTaken(HOSTS_PATH)) mounts.push(ownFile(HOSTS_PATH, facts.hostsFile));
  const messagePath = container.terminationMessagePath ?? '';
  if (facts.terminationLog !== undefined && messagePath !== '') {
    mounts.push(ownFile(absolutePath(messagePath), facts.terminationLog));
  }
  const depth = (mount: CriMount) => normalPath(mount.containerPath).split('/').length;
  return mounts.sort((a, b) => depth(a) - depth(b));
}

function volumeMount(mount: VolumeMount, index: number, volumes: MountedVolumes, facts: ContainerMountFacts): CriMount {
  const volume = volumes.get(mount.name);
  if (!volume) {
    throw new ContainerMountError('CreateContainerConfigError', `cannot find volume ${JSON.stringify(mount.name)}`);
  }
  const subPath = facts.subPaths?.get(index);
  // An expression may come to nothing: then it is the whole volume.
  const isPrepared = mount.subPath ? subPath !== undefined : !mount.subPathExpr || facts.subPaths !== undefined;
  if (!isPrepared) {
    throw new ContainerMountError('CreateContainerConfigError', `subPath of volume ${mount.name} was not prepared`);
  }
  if (volume.image !== undefined) return imageMount(mount, volume.image, subPath);
  const readonly = (mount.readOnly ?? false) || (volume.readOnly ?? false);
  return {
    containerPath: absolutePath(mount.mountPath),
    hostPath: subPath ?? volume.hostPath,
    readonly,
    propagation: propagationOf(mount),
    selinuxRelabel: volume.isManaged,
    recursiveReadOnly: readonly && isRecursiveReadOnly(mount, facts),
  };
}

function imageMount(mount: VolumeMount, image: string, subPath: string | undefined): CriMount {
  return {
    containerPath: absolutePath(mount.mountPath),
    hostPath: '',
    image: { image },
    ...(subPath === undefined ? {} : { imageSubPath: subPath }),
    readonly: true,
    propagation: 'PRIVATE',
    selinuxRelabel: false,
    recursiveReadOnly: false,
  };
}

function propagationOf(mount: VolumeMount): CriMount['propagation'] {
  switch (mount.mountPropagation) {
    case 'HostToContainer':
      return 'HOST_TO_CONTAINER';
    case 'Bidirectional':
      return 'BIDIRECTIONAL';
    case 'None':
    case undefined:
      return 'PRIVATE';
  }
}

function isRecursiveReadOnly(mount: VolumeMount, facts: ContainerMountFacts): boolean {
  const isSupported = facts.recursiveReadOnlySupported ?? false;
  if (mount.recursiveReadOnly !== 'Enabled') return mount.recursiveReadOnly === 'IfPossible' && isSupported;
  if (isSupported) return true;
  throw new ContainerMountError(
    'RROUnsupported',
    `volume ${JSON.stringify(mount.name)} requests recursive read-only mode, but it is not supported by the runtime`,
  );
}

function ownFile(containerPath: string, hostPath: string): CriMount {
  return {
    containerPath,
    hostPath,
    readonly: false,
    propagation: 'PRIVATE',
    selinuxRelabel: true,
    recursiveReadOnly: false,
  };
}

/** A relative mount path counts from the root of the container. */
function absolutePath(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

function normalPath(path: string): string {
  return `/${path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`;
}
