import { createHash, generateKeyPairSync } from 'node:crypto';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Test } from 'tap';
import { Decoder } from '../../../src/api/decode/decode.ts';
import { kinds, nodeKind, podKind } from '../../../src/api/kinds.ts';
import type { Node } from '../../../src/api/node.ts';
import type { Pod } from '../../../src/api/pod.ts';
import { internalError } from '../../../src/api/status-error.ts';
import { ClusterRoles } from '../../../src/server/access/cluster-roles.ts';
import { RbacAuthorizer } from '../../../src/server/access/rbac.ts';
import { type AppOptions, buildApp } from '../../../src/server/http/app.ts';
import { LongRunning } from '../../../src/server/http/long-running.ts';
import { unixIdentity } from '../../../src/server/identity.ts';
import { NamespaceDeletion } from '../../../src/server/objects/namespace-deletion.ts';
import { ObjectApi } from '../../../src/server/objects/object-api.ts';
import { ensureSystemNamespaces } from '../../../src/server/objects/strategies.ts';
import type { ContainerRun, LogOptions, PodOperations } from '../../../src/server/pod-operations.ts';
import { defaultWatchStreamLimits } from '../../../src/server/watch-stream.ts';
import type { SpdyConnection } from '../../../src/spdy/connection.ts';
import type { InterfaceUsage, PodUsage, Usage } from '../../../src/stats/usage.ts';
import { Store } from '../../../src/store/store.ts';
import { ServiceAccountTokens } from '../../../src/tokens/service-account-tokens.ts';
import { TokenSigner } from '../../../src/tokens/token-signer.ts';
import type { Clock } from '../../../src/util/clock.ts';

export const nodeName = 'node-1';
export const time = '2026-01-01T00:00:00Z';
const clock = { now: () => Date.parse(time), monotonicMs: () => 0 };

/** Stands for the part that runs pods: marks them, and remembers what it was asked. */
export class FakePods implements PodOperations {
  readonly #store: Store;
  readonly logRequests: { run: ContainerRun; options: LogOptions }[] = [];
  log: () => AsyncIterable<Uint8Array> = async function* () {
    yield Buffer.from('hello\n');
  };

  constructor(store: Store) {
    this.#store = store;
  }

  requestDelete: PodOperations['requestDelete'] = (namespace, name, { gracePeriodSeconds = 30 }) =>
    this.#store.update(podKind, namespace, name, (pod) => ({
      ...pod,
      metadata: { ...pod.metadata, deletionTimestamp: time, deletionGracePeriodSeconds: gracePeriodSeconds },
    }));

  openLog: PodOperations['openLog'] = async (_pod, run, options) => {
    this.logRequests.push({ run, options });
    return this.log();
  };

  /** What stands for the runtime when a client wants streams. */
  openStreams: (what: string, signal: AbortSignal) => Promise<SpdyConnection> = async () => {
    throw internalError('no runtime here');
  };

  exec: PodOperations['exec'] = (_pod, container, command, wanted, signal) =>
    this.openStreams(`exec ${container} ${JSON.stringify({ command, ...wanted })}`, signal);

  run: PodOperations['run'] = async (_pod, container, command) =>
    Buffer.from(`run ${container} ${JSON.stringify(command)}\n`);

  attach: PodOperations['attach'] = (_pod, container, wanted, signal) =>
    this.openStreams(`attach ${container} ${JSON.stringify(wanted)}`, signal);

  portForward: PodOperations['portForward'] = (_pod, signal) => this.openStreams('portforward', signal);
}

/** With a key of its own. */
export function tokensFor(store: Store, clock: Clock): ServiceAccountTokens {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return new ServiceAccountTokens({ signer: new TokenSigner(privateKey), store, clock });
}

export const someFs = {
  availableBytes: 600,
  capacityBytes: 1000,
  usedBytes: 300,
  inodesFree: 60,
  inodes: 100,
  inodesUsed: 40,
};

/** Two pods, of which `web` runs two containers, and a node. */
export const someUsage: Usage = {
  node: {
    cpu: { usageNanos: 5e12, rate: { nanoCores: 1_500_000_000, windowMs: 15_000 } },
    memory: {
      usageBytes: 3_000_000_000,
      workingSetBytes: 2_048_000_000,
      rssBytes: 1_000_000_000,
      cacheBytes: 900_000_000,
      mappedFileBytes: 50_000_000,
      pageFaults: 1000,
      majorPageFaults: 10,
      limitBytes: 8_000_000_000,
      swapBytes: 0,
    },
    processes: 300,
    bootedAtMs: Date.parse('2025-12-31T00:00:00Z'),
    atMs: Date.parse(time),
    swapCapacityBytes: 0,
    maxProcesses: 32_768,
    interfaces: [interfaceUsage('eth0', 1000)],
    fs: someFs,
  },
  pods: [podUsage('default', 'web', ['main', 'side']), podUsage('other', 'db', ['main'])],
};

function podUsage(namespace: string, name: string, containers: readonly string[]): PodUsage {
  const startedAtMs = Date.parse('2025-12-31T23:00:00Z');
  const used = {
    cpu: { usageNanos: 2e9, userNanos: 1.5e9, systemNanos: 0.5e9, rate: { nanoCores: 12_345, windowMs: 15_043 } },
    memory: {
      usageBytes: 8192,
      workingSetBytes: 5120,
      rssBytes: 4096,
      cacheBytes: 4096,
      mappedFileBytes: 0,
      pageFaults: 7,
      majorPageFaults: 1,
      limitBytes: 10_240,
      swapBytes: 0,
    },
    processes: 2,
    io: { readBytes: 4096, writtenBytes: 8192, reads: 1, writes: 2 },
    startedAtMs,
    atMs: Date.parse(time),
  };
  return {
    namespace,
    name,
    uid: `uid-of-${name}`,
    cgroup: `/kubepods/pod${name}`,
    ...used,
    containers: containers.map((container) => ({
      id: `id-of-${name}-${container}`,
      name: container,
      image: 'busybox:1.36',
      cgroup: `/kubepods/pod${name}/id-of-${name}-${container}`,
      ...used,
    })),
    interfaces: [interfaceUsage('eth0', 100)],
  };
}

function interfaceUsage(name: string, rxBytes: number): InterfaceUsage {
  return {
    name,
    rxBytes,
    rxPackets: 10,
    rxErrors: 0,
    rxDropped: 1,
    txBytes: 2 * rxBytes,
    txPackets: 20,
    txErrors: 0,
    txDropped: 0,
  };
}

/** Always tells the same. */
export const fakeKubelet: Pick<AppOptions, 'usage' | 'cpuCount' | 'settings' | 'syncLoopProblem'> = {
  usage: {
    usage: async () => someUsage,
    ratedUsage: async () => someUsage,
    layers: async () => ({
      imageFs: someUsage.node.fs,
      written: new Map([['id-of-web-main', { usedBytes: 77, inodesUsed: 7 }]]),
    }),
    podDisks: async () =>
      new Map([
        [
          'uid-of-web',
          {
            atMs: Date.parse('2026-01-01T00:00:30Z'),
            fs: someUsage.node.fs,
            volumes: [
              { name: 'scratch', claim: undefined, fs: { ...someFs, usedBytes: 20, inodesUsed: 2 } },
              { name: 'data', claim: 'data-of-web', fs: { ...someFs, capacityBytes: 5000 } },
            ],
            logs: new Map([['main', { bytes: 30, inodes: 3 }]]),
            own: { bytes: 21, inodes: 4 },
          },
        ],
      ]),
    runningContainers: () => [],
  },
  cpuCount: 4,
  settings: { nodeName },
  syncLoopProblem: () => undefined,
};

export interface TestApi {
  readonly app: FastifyInstance;
  readonly store: Store;
  readonly pods: FakePods;
  /** A request as the administrator; a body that is an object goes as JSON. */
  request(method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

export interface Answer {
  readonly code: number;
  readonly headers: Record<string, unknown>;
  readonly text: string;
  /** The body as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every kind
  readonly body: any;
}

export async function startApi(t: Test, changes: Partial<AppOptions> = {}): Promise<TestApi> {
  const logger = pino({ level: 'silent' });
  const store = new Store({ path: `${t.testdir({})}/store.db`, logger, clock, bootId: 'b', reserveBytes: 4_096 });
  store.open();
  ensureSystemNamespaces(store, time);
  const decoder = new Decoder();
  const pods = new FakePods(store);
  const app = buildApp({
    store,
    decoder,
    kinds,
    podOperations: pods,
    tokens: tokensFor(store, clock),
    authorizer: new RbacAuthorizer(store),
    identifyUserToken: () => undefined,
    nodeName,
    objects: new ObjectApi(
      {
        store,
        podOperations: pods,
        nodeName,
        serviceNetwork: () => ({ cidr: '', family: 'IPv4' }),
        automountServiceAccountToken: false,
        audit: () => undefined,
      },
      clock,
    ),
    longRunning: new LongRunning(10),
    watchLimits: defaultWatchStreamLimits,
    streamIdleTimeoutMs: 60_000,
    logger,
    clock,
    info: { version: '1.2.3', address: '127.0.0.1:10250' },
    registry: new Registry(),
    probeMetrics: new Registry(),
    ...fakeKubelet,
    health: () => [],
    peerOf: () => ({ transport: 'tls', certificate: unixIdentity }),
    tokenHash: () => createHash('sha256').update('the-token').digest(),
    allowedHosts: new Set(['localhost']),
    ...changes,
  });
  await app.ready();
  const clusterRoles = new ClusterRoles({ store, clock, logger });
  clusterRoles.start();
  const namespaceDeletion = new NamespaceDeletion({ store, podOperations: pods, kinds }, logger);
  namespaceDeletion.start();
  t.teardown(async () => {
    namespaceDeletion.stop();
    clusterRoles.stop();
    await app.close();
    await decoder.stop();
    store.close();
  });
  const request: TestApi['request'] = async (method, url, body, headers = {}) => {
    const isRaw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
    const options: InjectOptions = {
      method: method as NonNullable<InjectOptions['method']>,
      url,
      headers: { host: 'localhost', ...(isRaw ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { payload: isRaw ? body : JSON.stringify(body) }),
    };
    const { statusCode, headers: answered, payload } = await app.inject(options);
    return {
      code: statusCode,
      headers: answered,
      text: payload,
      get body() {
        return JSON.parse(payload);
      },
    };
  };
  return { app, store, pods, request };
}

export function podManifest(name: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: { containers: [{ name: 'c', image: 'busybox:1.36' }] },
    ...changes,
  };
}

/** Sets the status of a stored pod, as the daemon does. */
export function setStatus(store: Store, name: string, status: Pod['status']): void {
  store.update(podKind, 'default', name, (pod) => ({ ...pod, status: { ...pod.status, ...status } }));
}

export function addNode(store: Store): void {
  const node: Node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: nodeName, uid: 'n', creationTimestamp: time },
  };
  store.create(nodeKind, node);
}

export const podsUrl = '/api/v1/namespaces/default/pods';
