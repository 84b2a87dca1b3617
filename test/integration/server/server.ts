import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { pino } from 'pino';
import type { Test } from 'tap';
import { Decoder } from '../../../src/api/decode/decode.ts';
import { kinds } from '../../../src/api/kinds.ts';
import { Scheduler } from '../../../src/node/scheduler.ts';
import { ApiServer, type ApiServerConfig } from '../../../src/server/api-server.ts';
import { Store, type StoreOptions } from '../../../src/store/store.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { FakePods, fakeKubelet, tokensFor } from '../../unit/server/support.ts';
import { ApiClient } from '../support/api-client.ts';

export interface RunningServer {
  readonly api: ApiClient;
  readonly server: ApiServer;
  readonly store: Store;
  readonly pods: FakePods;
  readonly config: ApiServerConfig & { tls: NonNullable<ApiServerConfig['tls']> };
  /** What it has said of certificates that were replaced. */
  readonly certificateProblems: readonly string[];
  /** Short: a unix socket's path has at most 107 bytes. */
  readonly directory: string;
}

/** The API server with real sockets and a real store, in this process; only running pods is played. */
export async function startServer(
  t: Test,
  changes: Partial<ApiServerConfig> = {},
  history?: StoreOptions['history'],
): Promise<RunningServer> {
  const directory = mkdtempSync(`${tmpdir()}/mk-api-`);
  const logger = pino({ level: 'silent' });
  const store = new Store({
    path: `${directory}/store.db`,
    logger,
    clock: systemClock,
    ...(history ? { history } : {}),
  });
  store.open();
  const decoder = new Decoder();
  const pods = new FakePods(store);
  const config = {
    socketPath: `${directory}/run/api.sock`,
    tls: {
      host: '127.0.0.1',
      port: await freePort(),
      pkiDirectory: `${directory}/pki`,
      kubeconfigPath: `${directory}/etc/admin.kubeconfig`,
    },
    streamIdleTimeoutMs: 60_000,
    automountServiceAccountToken: false,
    maxConnections: 500,
    ...changes,
  };
  const certificateProblems: string[] = [];
  const server = new ApiServer({
    onCertificateProblem: (message) => certificateProblems.push(message),
    store,
    decoder,
    kinds,
    podOperations: pods,
    tokens: tokensFor(store, systemClock),
    kubelet: fakeKubelet,
    health: () => [],
    config,
    nodeName: 'node-1',
    serviceNetwork: () => ({ cidr: '', family: 'IPv4' }),
    version: '0.0.0',
    logger,
    clock: systemClock,
  });
  const recorder = { event: () => undefined };
  const scheduler = new Scheduler({ store, recorder, clock: systemClock, logger, nodeName: 'node-1' });
  await server.start();
  scheduler.start();
  t.teardown(async () => {
    scheduler.stop();
    await server.stop();
    await decoder.stop();
    store.close();
    rmSync(directory, { recursive: true });
  });
  return {
    certificateProblems,
    api: new ApiClient(config.socketPath),
    server,
    store,
    pods,
    config: { ...config, tls: config.tls },
    directory,
  };
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

export const podsPath = '/api/v1/namespaces/default/pods';

/** A pod that names its node: none is found for it afterwards, which would be a change of its own. */
export function manifest(name: string, annotations: Record<string, string> = {}): object {
  const spec = { nodeName: 'node-1', containers: [{ name: 'c', image: 'busybox:1.36' }] };
  return { metadata: { name, annotations }, spec };
}
