/** Kernel parameters that a pod may set for itself. */

/** The kernel namespace that a sysctl belongs to; undefined for one of the whole machine. */
export function sysctlNamespace(name: string): 'ipc' | 'net' | 'uts' | undefined {
  const dotted = dottedSysctl(name);
  if (dotted === 'kernel.sem' || /^(kernel\.shm|kernel\.msg|fs\.mqueue\.)/.test(dotted)) return 'ipc';
  if (dotted.startsWith('net.')) return 'net';
  return dotted === 'kernel.domainname' ? 'uts' : undefined;
}

/** With dots between the parts; where the first separator is a slash, dots are part of a name and change places. */
export function dottedSysctl(name: string): string {
  const separator = /[./]/.exec(name)?.[0];
  if (separator !== '/') return name;
  return name.replaceAll(/[./]/g, (character) => (character === '/' ? '.' : '/'));
}

/**
 * Those that touch neither other pods nor the host, with the Linux since which that holds
 * (pkg/kubelet/sysctl/safe_sysctls.go).
 */
const safeSysctls: Readonly<Record<string, readonly [major: number, minor: number]>> = {
  'kernel.shm_rmid_forced': [0, 0],
  'net.ipv4.ip_local_port_range': [0, 0],
  'net.ipv4.tcp_syncookies': [0, 0],
  'net.ipv4.ping_group_range': [0, 0],
  'net.ipv4.ip_unprivileged_port_start': [0, 0],
  'net.ipv4.ip_local_reserved_ports': [3, 16],
  'net.ipv4.tcp_keepalive_time': [4, 5],
  'net.ipv4.tcp_keepalive_intvl': [4, 5],
  'net.ipv4.tcp_keepalive_probes': [4, 5],
  'net.ipv4.tcp_fin_timeout': [4, 6],
  'net.ipv4.tcp_rmem': [4, 15],
  'net.ipv4.tcp_wmem': [4, 15],
};

/** Whether pods may set it unasked. @param kernelRelease as uname(2) has it, `6.1.0-18-amd64`. */
export function isSafeSysctl(name: string, kernelRelease: string): boolean {
  const dotted = dottedSysctl(name);
  const [major, minor] = Object.hasOwn(safeSysctls, dotted) ? (safeSysctls[dotted] ?? []) : [];
  if (major === undefined || minor === undefined) return false;
  const [has = 0, hasMinor = 0] = kernelRelease.split('.').map((part) => Number.parseInt(part, 10));
  return has > major || (has === major && hasMinor >= minor);
}

/** Whether one of the patterns, a name or `prefix*`, has it. */
export function matchesSysctl(name: string, patterns: readonly string[]): boolean {
  const dotted = dottedSysctl(name);
  return patterns.map(dottedSysctl).some((pattern) => {
    return pattern.endsWith('*') ? dotted.startsWith(pattern.slice(0, -1)) : dotted === pattern;
  });
}

const patternForm = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*([a-z0-9][-_a-z0-9]*)?\*?$/;

/** What is wrong with a pattern, continuing "must be ..."; undefined when nothing is. A pod must not set it for all. */
export function sysctlPatternProblem(pattern: string): string | undefined {
  if (pattern === '' || !patternForm.test(pattern)) return 'a sysctl or the beginning of some, like "kernel.msg*"';
  return sysctlNamespace(pattern) === undefined ? 'of sysctls that each pod has for itself' : undefined;
}

/** What a value is made of: nothing that a runtime could take for another sysctl, and no line end. */
export function isPlainSysctlValue(value: string): boolean {
  return /^[-\w .,:/\t]*$/.test(value);
}
