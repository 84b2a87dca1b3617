import { readdir, readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Pod } from '../api/pod.ts';
import { type QosClass, qosClass } from '../api/qos.ts';
import type { Clock } from '../util/clock.ts';
import { systemClock } from '../util/clock.ts';
import { run } from '../util/exec.ts';
import type { Logger } from '../util/log.ts';
import { type CgroupFs, type CgroupResources, CgroupWriteError } from './cgroup-fs.ts';
import { type CgroupIo, kernelCgroupIo } from './cgroup-io.ts';
import {
  type CgroupDriver,
  type CgroupName,
  cgroupPath,
  criCgroupParent,
  podCgroupName,
  podUidOfDir,
  qosCgroupName,
  rootCgroupName,
} from './cgroup-name.ts';
import type { ContainerNode } from './container-resources.ts';
import { type CgroupLayout, detectCgroups, missingControllers } from './detect.ts';
import {
  burstableShares,
  hugepageSizeName,
  largerResources,
  MIN_SHARES,
  podCgroupResources,
  type RootLimits,
  rootCgroupResources,
} from './formulas.ts';
import { FsV1 } from './fs-v1.ts';
import { FsV2 } from './fs-v2.ts';
import { type MemoryQos, podMemoryQos, type QosMemory, qosMemory } from './memory-qos.ts';
import { type RunProgram, SystemdSlices } from './systemd-driver.ts';

export interface CgroupManagerOptions {
  readonly driver: CgroupDriver;
  /** The cgroup that `kubepods` lives in, as KubeletConfiguration's cgroupRoot: '' or '/' for the top. */
  readonly root: string;
  /** -1: no limit per pod. */
  readonly podPidsLimit: number;
  readonly logger: Logger;
  /** Default true: CPU limits are enforced. */
  readonly cpuCfsQuota?: boolean;
  /** Default 100 000. */
  readonly cpuCfsQuotaPeriodMicros?: number;
  /** For cgroup v2 only. Default: memory is neither protected nor throttled. */
  readonly memoryQos?: MemoryQos | undefined;
  /** What all pods together may use. Default: no limit. */
  readonly rootLimits?: RootLimits;
  /** How long removePod waits for killed processes to end. Default 10 000. */
  readonly removeTimeoutMs?: number;

  // What follows is replaced by tests only.
  readonly clock?: Clock;
  readonly io?: CgroupIo;
  readonly run?: RunProgram;
  readonly machine?: CgroupMachine;
}

/** What the kernel offers. */
export interface CgroupMachine {
  readonly layout: CgroupLayout;
  /** As the cgroup files spell them: `2MB`, `1GB`. */
  readonly hugepageSizes: readonly string[];
  /** The text of /proc/cgroups. */
  readonly procCgroups: string | undefined;
}

const QOS_CLASSES: readonly QosClass[] = ['Guaranteed', 'Burstable', 'BestEffort'];

/**
 * The cgroups above the containers' own, which the runtime makes below the pod's:
 *
 *     <root>/kubepods                      what pods together may use of the node
 *       pod<uid>                           Guaranteed
 *       burstable/pod<uid>                 shares: the sum of what they request
 *       besteffort/pod<uid>                shares: 2
 *
 * (pkg/kubelet/cm/{qos,pod}_container_manager_linux.go). Nothing outside of kubepods is changed, but for the controllers
 * that the cgroups above it have to hand down on v2.
 */
export class CgroupManager {
  readonly #options: CgroupManagerOptions;
  readonly #io: CgroupIo;
  readonly #clock: Clock;
  readonly #root: CgroupName;
  #tree: Tree | undefined;
  #wantedQos: QosMemory | undefined;
  #writtenQos: QosMemory | undefined;
  #qosUpdate: Promise<void> | undefined;

  constructor(options: CgroupManagerOptions) {
    this.#options = options;
    this.#io = options.io ?? kernelCgroupIo;
    this.#clock = options.clock ?? systemClock;
    this.#root = rootCgroupName(options.root);
  }

  /** Finds the hierarchies and makes the cgroups of the QoS classes. @throws Error where no cgroup can be made here. */
  async start(): Promise<void> {
    const { driver, logger, rootLimits, memoryQos } = this.#options;
    const { layout, procCgroups, hugepageSizes } = this.#options.machine ?? (await detectMachine());
    const nowMs = () => this.#clock.monotonicMs();
    const fs =
      layout.version === 2
        ? new FsV2(layout.unified ?? '/sys/fs/cgroup', this.#io, logger, nowMs)
        : new FsV1(layout, this.#io, logger, nowMs);
    if (memoryQos !== undefined && fs.version !== 2)
      throw new Error('MemoryQoS needs cgroup v2, which is not in use here');
    const slices =
      driver === 'systemd'
        ? new SystemdSlices(layout.version, this.#options.run ?? run, (ms) => this.#io.pause(ms), nowMs)
        : undefined;
    const controllers = await fs.controllers();
    for (const { controller, message } of missingControllers(controllers, procCgroups)) {
      logger.warn({ controller }, message);
    }
    const tree = { fs, slices, hugepageSizes: controllers.has('hugetlb') ? hugepageSizes : [], canLimitSwap: false };
    await this.#ensureInner(tree, this.#root, rootLimits === undefined ? {} : rootCgroupResources(rootLimits));
    // No weight yet for burstable: pods of an earlier run may be there, and setQosRequests follows.
    await this.#ensureInner(tree, qosCgroupName(this.#root, 'Burstable'), {});
    await this.#ensureInner(tree, qosCgroupName(this.#root, 'BestEffort'), { cpuShares: MIN_SHARES });
    this.#tree = { ...tree, canLimitSwap: await fs.canLimitSwap(cgroupPath(driver, this.#root)) };
  }

  /** What containerLinuxResources has to know of this machine. Only after start(). */
  containerNode(memoryCapacityBytes: bigint): ContainerNode {
    const { fs, hugepageSizes, canLimitSwap } = this.#started();
    const { cpuCfsQuota, cpuCfsQuotaPeriodMicros, memoryQos } = this.#options;
    return {
      memoryCapacityBytes,
      cgroupVersion: fs.version,
      hugepageSizes,
      swapController: canLimitSwap,
      cpuCfsQuota,
      cpuCfsQuotaPeriodMicros,
      memoryQos,
    };
  }

  /** What CRI's sandbox configuration names as `cgroup_parent`: a path, or a systemd unit. @throws Error on a bad uid. */
  cgroupParent(pod: Pod): string {
    return criCgroupParent(this.#options.driver, this.#podName(pod));
  }

  /** Where the pod's cgroup is, below each hierarchy's mount point. @throws Error on a bad uid. */
  podPath(pod: Pod): string {
    return cgroupPath(this.#options.driver, this.#podName(pod));
  }

  /**
   * Makes the pod's cgroup with its limits, or repairs one that is there. To be awaited before the sandbox is made.
   *
   * @returns what CRI's sandbox configuration names as `cgroup_parent`.
   * @throws CgroupWriteError when the kernel refuses a value.
   */
  async ensurePod(pod: Pod): Promise<string> {
    await this.#writePod(pod, this.#podResources(pod));
    return this.cgroupParent(pod);
  }

  /**
   * Gives the pod's cgroup the larger of what the pod is to have and of what it had, so that its containers can be changed
   * one by one. What has no limit in either keeps what the kernel has.
   */
  async growPod(pod: Pod, before: Pod): Promise<void> {
    await this.#writePod(pod, largerResources(this.#podResources(pod), this.#podResources(before)));
  }

  /** Memory that a container uses, in bytes; undefined where it cannot be told. */
  async memoryUsage(pod: Pod, containerId: string): Promise<bigint | undefined> {
    const { fs } = this.#started();
    const path = cgroupPath(this.#options.driver, this.#podName(pod));
    const child = [...(await fs.children(path))].find((name) => name.includes(containerId));
    return child === undefined ? undefined : await fs.memoryUsage(`${path}/${child}`);
  }

  #podResources(pod: Pod): CgroupResources {
    const { podPidsLimit, cpuCfsQuota = true, cpuCfsQuotaPeriodMicros, memoryQos } = this.#options;
    const { hugepageSizes } = this.#started();
    return {
      ...podCgroupResources(pod, { podPidsLimit, cpuCfsQuota, cpuCfsQuotaPeriodMicros, hugepageSizes }),
      ...(memoryQos && podMemoryQos(pod, memoryQos)),
    };
  }

  async #writePod(pod: Pod, resources: CgroupResources): Promise<void> {
    await this.#write(this.#started(), this.#podName(pod), resources);
  }

  /**
   * Removes the pod's cgroup, wherever it is, after its containers and sandbox are gone. Processes that are left in it
   * are killed. No cgroup: no error.
   *
   * @throws CgroupBusyError when such a process does not end; to be tried again later.
   */
  async removePod(uid: string): Promise<void> {
    const { fs, slices } = this.#started();
    const { driver, removeTimeoutMs = 10_000 } = this.#options;
    for (const qos of QOS_CLASSES) {
      const name = podCgroupName(this.#root, qos, uid);
      if (slices) {
        const dir = cgroupPath(driver, name);
        const parent = cgroupPath(driver, name.slice(0, -1));
        if (!(await fs.children(parent)).has(dir.slice(parent.length + 1))) continue;
        await slices.stop(name);
      }
      await fs.remove(cgroupPath(driver, name), removeTimeoutMs);
    }
  }

  /**
   * Kills what is left of a container that has ended, and removes its cgroup. Normally there is nothing: but a runtime
   * whose shim was killed calls the container ended while its processes go on.
   *
   * @throws CgroupBusyError when such a process does not end; to be tried again later.
   */
  async removeContainer(pod: Pod, containerId: string): Promise<void> {
    const { fs } = this.#started();
    const { driver, removeTimeoutMs = 10_000 } = this.#options;
    const path = cgroupPath(driver, this.#podName(pod));
    for (const child of await fs.children(path)) {
      // The runtime chose the name: the id, or a systemd scope such as `cri-containerd-<id>.scope`.
      if (child.includes(containerId)) await fs.remove(`${path}/${child}`, removeTimeoutMs);
    }
  }

  /** The pods that have a cgroup here, in whatever hierarchy and QoS class: for cleaning up after a crash. */
  async listPodUids(): Promise<string[]> {
    const { fs } = this.#started();
    const uids = new Set<string>();
    for (const qos of QOS_CLASSES) {
      const parent = qosCgroupName(this.#root, qos);
      for (const dir of await fs.children(cgroupPath(this.#options.driver, parent))) {
        const uid = podUidOfDir(this.#options.driver, parent, dir);
        if (uid !== undefined) uids.add(uid);
      }
    }
    return [...uids].sort();
  }

  /**
   * Gives the burstable class as much weight as its pods request together, and the classes what protection of memory
   * their pods need. Cheap when nothing changed; calls that come while one is being carried out are merged.
   *
   * @param pods all pods that are not terminated.
   */
  async setQosRequests(pods: Iterable<Pod>): Promise<void> {
    const tree = this.#started();
    const all = [...pods];
    const { memoryQos } = this.#options;
    const { burstable, root } = memoryQos ? qosMemory(all, memoryQos) : { burstable: {}, root: {} };
    this.#wantedQos = { burstable: { cpuShares: burstableShares(all), ...burstable }, root };
    if (this.#qosUpdate === undefined) {
      if (isDeepStrictEqual(this.#wantedQos, this.#writtenQos)) return;
      this.#qosUpdate = this.#updateQos(tree);
    }
    await this.#qosUpdate;
  }

  async #updateQos(tree: Tree): Promise<void> {
    try {
      while (this.#wantedQos !== undefined && !isDeepStrictEqual(this.#wantedQos, this.#writtenQos)) {
        const qos = this.#wantedQos;
        // Unknown until it is written, so that a failure is tried again with the next call.
        this.#writtenQos = undefined;
        if (Object.keys(qos.root).length > 0) await this.#write(tree, this.#root, qos.root);
        await this.#write(tree, qosCgroupName(this.#root, 'Burstable'), qos.burstable);
        this.#writtenQos = qos;
      }
    } finally {
      // In the same step as the last look at the wanted value, so that no call in between is lost.
      this.#qosUpdate = undefined;
    }
  }

  /**
   * After a run with memory QoS: what runs goes on without it. Reads every cgroup of pods, so nothing should wait for it.
   * What cannot be changed is logged.
   */
  async clearMemoryQos(): Promise<void> {
    const tree = this.#started();
    const { logger } = this.#options;
    for (const path of await this.#memoryQosPaths(tree)) {
      try {
        await tree.fs.clearMemoryQos(path, async () => {
          // Or systemd would bring it back when it reads its units anew.
          await tree.slices?.clearMemoryQos(path.slice(path.lastIndexOf('/') + 1));
        });
      } catch (error) {
        logger.warn({ err: error, cgroup: path }, 'memory.min, memory.low and memory.high could not be taken back');
      }
    }
  }

  /** Those that memory QoS may have changed: of all pods, of the burstable class, of pods, and of containers. */
  async #memoryQosPaths({ fs }: Tree): Promise<string[]> {
    if (fs.version !== 2) return [];
    const { driver } = this.#options;
    const paths = [cgroupPath(driver, this.#root), cgroupPath(driver, qosCgroupName(this.#root, 'Burstable'))];
    for (const qos of QOS_CLASSES) {
      const parent = qosCgroupName(this.#root, qos);
      for (const dir of await fs.children(cgroupPath(driver, parent))) {
        if (podUidOfDir(driver, parent, dir) === undefined) continue;
        const pod = `${cgroupPath(driver, parent)}/${dir}`;
        paths.push(pod, ...[...(await fs.children(pod))].map((child) => `${pod}/${child}`));
      }
    }
    return paths;
  }

  async #write({ fs, slices }: Tree, name: CgroupName, resources: CgroupResources): Promise<void> {
    await slices?.ensure(name, resources);
    await fs.ensure(cgroupPath(this.#options.driver, name), resources);
  }

  async #ensureInner({ fs, slices }: Tree, name: CgroupName, resources: CgroupResources): Promise<void> {
    const path = cgroupPath(this.#options.driver, name);
    await slices?.ensure(name, resources);
    await fs.prepareInner(path);
    try {
      await fs.ensure(path, resources);
    } catch (error) {
      if (!(error instanceof CgroupWriteError)) throw error;
      // Pods of an earlier run may use more than the limit that is configured now. They are no reason not to start.
      this.#options.logger.warn({ err: error, cgroup: path }, 'the limits of a cgroup could not be set');
    }
  }

  #podName(pod: Pod): CgroupName {
    return podCgroupName(this.#root, qosClass(pod), pod.metadata.uid);
  }

  #started(): Tree {
    if (this.#tree === undefined) throw new Error('the cgroup manager is not started');
    return this.#tree;
  }
}

/** What start() found out. */
interface Tree {
  readonly fs: CgroupFs;
  readonly slices: SystemdSlices | undefined;
  /** Those that can be limited here. */
  readonly hugepageSizes: readonly string[];
  readonly canLimitSwap: boolean;
}

async function detectMachine(): Promise<CgroupMachine> {
  const [layout, hugepageSizes, procCgroups] = await Promise.all([
    detectCgroups(),
    readHugepageSizes(),
    readProcCgroups(),
  ]);
  return { layout, hugepageSizes, procCgroups };
}

async function readHugepageSizes(): Promise<string[]> {
  try {
    const dirs = await readdir('/sys/kernel/mm/hugepages');
    return dirs
      .flatMap((dir) => /^hugepages-(\d+)kB$/.exec(dir)?.[1] ?? [])
      .map((kib) => hugepageSizeName(BigInt(kib) * 1024n));
  } catch {
    // A kernel without huge pages has no such directory.
    return [];
  }
}

async function readProcCgroups(): Promise<string | undefined> {
  try {
    return await readFile('/proc/cgroups', 'utf8');
  } catch {
    // A kernel with cgroup v2 alone has no such file.
    return undefined;
  }
}
