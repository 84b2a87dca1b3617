import { access, constants, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from './config.ts';

/** What is looked at on the machine. */
export interface PreflightMachine {
  readonly uid: number;
  /** The text of /proc/self/mountinfo, undefined when it cannot be read. */
  mountinfo(): Promise<string | undefined>;
  /** The mount namespace of a process, undefined when it cannot be read. */
  mountNamespace(pid: number | 'self'): Promise<string | undefined>;
  /** Whether a program is found where util/exec.ts looks. */
  hasProgram(name: string): Promise<boolean>;
  /** Whether files can be made in a directory. */
  isWritable(directory: string): Promise<boolean>;
}

export interface PreflightResult {
  /** The daemon cannot do its work: do not start. */
  readonly errors: readonly string[];
  /** Something will not work as it should. */
  readonly warnings: readonly string[];
}

/** Programs of other packages that the daemon runs, and the Debian package that has them. */
const programs: readonly [name: string, packageName: string][] = [
  ['mount', 'mount'],
  ['umount', 'mount'],
];

/**
 * Looks for everything that the daemon cannot do without, and says all of it at once. A runtime that does not answer is
 * not among it: it may come later.
 *
 * @param underSystemd whether systemd waits to be told that the daemon is ready.
 */
export async function preflight(
  config: Pick<Config, 'cgroupDriver' | 'featureGates' | 'stateDirectory' | 'runDirectory' | 'podLogsDir'>,
  underSystemd: boolean,
  machine: PreflightMachine = thisMachine,
): Promise<PreflightResult> {
  const errors: string[] = [];
  const warnings: string[] = [];
  if (machine.uid !== 0) errors.push(`must run as root, not as user ${machine.uid}`);

  const needed = [...programs];
  if (config.cgroupDriver === 'systemd') needed.push(['busctl', 'systemd']);
  if (underSystemd) needed.push(['systemd-notify', 'systemd']);
  for (const [name, packageName] of needed) {
    if (!(await machine.hasProgram(name)))
      errors.push(`the program ${name} is missing (Debian package ${packageName})`);
  }

  const mountinfo = await machine.mountinfo();
  if (mountinfo === undefined) errors.push('/proc is not mounted');
  else if (!/ - cgroup2? /.test(mountinfo)) errors.push('no cgroup file system is mounted on /sys/fs/cgroup');
  // Memory is with v1 as long as a hierarchy of v1 has its controller, whatever else is mounted.
  if (config.featureGates.MemoryQoS && / - cgroup \S+ (\S+,)?memory\b/.test(mountinfo ?? ''))
    errors.push('featureGates: MemoryQoS needs cgroup v2, and this machine manages memory with cgroup v1');

  for (const directory of [config.stateDirectory, config.runDirectory, config.podLogsDir]) {
    if (!(await machine.isWritable(directory))) errors.push(`nothing can be written to ${directory}`);
  }

  const [own, first] = [await machine.mountNamespace('self'), await machine.mountNamespace(1)];
  if (own !== undefined && first !== undefined && own !== first) {
    warnings.push(
      'runs in a mount namespace of its own: volumes that it mounts may be invisible to the runtime (with systemd, remove the directives that make one, such as PrivateTmp=)',
    );
  }
  return { errors, warnings };
}

const programDirectories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

const thisMachine: PreflightMachine = {
  uid: process.getuid?.() ?? -1,
  mountinfo: () => readFile('/proc/self/mountinfo', 'utf8').catch(() => undefined),
  mountNamespace: rootMountId,
  hasProgram: async (name) => {
    const found = await Promise.all(
      programDirectories.map((directory) => isAllowed(join(directory, name), constants.X_OK)),
    );
    return found.includes(true);
  },
  isWritable: async (directory) => {
    // The nearest parent that is there: the rest is made by the daemon.
    for (let path = directory; ; path = dirname(path)) {
      if (await isAllowed(path, constants.F_OK)) return isAllowed(path, constants.W_OK);
      if (path === '/') return false;
    }
  },
};

/**
 * Tells mount namespaces apart by the id that the kernel gave the mount of `/`: reading the namespace's own name takes
 * CAP_SYS_PTRACE, which the service has not.
 */
async function rootMountId(pid: number | 'self'): Promise<string | undefined> {
  try {
    const mountinfo = await readFile(`/proc/${pid}/mountinfo`, 'utf8');
    return mountinfo.match(/^(\d+) \S+ \S+ \S+ \/ /m)?.[1];
  } catch {
    // The process is gone, or not ours to look at: then nothing is known of it.
    return undefined;
  }
}

async function isAllowed(path: string, mode: number): Promise<boolean> {
  try {
    await access(path, mode);
    return true;
  } catch {
    return false;
  }
}
