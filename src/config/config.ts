import { availableParallelism, hostname } from 'node:os';
import { join } from 'node:path';
import { quantityNumber } from '../api/quantity.ts';
import { checkValue } from './check.ts';
import { configFiles, readConfigFile } from './config-files.ts';
import { type CredentialProvider, readCredentialProviders } from './credential-providers.ts';
import { parseDuration } from './duration.ts';
import type { FlagValue } from './flags.ts';
import { socketPathProblem } from './formats.ts';
import { ConfigError, type Problem } from './problem.ts';
import { defaultSettings, type Settings, setAt } from './settings.ts';

export const defaultConfigFile = '/etc/mini-kubelet/config.yaml';

type DurationSetting =
  | 'fileCheckFrequency'
  | 'syncFrequency'
  | 'runtimeRequestTimeout'
  | 'streamingConnectionIdleTimeout'
  | 'eventTTL'
  | 'imageMinimumGCAge'
  | 'imageMaximumGCAge'
  | 'shutdownGracePeriod'
  | 'shutdownGracePeriodCriticalPods';

/**
 * The configuration as the daemon uses it: the settings by their names, with nothing left to find out, durations in
 * milliseconds and sizes in bytes under a name that says so.
 */
export type Config = Omit<
  Settings,
  | DurationSetting
  | 'shutdownGracePeriodByPodPriority'
  | 'containerLogMaxSize'
  | 'crashLoopBackOff'
  | 'serializeImagePulls'
  | 'auditLogMaxSize'
> & {
  readonly [Name in DurationSetting as `${Name}Ms`]: number;
} & {
  /** Milliseconds by priority. */
  readonly shutdownPeriodsByPriority: readonly { readonly priority: number; readonly periodMs: number }[];
  readonly containerLogMaxSizeBytes: number;
  /** From the file `imageCredentialProviderConfig`. */
  readonly credentialProviders: readonly CredentialProvider[];
  readonly auditLogMaxSizeBytes: number;
  readonly maxContainerRestartPeriodMs: number;
};

/** What a configuration depends on besides what people write. */
export interface HostFacts {
  readonly hostname: string;
  readonly cpuCount: number;
}

export function hostFacts(): HostFacts {
  return { hostname: hostname(), cpuCount: availableParallelism() };
}

export interface LoadOptions {
  /** The file; its drop-ins are in `<file>.d`. Undefined: /etc/mini-kubelet/config.yaml, which may be missing. */
  readonly file?: string;
  readonly flags?: readonly FlagValue[];
  readonly host?: HostFacts;
}

/**
 * Defaults, then the file, then its drop-ins in the order of their names, then flags: the later wins, setting by
 * setting. A map given by a file replaces the default, and maps given by several files are merged by key; lists are
 * replaced.
 *
 * @returns the settings in force as they could stand in a file, and the configuration made from them.
 * @throws ConfigError with every problem at once.
 */
export async function loadConfig(options: LoadOptions = {}): Promise<{ settings: Settings; config: Config }> {
  const host = options.host ?? hostFacts();
  const { files, problems } = await configFiles(options.file ?? defaultConfigFile, options.file !== undefined);
  const given: Record<string, unknown> = {};
  const origins = new Map<string, string>();
  for (const file of files) {
    const checked = await readConfigFile(file);
    problems.push(...checked.problems);
    merge(given, checked.values);
    for (const [name, where] of checked.origins) origins.set(name, where);
  }
  for (const { flag, path, schema, value } of options.flags ?? []) {
    const checked = checkValue(path.join('.'), value, schema, `--${flag}`);
    problems.push(...checked.problems);
    if (checked.problems.length === 0) setAt(given, path, checked.value);
    origins.set(path.join('.'), `--${flag}`);
  }
  const settings = withDefaults(given);
  problems.push(...contradictions(settings, origins, host));
  const { imageCredentialProviderConfig, imageCredentialProviderBinDir } = settings;
  const hasProviders = imageCredentialProviderConfig !== '' && imageCredentialProviderBinDir !== '';
  const { providers, problems: ofProviders } = hasProviders
    ? await readCredentialProviders(imageCredentialProviderConfig, imageCredentialProviderBinDir)
    : { providers: [], problems: [] };
  problems.push(...ofProviders);
  if (problems.length > 0) throw new ConfigError(problems);
  const config = { ...toConfig(settings, host), credentialProviders: providers };
  const { nodeName, socketPath, localVolumesDirectory, maxConcurrentPodWorkers } = config;
  return {
    settings: { ...settings, nodeName, socketPath, localVolumesDirectory, maxConcurrentPodWorkers },
    config,
  };
}

/** Merges maps by key, and replaces everything else. */
function merge(target: Record<string, unknown>, source: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(source)) {
    const existing = target[key];
    if (isMap(value) && isMap(existing)) merge(existing, value);
    else target[key] = isMap(value) ? { ...value } : value;
  }
}

function withDefaults(given: Readonly<Record<string, unknown>>): Settings {
  const settings = defaultSettings();
  const { crashLoopBackOff, featureGates, ...others } = given as Partial<Settings>;
  return {
    ...settings,
    ...others,
    crashLoopBackOff: { ...settings.crashLoopBackOff, ...crashLoopBackOff },
    featureGates: { ...settings.featureGates, ...featureGates },
  };
}

/** What is wrong between settings that are each right, or with what is found out. */
function contradictions(settings: Settings, origins: ReadonlyMap<string, string>, host: HostFacts): Problem[] {
  const problems: Problem[] = [];
  const report = (name: keyof Settings, message: string) => problems.push({ where: origins.get(name) ?? '', message });
  const { socketPath } = toConfig(settings, host);
  const socketProblem = socketPathProblem(socketPath);
  if (socketProblem !== undefined) {
    report(
      settings.socketPath === '' ? 'runDirectory' : 'socketPath',
      `the socket's path ${socketPath} must be ${socketProblem}`,
    );
  }
  if (settings.serializeImagePulls && settings.maxParallelImagePulls > 1 && origins.has('maxParallelImagePulls')) {
    report(
      'maxParallelImagePulls',
      'maxParallelImagePulls cannot be larger than 1 unless serializeImagePulls is false',
    );
  }
  const { imageCredentialProviderConfig, imageCredentialProviderBinDir } = settings;
  if ((imageCredentialProviderConfig === '') !== (imageCredentialProviderBinDir === '')) {
    report(
      imageCredentialProviderConfig === '' ? 'imageCredentialProviderBinDir' : 'imageCredentialProviderConfig',
      'imageCredentialProviderConfig and imageCredentialProviderBinDir must be given together',
    );
  }
  if (settings.imageGCLowThresholdPercent >= settings.imageGCHighThresholdPercent) {
    report('imageGCLowThresholdPercent', 'imageGCLowThresholdPercent must be less than imageGCHighThresholdPercent');
  }
  const { imageMinimumGCAgeMs, imageMaximumGCAgeMs } = toConfig(settings, host);
  if (imageMaximumGCAgeMs > 0 && imageMaximumGCAgeMs <= imageMinimumGCAgeMs) {
    report('imageMaximumGCAge', 'imageMaximumGCAge must be 0s or longer than imageMinimumGCAge');
  }
  const { imagePullCredentialsVerificationPolicy: policy } = settings;
  if (settings.preloadedImagesVerificationAllowlist.length > 0 && policy !== 'NeverVerifyAllowlistedImages') {
    report(
      'preloadedImagesVerificationAllowlist',
      'preloadedImagesVerificationAllowlist is only for the imagePullCredentialsVerificationPolicy NeverVerifyAllowlistedImages',
    );
  }
  const { shutdownGracePeriodMs, shutdownGracePeriodCriticalPodsMs } = toConfig(settings, host);
  if (shutdownGracePeriodMs > 0 && shutdownGracePeriodMs < 1000) {
    report('shutdownGracePeriod', 'shutdownGracePeriod must be 0s or at least 1s');
  }
  if (shutdownGracePeriodCriticalPodsMs > shutdownGracePeriodMs) {
    report(
      'shutdownGracePeriodCriticalPods',
      'shutdownGracePeriodCriticalPods must not be longer than shutdownGracePeriod, which it is a part of',
    );
  }
  if (shutdownGracePeriodMs > 0 && Object.keys(settings.shutdownGracePeriodByPodPriority).length > 0) {
    const message = 'shutdownGracePeriod and shutdownGracePeriodByPodPriority cannot both be set';
    report('shutdownGracePeriodByPodPriority', message);
  }
  problems.push(...memoryQosContradictions(settings, origins));
  if (settings.stateDirectory === settings.runDirectory) {
    report('runDirectory', 'stateDirectory and runDirectory must be different directories');
  }
  if (settings.nodeName === '' && !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(nodeNameOf(settings, host))) {
    report('nodeName', `the host name ${JSON.stringify(host.hostname)} is no DNS name: set nodeName`);
  }
  return problems;
}

/** Settings of a feature that is off: somebody counts on them. */
function memoryQosContradictions(settings: Settings, origins: ReadonlyMap<string, string>): Problem[] {
  if (settings.featureGates.MemoryQoS) return [];
  const defaults = defaultSettings();
  const names = ['memoryThrottlingFactor', 'memoryReservationPolicy'] as const;
  return names
    .filter((name) => settings[name] !== defaults[name])
    .map((name) => ({ where: origins.get(name) ?? '', message: `${name} needs featureGates: {MemoryQoS: true}` }));
}

function nodeNameOf(settings: Settings, host: HostFacts): string {
  return settings.nodeName === '' ? host.hostname.trim().toLowerCase() : settings.nodeName;
}

/** PURE: without what other files say. */
export function toConfig(settings: Settings, host: HostFacts): Config {
  const {
    fileCheckFrequency,
    syncFrequency,
    runtimeRequestTimeout,
    streamingConnectionIdleTimeout,
    eventTTL,
    imageMinimumGCAge,
    imageMaximumGCAge,
    shutdownGracePeriod,
    shutdownGracePeriodCriticalPods,
    shutdownGracePeriodByPodPriority,
    ...rest
  } = settings;
  const { auditLogMaxSize, containerLogMaxSize, crashLoopBackOff, serializeImagePulls, ...others } = rest;
  const ms = (text: string) => parseDuration(text) ?? 0;
  return {
    ...others,
    nodeName: nodeNameOf(settings, host),
    fileCheckFrequencyMs: ms(fileCheckFrequency),
    syncFrequencyMs: ms(syncFrequency),
    runtimeRequestTimeoutMs: ms(runtimeRequestTimeout),
    streamingConnectionIdleTimeoutMs: ms(streamingConnectionIdleTimeout),
    eventTTLMs: ms(eventTTL),
    imageMinimumGCAgeMs: ms(imageMinimumGCAge),
    imageMaximumGCAgeMs: ms(imageMaximumGCAge),
    shutdownGracePeriodMs: ms(shutdownGracePeriod),
    shutdownGracePeriodCriticalPodsMs: ms(shutdownGracePeriodCriticalPods),
    shutdownPeriodsByPriority: Object.entries(shutdownGracePeriodByPodPriority).map(([priority, period]) => ({
      priority: Number(priority),
      periodMs: ms(period),
    })),
    maxContainerRestartPeriodMs: ms(crashLoopBackOff.maxContainerRestartPeriod),
    containerLogMaxSizeBytes: quantityNumber(containerLogMaxSize),
    credentialProviders: [],
    auditLogMaxSizeBytes: quantityNumber(auditLogMaxSize),
    maxParallelImagePulls: serializeImagePulls ? 1 : settings.maxParallelImagePulls,
    // Making a pod keeps a core busy; many more at once only make each of them slower (bench/).
    maxConcurrentPodWorkers: settings.maxConcurrentPodWorkers || Math.min(2 * host.cpuCount, 64),
    localVolumesDirectory: settings.localVolumesDirectory || join(settings.stateDirectory, 'volumes'),
    socketPath: settings.socketPath === '' ? join(settings.runDirectory, 'api.sock') : settings.socketPath,
  };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
