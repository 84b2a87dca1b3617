import type { Logger } from '../util/log.ts';
import {
  type CgroupFs,
  type CgroupResources,
  CgroupWriter,
  childrenOf,
  hasFile,
  makeDir,
  parentPath,
  readNumber,
  readText,
} from './cgroup-fs.ts';
import { type CgroupIo, errorCode } from './cgroup-io.ts';
import { pidsBelow, removeCgroup } from './cgroup-remove.ts';
import { sharesToWeight } from './formulas.ts';
import { NO_MEMORY_QOS } from './memory-qos.ts';

/** The controllers that are handed down to pods. The runtime enables others below the pod as it needs them. */
const WANTED: readonly string[] = ['cpu', 'cpuset', 'memory', 'pids', 'hugetlb', 'io'];

/** Cgroup v2: one hierarchy; a controller works in a cgroup when every one above it hands it down. */
export class FsV2 implements CgroupFs {
  readonly version = 2;
  readonly #mount: string;
  readonly #io: CgroupIo;
  readonly #writer: CgroupWriter;
  readonly #nowMs: () => number;

  constructor(mountPoint: string, io: CgroupIo, logger: Logger, nowMs: () => number) {
    this.#mount = mountPoint;
    this.#io = io;
    this.#writer = new CgroupWriter(io, logger);
    this.#nowMs = nowMs;
  }

  async controllers(): Promise<ReadonlySet<string>> {
    return words(await this.#io.read(`${this.#mount}/cgroup.controllers`));
  }

  canLimitSwap(path: string): Promise<boolean> {
    return hasFile(this.#io, `${this.#mount}${path}/memory.swap.max`);
  }

  async prepareInner(path: string): Promise<void> {
    // Top-down: a cgroup can hand down only what it was given.
    if (path !== '') {
      await this.prepareInner(parentPath(path));
      await makeDir(this.#io, this.#mount + path);
    }
    await this.#handDown(this.#mount + path);
  }

  async ensure(path: string, resources: CgroupResources): Promise<void> {
    const dir = this.#mount + path;
    if (!(await makeDir(this.#io, dir))) {
      await this.prepareInner(parentPath(path));
      await makeDir(this.#io, dir);
    }
    const values = valuesV2(resources);
    const [first] = values;
    if (first !== undefined && !(await hasFile(this.#io, `${dir}/${first[0]}`))) {
      // Another manager of cgroups (systemd reloading its units) may take a controller away again.
      await this.prepareInner(parentPath(path));
    }
    await this.#writer.write(dir, values);
  }

  memoryUsage(path: string): Promise<bigint | undefined> {
    return readNumber(this.#io, `${this.#mount}${path}/memory.current`);
  }

  async clearMemoryQos(path: string, first: () => Promise<void>): Promise<void> {
    const dir = this.#mount + path;
    const stale: [file: string, value: string][] = [];
    for (const [file, value] of Object.entries(NO_MEMORY_QOS)) {
      const present = await readText(this.#io, `${dir}/${file}`);
      if (present !== undefined && present !== value) stale.push([file, value]);
    }
    if (stale.length === 0) return;
    await first();
    await this.#writer.write(dir, stale);
  }

  async children(path: string): Promise<Set<string>> {
    return new Set(await childrenOf(this.#io, this.#mount + path));
  }

  remove(path: string, timeoutMs: number): Promise<void> {
    const removal = {
      dirs: [this.#mount + path],
      timeoutMs,
      killAll: async (dirs: readonly string[]) => {
        for (const dir of dirs) await this.#killAll(dir);
      },
      // The kernel reports there when the last process has gone.
      waitForEmpty: (dirs: readonly string[], ms: number) => this.#io.waitForChange(`${dirs[0]}/cgroup.events`, ms),
    };
    return removeCgroup(this.#io, removal, this.#nowMs);
  }

  async #handDown(dir: string): Promise<void> {
    const file = `${dir}/cgroup.subtree_control`;
    const available = words(await this.#io.read(`${dir}/cgroup.controllers`));
    const enabled = words(await this.#io.read(file));
    const missing = WANTED.filter((controller) => available.has(controller) && !enabled.has(controller));
    if (missing.length === 0) return;
    try {
      await this.#io.write(file, missing.map((controller) => `+${controller}`).join(' '));
    } catch {
      // One controller that is refused refuses all: each by itself, so that the others work and the log names the one.
      for (const controller of missing) await this.#handDownOne(file, controller);
    }
  }

  async #handDownOne(file: string, controller: string): Promise<void> {
    try {
      await this.#io.write(file, `+${controller}`);
    } catch (error) {
      const why = errorCode(error) === 'EBUSY' ? 'that cgroup has processes of its own' : 'the kernel refuses it';
      this.#writer.reportOnce(
        `${file} ${controller}`,
        `the ${controller} controller cannot be enabled in ${file}, so its limits are not enforced: ${why}`,
        error,
      );
    }
  }

  async #killAll(dir: string): Promise<void> {
    try {
      await this.#io.write(`${dir}/cgroup.kill`, '1');
    } catch (error) {
      // Linux before 5.14 has no cgroup.kill.
      if (errorCode(error) !== 'ENOENT') throw error;
      await this.#freezeAndKill(dir);
    }
  }

  /** Frozen processes do not fork while they are listed; SIGKILL ends a frozen one, too. */
  async #freezeAndKill(dir: string): Promise<void> {
    await this.#writer.write(dir, [['cgroup.freeze', '1']]);
    try {
      for (const pid of await pidsBelow(this.#io, [dir])) this.#io.kill(pid);
    } finally {
      await this.#writer.write(dir, [['cgroup.freeze', '0']]);
    }
  }
}

/** The files of a v2 cgroup. PURE */
export function valuesV2(resources: CgroupResources): [file: string, value: string][] {
  const { cpuShares, cpuQuotaMicros, cpuPeriodMicros, memoryBytes, pidsMax, hugepages } = resources;
  const { memoryMinBytes, memoryLowBytes } = resources;
  const values: [string, string][] = [];
  if (cpuShares !== undefined) values.push(['cpu.weight', String(sharesToWeight(cpuShares))]);
  if (cpuQuotaMicros !== undefined) {
    const quota = cpuQuotaMicros < 0 ? 'max' : String(cpuQuotaMicros);
    values.push(['cpu.max', cpuPeriodMicros === undefined ? quota : `${quota} ${cpuPeriodMicros}`]);
  }
  if (memoryBytes !== undefined) values.push(['memory.max', String(memoryBytes)]);
  if (memoryMinBytes !== undefined) values.push(['memory.min', String(memoryMinBytes)]);
  if (memoryLowBytes !== undefined) values.push(['memory.low', String(memoryLowBytes)]);
  if (pidsMax !== undefined) values.push(['pids.max', pidsMax < 0 ? 'max' : String(pidsMax)]);
  for (const [size, bytes] of hugepages ?? []) values.push([`hugetlb.${size}.max`, String(bytes)]);
  return values;
}

function words(text: string): Set<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ''));
}
