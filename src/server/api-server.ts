import type { IncomingMessage, Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { hostname } from 'node:os';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Registry } from 'prom-client';
import type { ServiceNetwork } from '../api/cluster-ip.ts';
import type { Decoder } from '../api/decode/decode.ts';
import type { Store } from '../store/store.ts';
import type { ServiceAccountTokens } from '../tokens/service-account-tokens.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import { ClusterRoles } from './access/cluster-roles.ts';
import { RbacAuthorizer } from './access/rbac.ts';
import { buildApp } from './http/app.ts';
import type { HealthCheck } from './http/health-routes.ts';
import type { KubeletOptions } from './http/kubelet-routes.ts';
import { LongRunning } from './http/long-running.ts';
import type { Peer } from './identity.ts';
import { certificateIdentity, listenOnTls, secureContext } from './listeners/tls-listener.ts';
import { listenOnUnixSocket } from './listeners/unix-listener.ts';
import { DisruptionBudgets } from './objects/disruption-budgets.ts';
import { NamespaceDeletion } from './objects/namespace-deletion.ts';
import { NamespaceObjects } from './objects/namespace-objects.ts';
import { ObjectApi } from './objects/object-api.ts';
import { ServiceEndpoints } from './objects/service-endpoints.ts';
import { ensureSystemNamespaces, ensureSystemPriorityClasses } from './objects/strategies.ts';
import { ensurePki, type Pki } from './pki/pki.ts';
import type { PodOperations } from './pod-operations.ts';
import type { AnyKind } from './representation.ts';
import { defaultWatchStreamLimits } from './watch-stream.ts';

export interface ApiServerConfig {
  /** `/run/mini-kubelet/api.sock` */
  readonly socketPath: string;
  /** Where HTTPS is served, or undefined for the unix socket only. */
  readonly tls:
    | {
        readonly host: string;
        readonly port: number;
        /** `<state>/pki` */
        readonly pkiDirectory: string;
        /** `/etc/mini-kubelet/admin.kubeconfig` */
        readonly kubeconfigPath: string;
        /** Further names under which clients may come; localhost, the loopback addresses and the host's name always may. */
        readonly extraNames?: readonly string[];
      }
    | undefined;
  /** A stream into a pod ends after so long without data. */
  readonly streamIdleTimeoutMs: number;
  /** For each listener. Keep both together below half of the file descriptors. */
  readonly maxConnections: number;
}

export interface ApiServerOptions {
  readonly store: Store;
  readonly decoder: Decoder;
  readonly kinds: readonly AnyKind[];
  readonly podOperations: PodOperations;
  readonly tokens: ServiceAccountTokens;
  /** What is told at a kubelet's own endpoints. */
  readonly kubelet: Pick<KubeletOptions, 'usage' | 'cpuCount' | 'settings' | 'syncLoopProblem'>;
  /** What must be well for the node to be ready; asked for every `/readyz`. */
  readonly health: () => readonly HealthCheck[];
  readonly config: ApiServerConfig;
  readonly nodeName: string;
  readonly serviceNetwork: () => ServiceNetwork;
  /** Of mini-kubelet. */
  readonly version: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Where `/metrics` takes its numbers from, if other parts have some too. */
  readonly registry?: Registry;
  /** The same of `/metrics/probes`. */
  readonly probeMetrics?: Registry;
}

const maxLongRunning = 1_000;
const pkiCheckMs = 24 * 3600 * 1000;

/** Requests under way may end for so long when the server stops. */
const drainMs = 2_000;

/** Kubernetes' REST API on a unix socket and over TLS. */
export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #longRunning = new LongRunning(maxLongRunning);
  readonly #namespaceObjects: NamespaceObjects;
  readonly #clusterRoles: ClusterRoles;
  readonly #namespaceDeletion: NamespaceDeletion;
  readonly #serviceEndpoints: ServiceEndpoints;
  readonly #disruptionBudgets: DisruptionBudgets;
  #app: FastifyInstance | undefined;
  #unixServer: Server | undefined;
  #tlsServer: TlsServer | undefined;
  #pki: Pki | undefined;
  #pkiTimer: NodeJS.Timeout | undefined;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#namespaceObjects = new NamespaceObjects(options);
    this.#clusterRoles = new ClusterRoles(options);
    this.#namespaceDeletion = new NamespaceDeletion(options, options.logger);
    this.#serviceEndpoints = new ServiceEndpoints(options);
    this.#disruptionBudgets = new DisruptionBudgets(options);
  }

  async start(): Promise<void> {
    const { store, clock, config, logger } = this.#options;
    const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    ensureSystemNamespaces(store, now);
    ensureSystemPriorityClasses(store, now);
    this.#namespaceObjects.start();
    this.#clusterRoles.start();
    this.#namespaceDeletion.start();
    this.#serviceEndpoints.start();
    this.#disruptionBudgets.start();
    const app = this.#buildApp();
    this.#app = app;
    await app.ready();
    const onRequest = app.routing;
    this.#unixServer = await listenOnUnixSocket(config.socketPath, onRequest, config.maxConnections);
    logger.info({ socket: config.socketPath }, 'API on a unix socket');
    if (!config.tls) return;
    const pki = await this.#ensurePki();
    this.#namespaceObjects.setAuthority(pki.authority);
    this.#tlsServer = await listenOnTls(config.tls, pki, onRequest, config.maxConnections);
    logger.info({ host: config.tls.host, port: config.tls.port }, 'API over TLS');
    this.#pkiTimer = setInterval(() => void this.#renewPki(), pkiCheckMs).unref();
  }

  /** Ends watches and streams, lets requests under way finish for a moment, closes the rest. Pods are no concern of it. */
  async stop(): Promise<void> {
    clearInterval(this.#pkiTimer);
    this.#namespaceObjects.stop();
    this.#clusterRoles.stop();
    this.#namespaceDeletion.stop();
    this.#serviceEndpoints.stop();
    this.#disruptionBudgets.stop();
    this.#longRunning.endAll();
    await Promise.all([this.#unixServer, this.#tlsServer].map((server) => server && closeServer(server)));
    await this.#app?.close();
  }

  #buildApp(): FastifyInstance {
    const { store, podOperations, nodeName, serviceNetwork, clock, config, version, logger } = this.#options;
    const audit = (pod: string, message: string) => logger.info({ pod, message }, 'audit of a pod');
    return buildApp({
      ...this.#options,
      ...this.#options.kubelet,
      objects: new ObjectApi({ store, podOperations, nodeName, serviceNetwork, audit }, clock),
      authorizer: new RbacAuthorizer(store),
      longRunning: this.#longRunning,
      watchLimits: defaultWatchStreamLimits,
      streamIdleTimeoutMs: config.streamIdleTimeoutMs,
      info: { version, address: `${config.tls?.host ?? 'localhost'}:${config.tls?.port ?? 0}` },
      registry: this.#options.registry ?? new Registry(),
      probeMetrics: this.#options.probeMetrics ?? new Registry(),
      peerOf: (request: FastifyRequest) => this.#peerOf(request.raw),
      tokenHash: () => this.#pki?.tokenHash ?? Buffer.alloc(32),
      allowedHosts: new Set(this.#names().map((name) => name.toLowerCase())),
    });
  }

  #peerOf({ socket }: IncomingMessage): Peer {
    if ('encrypted' in socket && socket.encrypted) {
      return { transport: 'tls', certificate: certificateIdentity(socket) };
    }
    return { transport: 'unix' };
  }

  #names(): string[] {
    const names = ['localhost', hostname(), this.#options.nodeName, '127.0.0.1', '::1'];
    const { tls } = this.#options.config;
    return [...new Set([...names, ...(tls ? [reachableHost(tls.host)] : []), ...(tls?.extraNames ?? [])])];
  }

  async #ensurePki(): Promise<Pki> {
    const { config, clock, logger } = this.#options;
    if (!config.tls) throw new Error('without TLS there are no certificates');
    const { host, port, pkiDirectory, kubeconfigPath } = config.tls;
    const reachable = reachableHost(host);
    const urlHost = reachable.includes(':') ? `[${reachable}]` : reachable;
    this.#pki = await ensurePki(
      {
        directory: pkiDirectory,
        kubeconfigPath,
        serverUrl: `https://${urlHost}:${port}`,
        names: this.#names(),
        logger,
      },
      clock.now(),
    );
    return this.#pki;
  }

  /** A certificate that cannot be renewed today may be tomorrow; until then the old one is served. */
  async #renewPki(): Promise<void> {
    try {
      this.#tlsServer?.setSecureContext(secureContext(await this.#ensurePki()));
    } catch (error) {
      this.#options.logger.error({ err: error }, 'certificates could not be renewed');
    }
  }
}

/** "All addresses" is where a server listens, but no address that a client could ask for: this machine's own is one. */
function reachableHost(host: string): string {
  return { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
}

function closeServer(server: Server | TlsServer): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), drainMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
