import { readFile } from 'node:fs/promises';

/** Where the kernel's cgroups are mounted on this machine. */
export interface CgroupLayout {
  /** 2 when one unified hierarchy has all controllers; 1 on a machine with v1 controllers, hybrid or not. */
  readonly version: 1 | 2;
  /** v1: the mount point of each controller. Empty on v2. */
  readonly controllers: ReadonlyMap<string, string>;
  /** v1: mount points of hierarchies without a controller, such as `name=systemd`. */
  readonly named: readonly string[];
  /** The v2 hierarchy: the only one on v2, one without controllers on a hybrid machine. */
  readonly unified: string | undefined;
}

/** Reads this machine's layout. @throws Error when no cgroup file system is mounted. */
export async function detectCgroups(): Promise<CgroupLayout> {
  return parseCgroupMounts(await readFile('/proc/self/mountinfo', 'utf8'));
}

/**
 * The layout from the text of /proc/self/mountinfo (proc(5)). Where a controller is mounted more than once, the
 * shortest path wins, as a container runtime decides too.
 */
export function parseCgroupMounts(mountinfo: string): CgroupLayout {
  const controllers = new Map<string, string>();
  const named: string[] = [];
  let unified: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const mount = parseMount(line);
    if (mount?.type === 'cgroup2') {
      unified = shorter(unified, mount.mountPoint);
    } else if (mount?.type === 'cgroup') {
      const own = mount.options.filter((option) => !NOT_CONTROLLERS.has(option) && !option.includes('='));
      for (const controller of own) {
        controllers.set(controller, shorter(controllers.get(controller), mount.mountPoint));
      }
      if (own.length === 0) named.push(mount.mountPoint);
    }
  }
  if (controllers.size > 0) return { version: 1, controllers, named, unified };
  if (unified === undefined) throw new Error('no cgroup file system is mounted: mount cgroup2 at /sys/fs/cgroup');
  return { version: 2, controllers, named, unified };
}

/** Super options of a v1 mount that are no controllers. */
const NOT_CONTROLLERS: ReadonlySet<string> = new Set([
  'rw',
  'ro',
  'xattr',
  'clone_children',
  'noprefix',
  'none',
  'favordynmods',
  'cpuset_v2_mode',
]);

interface CgroupMount {
  readonly mountPoint: string;
  readonly type: string;
  readonly options: readonly string[];
}

function parseMount(line: string): CgroupMount | undefined {
  // 36 35 98:0 /root /mount/point opts optional... - type source superopts
  const [before, after] = line.split(' - ', 2);
  const mountPoint = before?.split(' ')[4];
  const [type, , superOptions] = after?.split(' ') ?? [];
  if (mountPoint === undefined || type === undefined || superOptions === undefined) return undefined;
  return { mountPoint: unescapeOctal(mountPoint), type, options: superOptions.split(',') };
}

/** The kernel writes space, tab, newline and backslash in a path as \ooo. */
function unescapeOctal(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function shorter(previous: string | undefined, next: string): string {
  return previous !== undefined && previous.length <= next.length ? previous : next;
}

/** One thing that pods need of the kernel and that it does not give, in words for the log. */
export interface MissingController {
  readonly controller: string;
  readonly message: string;
}

const NEEDED: Readonly<Record<string, string>> = {
  cpu: 'CPU requests and limits',
  cpuset: 'CPU sets',
  memory: 'memory limits',
  pids: 'the limit on processes per pod',
};

/**
 * What will not be enforced here.
 *
 * @param available the controllers that can be used.
 * @param procCgroups the text of /proc/cgroups, which tells a controller that is switched off at boot from one that the
 *   kernel was built without; undefined where it cannot be read.
 */
export function missingControllers(
  available: ReadonlySet<string>,
  procCgroups: string | undefined,
): MissingController[] {
  const off = new Set(
    (procCgroups ?? '')
      .split('\n')
      .map((line) => line.split('\t'))
      .filter((fields) => fields[3] === '0')
      .map((fields) => fields[0]),
  );
  return Object.entries(NEEDED)
    .filter(([controller]) => !available.has(controller))
    .map(([controller, purpose]) => ({
      controller,
      message: off.has(controller)
        ? `${purpose} are not enforced: the kernel's ${controller} controller is switched off (add cgroup_enable=${controller} to the kernel's command line)`
        : `${purpose} are not enforced: the kernel's ${controller} controller is not mounted or not available here`,
    }));
}
