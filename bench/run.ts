// Measures the daemon beside the same CRI calls made bare, in one run on one machine, and prints a table.
//
// 1. record the requests with which the daemon starts a pod: the floor makes the same ones
// 2. one pod at a time, bare and by the daemon in turns
// 3. bare throughput at several concurrencies; the best of them and 100 pods at once by the daemon in turns
// 4. the daemon with 100 pods: idle, and after a restart during which ten pods ended
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import type { Pod } from '../src/api/pod.ts';
import { isReady } from '../test/integration/support/api-client.ts';
import { type RuntimeFixture, startContainerd, wantedContainerd } from '../test/integration/support/containerd.ts';
import { type DaemonFixture, startDaemon } from '../test/integration/support/daemon.ts';
import { GrpcFaultProxy } from '../test/integration/support/grpc-fault-proxy.ts';
import { sendSignal } from '../test/integration/support/processes.ts';
import { waitFor } from '../test/integration/support/wait.ts';
import { BarePods, recordedTemplate, type Template } from './bare.ts';
import { DaemonPods } from './daemon-pods.ts';
import { concurrently, cpuSeconds, median, residentMiB, timed } from './measure.ts';

const sequentialRounds = 30;
const podCount = 100;
/** Of these, so many end while the daemon is down. */
const endingCount = 10;
const concurrencies = [1, 2, 3, 4, 6, 8, 12, 16];
const burstRounds = 3;
const idleSeconds = 60;

interface Row {
  readonly what: string;
  readonly floor: string;
  readonly daemon: string;
  readonly verdict: string;
}

const say = (text: string) => console.error(`==> ${text}`);
const ms = (value: number) => `${value.toFixed(1)} ms`;
const perSecond = (value: number) => `${value.toFixed(1)} pods/s`;
const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

async function recordTemplate(runtime: RuntimeFixture): Promise<Template> {
  const proxy = new GrpcFaultProxy(join(runtime.root.path, 'p.sock'), runtime.socketPath);
  await proxy.start();
  const daemon = await startDaemon({ runtime: proxy, config: quiet });
  try {
    const pods = new DaemonPods(daemon);
    await pods.watch();
    await pods.start('template');
    const template = recordedTemplate(proxy, join(runtime.root.path, 'template'));
    await pods.remove('template');
    await pods.close();
    return template;
  } finally {
    await daemon.stop();
    await proxy.stop();
  }
}

async function measureSequential(bare: BarePods, pods: DaemonPods): Promise<Row> {
  const floor: number[] = [];
  const daemon: number[] = [];
  for (const name of numbered('one', sequentialRounds + 3)) {
    floor.push(await timed(() => bare.start()));
    await bare.removeAll();
    daemon.push(await timed(() => pods.start(name)));
    await pods.remove(name);
  }
  // The first rounds warm up caches and compilers.
  const [floorMs, daemonMs] = [median(floor.slice(3)), median(daemon.slice(3))];
  return {
    what: 'one pod, POST until seen Ready (median)',
    floor: ms(floorMs),
    daemon: ms(daemonMs),
    verdict: `${(daemonMs / floorMs).toFixed(2)} × the floor (at most 1.15)`,
  };
}

/** Bare pods at each concurrency, to find the best one; then that one and the daemon in turns, so that both see the same machine. */
async function measureThroughput(bare: BarePods, pods: DaemonPods, names: readonly string[]): Promise<Row> {
  const bareRate = async (concurrency: number) => {
    const elapsed = await timed(() => concurrently(names, concurrency, () => bare.start()));
    await bare.removeAll();
    return podCount / (elapsed / 1000);
  };
  let best = { concurrency: 0, rate: 0 };
  for (const concurrency of concurrencies) {
    const rate = await bareRate(concurrency);
    say(`bare, ${concurrency} at once: ${perSecond(rate)}`);
    if (rate > best.rate) best = { concurrency, rate };
  }
  const ending = new Set(names.slice(0, endingCount));
  const floors = [best.rate];
  const rates: number[] = [];
  for (let round = 1; round <= burstRounds; round += 1) {
    if (round > 1) {
      await pods.removeAll(names);
      floors.push(await bareRate(best.concurrency));
    }
    const elapsed = await timed(() =>
      concurrently(names, podCount, (name) => pods.start(name, ending.has(name) ? 'Never' : 'Always')),
    );
    rates.push(podCount / (elapsed / 1000));
    say(`round ${round}: bare ${perSecond(floors.at(-1) ?? 0)}, daemon ${perSecond(rates.at(-1) ?? 0)}`);
  }
  const [floor, rate] = [median(floors), median(rates)];
  return {
    what: `${podCount} pods at once, until all are seen Ready (median of ${burstRounds})`,
    floor: `${perSecond(floor)} (${best.concurrency} at once)`,
    daemon: perSecond(rate),
    verdict: `${(rate / floor).toFixed(2)} × the floor (at least 0.80)`,
  };
}

async function measureIdle(daemon: DaemonFixture): Promise<Row[]> {
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const before = cpuSeconds(daemon.pid);
  await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000));
  const percent = ((cpuSeconds(daemon.pid) - before) / idleSeconds) * 100;
  return [
    {
      what: `idle with ${podCount} pods, CPU`,
      floor: '',
      daemon: `${percent.toFixed(2)} % of a core`,
      verdict: 'at most 1 %',
    },
    {
      what: `idle with ${podCount} pods, resident memory`,
      floor: '',
      daemon: `${residentMiB(daemon.pid).toFixed(0)} MiB`,
      verdict: 'at most 120 MB (114 MiB)',
    },
  ];
}

/** Ten pods end while the daemon is down: only a daemon that has looked can show them right. */
async function measureRestart(runtime: RuntimeFixture, daemon: DaemonFixture, names: readonly string[]): Promise<Row> {
  const { items } = await daemon.api.expectOk<{ items: Pod[] }>('GET', '/api/v1/pods');
  const ending = new Set(names.slice(0, endingCount));
  await daemon.end('SIGTERM');
  for (const { metadata, status } of items) {
    const id = status?.containerStatuses?.[0]?.containerID?.replace(/^.*\/\//, '');
    if (ending.has(metadata.name) && id !== undefined) sendSignal(runtime.containerPid(id), 'SIGKILL');
  }
  const isRight = (pod: Pod) => (ending.has(pod.metadata.name) ? pod.status?.phase === 'Failed' : isReady(pod));
  const elapsed = await timed(async () => {
    await daemon.start(false);
    await waitFor(
      'all pods to be shown right',
      async () => {
        const now = await daemon.api.expectOk<{ items: Pod[] }>('GET', '/api/v1/pods');
        return now.items.length === podCount && now.items.every(isRight);
      },
      60_000,
    );
  });
  return {
    what: `daemon restart with ${podCount} pods, until all are shown right`,
    floor: '',
    daemon: ms(elapsed),
    verdict: 'at most 2000 ms',
  };
}

function printTable(version: string, rows: readonly Row[]): void {
  console.log(
    `containerd ${version}, Linux ${release()}, ${cpus().length} cores (${cpus()[0]?.model}), Node ${process.version}\n`,
  );
  console.log('| what | bare CRI calls | mini-kubelet | goal |\n|---|---|---|---|');
  for (const { what, floor, daemon, verdict } of rows) console.log(`| ${what} | ${floor} | ${daemon} | ${verdict} |`);
}

const quiet = { logLevel: 'info' };
const runtime = await startContainerd({ version: wantedContainerd() });
try {
  say(`containerd ${await runtime.version()}`);
  const template = await recordTemplate(runtime);
  const bare = new BarePods(runtime, template);
  const daemon = await startDaemon({ runtime, config: quiet });
  try {
    const pods = new DaemonPods(daemon);
    await pods.watch();
    const names = numbered('many', podCount);
    say('one pod at a time');
    const rows = [await measureSequential(bare, pods)];
    say(`${podCount} pods`);
    rows.push(await measureThroughput(bare, pods, names));
    await pods.close();
    say(`idle for ${idleSeconds} s`);
    rows.push(...(await measureIdle(daemon)));
    say('restart');
    rows.push(await measureRestart(runtime, daemon, names));
    printTable(await runtime.version(), rows);
  } finally {
    bare.close();
    await daemon.stop();
  }
} finally {
  await runtime.stop();
}
