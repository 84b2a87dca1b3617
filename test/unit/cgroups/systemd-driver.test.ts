import { pino } from 'pino';
import t from 'tap';
import type { CgroupResources } from '../../../src/cgroups/cgroup-fs.ts';
import { CgroupManager } from '../../../src/cgroups/cgroup-manager.ts';
import { SystemdSlices, sliceProperties } from '../../../src/cgroups/systemd-driver.ts';
import { ExecError } from '../../../src/util/exec.ts';
import { ModelKernel } from './model-kernel.ts';
import { burstablePod } from './pods.ts';

/** A model of systemd behind busctl: units by their states, and what it was asked. */
class ModelSystemd {
  readonly calls: string[][] = [];
  readonly states = new Map<string, string>();
  /** How often a started unit is still seen as "activating". */
  slowness = 0;

  readonly run = async (file: string, args: readonly string[]) => {
    if (file !== 'busctl' || args[0] !== '--system' || args[1] !== '--') throw new Error(`unexpected ${file} ${args}`);
    const [verb, , path = '', , method = '', , unit = ''] = args.slice(2);
    if (verb === 'get-property') return { stdout: `s "${this.#stateAt(path)}"\n`, stderr: '' };
    this.calls.push([method, ...args.slice(8)]);
    if (method === 'StartTransientUnit') {
      if (this.states.has(unit)) throw new ExecError(file, args, 1, 'Call failed: Unit was already loaded', undefined);
      this.states.set(unit, 'active');
    }
    if (method === 'StopUnit' || method === 'ResetFailedUnit') this.states.delete(unit);
    return { stdout: 'o "/org/freedesktop/systemd1/job/1"\n', stderr: '' };
  };

  #stateAt(path: string): string {
    const unit = path
      .slice(path.lastIndexOf('/') + 1)
      .replace(/_([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    const state = this.states.get(unit);
    if (state === 'active' && this.slowness > 0) {
      this.slowness -= 1;
      return 'activating';
    }
    return state ?? 'inactive';
  }
}

function setUp(version: 1 | 2 = 2) {
  const systemd = new ModelSystemd();
  let nowMs = 0;
  const pause = async (ms: number) => {
    nowMs += ms;
  };
  return { systemd, slices: new SystemdSlices(version, systemd.run, pause, () => nowMs) };
}

const resources: CgroupResources = {
  cpuShares: 1024,
  cpuPeriodMicros: 100_000,
  cpuQuotaMicros: 50_000,
  memoryBytes: 1024n,
  pidsMax: 100,
};

t.test('limits become the properties that systemd knows, for each version', async (t) => {
  t.strictSame(sliceProperties(resources, 2), [
    ['CPUWeight', 't', '39'],
    ['CPUQuotaPerSecUSec', 't', '500000'],
    ['MemoryMax', 't', '1024'],
    ['TasksMax', 't', '100'],
  ]);
  t.strictSame(sliceProperties(resources, 1), [
    ['CPUShares', 't', '1024'],
    ['CPUQuotaPerSecUSec', 't', '500000'],
    ['MemoryLimit', 't', '1024'],
    ['TasksMax', 't', '100'],
  ]);
  const protection = { memoryMinBytes: 4096n, memoryLowBytes: 0n };
  t.strictSame(sliceProperties(protection, 2), [
    ['MemoryMin', 't', '4096'],
    ['MemoryLow', 't', '0'],
  ]);
  t.strictSame(sliceProperties({ cpuQuotaMicros: -1, pidsMax: -1 }, 2), []);
  t.strictSame(
    sliceProperties({ cpuPeriodMicros: 10_000, cpuQuotaMicros: 1234 }, 2),
    [
      ['CPUQuotaPeriodUSec', 't', '10000'],
      ['CPUQuotaPerSecUSec', 't', '130000'],
    ],
    'systemd cuts off parts of a percent, so the quota is rounded up',
  );
});

t.test('a slice is started with its limits, and waited for', async (t) => {
  const { systemd, slices } = setUp();
  systemd.slowness = 3;
  await slices.ensure(['kubepods', 'burstable', 'poda-b'], { pidsMax: 7 });
  t.equal(systemd.calls.length, 1);
  const [call = []] = systemd.calls;
  t.strictSame(call.slice(0, 4), ['StartTransientUnit', 'kubepods-burstable-poda_b.slice', 'replace', '7']);
  t.strictSame(call.slice(-4), ['TasksMax', 't', '7', '0']);
  t.equal(call.length, 4 + 7 * 3 + 1, 'seven properties of three words, and no auxiliary unit');
  t.match(call.join(' '), /DefaultDependencies b false/);
});

t.test('a unit gets rid of what memory QoS gave it', async (t) => {
  const { systemd, slices } = setUp();
  await slices.clearMemoryQos('cri-containerd-1.scope');
  t.strictSame(systemd.calls.at(-1), [
    ...['SetUnitProperties', 'cri-containerd-1.scope', 'true', '3'],
    ...['MemoryMin', 't', '0', 'MemoryLow', 't', '0', 'MemoryHigh', 't', '18446744073709551615'],
  ]);
});

t.test('a slice that runs already gets the limits; one that failed is started anew', async (t) => {
  const { systemd, slices } = setUp();
  systemd.states.set('kubepods.slice', 'active');
  await slices.ensure(['kubepods'], { pidsMax: 7 });
  t.strictSame(systemd.calls.at(-1), ['SetUnitProperties', 'kubepods.slice', 'true', '1', 'TasksMax', 't', '7']);
  systemd.states.set('kubepods.slice', 'failed');
  await slices.ensure(['kubepods'], { pidsMax: 7 });
  t.strictSame(
    systemd.calls.slice(-2).map(([method]) => method),
    ['ResetFailedUnit', 'StartTransientUnit'],
  );
});

t.test('a systemd that refuses is an error, not a pod without limits', async (t) => {
  const failing = async (file: string, args: readonly string[]) => {
    if (args[2] === 'get-property') return { stdout: 's "inactive"\n', stderr: '' };
    throw new ExecError(file, args, 1, 'Call failed: Access denied', undefined);
  };
  const slices = new SystemdSlices(
    2,
    failing,
    async () => {},
    () => 0,
  );
  await t.rejects(slices.ensure(['kubepods'], {}), /Access denied/);
});

t.test('a slice that never starts is given up after a while', async (t) => {
  const { systemd, slices } = setUp();
  systemd.slowness = Number.POSITIVE_INFINITY;
  await t.rejects(slices.ensure(['kubepods'], {}), /did not start kubepods\.slice: it is activating/);
});

t.test(
  'with systemd, pods are slices with the files written as well, and are stopped before they are removed',
  async (t) => {
    const { systemd } = setUp();
    const kernel = new ModelKernel(['/cg'], (_, path) => ({
      'cgroup.controllers': path === '' ? 'cpu memory pids hugetlb' : '',
      'cgroup.subtree_control': '',
      'cgroup.kill': '',
    }));
    const manager = new CgroupManager({
      driver: 'systemd',
      root: '',
      podPidsLimit: 1024,
      logger: pino({ level: 'silent' }),
      io: kernel,
      run: systemd.run,
      clock: { now: () => 0, monotonicMs: () => 0 },
      machine: {
        layout: { version: 2, controllers: new Map(), named: [], unified: '/cg' },
        hugepageSizes: ['2MB'],
        procCgroups: undefined,
      },
    });
    await manager.start();
    t.equal(await manager.ensurePod(burstablePod({ cpu: '1' }, 'a-b')), 'kubepods-burstable-poda_b.slice');
    const dir = '/cg/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poda_b.slice';
    t.equal(kernel.value(`${dir}/cpu.weight`), '39');
    t.equal(kernel.value(`${dir}/hugetlb.2MB.max`), '0', 'systemd has no property for huge pages');
    t.strictSame(await manager.listPodUids(), ['a-b']);
    await manager.removePod('a-b');
    t.strictSame(systemd.calls.at(-1), ['StopUnit', 'kubepods-burstable-poda_b.slice', 'replace']);
    t.notOk(kernel.dirs.has(dir));
    const before = systemd.calls.length;
    await manager.removePod('a-b');
    t.equal(systemd.calls.length, before, 'a pod that is gone costs no call');
  },
);
