// Measures how long the cgroups of a pod take beside the same directories and numbers written bare, in one run.
//
// usage: sudo node bench/cgroups.ts
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { pino } from 'pino';
import type { Pod } from '../src/api/pod.ts';
import { kernelCgroupIo } from '../src/cgroups/cgroup-io.ts';
import { CgroupManager } from '../src/cgroups/cgroup-manager.ts';
import { detectCgroups } from '../src/cgroups/detect.ts';
import { FsV1 } from '../src/cgroups/fs-v1.ts';
import { FsV2 } from '../src/cgroups/fs-v2.ts';
import { median, timed } from './measure.ts';

const pods = 100;
const root = `/mk-bench-${process.pid}`;
const logger = pino({ level: 'silent' });
const layout = await detectCgroups();
const tree =
  layout.version === 2
    ? new FsV2(layout.unified ?? '', kernelCgroupIo, logger, () => performance.now())
    : new FsV1(layout, kernelCgroupIo, logger, () => performance.now());
const rootLimits = { cpuMilli: 2000, memoryBytes: 4n * 1024n ** 3n };
const manager = new CgroupManager({ driver: 'cgroupfs', root, podPidsLimit: 100, logger, rootLimits });

function podOf(uid: string): Pod {
  const amounts = { cpu: '1', memory: '64Mi' };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: uid, namespace: 'default', uid },
    spec: { containers: [{ name: 'main', image: 'none', resources: { requests: amounts, limits: amounts } }] },
  };
}

/** By directory in a hierarchy, the files that say what podOf asks for. */
const bareFiles: [string, Record<string, string>][] =
  layout.version === 2
    ? [
        [
          layout.unified ?? '',
          { 'cpu.weight': '39', 'cpu.max': '100000 100000', 'memory.max': '67108864', 'pids.max': '100' },
        ],
      ]
    : [
        [layout.controllers.get('cpu') ?? '', { 'cpu.shares': '1024', 'cpu.cfs_quota_us': '100000' }],
        [layout.controllers.get('memory') ?? '', { 'memory.limit_in_bytes': '67108864' }],
        [layout.controllers.get('pids') ?? '', { 'pids.max': '100' }],
      ];
const barePath = (mount: string, name: string) => `${mount}${root}/kubepods/${name}`;

async function makeBare(name: string): Promise<void> {
  for (const [mount, files] of bareFiles) {
    await mkdir(barePath(mount, name));
    for (const [file, value] of Object.entries(files)) await writeFile(`${barePath(mount, name)}/${file}`, value);
  }
}

await manager.start();
try {
  const bare: number[] = [];
  const ours: number[] = [];
  // In turn, so that what the machine does besides meets both.
  for (let i = 0; i < pods; i += 1) {
    bare.push(await timed(() => makeBare(`bare-${i}`)));
    ours.push(await timed(() => manager.ensurePod(podOf(`pod-${i}`))));
  }
  for (let i = 0; i < pods; i += 1) {
    for (const [mount] of bareFiles) await rmdir(barePath(mount, `bare-${i}`));
    await manager.removePod(`pod-${i}`);
  }
  const [floor, took] = [median(bare), median(ours)];
  console.log(
    `cgroups of a pod (median of ${pods}, v${layout.version}): bare ${floor.toFixed(2)} ms, mini-kubelet ${took.toFixed(2)} ms, ${(took / floor).toFixed(2)} × the floor`,
  );
} finally {
  await tree.remove(root, 10_000);
}
