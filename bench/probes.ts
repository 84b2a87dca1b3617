// Measures what 500 probes a second cost beside the same requests made bare, in one run on one machine.
//
// The servers run in a process of their own; timers, evaluation and the asking are the daemon's, and the containers are
// such as the runtime would tell. Bare means: the same protocol by Node's own client, once each 2 ms, and nothing noted.
//
// usage: node bench/probes.ts
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { cpus, release } from 'node:os';
import * as grpc from '@grpc/grpc-js';
import type { Pod, Probe } from '../src/api/pod.ts';
import { ProbeMetrics } from '../src/probes/metrics.ts';
import { NetworkClient } from '../src/probes/network-client.ts';
import { ProbeManager } from '../src/probes/probe-manager.ts';
import { PROBE_USER_AGENT, Prober } from '../src/probes/prober.ts';
import { HealthClient } from '../src/runtime/health-client.ts';
import type { ObservedContainer } from '../src/runtime/observed.ts';
import { loadHealthProto } from '../src/runtime/proto.ts';
import { systemClock } from '../src/util/clock.ts';
import { median } from './measure.ts';

const probesPerSecond = 500;
const measuredSeconds = 10;
const rounds = 3;

interface Ports {
  readonly http: number;
  readonly grpc: number;
}

const health = loadHealthProto().grpc.health.v1.Health.service;

/** Serves until its parent ends. */
async function serve(): Promise<void> {
  const http = createServer((_message, response) => response.end('ok')).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const server = new grpc.Server();
  server.addService(health, {
    Check: (_call: unknown, callback: grpc.sendUnaryData<object>) => callback(null, { status: 'SERVING' }),
  });
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    process.send?.({ http: (http.address() as AddressInfo).port, grpc: port });
  });
  process.once('disconnect', () => process.exit());
}

type Bare = (ports: Ports) => void;

const agent = new Agent({ keepAlive: false });

const handlers: Readonly<Record<string, { readonly probe: (ports: Ports) => Probe; readonly bare: Bare }>> = {
  httpGet: {
    probe: ({ http }) => ({ httpGet: { port: http, path: '/', host: '127.0.0.1' } }),
    bare: ({ http }) => {
      request({ host: '127.0.0.1', port: http, agent }, (message) => message.resume()).end();
    },
  },
  tcpSocket: {
    probe: ({ http }) => ({ tcpSocket: { port: http } }),
    bare: ({ http }) => {
      const socket = connect(http, '127.0.0.1', () => socket.destroy());
    },
  },
  grpc: {
    probe: ({ grpc: port }) => ({ grpc: { port } }),
    bare: ({ grpc: port }) => {
      const session = connectHttp2(`http://127.0.0.1:${port}`);
      const headers = {
        ':method': 'POST',
        ':path': health.Check.path,
        'content-type': 'application/grpc',
        te: 'trailers',
      };
      const stream = session.request(headers);
      stream.resume().on('close', () => session.destroy());
      stream.end(Buffer.alloc(5));
    },
  },
};

/** CPU that this process uses for each second, in percent of a core. */
async function cpuPercent(seconds: number): Promise<number> {
  const [before, startMs] = [process.cpuUsage(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / ((performance.now() - startMs) / 100);
}

async function measureBare(work: () => void): Promise<number> {
  const timers = Array.from({ length: probesPerSecond }, (_, index) =>
    setTimeout(
      () => {
        work();
        timers[index] = setInterval(work, 1000);
      },
      (index * 1000) / probesPerSecond,
    ),
  );
  await cpuPercent(1);
  const percent = await cpuPercent(measuredSeconds);
  for (const timer of timers) clearInterval(timer);
  return percent;
}

function podWith(index: number, probe: Probe): { readonly pod: Pod; readonly instance: ObservedContainer } {
  const readinessProbe = { ...probe, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 3, successThreshold: 1 };
  const metadata = { name: `pod-${index}`, namespace: 'default', uid: `uid-${index}` };
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: { containers: [{ name: 'web', readinessProbe }] },
  };
  const instance = {
    id: `container-${index}`,
    pod: metadata,
    containerName: 'web',
    state: 'RUNNING',
    startedAtNanos: BigInt(Date.now()) * 1_000_000n,
  } as unknown as ObservedContainer;
  return { pod, instance };
}

async function measureManager(probe: Probe): Promise<{ readonly percent: number; readonly perSecond: number }> {
  let answers = 0;
  const metrics = new ProbeMetrics();
  const manager = new ProbeManager({
    prober: new Prober({
      client: { execSync: () => Promise.reject(new Error('there is no runtime')) },
      network: new NetworkClient(),
      health: new HealthClient({ userAgent: PROBE_USER_AGENT }),
      clock: systemClock,
    }),
    recorder: { event: () => {} },
    metrics: {
      observe: (...args) => {
        if (args[3] === 'success') answers += 1;
        metrics.observe(...args);
      },
      forgetPod: (uid) => metrics.forgetPod(uid),
    },
    clock: systemClock,
    random: Math.random,
    onChange: () => {},
  });
  for (let index = 0; index < probesPerSecond; index += 1) {
    setTimeout(
      () => {
        const { pod, instance } = podWith(index, probe);
        const observed = {
          uid: pod.metadata.uid ?? '',
          identity: undefined,
          sandboxes: [],
          containers: [instance],
        };
        manager.sync(observed, { pod, podIP: '127.0.0.1', isStopping: false });
      },
      (index * 1000) / probesPerSecond,
    );
  }
  await cpuPercent(1);
  answers = 0;
  const percent = await cpuPercent(measuredSeconds);
  const perSecond = answers / measuredSeconds;
  manager.stop();
  return { percent, perSecond };
}

if (process.argv[2] === 'serve') {
  await serve();
} else {
  const server = fork(import.meta.filename, ['serve']);
  const [ports] = (await once(server, 'message')) as [Ports];
  console.log(`Linux ${release()}, ${cpus().length} cores (${cpus()[0]?.model}), Node ${process.version}\n`);
  console.log(
    '| 500 probes a second by | bare requests | mini-kubelet | ratio | answers per second |\n|---|---|---|---|---|',
  );
  for (const [name, { probe, bare }] of Object.entries(handlers)) {
    const results: { readonly bare: number; readonly managed: number; readonly perSecond: number }[] = [];
    // The first round warms up the compiler.
    for (let round = 0; round <= rounds; round += 1) {
      const bareCpu = await measureBare(() => bare(ports));
      const { percent, perSecond } = await measureManager(probe(ports));
      if (round > 0) results.push({ bare: bareCpu, managed: percent, perSecond });
    }
    const bareCpu = median(results.map((result) => result.bare));
    const managed = median(results.map((result) => result.managed));
    const perSecond = median(results.map((result) => result.perSecond));
    const ratio = median(results.map((result) => result.managed / result.bare));
    console.log(
      `| ${name} | ${bareCpu.toFixed(1)} % of a core | ${managed.toFixed(1)} % | ${ratio.toFixed(2)} | ${perSecond.toFixed(0)} |`,
    );
  }
  server.disconnect();
}
