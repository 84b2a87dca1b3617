import type { CgroupManager } from '../cgroups/cgroup-manager.ts';
import type { ContainerNode } from '../cgroups/container-resources.ts';
import type { EventRecorder } from '../events/recorder.ts';
import type { HookRunner } from '../hooks/hook-runner.ts';
import type { ImageManager } from '../images/image-manager.ts';
import type { HostResolvConf } from '../network/dns.ts';
import type { ProbeManager } from '../probes/probe-manager.ts';
import type { CriClient } from '../runtime/cri-client.ts';
import type { PodCache } from '../runtime/pod-cache.ts';
import type { RuntimeMonitor } from '../runtime/runtime-monitor.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { ClockSteps } from '../util/clock-steps.ts';
import type { Logger } from '../util/log.ts';
import type { Semaphore } from '../util/semaphore.ts';
import type { VolumeManager } from '../volumes/volume-manager.ts';
import type { PodStartMetrics } from './pod-start-metrics.ts';

/** What is the same for all pods of this node. */
export interface PodSettings {
  readonly instance: string;
  readonly nodeName: string;
  /** `/var/log/pods`. */
  readonly logDirectory: string;
  /** `/var/log/containers`. */
  readonly logLinksDirectory: string;
  readonly clusterDNS: readonly string[];
  readonly clusterDomain: string;
  readonly maxRestartDelaySeconds: number;
  readonly maskedPaths: readonly string[];
  /** Seccomp profiles of type Localhost: `/var/lib/mini-kubelet/seccomp`. */
  readonly seccompDirectory: string;
  readonly defaultSeccomp: 'RuntimeDefault' | 'Unconfined';
  /** The node's allocatable, as quantities. */
  readonly allocatable: Readonly<Record<string, string>>;
  /** At most one of each family, the primary one first. */
  hostIPs(): readonly string[];
  hostResolvConf(): Promise<HostResolvConf | undefined>;
  hostHostsFile(): Promise<string>;
  containerNode(): ContainerNode;
}

/** The parts of the daemon that pods are made with. */
export interface PodServices {
  readonly client: CriClient;
  readonly cache: PodCache;
  readonly monitor: RuntimeMonitor;
  readonly images: ImageManager;
  readonly hooks: HookRunner;
  readonly volumes: VolumeManager;
  readonly cgroups: CgroupManager;
  readonly recorder: EventRecorder;
  readonly probes: ProbeManager;
  readonly store: Store;
  readonly clock: Clock;
  readonly clockSteps: ClockSteps;
  readonly logger: Logger;
  readonly startMetrics: Pick<PodStartMetrics, 'passed'>;
  /** Bounds how many pods are made or removed at once. */
  readonly runtimeWork: Semaphore;
  /** Bounds how many sandboxes with a network are made at once. */
  readonly sandboxes: Semaphore;
  readonly settings: PodSettings;
}
