import type { Logger } from '../util/log.ts';
import {
  allSettledOrThrow,
  type CgroupFs,
  type CgroupResources,
  CgroupWriter,
  childrenOf,
  hasFile,
  makeDir,
  parentPath,
  readNumber,
} from './cgroup-fs.ts';
import { type CgroupIo, errorCode } from './cgroup-io.ts';
import { pidsBelow, removeCgroup } from './cgroup-remove.ts';
import type { CgroupLayout } from './detect.ts';

/** The hierarchies that we make cgroups in. The runtime makes its own in the others, and we remove those with ours. */
const OURS = ['cpu', 'cpuset', 'memory', 'pids', 'hugetlb'] as const;
type Controller = (typeof OURS)[number];

/** Cgroup v1: one hierarchy per controller, the same path in each. Also for hybrid machines, whose v2 has no controllers. */
export class FsV1 implements CgroupFs {
  readonly version = 1;
  readonly #io: CgroupIo;
  readonly #writer: CgroupWriter;
  readonly #nowMs: () => number;
  readonly #mounts: readonly (readonly [Controller, string])[];
  readonly #allMounts: readonly string[];
  readonly #freezer: string | undefined;

  constructor(layout: CgroupLayout, io: CgroupIo, logger: Logger, nowMs: () => number) {
    this.#io = io;
    this.#writer = new CgroupWriter(io, logger);
    this.#nowMs = nowMs;
    this.#mounts = OURS.flatMap((controller) => {
      const mount = layout.controllers.get(controller);
      return mount === undefined ? [] : [[controller, mount] as const];
    });
    const unified = layout.unified === undefined ? [] : [layout.unified];
    this.#allMounts = [...new Set([...layout.controllers.values(), ...layout.named, ...unified])];
    this.#freezer = layout.controllers.get('freezer');
  }

  async controllers(): Promise<ReadonlySet<string>> {
    return new Set(this.#mounts.map(([controller]) => controller));
  }

  async canLimitSwap(path: string): Promise<boolean> {
    const mount = this.#mounts.find(([controller]) => controller === 'memory')?.[1];
    return mount !== undefined && (await hasFile(this.#io, `${mount}${path}/memory.memsw.limit_in_bytes`));
  }

  prepareInner(path: string): Promise<void> {
    return allSettledOrThrow(this.#mounts.map(([controller, mount]) => this.#make(controller, mount, path)));
  }

  ensure(path: string, resources: CgroupResources): Promise<void> {
    return allSettledOrThrow(
      this.#mounts.map(async ([controller, mount]) => {
        await this.#make(controller, mount, path);
        await this.#writer.write(mount + path, valuesV1(controller, resources));
      }),
    );
  }

  async memoryUsage(path: string): Promise<bigint | undefined> {
    const mount = this.#mounts.find(([controller]) => controller === 'memory')?.[1];
    return mount === undefined ? undefined : await readNumber(this.#io, `${mount}${path}/memory.usage_in_bytes`);
  }

  /** v1 knows neither. */
  async clearMemoryQos(): Promise<void> {}

  async children(path: string): Promise<Set<string>> {
    const names = await Promise.all(this.#allMounts.map((mount) => childrenOf(this.#io, mount + path)));
    return new Set(names.flat());
  }

  remove(path: string, timeoutMs: number): Promise<void> {
    const removal = {
      dirs: this.#allMounts.map((mount) => mount + path),
      timeoutMs,
      killAll: (dirs: readonly string[]) => this.#killAll(path, dirs),
      waitForEmpty: (_: readonly string[], ms: number) => this.#io.pause(ms),
    };
    return removeCgroup(this.#io, removal, this.#nowMs);
  }

  async #make(controller: Controller, mount: string, path: string): Promise<void> {
    if (path === '') return;
    if (!(await makeDir(this.#io, mount + path))) {
      await this.#make(controller, mount, parentPath(path));
      await makeDir(this.#io, mount + path);
    }
    if (controller === 'cpuset') await this.#inheritCpuset(mount, path);
    if (controller === 'memory') await this.#accountHierarchically(mount, path);
  }

  /** A new v1 cpuset is empty and takes no process in until it has CPUs and memory nodes: it gets those of its parent. */
  async #inheritCpuset(mount: string, path: string): Promise<void> {
    await allSettledOrThrow(
      ['cpuset.cpus', 'cpuset.mems'].map(async (file) => {
        const own = await this.#io.read(`${mount}${path}/${file}`);
        if (own.trim() !== '') return;
        const inherited = await this.#io.read(`${mount}${parentPath(path)}/${file}`);
        await this.#writer.write(mount + path, [[file, inherited.trim()]]);
      }),
    );
  }

  /**
   * Before Linux 5.11 a memory limit covers the cgroups below only where `memory.use_hierarchy` says so. It can be
   * switched on only while there are none below, and is inherited, so it matters at the top.
   */
  async #accountHierarchically(mount: string, path: string): Promise<void> {
    if (parentPath(path) !== '') return;
    const file = `${mount}${path}/memory.use_hierarchy`;
    try {
      if ((await this.#io.read(file)).trim() === '0') await this.#io.write(file, '1');
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      this.#writer.reportOnce(file, 'memory limits of pods do not cover their containers', error);
    }
  }

  /** Frozen processes can neither fork nor end while they are listed, so none is missed and no pid is used again. */
  async #killAll(path: string, dirs: readonly string[]): Promise<void> {
    const frozen = await this.#freeze(path, 'FROZEN');
    try {
      for (const pid of await pidsBelow(this.#io, dirs)) this.#io.kill(pid);
    } finally {
      if (frozen) await this.#freeze(path, 'THAWED');
    }
  }

  async #freeze(path: string, state: 'FROZEN' | 'THAWED'): Promise<boolean> {
    if (this.#freezer === undefined) return false;
    try {
      await this.#io.write(`${this.#freezer}${path}/freezer.state`, state);
      return true;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false;
      throw error;
    }
  }
}

/** The files of one v1 controller, in the order in which they have to be written. PURE */
export function valuesV1(controller: Controller, resources: CgroupResources): [file: string, value: string][] {
  const values: [string, number | bigint | undefined][] = {
    cpu: (): [string, number | undefined][] => [
      ['cpu.shares', resources.cpuShares],
      ['cpu.cfs_period_us', resources.cpuPeriodMicros],
      ['cpu.cfs_quota_us', resources.cpuQuotaMicros],
    ],
    cpuset: () => [],
    memory: (): [string, bigint | undefined][] => [['memory.limit_in_bytes', resources.memoryBytes]],
    pids: (): [string, number | undefined][] => [['pids.max', resources.pidsMax]],
    hugetlb: () =>
      [...(resources.hugepages ?? [])].map(([size, bytes]): [string, bigint] => [
        `hugetlb.${size}.limit_in_bytes`,
        bytes,
      ]),
  }[controller]();
  return values.flatMap(([file, value]) => (value === undefined ? [] : [[file, String(value)]]));
}
