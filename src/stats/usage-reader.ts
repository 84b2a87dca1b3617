import { readdirSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import type { CgroupLayout } from '../cgroups/detect.ts';
import type { Clock } from '../util/clock.ts';
import { type CgroupTexts, USAGE_FILES_V1, USAGE_FILES_V2, usageV1, usageV2 } from './cgroup-usage.ts';
import { parseNetDev, parseNodeMemory, parseProcessCount, parseProcStat } from './node-usage.ts';
import type { CgroupUsage, ContainerUsage, FsUsage, InterfaceUsage, NodeUsage, PodUsage } from './usage.ts';

/** What runs of a pod, and where its cgroup is. */
export interface RunningPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly startedAtMs: number;
  /** Below each hierarchy's mount point: `/kubepods/burstable/pod<uid>`. */
  readonly cgroup: string;
  /** Undefined with the host's network: the pod has none of its own. */
  readonly networkSandboxId: string | undefined;
  readonly containers: readonly RunningContainer[];
}

export interface RunningContainer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly startedAtMs: number;
}

/** What is asked of the kernel's file systems. */
export interface UsageIo {
  /** Undefined where there is no such file, or no such cgroup or process any more. */
  read(path: string): string | undefined;
  /** Names in a directory; none where it is gone. */
  names(path: string): readonly string[];
  fs(path: string): Promise<FsUsage | undefined>;
}

/**
 * Files of the kernel are made as they are read and never wait for a disk: reading one takes some 10 us at once, and ten
 * times as much CPU time by way of Node's thread pool.
 */
export const kernelUsageIo: UsageIo = {
  read: (path) => {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      // ENOENT, ENODEV, ESRCH: what it told of has ended meanwhile, or the kernel has no such file.
      return undefined;
    }
  },
  names: (path) => {
    try {
      return readdirSync(path);
    } catch {
      // The same.
      return [];
    }
  },
  fs: async (path) => {
    try {
      const { bavail, bfree, blocks, bsize, ffree, files } = await statfs(path);
      return {
        availableBytes: bavail * bsize,
        capacityBytes: blocks * bsize,
        usedBytes: (blocks - bfree) * bsize,
        inodesFree: ffree,
        inodes: files,
        inodesUsed: files - ffree,
      };
    } catch {
      // A directory that is not there has no file system to tell of.
      return undefined;
    }
  },
};

export interface UsageReaderOptions {
  readonly layout: CgroupLayout;
  /** On the file system whose usage is the node's. */
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly io: UsageIo;
}

/** Reads what the node and its pods use, once. */
export class UsageReader {
  readonly #options: UsageReaderOptions;

  constructor(options: UsageReaderOptions) {
    this.#options = options;
  }

  async readNode(): Promise<NodeUsage> {
    const { io, clock, stateDirectory } = this.#options;
    const proc = (name: string) => io.read(`/proc/${name}`) ?? '';
    const limits = [proc('sys/kernel/pid_max'), proc('sys/kernel/threads-max')].map(Number);
    return {
      ...parseProcStat(proc('stat')),
      ...parseNodeMemory(proc('meminfo'), proc('vmstat')),
      processes: parseProcessCount(proc('loadavg')),
      maxProcesses: Math.min(...limits),
      interfaces: parseNetDev(proc('net/dev')),
      fs: await io.fs(stateDirectory),
      atMs: clock.now(),
    };
  }

  /** Of the containers those that are still there. */
  readPod(pod: RunningPod): PodUsage {
    const { clock } = this.#options;
    const directories = this.#containerDirectories(pod.cgroup);
    const containers = pod.containers.flatMap((container): ContainerUsage[] => {
      const directory = directories.find((name) => name.includes(container.id));
      if (directory === undefined) return [];
      const cgroup = `${pod.cgroup}/${directory}`;
      return [{ ...container, cgroup, ...this.#readCgroup(cgroup), atMs: clock.now() }];
    });
    const { namespace, name, uid, startedAtMs, cgroup } = pod;
    return {
      namespace,
      name,
      uid,
      startedAtMs,
      cgroup,
      ...this.#readCgroup(pod.cgroup),
      containers,
      interfaces: this.#interfaces(pod, directories),
      atMs: clock.now(),
    };
  }

  #readCgroup(path: string): CgroupUsage {
    const { io, layout } = this.#options;
    const texts: Record<string, string | undefined> = {};
    if (layout.version === 2) {
      for (const name of USAGE_FILES_V2) texts[name] = io.read(`${layout.unified}${path}/${name}`);
      return usageV2(texts satisfies CgroupTexts);
    }
    for (const { controller, name } of USAGE_FILES_V1) {
      const mount = layout.controllers.get(controller);
      if (mount !== undefined) texts[name] = io.read(`${mount}${path}/${name}`);
    }
    return usageV1(texts satisfies CgroupTexts);
  }

  /** The runtime chose the names: a container's id, or a systemd scope such as `cri-containerd-<id>.scope`. */
  #containerDirectories(path: string): string[] {
    // CRI-O keeps its monitors in cgroups of their own beside the containers.
    return this.#options.io.names(`${this.#anyMount()}${path}`).filter((name) => !name.includes('conmon'));
  }

  /** All that is in the sandbox's network namespace, by way of a process that is in it: the sandbox's own. */
  #interfaces(pod: RunningPod, directories: readonly string[]): readonly InterfaceUsage[] | undefined {
    const { networkSandboxId, cgroup } = pod;
    if (networkSandboxId === undefined) return undefined;
    const { io } = this.#options;
    const directory = directories.find((name) => name.includes(networkSandboxId));
    if (directory === undefined) return undefined;
    const pid = /^\d+/.exec(io.read(`${this.#anyMount()}${cgroup}/${directory}/cgroup.procs`) ?? '')?.[0];
    const text = pid === undefined ? undefined : io.read(`/proc/${pid}/net/dev`);
    return text === undefined ? undefined : parseNetDev(text);
  }

  #anyMount(): string | undefined {
    const { version, unified, controllers } = this.#options.layout;
    return version === 2 ? unified : (controllers.get('memory') ?? [...controllers.values()][0]);
  }
}
