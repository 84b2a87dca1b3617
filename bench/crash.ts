// Measures how soon the crash of a container is seen, and how soon it runs again, beside when the runtime itself shows the same
// crash over CRI: `node bench/crash.ts`, as root. Each round kills the first process of a new pod's container.
import { cpus, release } from 'node:os';
import { pino } from 'pino';
import type { Pod } from '../src/api/pod.ts';
import { CriClient } from '../src/runtime/cri-client.ts';
import { EventStream } from '../src/runtime/event-stream.ts';
import { isReady } from '../test/integration/support/api-client.ts';
import { startContainerd, wantedContainerd } from '../test/integration/support/containerd.ts';
import { type DaemonFixture, startDaemon } from '../test/integration/support/daemon.ts';
import { podManifest } from '../test/integration/support/pods.ts';
import { sendSignal } from '../test/integration/support/processes.ts';
import { median } from './measure.ts';

const rounds = 25;
const pods = '/api/v1/namespaces/default/pods';

/** Milliseconds from the kill on. */
interface Round {
  readonly told: number;
  readonly seen: number;
  readonly restarted: number;
}

async function measure(daemon: DaemonFixture, name: string, pidOf: (id: string) => number, exits: Map<string, number>) {
  await daemon.createPod(podManifest(name, { terminationGracePeriodSeconds: 1 }));
  const pod = await daemon.waitForExistingPod(name, isReady);
  const id = pod.status?.containerStatuses?.[0]?.containerID?.replace(/^.*\/\//, '') ?? '';
  const stop = new AbortController();
  const watch = daemon.api.watch<Pod>(
    `${pods}?watch=true&fieldSelector=metadata.name%3D${name}&resourceVersion=${pod.metadata.resourceVersion}`,
    stop.signal,
  );
  // Its first step sends the request.
  const first = watch.next();
  const killedAt = performance.now();
  sendSignal(pidOf(id), 'SIGKILL');
  let seen = 0;
  for (let next = await first; !next.done; next = await watch.next()) {
    const [status] = next.value.object.status?.containerStatuses ?? [];
    if (seen === 0 && !status?.state?.running) seen = performance.now() - killedAt;
    if (status?.restartCount === 1 && status.state?.running) break;
  }
  const restarted = performance.now() - killedAt;
  stop.abort();
  await watch.return(undefined).catch(() => undefined);
  const told = (exits.get(id) ?? Number.NaN) - killedAt;
  await daemon.deletePod(name, { gracePeriodSeconds: 0 });
  return { told, seen: seen || restarted, restarted } satisfies Round;
}

const runtime = await startContainerd({ version: wantedContainerd() });
const client = new CriClient({ endpoint: runtime.endpoint, imageEndpoint: runtime.endpoint, timeoutMs: 10_000 });
const exits = new Map<string, number>();

/** containerd 1.6 tells of an exit before its CRI service shows it. */
async function untilShown(id: string): Promise<void> {
  while (!exits.has(id)) {
    const status = await client.containerStatus(id);
    if (status?.state === 'CONTAINER_EXITED') exits.set(id, performance.now());
    else await new Promise((resolve) => setTimeout(resolve, 2));
    if (!status) return;
  }
}

const stream = new EventStream({
  client,
  logger: pino({ level: 'silent' }),
  onEvent: ({ id, kind }) => {
    if (kind === 'exited') void untilShown(id);
  },
  onGap: () => {},
});
stream.start();
try {
  const daemon = await startDaemon({ runtime, config: { logLevel: 'info' } });
  try {
    const results: Round[] = [];
    for (let round = 0; round < rounds + 3; round += 1) {
      results.push(await measure(daemon, `crash-${round}`, (id) => runtime.containerPid(id), exits));
    }
    // The first rounds warm up caches and compilers.
    const of = (key: keyof Round) => median(results.slice(3).map((result) => result[key]));
    const [told, seen, restarted] = [of('told'), of('seen'), of('restarted')];
    const version = await runtime.version();
    console.log(`containerd ${version}, Linux ${release()}, ${cpus().length} cores, Node ${process.version}\n`);
    console.log(`| from the kill of a container until (median of ${rounds}) | | goal |\n|---|---|---|`);
    console.log(`| the runtime shows it over CRI | ${told.toFixed(1)} ms | |`);
    console.log(
      `| a watch of the pod shows it | ${seen.toFixed(1)} ms | at most 50 ms; ${(seen / told).toFixed(2)} × the runtime |`,
    );
    console.log(`| the container runs again | ${restarted.toFixed(1)} ms | at once |`);
  } finally {
    await daemon.stop();
  }
} finally {
  await stream.stop();
  client.close();
  await runtime.stop();
}
