import { join } from 'node:path';

/**
 * The directory of a pod, laid out as a kubelet's:
 *
 *     <podsDir>/<uid>/volumes/kubernetes.io~empty-dir/<volume>    the volume; its content is the pod's
 *                            /kubernetes.io~configmap/<volume>    made by atomic-writer.ts; also ~secret, ~projected, ...
 *                            /kubernetes.io~local-volume/<volume> where a persistent volume is mounted; also ~nfs
 *                    /volume-subpaths/<volume>/<container>/<n>   what the container's n-th volumeMount has by subPath
 *                    /containers/<container>/<8 hex digits>       termination message
 *                    /etc-hosts
 *                    /userns                                      which ids the pod has on the host, with hostUsers=false
 *
 * All of it is root's alone (0700) and no container sees it, so nothing in it can be swapped by one. What is inside a
 * volume, and the content of the files, is a container's: that is never walked but by util/safe-fs.ts.
 */
export const OWN_DIRECTORY_MODE = 0o700;
export const HOSTS_FILE = 'etc-hosts';
export const CONTAINERS = 'containers';
export const SUB_PATHS = 'volume-subpaths';
/** In the directory of volumes: the only ones that wait for somebody else when they are looked at. */
export const NFS_VOLUMES = 'kubernetes.io~nfs';
/** There too: persistent volumes that are directories of the node. */
export const LOCAL_VOLUMES = 'kubernetes.io~local-volume';
const VOLUMES = 'volumes';
const EMPTY_DIRS = `${VOLUMES}/kubernetes.io~empty-dir`;

/** A UUID, or the 32 digits that a static pod has. */
const POD_UID = /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

export function isPodUid(text: string): boolean {
  return POD_UID.test(text);
}

/** Absolute path of a pod's directory. Throws for anything that is no UID: nothing else below `podsDir` is ever touched. */
export function podDirectory(podsDir: string, uid: string): string {
  if (!isPodUid(uid)) throw new Error(`${JSON.stringify(uid)} is not the UID of a pod`);
  return join(podsDir, uid);
}

/** Absolute path of the directory that has a pod's volumes, in a directory for each kind. */
export function volumesDirectory(podsDir: string, uid: string): string {
  return join(podDirectory(podsDir, uid), VOLUMES);
}

/** Absolute path of the directory that has a pod's emptyDir volumes. */
export function emptyDirsDirectory(podsDir: string, uid: string): string {
  return join(podDirectory(podsDir, uid), EMPTY_DIRS);
}

/** The name of a volume or container as one component of a path. */
export function pathComponent(name: string): string {
  if (!DNS_LABEL.test(name)) throw new Error(`${JSON.stringify(name)} is not a DNS label`);
  return name;
}
