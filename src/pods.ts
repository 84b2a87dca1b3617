import { existsSync } from 'node:fs';
import { glob, readFile, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { nodeKind, podKind, secretKind } from './api/kinds.ts';
import type { Pod } from './api/pod.ts';
import { quantityBytes } from './api/quantity.ts';
import { CgroupManager } from './cgroups/cgroup-manager.ts';
import { podCgroupResources } from './cgroups/formulas.ts';
import type { MemoryQos } from './cgroups/memory-qos.ts';
import type { Config } from './config/config.ts';
import type { EventRecorder } from './events/recorder.ts';
import { HookRunner } from './hooks/hook-runner.ts';
import { CredentialPlugin } from './images/credential-plugin.ts';
import { ImageGarbageCollector } from './images/image-garbage-collector.ts';
import { ImageManager } from './images/image-manager.ts';
import { ImagePuller } from './images/image-puller.ts';
import { PullCredentials } from './images/pull-credentials.ts';
import { PullRecords } from './images/pull-records.ts';
import type { Machine } from './machine.ts';
import { readHostResolvConf } from './network/host-resolver.ts';
import { admit, resizeProblem } from './node/admission.ts';
import { configSourcesOf } from './pod/config-sources.ts';
import { fieldPath } from './pod/containers.ts';
import { imagesOfVolumes } from './pod/image-volumes.ts';
import { Orphans } from './pod/orphans.ts';
import { PodManager, type Rejection } from './pod/pod-manager.ts';
import type { PodStartMetrics } from './pod/pod-start-metrics.ts';
import { runtimeHandlerOf } from './pod/runtime-handler.ts';
import type { PodServices, PodSettings } from './pod/services.ts';
import type { ProbeMetrics } from './probes/metrics.ts';
import { NetworkClient } from './probes/network-client.ts';
import { ProbeManager } from './probes/probe-manager.ts';
import { PROBE_USER_AGENT, Prober } from './probes/prober.ts';
import { type CgroupDriver, runtimeCgroupDriver } from './runtime/cgroup-driver.ts';
import { MASKED_PATHS } from './runtime/container-config.ts';
import type { CriClient } from './runtime/cri-client.ts';
import { HealthClient } from './runtime/health-client.ts';
import type { PodCache } from './runtime/pod-cache.ts';
import { handlerFeatures, imageVolumeSupport, isRuntimeReady, type RuntimeMonitor } from './runtime/runtime-monitor.ts';
import { claimedVolume } from './storage/claimed-volume.ts';
import type { Store } from './store/store.ts';
import type { ServiceAccountTokens } from './tokens/service-account-tokens.ts';
import { systemClock } from './util/clock.ts';
import { ClockSteps } from './util/clock-steps.ts';
import { run } from './util/exec.ts';
import type { Logger } from './util/log.ts';
import { Semaphore } from './util/semaphore.ts';
import { VolumeManager } from './volumes/volume-manager.ts';

/** The parts of the daemon that are there before its pods. */
export interface PodParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly store: Store;
  readonly client: CriClient;
  readonly cache: PodCache;
  readonly monitor: RuntimeMonitor;
  readonly recorder: EventRecorder;
  readonly probeMetrics: ProbeMetrics;
  readonly startMetrics: PodStartMetrics;
  readonly machine: Machine;
  readonly tokens: ServiceAccountTokens;
  readonly hostIPs: () => readonly string[];
  readonly isShuttingDown: () => boolean;
  /** For work whose failure ends nothing: it is logged. */
  readonly background: (work: Promise<unknown>, failure: string) => void;
}

/** What runs the pods, begun by `startPods`. */
export interface Pods {
  readonly podManager: PodManager;
  readonly orphans: Orphans;
  readonly cgroups: CgroupManager;
  /** The pods themselves stay as they are. */
  stop(): Promise<void>;
}

/** Builds what pods are made with, and the manager of their workers, which begins to take them up. No logic. */
export async function startPods(parts: PodParts): Promise<Pods> {
  const { config, logger, store, client, cache, recorder, machine } = parts;
  const cgroups = new CgroupManager({
    driver: await chooseCgroupDriver(parts),
    root: config.cgroupRoot,
    podPidsLimit: config.podPidsLimit,
    logger,
    rootLimits: machine.resources.podLimits,
    memoryQos: memoryQosOf(parts),
  });
  await cgroups.start();
  const volumes = makeVolumes(parts);
  const images = makeImages(parts);
  const network = new NetworkClient();
  const onChange = (uid: string) => podManager.observedChanged(uid);
  const hooks = new HookRunner({ client, network, cache, onChange });
  const services: PodServices = {
    client,
    cache,
    monitor: parts.monitor,
    images: images.manager,
    hooks,
    volumes,
    cgroups,
    recorder,
    probes: new ProbeManager({
      prober: new Prober({
        client,
        network,
        health: new HealthClient({ userAgent: PROBE_USER_AGENT }),
        clock: systemClock,
      }),
      recorder,
      metrics: parts.probeMetrics,
      clock: systemClock,
      random: Math.random,
      onChange,
    }),
    store,
    clock: systemClock,
    clockSteps: new ClockSteps(systemClock, (byMs) => {
      logger.warn({ byMs }, "the machine's clock was set: delays go on as they were, what failed is tried again");
      // When it was to be tried again was told by the clock.
      podManager.retryAll();
    }),
    logger,
    startMetrics: parts.startMetrics,
    runtimeWork: new Semaphore(config.maxConcurrentPodWorkers),
    sandboxes: new Semaphore(config.maxConcurrentPodWorkers),
    settings: await podSettings(parts, cgroups),
  };
  const podManager = new PodManager({
    services,
    admit: (pod, others) => admitPod(parts, pod, others),
    resizeProblem: (pod, others) => resizeProblem(pod, others, parts.machine.resources.allocatable),
    onActivePods: (pods) =>
      parts.background(cgroups.setQosRequests(pods), 'could not update the cgroups of the QoS classes'),
  });
  podManager.start();
  const hasPod = (uid: string) => podManager.hasPod(uid);
  const orphans = new Orphans({ client, cache, volumes, cgroups, logs: services.settings, logger, hasPod });
  images.garbage.start();
  return {
    podManager,
    orphans,
    cgroups,
    stop: async () => {
      await podManager.stop();
      hooks.stop();
      images.garbage.stop();
    },
  };
}

interface Images {
  readonly manager: ImageManager;
  readonly garbage: ImageGarbageCollector;
}

function makeImages(parts: PodParts): Images {
  const { config, logger, store, client, recorder } = parts;
  const records = new PullRecords({
    directory: join(config.stateDirectory, 'image_manager'),
    clock: systemClock,
    logger,
    imageId: async (image, signal) => (await client.imageStatus(image, signal && { signal }))?.id,
  });
  records.load();
  const garbage = makeImageGarbageCollector(parts, records);
  const missingSecrets = (names: readonly string[]) =>
    `Unable to retrieve some image pull secrets (${names.join(', ')}); attempting to pull the image may not succeed.`;
  const manager = new ImageManager({
    client,
    clock: systemClock,
    records,
    verification: {
      policy: config.imagePullCredentialsVerificationPolicy,
      allowlist: config.preloadedImagesVerificationAllowlist,
    },
    credentials: new PullCredentials({
      dockerConfigPaths: config.dockerConfigPaths,
      plugins: config.credentialProviders.map(
        (provider) => new CredentialPlugin({ provider, run, clock: systemClock, logger }),
      ),
      logger,
      secret: (namespace, name) => store.get(secretKind, namespace, name),
      onMissingSecrets: (pod, names) =>
        recorder.event(pod, 'Warning', 'FailedToRetrieveImagePullSecret', missingSecrets(names)),
    }),
    puller: new ImagePuller({
      client,
      clock: systemClock,
      maxParallelPulls: config.maxParallelImagePulls,
      pullsPerSecond: config.registryPullQPS,
      burst: config.registryBurst,
    }),
    onUse: (imageId) => garbage.noteUse(imageId),
    onEvent: (pod, container, type, reason, message) => {
      if (reason === 'Pulling') parts.startMetrics.pullBegan(pod.metadata.uid);
      if (reason === 'Pulled') parts.startMetrics.pullEnded(pod.metadata.uid);
      recorder.event(pod, type, reason, message, container === undefined ? undefined : fieldPath(pod, container));
    },
  });
  return { manager, garbage };
}

function makeImageGarbageCollector(parts: PodParts, records: PullRecords): ImageGarbageCollector {
  const { config, logger, store, client, recorder, monitor } = parts;
  return new ImageGarbageCollector({
    client,
    records,
    policy: {
      highThresholdPercent: config.imageGCHighThresholdPercent,
      lowThresholdPercent: config.imageGCLowThresholdPercent,
      minAgeMs: config.imageMinimumGCAgeMs,
      maxAgeMs: config.imageMaximumGCAgeMs,
    },
    clock: systemClock,
    logger,
    diskSpace: async (directory) => {
      const { bsize, blocks, bavail } = await statfs(directory);
      return { capacityBytes: blocks * bsize, availableBytes: bavail * bsize };
    },
    volumeImages: () => store.list(podKind).items.flatMap(imagesOfVolumes),
    isRuntimeReady: () => isRuntimeReady(monitor.health),
    onFreeDiskSpaceFailed: (message) => {
      const node = store.get(nodeKind, undefined, config.nodeName);
      if (node) recorder.event(node, 'Warning', 'FreeDiskSpaceFailed', message);
    },
  });
}

function makeVolumes({ config, logger, store, machine, tokens }: PodParts): VolumeManager {
  return new VolumeManager({
    podsDir: join(config.stateDirectory, 'pods'),
    logger,
    kernelRelease: release(),
    nodeAllocatableMemoryBytes: () => machine.resources.podLimits.memoryBytes,
    podMemoryLimitBytes: (pod) =>
      podCgroupResources(pod, { podPidsLimit: -1, cpuCfsQuota: true, hugepageSizes: [] }).memoryBytes,
    payloadFacts: (pod) => ({
      sources: configSourcesOf(store, pod),
      allocatable: machine.resources.allocatable,
      token: (wish) => tokens.ofPod(pod, wish),
      tokensDueAtMs: () => tokens.dueAtMs(pod.metadata.uid),
    }),
    claimedVolume: (pod, volume) => claimedVolume(store, pod, volume),
    clock: systemClock,
  });
}

async function podSettings(parts: PodParts, cgroups: CgroupManager): Promise<PodSettings> {
  const { config, store, machine, hostIPs } = parts;
  return {
    instance: store.instanceId,
    nodeName: config.nodeName,
    logDirectory: config.podLogsDir,
    logLinksDirectory: config.containerLogLinksDirectory,
    clusterDNS: config.clusterDNS,
    clusterDomain: config.clusterDomain,
    maxRestartDelaySeconds: config.maxContainerRestartPeriodMs / 1000,
    maskedPaths: [...MASKED_PATHS, ...(await Array.fromAsync(glob('/sys/devices/system/cpu/cpu*/thermal_throttle')))],
    seccompDirectory: join(config.stateDirectory, 'seccomp'),
    defaultSeccomp: config.seccompDefault ? 'RuntimeDefault' : 'Unconfined',
    allocatable: machine.resources.allocatable,
    hostIPs,
    hostResolvConf: () => readHostResolvConf(config.resolvConf),
    hostHostsFile: async () => (existsSync('/etc/hosts') ? await readFile('/etc/hosts', 'utf8') : ''),
    containerNode: () => cgroups.containerNode(machine.capacity.memoryBytes),
  };
}

function memoryQosOf({ config, machine }: PodParts): MemoryQos | undefined {
  if (!config.featureGates.MemoryQoS) return undefined;
  return {
    throttlingFactor: config.memoryThrottlingFactor,
    reservationPolicy: config.memoryReservationPolicy,
    allocatableBytes: quantityBytes(machine.resources.allocatable.memory ?? '0'),
  };
}

/** The runtime's own, where it tells and the configuration leaves it open. */
async function chooseCgroupDriver({ client, config, logger }: PodParts): Promise<CgroupDriver> {
  const used = await runtimeCgroupDriver(client);
  const { cgroupDriver } = config;
  if (cgroupDriver === 'auto') return used ?? 'cgroupfs';
  if (used !== undefined && used !== cgroupDriver) {
    logger.warn(
      { configured: cgroupDriver, runtime: used },
      'cgroupDriver is not what the runtime uses: no pod will start',
    );
  }
  return cgroupDriver;
}

function admitPod(parts: PodParts, pod: Pod, others: readonly Pod[]): Rejection | undefined {
  const { config, store, monitor, machine } = parts;
  const { nodeName, maxPods, allowedUnsafeSysctls } = config;
  const node = store.get(nodeKind, undefined, nodeName);
  const { health } = monitor;
  const runtimeHandler = runtimeHandlerOf(store, pod) ?? '';
  return admit(pod, others, {
    name: nodeName,
    labels: node?.metadata.labels ?? {},
    taints: node?.spec?.taints ?? [],
    allocatable: machine.resources.allocatable,
    maxPods,
    kernelRelease: release(),
    allowedUnsafeSysctls,
    runtimeHandler,
    isShuttingDown: parts.isShuttingDown(),
    features: {
      supplementalGroupsPolicy: health.state === 'up' && health.supplementalGroupsPolicy,
      userNamespaces: handlerFeatures(health, runtimeHandler).userNamespaces,
      imageVolumes: imageVolumeSupport(health),
    },
  });
}
