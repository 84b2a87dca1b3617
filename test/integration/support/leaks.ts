import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../src/util/exec.ts';
import type { RuntimeFixture } from './containerd.ts';
import { cgroupMounts, mountsBeneath } from './leftovers.ts';
import { openFiles, pidsByCommandLine } from './processes.ts';
import type { TempRoot } from './temp-root.ts';
import { waitFor } from './wait.ts';

/** Everything that a pod takes and must give back, as lists of names. */
export type ResourceSnapshot = Readonly<Record<string, readonly string[]>>;

export interface SnapshotSources {
  readonly runtime: RuntimeFixture;
  /** The daemon's root and pid, where there is one. */
  readonly daemon?: { readonly root: TempRoot; readonly pid: number };
}

export async function takeSnapshot({ runtime, daemon }: SnapshotSources): Promise<ResourceSnapshot> {
  const roots = daemon ? [runtime.root, daemon.root] : [runtime.root];
  const { stdout: rules } = await run('iptables-save', ['-t', 'nat']);
  const sandboxes = await runtime.cri.call('ListPodSandbox', {});
  const containers = await runtime.cri.call('ListContainers', {});
  return {
    'address leases': runtime.network.leases(),
    'network namespaces': runtime.networkNamespaces(),
    'bridge ports': listDirectory(`/sys/class/net/${runtime.root.name}/brif`),
    'packet filter rules': rules.split('\n').filter((rule) => rule.includes(`name: \\"${runtime.root.name}\\"`)),
    mounts: roots.flatMap((root) => mountsBeneath(root.path)),
    cgroups: roots.flatMap((root) => cgroupMounts().flatMap((mount) => podCgroups(join(mount, root.name)))),
    shims: pidsByCommandLine(`-address ${runtime.socketPath}`).map(String),
    sandboxes: sandboxes.items.map(({ id }) => id),
    containers: containers.containers.map(({ id }) => id),
    'pod directories': daemon ? listDirectory(join(daemon.root.path, 'state/pods')) : [],
    // The database's files come and go with SQLite's journal.
    'open files': daemon
      ? openFiles(daemon.pid)
          .map(describeFile)
          .filter((file) => !file.includes('/store.db'))
      : [],
  };
}

/**
 * Waits until everything beyond the baseline is gone and returns what is not: an empty list is the test's wish. The
 * last steps of a pod's removal (a shim's exit, a mount's release) follow the API's answer by a moment.
 */
export async function leaksSince(
  baseline: ResourceSnapshot,
  sources: SnapshotSources,
  timeoutMs = 10_000,
): Promise<string[]> {
  let leaks: string[] = [];
  try {
    await waitFor(
      'resources to be given back',
      async () => {
        leaks = difference(baseline, await takeSnapshot(sources));
        return leaks.length === 0;
      },
      timeoutMs,
    );
  } catch (error) {
    if (leaks.length === 0) throw error;
  }
  return leaks;
}

function difference(before: ResourceSnapshot, after: ResourceSnapshot): string[] {
  return Object.entries(after).flatMap(([kind, now]) => {
    const known = [...(before[kind] ?? [])];
    // As multisets: two sockets have the same description.
    const added = now.filter((name) => {
      const index = known.indexOf(name);
      if (index >= 0) known.splice(index, 1);
      return index < 0;
    });
    return added.map((name) => `${kind}: ${name}`);
  });
}

function listDirectory(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

/** Cgroups of pods and containers; the QoS classes' own stay. */
function podCgroups(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isDirectory() && /pod[0-9a-f]{8}|^[0-9a-f]{64}|cri-containerd/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Inode numbers differ between two sockets that are alike. */
function describeFile(target: string): string {
  return target.replace(/\[\d+\]$/, '');
}
