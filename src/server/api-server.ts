import type { IncomingMessage, Server } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Registry } from 'prom-client';
import type { ServiceNetwork } from '../api/cluster-ip.ts';
import type { Decoder } from '../api/decode/decode.ts';
import { DirectoryWatch } from '../sources/directory-watch.ts';
import type { Store } from '../store/store.ts';
import type { ServiceAccountTokens } from '../tokens/service-account-tokens.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import { ClusterRoles } from './access/cluster-roles.ts';
import { RbacAuthorizer } from './access/rbac.ts';
import { AuditLog } from './audit/audit-log.ts';
import { buildApp } from './http/app.ts';
import type { HealthCheck } from './http/health-routes.ts';
import type { KubeletOptions } from './http/kubelet-routes.ts';
import { LongRunning } from './http/long-running.ts';
import type { Identity, Peer } from './identity.ts';
import { certificateIdentity, listenOnTls, secureContext } from './listeners/tls-listener.ts';
import { listenOnUnixSocket } from './listeners/unix-listener.ts';
import { DisruptionBudgets } from './objects/disruption-budgets.ts';
import { NamespaceDeletion } from './objects/namespace-deletion.ts';
import { NamespaceObjects } from './objects/namespace-objects.ts';
import { ObjectApi } from './objects/object-api.ts';
import { ServiceEndpoints } from './objects/service-endpoints.ts';
import { ensureSystemNamespaces, ensureSystemPriorityClasses } from './objects/strategies.ts';
import { ensurePki, type Pki, type PkiOptions, readPki } from './pki/pki.ts';
import { reachableHost, serverUrl } from './pki/server-url.ts';
import { identifyUserToken, userTokensIn } from './pki/user-tokens.ts';
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
  /** Undefined: there is none. */
  readonly audit?: { readonly path: string; readonly maxBytes: number; readonly maxFiles: number } | undefined;
  /** Whether pods that do not say, nor does their account, get their account's token. */
  readonly automountServiceAccountToken: boolean;
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
  /** Told what is wrong with certificates that somebody has replaced. */
  readonly onCertificateProblem?: (message: string) => void;
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
/** A certificate and its key are written one after the other. */
const pkiSettleMs = 1_000;

/** Requests under way may end for so long when the server stops. */
const drainMs = 2_000;

/** Kubernetes' REST API on a unix socket and over TLS. */
export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #longRunning = new LongRunning(maxLongRunning);
  readonly #namespaceObjects: NamespaceObjects;
  readonly #clusterRoles: ClusterRoles;
  readonly #auditLog: AuditLog | undefined;
  readonly #namespaceDeletion: NamespaceDeletion;
  readonly #serviceEndpoints: ServiceEndpoints;
  readonly #disruptionBudgets: DisruptionBudgets;
  #app: FastifyInstance | undefined;
  #unixServer: Server | undefined;
  #tlsServer: TlsServer | undefined;
  #pki: Pki | undefined;
  #pkiEnsuredAtMs = 0;
  #pkiWatch: DirectoryWatch | undefined;
  #following: Promise<void> | undefined;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#namespaceObjects = new NamespaceObjects(options);
    this.#clusterRoles = new ClusterRoles(options);
    const { audit } = options.config;
    this.#auditLog = audit && new AuditLog({ ...audit, logger: options.logger });
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
    this.#auditLog?.open();
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
    const watch = new DirectoryWatch(config.tls.pkiDirectory, logger);
    this.#pkiWatch = watch;
    this.#following = this.#followPki(watch);
  }

  /** Ends watches and streams, lets requests under way finish for a moment, closes the rest. Pods are no concern of it. */
  async stop(): Promise<void> {
    const watch = this.#pkiWatch;
    this.#pkiWatch = undefined;
    watch?.stop();
    await this.#following;
    this.#namespaceObjects.stop();
    this.#clusterRoles.stop();
    this.#namespaceDeletion.stop();
    this.#serviceEndpoints.stop();
    this.#disruptionBudgets.stop();
    this.#longRunning.endAll();
    await Promise.all([this.#unixServer, this.#tlsServer].map((server) => server && closeServer(server)));
    await this.#app?.close();
    this.#auditLog?.close();
  }

  #buildApp(): FastifyInstance {
    const { store, podOperations, nodeName, serviceNetwork, clock, config, version, logger } = this.#options;
    const { automountServiceAccountToken } = config;
    const audit = (pod: string, message: string) => logger.info({ pod, message }, 'audit of a pod');
    return buildApp({
      ...this.#options,
      ...this.#options.kubelet,
      objects: new ObjectApi(
        { store, podOperations, nodeName, serviceNetwork, automountServiceAccountToken, audit },
        clock,
      ),
      authorizer: new RbacAuthorizer(store),
      auditLog: this.#auditLog,
      longRunning: this.#longRunning,
      watchLimits: defaultWatchStreamLimits,
      streamIdleTimeoutMs: config.streamIdleTimeoutMs,
      info: { version, address: `${config.tls?.host ?? 'localhost'}:${config.tls?.port ?? 0}` },
      registry: this.#options.registry ?? new Registry(),
      probeMetrics: this.#options.probeMetrics ?? new Registry(),
      peerOf: (request: FastifyRequest) => this.#peerOf(request.raw),
      identifyUserToken: (token) => this.#identifyUserToken(token),
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

  #identifyUserToken(token: string): Identity | undefined {
    const { config, clock } = this.#options;
    return config.tls && identifyUserToken(userTokensIn(config.tls.pkiDirectory), token, clock.now());
  }

  #names(): string[] {
    const names = ['localhost', hostname(), this.#options.nodeName, '127.0.0.1', '::1'];
    const { tls } = this.#options.config;
    return [...new Set([...names, ...(tls ? [reachableHost(tls.host)] : []), ...(tls?.extraNames ?? [])])];
  }

  #pkiOptions(): PkiOptions {
    const { config, logger } = this.#options;
    if (!config.tls) throw new Error('without TLS there are no certificates');
    const { host, port, pkiDirectory, kubeconfigPath } = config.tls;
    return {
      directory: pkiDirectory,
      kubeconfigPath,
      serverUrl: serverUrl(host, port),
      names: this.#names(),
      logger,
    };
  }

  /** What is there is read, what is missing or about to expire is made. */
  async #ensurePki(): Promise<Pki> {
    this.#pkiEnsuredAtMs = this.#options.clock.now();
    this.#pki = await ensurePki(this.#pkiOptions(), this.#pkiEnsuredAtMs);
    return this.#pki;
  }

  /** Takes over what somebody changes in the files, and once a day renews what is about to expire. */
  async #followPki(watch: DirectoryWatch): Promise<void> {
    while (this.#pkiWatch === watch) {
      await watch.refresh();
      await watch.wait(pkiCheckMs, pkiSettleMs);
      if (this.#pkiWatch === watch) await this.#renewPki();
    }
  }

  /** With files that are wrong the server goes on as it is: nobody is locked out by a mistake. */
  async #renewPki(): Promise<void> {
    const { clock, logger, onCertificateProblem } = this.#options;
    const isDue = clock.now() - this.#pkiEnsuredAtMs >= pkiCheckMs;
    const before = this.#pki;
    try {
      const pki = isDue ? await this.#ensurePki() : readPki(this.#pkiOptions(), clock.now());
      if (isDeepStrictEqual(pki, before)) return;
      this.#tlsServer?.setSecureContext(secureContext(pki));
      this.#namespaceObjects.setAuthority(pki.authority);
      this.#pki = pki;
      logger.info('certificates were read anew');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.error({ err: error }, 'certificates cannot be used, those from before are still served');
      onCertificateProblem?.(`certificates cannot be used, those from before are still served: ${reason}`);
    }
  }
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
