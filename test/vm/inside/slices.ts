import { existsSync, readFileSync } from 'node:fs';
import { pino } from 'pino';
import t from 'tap';
import type { Pod } from '../../../src/api/pod.ts';
import { CgroupManager } from '../../../src/cgroups/cgroup-manager.ts';
import { run } from '../../../src/util/exec.ts';

/** Runs in the machine: the slices that a real systemd makes for pods. */

const root = '/mktest';
const top = '/sys/fs/cgroup/mktest.slice/mktest-kubepods.slice';
const logger = pino({ level: 'warn' }, pino.destination(2));

const busctl = (...args: string[]) => run('busctl', ['--system', ...args]);

function managerWith(podPidsLimit: number): CgroupManager {
  const rootLimits = { cpuMilli: 2000, memoryBytes: 1024n ** 3n };
  return new CgroupManager({ driver: 'systemd', root, podPidsLimit, logger, rootLimits });
}

function pod(uid: string, requests?: Record<string, string>, limits?: Record<string, string>): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: uid, namespace: 'default', uid },
    spec: { containers: [{ name: 'main', image: 'busybox', resources: { requests, limits } }] },
  } as Pod;
}

const shown = (path: string, file: string) => readFileSync(`${top}${path}/${file}`, 'utf8').trim();

async function property(unit: string, name: string): Promise<string> {
  return (await run('systemctl', ['show', '--value', '-p', name, unit])).stdout.trim();
}

t.teardown(async () => {
  await run('systemctl', ['stop', 'mktest.slice']);
});

t.test('systemd and the kernel have what the manifests say', async (t) => {
  const manager = managerWith(100);
  await manager.start();
  t.equal(shown('', 'memory.max'), String(1024 ** 3));
  t.equal(shown('', 'cpu.weight'), '79');
  t.equal(shown('/mktest-kubepods-besteffort.slice', 'cpu.weight'), '1');

  const amounts = { cpu: '500m', memory: '64Mi' };
  t.equal(
    await manager.ensurePod(pod('11111111-1111-4111-8111-111111111111', amounts, amounts)),
    'mktest-kubepods-pod11111111_1111_4111_8111_111111111111.slice',
  );
  const guaranteed = '/mktest-kubepods-pod11111111_1111_4111_8111_111111111111.slice';
  t.equal(shown(guaranteed, 'cpu.weight'), '20');
  t.equal(shown(guaranteed, 'cpu.max'), '50000 100000');
  t.equal(shown(guaranteed, 'memory.max'), String(64 * 1024 ** 2));
  t.equal(shown(guaranteed, 'pids.max'), '100');
  t.equal(await property(guaranteed.slice(1), 'CPUQuotaPerSecUSec'), '500ms');
  t.equal(await property(guaranteed.slice(1), 'CPUWeight'), '20');
  t.equal(await property(guaranteed.slice(1), 'MemoryMax'), String(64 * 1024 ** 2));
  t.equal(await property(guaranteed.slice(1), 'TasksMax'), '100');

  const burstable = pod('2222', { cpu: '250m' });
  await manager.ensurePod(burstable);
  await manager.setQosRequests([burstable]);
  t.equal(shown('/mktest-kubepods-burstable.slice', 'cpu.weight'), '10');
  t.equal(await property('mktest-kubepods-burstable.slice', 'CPUWeight'), '10');
  const burstableSlice = '/mktest-kubepods-burstable.slice/mktest-kubepods-burstable-pod2222.slice';
  t.equal(shown(burstableSlice, 'cpu.weight'), '10');
  t.equal(shown(burstableSlice, 'cpu.max'), 'max 100000');
  t.equal(shown(burstableSlice, 'memory.max'), 'max');

  // systemd writes all values anew when it reloads.
  await run('systemctl', ['daemon-reload']);
  t.equal(shown(guaranteed, 'cpu.max'), '50000 100000');
  t.equal(shown(guaranteed, 'memory.max'), String(64 * 1024 ** 2));
  t.equal(shown('/mktest-kubepods-burstable.slice', 'cpu.weight'), '10');

  // Again: repairs.
  await run('systemctl', ['set-property', '--runtime', guaranteed.slice(1), 'MemoryMax=1G', 'CPUQuota=10%']);
  t.equal(shown(guaranteed, 'memory.max'), String(1024 ** 3));
  await manager.ensurePod(pod('11111111-1111-4111-8111-111111111111', amounts, amounts));
  t.equal(shown(guaranteed, 'memory.max'), String(64 * 1024 ** 2));
  t.equal(await property(guaranteed.slice(1), 'MemoryMax'), String(64 * 1024 ** 2));
  t.equal(shown(guaranteed, 'cpu.max'), '50000 100000');

  t.strictSame(await manager.listPodUids(), ['11111111-1111-4111-8111-111111111111', '2222']);
  const before = performance.now();
  for (const uid of await manager.listPodUids()) await manager.removePod(uid);
  t.comment(`removing two pods took ${Math.round(performance.now() - before)} ms`);
  t.strictSame(await manager.listPodUids(), []);
  t.notOk(existsSync(top + guaranteed));
  t.equal(await property(guaranteed.slice(1), 'LoadState'), 'not-found');
  t.equal(await property(burstableSlice.slice(1).split('/')[1] ?? '', 'LoadState'), 'not-found');
});

t.test('odd values', async (t) => {
  const manager = managerWith(-1);
  await manager.start();
  // 5 ms of CPU in 100 ms is half a percent of systemd's unit.
  await manager.ensurePod(pod('tiny', { cpu: '1m', memory: '4Mi' }, { cpu: '15m', memory: '4Mi' }));
  t.equal(shown('/mktest-kubepods-burstable.slice/mktest-kubepods-burstable-podtiny.slice', 'cpu.max'), '1500 100000');
  t.equal(shown('/mktest-kubepods-burstable.slice/mktest-kubepods-burstable-podtiny.slice', 'pids.max'), 'max');
  t.comment(
    (
      await busctl(
        'call',
        'org.freedesktop.systemd1',
        '/org/freedesktop/systemd1',
        'org.freedesktop.systemd1.Manager',
        'ListUnitsByPatterns',
        'asas',
        '0',
        '1',
        'mktest*',
      )
    ).stdout,
  );
  await manager.removePod('tiny');
});
