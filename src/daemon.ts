import { existsSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { Decoder } from './api/decode/decode.ts';
import type { PodKindOptions } from './api/pod-kind.ts';
import type { Config } from './config/config.ts';
import type { Settings } from './config/settings.ts';
import { EventRecorder } from './events/recorder.ts';
import { startEviction } from './eviction.ts';
import { startLogRotation } from './log-rotation.ts';
import type { LogRotator } from './logs/rotate.ts';
import { type Machine, readMachine } from './machine.ts';
import { type Manifests, startManifests } from './manifests.ts';
import { CNI_RESULTS, removeBrokenCniResults } from './network/cni-results.ts';
import { matchesNodeSelector } from './node/node-affinity.ts';
import { Scheduler } from './node/scheduler.ts';
import { createNode, type OwnNode } from './node.ts';
import { Arrivals } from './pod/arrivals.ts';
import { reportForbiddenPods } from './pod/forbidden-pods.ts';
import { PodApi } from './pod/pod-api.ts';
import type { PodManager } from './pod/pod-manager.ts';
import { registerPodMetrics } from './pod/pod-metrics.ts';
import { PodStartMetrics } from './pod/pod-start-metrics.ts';
import { type Pods, startPods } from './pods.ts';
import { ProbeMetrics } from './probes/metrics.ts';
import { CacheFeed } from './runtime/cache-feed.ts';
import { CriClient } from './runtime/cri-client.ts';
import { registerEventStreamMetric } from './runtime/event-metrics.ts';
import { PodCache } from './runtime/pod-cache.ts';
import { runtimeMetrics } from './runtime/runtime-metrics.ts';
import {
  isRuntimeReady,
  networkProblem,
  type RuntimeHealth,
  RuntimeMonitor,
  runtimeProblem,
} from './runtime/runtime-monitor.ts';
import type { ApiServer } from './server/api-server.ts';
import type { HealthCheck } from './server/http/health-routes.ts';
import type { UsageSource } from './server/http/kubelet-routes.ts';
import { createServer } from './server.ts';
import { type ShutdownWatch, startShutdownWatch } from './shutdown.ts';
import { registerProcessMetrics } from './stats/process-metrics.ts';
import { VolumeBinder } from './storage/volume-binder.ts';
import { Store } from './store/store.ts';
import { ServiceAccountTokens } from './tokens/service-account-tokens.ts';
import { openTokenSigner } from './tokens/token-signer.ts';
import { createUsageMeters, type UsageMeters } from './usage.ts';
import { systemClock } from './util/clock.ts';
import { IdleCollector } from './util/idle-collector.ts';
import type { Logger } from './util/log.ts';
import { removePidFile, writePidFile } from './util/pid-file.ts';

export interface Daemon {
  /** Resolves when the API is served. The runtime may still be away. */
  start(): Promise<void>;
  /** Ends the daemon's work; pods stay as they are. */
  stop(): Promise<void>;
  /** Whether the watchdog may be fed. */
  isHealthy(): boolean;
}

/** How old the runtime monitor's last answer may be before the sync loop counts as stuck. */
const MAX_MONITOR_SILENCE_MS = 30_000;
/** Privileged pods are allowed: whoever may create pods here is administrator. */
const POD_OPTIONS: PodKindOptions = {
  allowPrivileged: true,
  hasAppArmor: existsSync('/sys/kernel/security/apparmor'),
  hasSELinux: existsSync('/sys/fs/selinux/enforce'),
};
const PID_FILE = 'mini-kubelet.pid';

/** Builds the daemon; nothing runs before `start()`. */
export function createDaemon(config: Config, logger: Logger, environment: DaemonEnvironment = {}): Daemon {
  return new MiniKubelet(config, logger, environment);
}

/** What the daemon takes from its environment. */
export interface DaemonEnvironment {
  /** `DBUS_SYSTEM_BUS_ADDRESS`, where the system bus is not at its usual place. */
  readonly systemBusAddress?: string | undefined;
  /** The settings in force, as they could stand in a file: told at `/configz`. */
  readonly settings?: Settings;
}

/**
 * The composition root.
 *
 * 1. store, machine, API: users are served even while the runtime is away;
 * 2. the runtime's monitor and events;
 * 3. when the runtime answers for the first time: its cgroup driver, cgroups, and the pods;
 * 4. the manifest directory.
 */
class MiniKubelet implements Daemon {
  readonly #environment: DaemonEnvironment;
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #store: Store;
  readonly #decoder: Decoder;
  readonly #client: CriClient;
  readonly #monitor: RuntimeMonitor;
  readonly #recorder: EventRecorder;
  readonly #arrivals: Arrivals;
  readonly #scheduler: Scheduler;
  readonly #node: OwnNode;
  readonly #probeMetrics = new ProbeMetrics();
  readonly #registry = new Registry();
  readonly #startMetrics: PodStartMetrics;
  #machine: Machine | undefined;
  #cache: PodCache | undefined;
  #cacheFeed: CacheFeed | undefined;
  #server: ApiServer | undefined;
  #manifests: Manifests | undefined;
  #shutdown: ShutdownWatch | undefined;
  #pods: Pods | undefined;
  #usage: UsageMeters | undefined;
  #eviction: { stop(): void } | undefined;
  #logRotator: LogRotator | undefined;
  #tokens: ServiceAccountTokens | undefined;
  #binder: VolumeBinder | undefined;
  readonly #idleCollector: IdleCollector;
  #settling: Promise<void> = Promise.resolve();

  constructor(config: Config, logger: Logger, environment: DaemonEnvironment) {
    this.#environment = environment;
    this.#config = config;
    this.#logger = logger;
    this.#store = new Store({ path: join(config.stateDirectory, 'store.db'), logger, clock: systemClock });
    this.#startMetrics = new PodStartMetrics({ registry: this.#registry, store: this.#store, clock: systemClock });
    this.#decoder = new Decoder();
    this.#client = new CriClient({
      endpoint: config.containerRuntimeEndpoint,
      imageEndpoint: config.imageServiceEndpoint || config.containerRuntimeEndpoint,
      timeoutMs: config.runtimeRequestTimeoutMs,
      observe: runtimeMetrics(this.#registry),
    });
    this.#idleCollector = new IdleCollector({ activity: () => this.#writes() });
    this.#monitor = new RuntimeMonitor({
      client: this.#client,
      logger,
      onChange: (health, before) => this.#runtimeChanged(health, before),
    });
    this.#recorder = new EventRecorder({
      store: this.#store,
      host: config.nodeName,
      clock: systemClock,
      logger,
      ttlMs: config.eventTTLMs,
    });
    this.#arrivals = new Arrivals({
      store: this.#store,
      recorder: this.#recorder,
      nodeName: config.nodeName,
      runtimeProblem: () => {
        const { health } = this.#monitor;
        return health.state === 'unknown' ? undefined : runtimeProblem(health);
      },
    });
    this.#scheduler = new Scheduler({
      store: this.#store,
      recorder: this.#recorder,
      clock: systemClock,
      logger,
      nodeName: config.nodeName,
    });
    this.#node = createNode({
      config,
      logger,
      store: this.#store,
      recorder: this.#recorder,
      machine: () => this.#knownMachine(),
      isShuttingDown: () => this.#isShuttingDown,
    });
  }

  /** Changes with every write but the renewals of the node's lease. */
  #writes(): string {
    return String(Number(this.#store.resourceVersion) - this.#node.lease.renewals);
  }

  async start(): Promise<void> {
    const { stateDirectory, runDirectory } = this.#config;
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    await chmod(stateDirectory, 0o700);
    await mkdir(runDirectory, { recursive: true, mode: 0o750 });
    this.#store.open();
    // Only now: the store is what a second daemon is kept away by.
    writePidFile(join(runDirectory, PID_FILE), process.pid);
    this.#tokens = new ServiceAccountTokens({
      signer: openTokenSigner(join(stateDirectory, 'pki/sa.key')),
      store: this.#store,
      clock: systemClock,
    });
    this.#decoder.start();
    this.#recorder.start();
    reportForbiddenPods({ store: this.#store, recorder: this.#recorder, logger: this.#logger });
    this.#machine = await readMachine(this.#config);
    this.#cache = new PodCache({
      client: this.#client,
      instance: this.#store.instanceId,
      logger: this.#logger,
      onChange: (uid) => this.#pods?.podManager.observedChanged(uid),
    });
    await this.#node.status.start();
    this.#arrivals.start();
    this.#scheduler.start();
    this.#binder = this.#makeBinder();
    this.#binder.start();
    const { podLogsDir } = this.#config;
    const podApi = new PodApi({
      store: this.#store,
      cache: this.#cache,
      client: this.#client,
      clock: systemClock,
      logDirectory: podLogsDir,
    });
    const usage = await createUsageMeters({
      stateDirectory,
      podLogsDir,
      logger: this.#logger,
      store: this.#store,
      client: this.#client,
      cache: this.#cache,
      cgroups: () => this.#pods?.cgroups,
      clock: systemClock,
    });
    const { nodeName } = this.#config;
    registerPodMetrics({ registry: this.#registry, nodeName, store: this.#store, cache: this.#cache });
    this.#startMetrics.start();
    this.#usage = usage;
    registerEventStreamMetric(this.#registry, () => this.#cacheFeed?.eventStream);
    registerProcessMetrics(this.#registry);
    this.#server = this.#createServer(podApi, usage.source);
    await this.#server.start();
    this.#node.lease.start();
    await this.#removeBrokenCniResults();
    await this.#startRuntime(this.#cache);
    this.#startShutdownWatch();
    this.#startManifests(podApi);
    this.#idleCollector.start();
  }

  async stop(): Promise<void> {
    this.#idleCollector.stop();
    await this.#shutdown?.stop();
    await this.#manifests?.stop();
    await this.#server?.stop();
    this.#startMetrics.stop();
    this.#scheduler.stop();
    this.#arrivals.stop();
    await this.#binder?.stop();
    await this.#cacheFeed?.stop();
    await this.#logRotator?.stop();
    await this.#monitor.stop();
    await this.#settling;
    this.#eviction?.stop();
    this.#usage?.stop();
    await this.#pods?.stop();
    this.#node.lease.stop();
    this.#node.status.stop();
    this.#recorder.stop();
    this.#client.close();
    await this.#decoder.stop();
    removePidFile(join(this.#config.runDirectory, PID_FILE), process.pid);
    this.#store.close();
  }

  isHealthy(): boolean {
    return this.#store.failure === undefined && this.#monitor.silentMs() < MAX_MONITOR_SILENCE_MS;
  }

  // ---- runtime ----

  async #startRuntime(cache: PodCache): Promise<void> {
    this.#cacheFeed = new CacheFeed({
      client: this.#client,
      cache,
      logger: this.#logger,
      isRuntimeReady: () => isRuntimeReady(this.#monitor.health),
      relistMs: this.#config.syncFrequencyMs,
      onPeriodicRelist: () => this.#removeOrphans(),
      background: (work, failure) => this.#background(work, failure),
    });
    await this.#monitor.start();
    this.#cacheFeed.start();
    this.#logRotator = startLogRotation({
      config: this.#config,
      logger: this.#logger,
      client: this.#client,
      cache,
    });
  }

  async #removeBrokenCniResults(): Promise<void> {
    try {
      const files = await removeBrokenCniResults(CNI_RESULTS, systemClock.now());
      if (files.length > 0) this.#logger.warn({ files }, 'removed results of network plugins that were cut off');
    } catch (error) {
      // It is for sandboxes of before a power failure only: others start without.
      this.#logger.error({ err: error }, 'could not look for results of network plugins that were cut off');
    }
  }

  #runtimeChanged(health: RuntimeHealth, before: RuntimeHealth): void {
    this.#logger.info(
      { health },
      isRuntimeReady(health) ? 'the container runtime is ready' : 'the container runtime is not ready',
    );
    this.#node.status.runtimeStatus(health);
    if (!isRuntimeReady(health)) {
      this.#pods?.podManager.runtimeLost();
      this.#arrivals.runtimeLost();
    } else if (!isRuntimeReady(before)) this.#settling = this.#settling.then(() => this.#settle());
    else if (networkProblem(before) && !networkProblem(health)) this.#pods?.podManager.retryAll();
  }

  /** The runtime is there, for the first time or again: know all that it has before anything is done. */
  async #settle(): Promise<void> {
    const cache = this.#cache;
    if (!cache) return;
    try {
      const podManager = this.#pods?.podManager ?? (await this.#startPods(cache));
      await cache.relist();
      podManager.runtimeSynced();
      this.#cacheFeed?.relistLater();
    } catch (error) {
      this.#logger.error({ err: error }, 'could not begin to work with the container runtime, it is tried again');
      // The monitor sees the runtime as lost, so that the next good answer leads here again.
      this.#monitor.reset();
    }
  }

  // ---- pods ----

  async #startPods(cache: PodCache): Promise<PodManager> {
    const pods = await startPods({
      config: this.#config,
      logger: this.#logger,
      store: this.#store,
      client: this.#client,
      cache,
      monitor: this.#monitor,
      recorder: this.#recorder,
      probeMetrics: this.#probeMetrics,
      startMetrics: this.#startMetrics,
      machine: this.#knownMachine(),
      tokens: this.#knownTokens(),
      hostIPs: () => this.#node.hostIPs,
      isShuttingDown: () => this.#isShuttingDown,
      background: (work, failure) => this.#background(work, failure),
    });
    this.#pods = pods;
    if (this.#usage) {
      this.#eviction = startEviction({
        config: this.#config,
        logger: this.#logger,
        clock: systemClock,
        recorder: this.#recorder,
        cache,
        podManager: pods.podManager,
        usage: this.#usage.source,
      });
    }
    this.#removeOrphans();
    if (!this.#config.featureGates.MemoryQoS) {
      this.#background(pods.cgroups.clearMemoryQos(), 'could not look for cgroups with memory QoS');
    }
    return pods.podManager;
  }

  #removeOrphans(): void {
    const work = this.#pods?.orphans.remove() ?? Promise.resolve();
    this.#background(work, 'could not look for left-overs of pods');
  }

  // ---- API, manifests, storage, node ----

  #makeBinder(): VolumeBinder {
    const { nodeName: name, localVolumesDirectory } = this.#config;
    return new VolumeBinder({
      store: this.#store,
      recorder: this.#recorder,
      clock: systemClock,
      logger: this.#logger,
      nodeName: name,
      matchesNode: (selector) => matchesNodeSelector(selector, { name, labels: this.#node.labels }),
      directory: localVolumesDirectory,
    });
  }

  #createServer(podApi: PodApi, usage: UsageSource): ApiServer {
    return createServer({
      config: this.#config,
      settings: this.#environment.settings,
      logger: this.#logger,
      store: this.#store,
      decoder: this.#decoder,
      podApi,
      podOptions: POD_OPTIONS,
      tokens: this.#knownTokens(),
      machine: this.#knownMachine(),
      hostIPs: () => this.#node.hostIPs,
      usage,
      registry: this.#registry,
      probeMetrics: this.#probeMetrics,
      health: () => this.#health(),
      isHealthy: () => this.isHealthy(),
      onCertificateProblem: (message) => this.#node.warn('InvalidCertificate', message, 'certificates'),
    });
  }

  #startShutdownWatch(): void {
    this.#shutdown = startShutdownWatch({
      config: this.#config,
      logger: this.#logger,
      systemBusAddress: this.#environment.systemBusAddress,
      podManager: () => this.#pods?.podManager,
      onChange: (isShuttingDown) => {
        this.#node.status.refresh();
        if (!isShuttingDown) this.#manifests?.makeAgain();
      },
      background: (work, failure) => this.#background(work, failure),
    });
  }

  #startManifests(podApi: PodApi): void {
    this.#manifests = startManifests({
      config: this.#config,
      logger: this.#logger,
      store: this.#store,
      decoder: this.#decoder,
      podApi,
      podOptions: POD_OPTIONS,
      isShuttingDown: () => this.#isShuttingDown,
      report: (file, message) => this.#reportManifest(file, message),
    });
  }

  /** There is no pod to tell it of: the mistake is shown as an event of the node. */
  #reportManifest(file: string, message: string): void {
    this.#logger.error({ file, message }, 'a static pod manifest is wrong');
    this.#node.warn('InvalidManifest', `${file}: ${message}`, `manifests{${file}}`);
  }

  #health(): HealthCheck[] {
    const { health } = this.#monitor;
    const isSettled = this.#pods?.podManager.isSynced ?? false;
    return [
      { name: 'store', error: this.#store.failure?.message },
      { name: 'runtime', error: runtimeProblem(health) ?? (isSettled ? undefined : 'containers are being listed') },
      { name: 'network', error: networkProblem(health) },
    ];
  }

  get #isShuttingDown(): boolean {
    return this.#shutdown?.isShuttingDown ?? false;
  }

  #knownTokens(): ServiceAccountTokens {
    if (!this.#tokens) throw new Error('the daemon was not started');
    return this.#tokens;
  }

  #knownMachine(): Machine {
    if (!this.#machine) throw new Error('the daemon was not started');
    return this.#machine;
  }

  /** Work whose failure ends nothing: it is logged, and done again by whoever asks next. */
  #background(work: Promise<unknown>, failure: string): void {
    work.catch((error: unknown) => this.#logger.warn({ err: error }, failure));
  }
}
