import { join, posix } from 'node:path';
import type { Container, EphemeralContainer, Pod } from '../api/pod.ts';
import { containerLinuxResources } from '../cgroups/container-resources.ts';
import type { LocalImage } from '../images/image-manager.ts';
import { lastLoggedRun, prepareContainerLog } from '../logs/directory.ts';
import { linkContainerLog } from '../logs/links.ts';
import { logFileName, podLogDirectoryName } from '../logs/paths.ts';
import { podDnsConfig } from '../network/dns.ts';
import { podPortMappings } from '../network/host-ports.ts';
import { podHostname } from '../network/hostname.ts';
import { renderHostsFile } from '../network/hosts.ts';
import { containerConfig, localhostSeccompProfile, runAsUserProblem } from '../runtime/container-config.ts';
import type { PodSandboxConfig } from '../runtime/generated/runtime/v1/PodSandboxConfig.ts';
import { RuntimeError } from '../runtime/runtime-error.ts';
import { handlerFeatures, imageVolumeSupport } from '../runtime/runtime-monitor.ts';
import { type IdMapping, sandboxConfig } from '../runtime/sandbox-config.ts';
import { openRegularBeneath } from '../util/safe-fs.ts';
import { untilAborted } from '../util/until-aborted.ts';
import { containerMounts } from '../volumes/container-mounts.ts';
import type { MountedVolumes } from '../volumes/volume-manager.ts';
import type { ActionOf, ContainerStart } from './actions.ts';
import { configSourcesOf } from './config-sources.ts';
import { fieldPath, findContainer } from './containers.ts';
import { criResources } from './cri-resources.ts';
import { readEnvFiles } from './env-files.ts';
import { containerEnvironment, containerSubPaths, expandAll } from './environment.ts';
import { runningTarget, targetMessage } from './ephemeral-target.ts';
import { ensureImageVolumes, type ImageVolumes, imageVolumeProblem, withImageVolumes } from './image-volumes.ts';
import { runPostStart } from './post-start.ts';
import { messageOf, StartRefusedError, StepError } from './problems.ts';
import { runSandbox } from './run-sandbox.ts';
import { runtimeHandlerOf } from './runtime-handler.ts';
import { servicesOf } from './service-links.ts';
import type { PodServices } from './services.ts';
import { type Settled, settle } from './settled.ts';

/** What came of bringing containers up. */
export interface RunPodResult {
  /** By container name; those that are not here were started. */
  readonly failures: ReadonlyMap<string, unknown>;
}

/** What all containers of the pod are made with. */
interface Ground {
  readonly sandboxId: string;
  readonly sandboxConfig: PodSandboxConfig;
  readonly userNamespace: IdMapping | undefined;
  readonly podIPs: readonly string[];
  readonly volumes: MountedVolumes;
  readonly imageVolumes: ImageVolumes;
  readonly hostsFile: string;
}

/**
 * Brings containers of a pod up:
 *
 * 1. the pod's cgroup, which the sandbox is made in;
 * 2. side by side: the sandbox (unless there is one), the volumes, and the containers' images;
 * 3. the hosts file, which needs the sandbox's address;
 * 4. side by side: each container whose image is there is created;
 * 5. in the manifest's order: each that was created is started, and its postStart hook done before the next one's turn.
 *
 * One container's failure is told in the result and keeps no other from starting. What fails for the pod as a whole is
 * thrown, after everything begun has ended.
 *
 * @throws StepError, RuntimeError
 */
export async function runPod(
  services: PodServices,
  pod: Pod,
  action: ActionOf<'runPod'>,
  signal: AbortSignal,
): Promise<RunPodResult> {
  if (action.sandboxId === undefined && action.stopFirst.length > 0) {
    const message = 'Pod sandbox changed, it will be killed and re-created.';
    services.recorder.event(pod, 'Normal', 'SandboxChanged', message);
  }
  const cgroupParent = await step('FailedCreatePodCgroup', services.cgroups.ensurePod(pod));
  const userNamespace = await step('FailedCreatePodSandBox', services.volumes.ensureUserNamespace(pod));
  const config = await makeSandboxConfig(services, pod, action.attempt, cgroupParent, userNamespace);
  const starts = await Promise.all(action.starts.map((start) => afterLoggedRuns(services, pod, start)));

  const toCreate = starts
    .filter(({ createdId }) => createdId === undefined)
    .map(({ containerName }) => requireContainer(pod, containerName));
  const images = new Map(
    toCreate.map((container) => [container.name, settle(services.images.ensureImage(pod, container, config, signal))]),
  );
  const imageVolumes = ensureImageVolumes(services, pod, toCreate, config, signal);
  const [sandbox, volumes] = await Promise.allSettled([
    action.sandboxId ?? runSandbox(services, pod, config, action, signal),
    step('FailedMount', services.volumes.mountPod(pod, { signal })),
  ]);
  if (sandbox.status === 'rejected' || volumes.status === 'rejected') {
    await Promise.all([...images.values(), ...imageVolumes.values()]);
    throw sandbox.status === 'rejected' ? sandbox.reason : (volumes as PromiseRejectedResult).reason;
  }

  const podIPs = pod.spec.hostNetwork
    ? services.settings.hostIPs()
    : (services.cache.get(pod.metadata.uid ?? '').sandboxes.find((item) => item.id === sandbox.value)?.ips ?? []);
  const hostsFile = await writeHostsFile(services, pod, podIPs);
  const ground: Ground = {
    sandboxId: sandbox.value,
    sandboxConfig: config,
    userNamespace,
    podIPs,
    volumes: volumes.value,
    imageVolumes,
    hostsFile,
  };

  // Of a step that was given up: whoever comes next still waits for them.
  await untilAborted(services.hooks.postStartsDone(pod.metadata.uid ?? ''), signal);
  const failures = new Map<string, unknown>();
  const created = starts.map((start) => settle(ensureCreated(services, pod, start, ground, images, signal)));
  for (const [index, start] of starts.entries()) {
    const result = await created[index];
    try {
      if (!result || 'error' in result) throw result?.error;
      await startWithHook(services, pod, start, result.value, ground, signal);
    } catch (error) {
      failures.set(start.containerName, error);
    }
  }
  return { failures };
}

/**
 * Of a container that the runtime has lost, the logs tell best how often it ran: the stored status may be older. No run
 * writes into the log of another.
 */
async function afterLoggedRuns({ cache, settings }: PodServices, pod: Pod, start: ContainerStart) {
  const { namespace = '', name = '', uid = '' } = pod.metadata;
  const { containers } = cache.get(uid);
  if (containers.some(({ containerName }) => containerName === start.containerName)) return start;
  const last = await lastLoggedRun(settings.logDirectory, { namespace, name, uid }, start.containerName);
  return { ...start, restartCount: Math.max(start.restartCount, (last ?? -1) + 1) };
}

/** Brings the volumes of a running pod to what their sources are now. @throws StepError */
export async function refreshVolumes(services: PodServices, pod: Pod, signal: AbortSignal): Promise<void> {
  await step('FailedMount', services.volumes.refreshPod(pod, { signal }));
}

async function makeSandboxConfig(
  services: PodServices,
  pod: Pod,
  attempt: number,
  cgroupParent: string,
  userNamespace: IdMapping | undefined,
): Promise<PodSandboxConfig> {
  const { settings, recorder } = services;
  const { namespace = '', name = '', uid = '' } = pod.metadata;
  const dns = podDnsConfig(pod, {
    clusterDNS: settings.clusterDNS,
    clusterDomain: settings.clusterDomain,
    hostResolvConf: await settings.hostResolvConf(),
  });
  for (const { type, reason, message } of dns.warnings) recorder.event(pod, type, reason, message);
  return sandboxConfig(pod, {
    instance: settings.instance,
    attempt,
    hostname: podHostname(pod, settings.clusterDomain).hostname,
    dns: { servers: [...dns.servers], searches: [...dns.searches], options: [...dns.options] },
    portMappings: podPortMappings(pod),
    cgroupParent,
    userNamespace,
    logDirectory: join(settings.logDirectory, podLogDirectoryName({ namespace, name, uid })),
  });
}

async function writeHostsFile(services: PodServices, pod: Pod, podIPs: readonly string[]): Promise<string> {
  const hostFile = pod.spec.hostNetwork ? await services.settings.hostHostsFile() : undefined;
  const text = renderHostsFile(pod, {
    podIPs,
    clusterDomain: services.settings.clusterDomain,
    ...(hostFile === undefined ? {} : { hostFile }),
  });
  return await services.volumes.writeHostsFile(pod, text);
}

/** Returns the id of the container to start. */
async function ensureCreated(
  services: PodServices,
  pod: Pod,
  start: ContainerStart,
  ground: Ground,
  images: ReadonlyMap<string, Promise<Settled<LocalImage>>>,
  signal: AbortSignal,
): Promise<string> {
  if (start.createdId !== undefined) return start.createdId;
  const image = await images.get(start.containerName);
  if (!image || 'error' in image) throw image?.error;
  signal.throwIfAborted();
  const { client, cache, recorder } = services;
  const container = requireContainer(pod, start.containerName);
  const problem =
    runAsUserProblem(pod, container, image.value.user) ??
    imageVolumeProblem(pod, [container], imageVolumeSupport(services.monitor.health));
  if (problem) throw new StepError('CreateContainerConfigError', problem);
  const config = await makeContainerConfig(services, pod, container, start, image.value, ground);
  await endPreviousInstances(services, pod, container.name);
  const id = await client
    .createContainer(ground.sandboxId, config, ground.sandboxConfig)
    .catch(async (error: unknown) => {
      // A call that ran out of time may have made the container all the same: then it is found and started next time.
      if (error instanceof RuntimeError && !error.isUnavailable) await cache.relist();
      throw new StepError('CreateContainerError', messageOf(error), error);
    });
  cache.trackContainer(id, ground.sandboxId);
  if (container.lifecycle?.stopSignal) await checkStopSignal(services, container, id, ground.sandboxId);
  recorder.event(pod, 'Normal', 'Created', 'Container created', fieldPath(pod, container.name));
  return id;
}

/** A signal that would not be sent is refused before the container runs: containerd is asked to send it, others must know it. */
async function checkStopSignal(
  { client, cache, monitor }: PodServices,
  { lifecycle }: Container,
  containerId: string,
  sandboxId: string,
): Promise<void> {
  const name = monitor.health.state === 'up' ? monitor.health.name : '';
  await cache.refreshContainer(containerId, sandboxId);
  if (name === 'containerd' || cache.getContainer(containerId)?.runtimeStopSignal === lifecycle?.stopSignal) return;
  await client.removeContainer(containerId);
  await cache.refreshContainer(containerId);
  throw new StepError('CreateContainerError', `the container runtime ${name} does not know lifecycle.stopSignal`);
}

/** Two instances never run beside each other, also when the runtime lost sight of one that it says has ended. */
async function endPreviousInstances({ cache, cgroups }: PodServices, pod: Pod, containerName: string): Promise<void> {
  const { containers } = cache.get(pod.metadata.uid ?? '');
  const ended = containers.filter((item) => item.containerName === containerName && item.state === 'EXITED');
  for (const { id } of ended) await step('FailedKillPod', cgroups.removeContainer(pod, id));
}

async function makeContainerConfig(
  services: PodServices,
  pod: Pod,
  container: Container,
  start: ContainerStart,
  image: LocalImage,
  ground: Ground,
) {
  const { settings, volumes } = services;
  const envs = containerEnvironment(pod, container, {
    podIPs: ground.podIPs,
    hostIPs: settings.hostIPs(),
    nodeName: settings.nodeName,
    allocatable: settings.allocatable,
    sources: configSourcesOf(services.store, pod),
    services: servicesOf(services.store, pod),
    envFiles: await readEnvFiles(container, ground.volumes),
  });
  await checkSeccompProfile(settings.seccompDirectory, localhostSeccompProfile(pod, container));
  const subPaths = containerSubPaths(container, envs);
  const mounted = await withImageVolumes(container, ground.volumes, ground.imageVolumes);
  const terminationLog = await volumes.makeTerminationLog(pod, container, start.restartCount);
  const { namespace = '', name = '', uid = '' } = pod.metadata;
  await prepareContainerLog(settings.logDirectory, { namespace, name, uid }, container.name, start.restartCount);
  const mounts = containerMounts(pod, container, mounted, {
    hostsFile: ground.hostsFile,
    terminationLog,
    subPaths: await volumes.mountSubPaths(pod, container, mounted, subPaths),
    recursiveReadOnlySupported: handlerFeatures(services.monitor.health, runtimeHandlerOf(services.store, pod) ?? '')
      .recursiveReadOnlyMounts,
  });
  const resources = containerLinuxResources(pod, container, settings.containerNode());
  return containerConfig(pod, container, {
    instance: settings.instance,
    restartCount: start.restartCount,
    restartDelaySeconds: start.restartDelaySeconds,
    imageRef: image.id,
    imageUser: image.user,
    command: expandAll(container.command, envs),
    args: expandAll(container.args, envs),
    envs,
    userNamespace: ground.userNamespace,
    targetId: targetId(services, pod, container),
    seccompDirectory: settings.seccompDirectory,
    mounts: mounts.map((mount) => ({
      ...mount,
      propagation: `PROPAGATION_${mount.propagation}` as const,
      // So that what belongs to a user in the container belongs to the same user in the volume, whatever block it has.
      uidMappings: ground.userNamespace ? [ground.userNamespace] : [],
      gidMappings: ground.userNamespace ? [ground.userNamespace] : [],
    })),
    resources: criResources(resources),
    logPath: logFileName(container.name, start.restartCount),
    maskedPaths: settings.maskedPaths,
    defaultSeccomp: settings.defaultSeccomp,
  });
}

/** What the runtime is going to read by its path must be a file in the directory, not what a link there leads to. */
async function checkSeccompProfile(directory: string, profile: string | undefined): Promise<void> {
  if (profile === undefined) return;
  try {
    const path = posix.normalize(profile);
    await (await openRegularBeneath(directory, path)).close();
  } catch (error) {
    const message = `cannot load seccomp profile ${JSON.stringify(profile)}: ${messageOf(error)}`;
    throw new StepError('CreateContainerError', message, error);
  }
}

/** Starts a container and runs its postStart hook; until that is done, nobody takes it for started. */
async function startWithHook(
  services: PodServices,
  pod: Pod,
  start: ContainerStart,
  containerId: string,
  ground: Ground,
  signal: AbortSignal,
): Promise<void> {
  const container = requireContainer(pod, start.containerName);
  if (!container.lifecycle?.postStart) return await startContainer(services, pod, start, containerId, ground, signal);
  const { hooks } = services;
  hooks.expectPostStart(pod.metadata.uid ?? '', containerId);
  try {
    await startContainer(services, pod, start, containerId, ground, signal);
    await runPostStart(services, pod, container, containerId, signal);
  } finally {
    hooks.forgetExpected(containerId);
  }
}

async function startContainer(
  services: PodServices,
  pod: Pod,
  start: ContainerStart,
  containerId: string,
  ground: Ground,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const { client, cache, recorder, settings, logger } = services;
  const container = requireContainer(pod, start.containerName);
  try {
    await client.startContainer(containerId);
  } catch (error) {
    recorder.event(pod, 'Warning', 'Failed', `Error: ${messageOf(error)}`, fieldPath(pod, container.name));
    await cache.refreshSandbox(ground.sandboxId);
    // One that was there before may just be starting: a call of the daemon's former life can still be under way.
    const isRefused = start.createdId === undefined && error instanceof RuntimeError && !error.isOutcomeUnknown;
    if (isRefused) throw new StartRefusedError(containerId, messageOf(error), error);
    throw new StepError('RunContainerError', messageOf(error), error);
  } finally {
    // Also one that failed to start has a new state now.
    await cache.refreshContainer(containerId, ground.sandboxId);
  }
  const { namespace = '', name = '', uid = '' } = pod.metadata;
  recorder.event(pod, 'Normal', 'Started', 'Container started', fieldPath(pod, container.name));
  await linkContainerLog(
    settings,
    { metadata: { namespace, name, uid } },
    container.name,
    start.restartCount,
    containerId,
  ).catch((error: unknown) =>
    logger.warn({ err: error, container: container.name }, 'could not link the container log for log agents'),
  );
}

/** The container whose process namespace an ephemeral container shares; undefined when it names none. */
function targetId({ cache }: PodServices, pod: Pod, container: EphemeralContainer): string | undefined {
  if (!container.targetContainerName) return undefined;
  const target = runningTarget(container, cache.get(pod.metadata.uid ?? ''));
  if (!target) throw new StepError('CreateContainerConfigError', targetMessage(container));
  return target.id;
}

function requireContainer(pod: Pod, name: string): Container {
  const container = findContainer(pod, name);
  if (!container) throw new Error(`pod has no container ${name}`);
  return container;
}

async function step<T>(reason: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new StepError(reason, messageOf(error), error);
  }
}
