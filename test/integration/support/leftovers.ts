import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run } from '../../../src/util/exec.ts';
import { allPids, childrenOf, commandLine, killAll, pidsByCgroup, pidsByCommandLine } from './processes.ts';
import type { TempRoot } from './temp-root.ts';
import { waitFor } from './wait.ts';

/**
 * Removes everything that bears a root's name, whether or not the runtime could still clean up after itself:
 * 1. processes that name the root, their containers, and whatever is in the root's cgroup
 * 2. mounts beneath the root (pod volumes, root filesystems, network namespaces)
 * 3. cgroups
 * 4. the bridge, its packet filter rules and the CNI result cache
 * 5. files: sockets of shims, then the root itself
 */
export async function removeLeftovers(root: TempRoot): Promise<void> {
  await killProcesses(root);
  await unmountBeneath(root.path);
  await removeCgroup(root.name);
  await removeNetwork(root.name);
  for (const socket of shimSockets(root.path)) rmSync(socket, { force: true });
  rmSync(root.path, { recursive: true, force: true });
}

/** Kills the runtime, its shims and containers, and a daemon. */
export async function killProcesses(root: TempRoot): Promise<void> {
  const named = pidsByCommandLine(`${root.path}/`).filter(isFixtureProgram);
  const shims = named.filter((pid) => commandLine(pid).includes('containerd-shim'));
  // Containers first: without its shim a container's process belongs to init and is no longer found as a child.
  const contained = pidsByCgroup(`/${root.name}/`);
  await killAll([...new Set([...childrenOf(shims), ...contained])]);
  await killAll(named);
}

/** An editor or a test runner may have the root's path among its arguments; only these programs are leftovers. */
function isFixtureProgram(pid: number): boolean {
  const [program = '', ...args] = commandLine(pid).split(' ');
  if (basename(program) === 'node') return args.some((arg) => /(^|\/)(main\.(ts|js))$/.test(arg));
  return /^(containerd|containerd-shim.*|ctr|runc|crun|bridge|portmap|host-local|loopback|docker-registry)$/.test(
    basename(program),
  );
}

/** Mount points beneath a directory, the deepest first. */
export function mountsBeneath(path: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((target) =>
      target.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8))),
    )
    .filter((target) => target.startsWith(`${path}/`))
    .reverse();
}

export async function unmountBeneath(path: string): Promise<void> {
  // A mount is busy for a moment after its last process was killed.
  await waitFor(`unmounting everything beneath ${path}`, async () => {
    for (const target of mountsBeneath(path)) await run('umount', ['--no-canonicalize', target]).catch(stillBusy);
    return mountsBeneath(path).length === 0;
  });
}

/** The next round tries again, and the last one's deadline reports it. */
function stillBusy(): void {}

/** Every cgroup hierarchy's mount point, v1 and v2. */
export function cgroupMounts(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4] ?? '');
}

/** Directories of a tree, the deepest first. */
function directoriesDeepestFirst(path: string): string[] {
  if (!existsSync(path)) return [];
  const below = readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => directoriesDeepestFirst(join(path, entry.name)));
  return [...below, path];
}

export async function removeCgroup(name: string): Promise<void> {
  await waitFor(`removing cgroup /${name}`, async () => {
    for (const directory of cgroupMounts().flatMap((mount) => directoriesDeepestFirst(join(mount, name)))) {
      rmdirSync(directory);
    }
    return true;
  });
}

async function removeNetwork(name: string): Promise<void> {
  await run('ip', ['link', 'delete', name]).catch(() => undefined);
  if (existsSync(`/sys/class/net/${name}`)) throw new Error(`the bridge ${name} could not be removed`);
  await removePacketFilterRules(name);
  removeCniResults(name);
}

/**
 * The portmap and bridge plugins note the network's name in a comment on each rule. Their chains are named by a hash,
 * so they are found as the targets of those rules.
 */
async function removePacketFilterRules(networkName: string): Promise<void> {
  const { stdout } = await run('iptables-save', ['-t', 'nat']);
  const named = stdout.split('\n').filter((line) => line.includes(`name: \\"${networkName}\\"`));
  const chains = new Set<string>();
  const script: string[] = [];
  for (const rule of named) {
    const target = /-j (CNI-[0-9A-Za-z-]+)/.exec(rule)?.[1];
    if (target !== undefined && /^CNI-(DN-|SN-)?[0-9a-f]{10,}/.test(target)) chains.add(target);
    script.push(rule.replace(/^-A /, '-D '));
  }
  if (script.length === 0) return;
  const flushes = [...chains].map((chain) => `:${chain} - [0:0]`);
  const deletes = [...chains].map((chain) => `-X ${chain}`);
  const input = ['*nat', ...flushes, ...script, ...deletes, 'COMMIT', ''].join('\n');
  await run('iptables-restore', ['--noflush'], { input });
}

/** CNI keeps each ADD's result in a directory that no configuration moves. */
function removeCniResults(networkName: string): void {
  const directory = '/var/lib/cni/results';
  if (!existsSync(directory)) return;
  const own = readdirSync(directory).filter((entry) => entry.startsWith(`${networkName}-`));
  const containers = own.map((entry) => entry.slice(networkName.length + 1).replace(/-[^-]+$/, ''));
  for (const entry of own) rmSync(join(directory, entry), { force: true });
  for (const id of containers) rmSync(join(directory, `cni-loopback-${id}-lo`), { force: true });
}

/** The sockets of shims, which lie outside of the runtime's state directory. A shim that was killed leaves its own. */
export function shimSockets(rootPath: string): string[] {
  const tasks = join(rootPath, 's', 'io.containerd.runtime.v2.task', 'k8s.io');
  if (!existsSync(tasks)) return [];
  return readdirSync(tasks).flatMap((id) =>
    ['address', 'bootstrap.json'].flatMap((name) => {
      const file = join(tasks, id, name);
      if (!existsSync(file)) return [];
      return /unix:\/\/([^\s",]+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? [];
    }),
  );
}

/** Pids in the machine's process table that belong to a root, for leak reports. */
export function processesOf(root: TempRoot): number[] {
  const contained = new Set(pidsByCgroup(`/${root.name}/`));
  return allPids().filter((pid) => contained.has(pid) || commandLine(pid).includes(`${root.path}/`));
}
