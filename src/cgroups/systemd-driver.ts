import { ExecError } from '../util/exec.ts';
import type { CgroupResources } from './cgroup-fs.ts';
import { type CgroupName, sliceUnit } from './cgroup-name.ts';
import { sharesToWeight } from './formulas.ts';

/** How a program is run: `run` of util/exec.ts. */
export type RunProgram = (
  file: string,
  args: readonly string[],
  options?: { readonly timeoutMs?: number },
) => Promise<{ readonly stdout: string; readonly stderr: string }>;

/** One D-Bus property in busctl's words: name, signature, value. */
type Property = readonly [name: string, signature: string, value: string];

const DESTINATION = 'org.freedesktop.systemd1';
const MANAGER_PATH = '/org/freedesktop/systemd1';
const MANAGER = 'org.freedesktop.systemd1.Manager';

const CALL_TIMEOUT_MS = 30_000;
const START_TIMEOUT_MS = 30_000;
const FIRST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 250;
/** CGROUP_LIMIT_MAX */
const UNLIMITED = '18446744073709551615';
const DEFAULT_PERIOD_MICROS = 100_000;

/**
 * Slices made by systemd on our behalf. Where systemd runs the machine it owns the tree, and a cgroup that it does not
 * know of loses its controllers or its limits when systemd reloads its units; so it is told of each slice and its limits.
 */
export class SystemdSlices {
  readonly #version: 1 | 2;
  readonly #run: RunProgram;
  readonly #pause: (ms: number) => Promise<void>;
  readonly #nowMs: () => number;

  constructor(version: 1 | 2, run: RunProgram, pause: (ms: number) => Promise<void>, nowMs: () => number) {
    this.#version = version;
    this.#run = run;
    this.#pause = pause;
    this.#nowMs = nowMs;
  }

  /** Starts the slice with these limits, or gives them to the one that runs. Idempotent. @throws ExecError */
  async ensure(name: CgroupName, resources: CgroupResources): Promise<void> {
    const unit = sliceUnit(name);
    const properties = sliceProperties(resources, this.#version);
    try {
      await this.#start(unit, properties);
    } catch (error) {
      if (!(error instanceof ExecError)) throw error;
      // The unit is loaded already; what state it is in tells what to do. busctl's messages are for people.
      const state = await this.#activeState(unit);
      if (state === 'active') {
        await this.#callManager('SetUnitProperties', 'sba(sv)', [unit, 'true', ...propertyArgs(properties)]);
        return;
      }
      if (state !== 'failed') throw error;
      await this.#callManager('ResetFailedUnit', 's', [unit]);
      await this.#start(unit, properties);
    }
    await this.#waitUntilActive(unit);
  }

  /** Takes back protection and throttling of memory of a unit that runs, a slice or a runtime's scope. @throws ExecError */
  async clearMemoryQos(unit: string): Promise<void> {
    const none: Property[] = [
      ['MemoryMin', 't', '0'],
      ['MemoryLow', 't', '0'],
      ['MemoryHigh', 't', UNLIMITED],
    ];
    await this.#callManager('SetUnitProperties', 'sba(sv)', [unit, 'true', ...propertyArgs(none)]);
  }

  /** Stops the slice and everything in it. A slice that is not there is no error. @throws ExecError */
  async stop(name: CgroupName): Promise<void> {
    const unit = sliceUnit(name);
    if ((await this.#activeState(unit)) === 'inactive') return;
    await this.#callManager('StopUnit', 'ss', [unit, 'replace']);
  }

  #start(unit: string, properties: readonly Property[]): Promise<string> {
    const fixed: Property[] = [
      ['Description', 's', `mini-kubelet: ${unit}`],
      // A slice with default dependencies ends before the daemon's own shutdown has ended its pods.
      ['DefaultDependencies', 'b', 'false'],
      ['CPUAccounting', 'b', 'true'],
      ['MemoryAccounting', 'b', 'true'],
      ['TasksAccounting', 'b', 'true'],
      [this.#version === 2 ? 'IOAccounting' : 'BlockIOAccounting', 'b', 'true'],
    ];
    const args = [unit, 'replace', ...propertyArgs([...fixed, ...properties]), '0'];
    return this.#callManager('StartTransientUnit', 'ssa(sv)a(sa(sv))', args);
  }

  /** StartTransientUnit only queues a job. */
  async #waitUntilActive(unit: string): Promise<void> {
    const deadline = this.#nowMs() + START_TIMEOUT_MS;
    let waitMs = FIRST_WAIT_MS;
    let state = await this.#activeState(unit);
    while (state !== 'active') {
      if (state === 'failed' || this.#nowMs() >= deadline)
        throw new Error(`systemd did not start ${unit}: it is ${state}`);
      await this.#pause(waitMs);
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
      state = await this.#activeState(unit);
    }
  }

  /** systemd loads a unit when it is asked about it: one that does not exist is "inactive". */
  async #activeState(unit: string): Promise<string> {
    const path = `${MANAGER_PATH}/unit/${objectPathPart(unit)}`;
    const { stdout } = await this.#busctl(['get-property', DESTINATION, path, `${DESTINATION}.Unit`, 'ActiveState']);
    // s "active"
    return /^s "(.*)"$/.exec(stdout.trim())?.[1] ?? 'unknown';
  }

  async #callManager(method: string, signature: string, args: readonly string[]): Promise<string> {
    return (await this.#busctl(['call', DESTINATION, MANAGER_PATH, MANAGER, method, signature, ...args])).stdout;
  }

  #busctl(args: readonly string[]): Promise<{ readonly stdout: string }> {
    // `--`: a unit's name may begin with a dash.
    return this.#run('busctl', ['--system', '--', ...args], { timeoutMs: CALL_TIMEOUT_MS });
  }
}

/** The limits that systemd has a property for. Hugepages have none: they are written to the files. PURE */
export function sliceProperties(resources: CgroupResources, version: 1 | 2): Property[] {
  const { cpuShares, cpuQuotaMicros, cpuPeriodMicros, memoryBytes, pidsMax } = resources;
  const { memoryMinBytes, memoryLowBytes } = resources;
  const properties: Property[] = [];
  if (cpuShares !== undefined) {
    properties.push(
      version === 2 ? ['CPUWeight', 't', String(sharesToWeight(cpuShares))] : ['CPUShares', 't', String(cpuShares)],
    );
  }
  if (cpuQuotaMicros !== undefined && cpuQuotaMicros > 0) {
    const period = cpuPeriodMicros ?? DEFAULT_PERIOD_MICROS;
    if (period !== DEFAULT_PERIOD_MICROS) properties.push(['CPUQuotaPeriodUSec', 't', String(period)]);
    properties.push(['CPUQuotaPerSecUSec', 't', String(quotaPerSecondMicros(cpuQuotaMicros, period))]);
  }
  if (memoryBytes !== undefined)
    properties.push([version === 2 ? 'MemoryMax' : 'MemoryLimit', 't', String(memoryBytes)]);
  if (version === 2 && memoryMinBytes !== undefined) properties.push(['MemoryMin', 't', String(memoryMinBytes)]);
  if (version === 2 && memoryLowBytes !== undefined) properties.push(['MemoryLow', 't', String(memoryLowBytes)]);
  if (pidsMax !== undefined && pidsMax > 0) properties.push(['TasksMax', 't', String(pidsMax)]);
  return properties;
}

/** systemd keeps a quota as whole percents of a CPU, 10 000 microseconds each, and cuts off the rest: rounded up beforehand. */
function quotaPerSecondMicros(quotaMicros: number, periodMicros: number): number {
  return Math.ceil((quotaMicros * 1_000_000) / periodMicros / 10_000) * 10_000;
}

function propertyArgs(properties: readonly Property[]): string[] {
  return [String(properties.length), ...properties.flat()];
}

/** D-Bus object paths take letters and digits alone: everything else, and a digit at the start, becomes _hh. */
function objectPathPart(unit: string): string {
  return unit.replace(
    /^[0-9]|[^A-Za-z0-9]/g,
    (character) => `_${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
