/** Where container logs are, as a kubelet lays them out, so that every log agent finds them. */

export interface LogOwner {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** The longest file name that file systems take. */
const NAME_MAX = 255;

/** PURE. `<namespace>_<pod>_<uid>`, the pod's directory in /var/log/pods. Throws when a part is no plain name. */
export function podLogDirectoryName(pod: LogOwner): string {
  return [pod.namespace, pod.name, pod.uid].map(component).join('_');
}

/** PURE. `<container>/<restart count>.log`, in the pod's directory: what CRI takes as a container's log path. */
export function logFileName(containerName: string, restartCount: number): string {
  return `${component(containerName)}/${restartCount}.log`;
}

/** PURE. The log of one instance of a container, relative to /var/log/pods. */
export function containerLogPath(pod: LogOwner, containerName: string, restartCount: number): string {
  return `${podLogDirectoryName(pod)}/${logFileName(containerName, restartCount)}`;
}

/**
 * PURE. `<pod>_<namespace>_<container>-<container id>.log`, the link in /var/log/containers. Cut to 255 characters, in
 * which the beginning survives, as a kubelet cuts it.
 */
export function logLinkName(pod: Omit<LogOwner, 'uid'>, containerName: string, containerId: string): string {
  const name = `${component(pod.name)}_${component(pod.namespace)}_${component(containerName)}-${component(containerId)}`;
  return `${name.slice(0, NAME_MAX - '.log'.length)}.log`;
}

/**
 * PURE. What kind of file a name in a log's directory is, of those that rotation makes of the log: `0.log.20240501-100000`
 * as it was written, `....gz` compressed, `....tmp` half compressed. Undefined for everything else.
 */
export function rotatedKind(log: string, name: string): 'plain' | 'compressed' | 'unfinished' | undefined {
  if (!name.startsWith(`${log}.`)) return undefined;
  const [, suffix] = /^\.\d{8}-\d{6}(|\.gz|\.tmp)$/.exec(name.slice(log.length)) ?? [];
  switch (suffix) {
    case '':
      return 'plain';
    case '.gz':
      return 'compressed';
    case '.tmp':
      return 'unfinished';
    default:
      return undefined;
  }
}

/** Names reach us validated; the runtime would trust a path in one, so they are looked at once more. */
function component(name: string): string {
  if (!/^[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?$/.test(name)) {
    throw new Error(`${JSON.stringify(name)} cannot be part of a log file's name`);
  }
  return name;
}
