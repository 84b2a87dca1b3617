// Measures `kubectl cp` of 1 GiB through the daemon beside the same tar streams made bare, with the project's own SPDY
// client at the runtime's streaming server, in one run on one machine, and prints a table.
//
// usage: sudo node bench/streams.ts, after scripts/build.ts; see bench/start.sh for what must be installed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CriClient } from '../src/runtime/cri-client.ts';
import { connectStream } from '../src/runtime/streaming.ts';
import { podManifest, shell } from '../test/integration/pod/pods.ts';
import { isReady } from '../test/integration/support/api-client.ts';
import { type RuntimeFixture, startContainerd, wantedContainerd } from '../test/integration/support/containerd.ts';
import { type DaemonFixture, startDaemon } from '../test/integration/support/daemon.ts';
import { debianPackage } from '../test/integration/support/machine.ts';
import { median, residentMiB, timed } from './measure.ts';

const sizeMiB = 1024;
const rounds = 3;

type Direction = 'into the pod' | 'out of the pod';
type Protocol = 'WebSocket' | 'SPDY';

/** One tar stream between a container and a program on the host, with nothing but the runtime in between. */
async function bareCopy(runtime: RuntimeFixture, containerId: string, direction: Direction, directory: string) {
  const isInto = direction === 'into the pod';
  const client = new CriClient({ endpoint: runtime.endpoint });
  const cmd = isInto ? ['tar', 'xmf', '-', '-C', '/mem'] : ['tar', 'cf', '-', '-C', '/mem', 'file'];
  const wanted = { stdin: isInto, stdout: true, stderr: false, tty: false };
  const url = await client.exec({ containerId, cmd, ...wanted });
  const connection = await connectStream('Exec', url, 'v4.channel.k8s.io', AbortSignal.timeout(300_000));
  const host = isInto
    ? spawn('tar', ['cf', '-', '-C', directory, 'file'], { stdio: ['ignore', 'pipe', 'inherit'] })
    : spawn('tar', ['xmf', '-', '-C', directory], { stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = new Promise<void>((resolve) => {
    connection.start({
      onStream: () => {},
      onDrain: () => void host.stdout?.resume(),
      onEnd: () => {
        connection.end();
        resolve();
      },
      onClose: () => resolve(),
    });
  });
  connection.openStream(new Map([['streamtype', 'error']]));
  const stdout = connection.openStream(new Map([['streamtype', 'stdout']]));
  stdout.handle({
    onData: (piece) => {
      if (host.stdin && !host.stdin.write(piece)) connection.pause();
    },
    onEnd: () => {},
    onReset: () => {},
  });
  host.stdin?.on('drain', () => connection.resume());
  if (isInto) {
    const stdin = connection.openStream(new Map([['streamtype', 'stdin']]));
    host.stdout?.on('data', (chunk: Buffer) => {
      if (!stdin.write(chunk)) host.stdout?.pause();
    });
    host.stdout?.on('end', () => stdin.end());
  }
  await ended;
  if (host.stdin) {
    host.stdin.end();
    await once(host, 'exit');
  }
  client.close();
}

async function kubectlCopy(daemon: DaemonFixture, direction: Direction, protocol: Protocol, file: string) {
  const kubectl = join(await debianPackage('sid', 'kubectl'), 'usr/bin/kubectl');
  const inPod = 'copied:/mem/file';
  const args = direction === 'into the pod' ? [file, inPod] : [inPod, file];
  const child = spawn(kubectl, [`--kubeconfig=${daemon.kubeconfig}`, 'cp', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: '/usr/bin:/bin',
      HOME: '/nonexistent',
      KUBECTL_REMOTE_COMMAND_WEBSOCKETS: String(protocol === 'WebSocket'),
    },
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`kubectl cp ended with ${code}`);
}

/** The most that the daemon had resident while the work was done, beyond what it had before. */
async function addedMiB(daemon: DaemonFixture, work: () => Promise<unknown>): Promise<number> {
  const before = residentMiB(daemon.pid);
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, residentMiB(daemon.pid));
  }, 20);
  await work();
  clearInterval(timer);
  return most - before;
}

const runtime = await startContainerd({ version: wantedContainerd() });
const daemon = await startDaemon({ runtime, config: { logLevel: 'info' } });
try {
  const directory = '/dev/shm/mini-kubelet-bench';
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'file');
  writeFileSync(file, Buffer.alloc(sizeMiB * 1024 * 1024, 'mini-kubelet'));
  const container = { name: 'main', command: shell(''), volumeMounts: [{ name: 'mem', mountPath: '/mem' }] };
  const volumes = [{ name: 'mem', emptyDir: { medium: 'Memory' as const, sizeLimit: '3Gi' } }];
  await daemon.createPod(podManifest('copied', [container], { volumes }));
  const pod = await daemon.waitForExistingPod('copied', isReady);
  const containerId = (pod.status?.containerStatuses?.[0]?.containerID ?? '').replace(/^.*:\/\//, '');

  console.log(`| kubectl cp of ${sizeMiB} MiB | bare runtime | through the daemon | ratio | memory added |`);
  console.log('|---|---|---|---|---|');
  for (const direction of ['into the pod', 'out of the pod'] as const) {
    for (const protocol of ['WebSocket', 'SPDY'] as const) {
      const bare: number[] = [];
      const through: number[] = [];
      const memory: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        bare.push(await timed(() => bareCopy(runtime, containerId, direction, directory)));
        memory.push(
          await addedMiB(daemon, async () => {
            through.push(await timed(() => kubectlCopy(daemon, direction, protocol, file)));
          }),
        );
      }
      const rate = (ms: number) => `${Math.round((sizeMiB / ms) * 1000)} MiB/s`;
      const [bareMs, throughMs] = [median(bare), median(through)];
      console.log(
        `| ${direction}, ${protocol} | ${rate(bareMs)} | ${rate(throughMs)} | ${(bareMs / throughMs).toFixed(2)} (at least 0.5) | ${Math.max(...memory).toFixed(1)} MiB (below 20) |`,
      );
    }
  }
  rmSync(directory, { recursive: true });
} finally {
  await daemon.stop();
  await runtime.stop();
}
