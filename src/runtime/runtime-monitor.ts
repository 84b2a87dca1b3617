import type { Logger } from '../util/log.ts';
import type { CriClient } from './cri-client.ts';
import type { RuntimeHandler__Output } from './generated/runtime/v1/RuntimeHandler.ts';
import { RuntimeError } from './runtime-error.ts';

/** One of the runtime's own conditions, as CRI's Status call gives it. */
export interface RuntimeCondition {
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

/** What is known of the container runtime. */
export type RuntimeHealth =
  /** Not asked yet. */
  | { readonly state: 'unknown' }
  /** It does not answer. */
  | { readonly state: 'down'; readonly message: string }
  | {
      readonly state: 'up';
      /** `containerd`, `cri-o`. */
      readonly name: string;
      readonly version: string;
      readonly runtimeReady: RuntimeCondition;
      readonly networkReady: RuntimeCondition;
      readonly supplementalGroupsPolicy: boolean;
      /** By name; '' is the default one. Empty where the runtime does not tell. */
      readonly handlers: readonly RuntimeHandler[];
    };

/** What a low-level runtime such as runc can do. */
export interface RuntimeHandler {
  readonly name: string;
  readonly features: { readonly recursiveReadOnlyMounts: boolean; readonly userNamespaces: boolean };
}

/** What the handler of this name can do; nothing where that is not known. PURE. */
export function handlerFeatures(health: RuntimeHealth, name: string): RuntimeHandler['features'] {
  const handlers = health.state === 'up' ? health.handlers : [];
  const none = { recursiveReadOnlyMounts: false, userNamespaces: false };
  return handlers.find((handler) => handler.name === name)?.features ?? none;
}

/** What a runtime makes of the volumes of images: nothing, only whole ones, or also those of which a part is mounted. */
export type ImageVolumeSupport = 'none' | 'whole' | 'subPath';

/** The versions, as major and minor number, since which runtimes mount images, and parts of them. */
const imageVolumesSince: Readonly<Record<string, { whole: readonly number[]; subPath: readonly number[] }>> = {
  containerd: { whole: [2, 1], subPath: [2, 2] },
  'cri-o': { whole: [1, 31], subPath: [1, 33] },
};

/** What the runtime makes of the volumes of images. It does not tell, and ignores what it does not know. PURE. */
export function imageVolumeSupport(health: RuntimeHealth): ImageVolumeSupport {
  const since = health.state === 'up' ? imageVolumesSince[health.name] : undefined;
  const version = health.state === 'up' ? /^v?(\d+)\.(\d+)/.exec(health.version) : undefined;
  if (!since || !version) return 'none';
  const isSince = ([major = 0, minor = 0]: readonly number[]) =>
    Number(version[1]) > major || (Number(version[1]) === major && Number(version[2]) >= minor);
  if (isSince(since.subPath)) return 'subPath';
  return isSince(since.whole) ? 'whole' : 'none';
}

/** Why containers cannot be worked with at all, or undefined when they can. PURE. */
export function runtimeProblem(health: RuntimeHealth): string | undefined {
  if (health.state === 'unknown') return 'container runtime was not asked yet';
  if (health.state === 'down') return `container runtime is down: ${health.message}`;
  const { status, reason, message } = health.runtimeReady;
  return status ? undefined : `RuntimeReady=false reason:${reason} message:${message}`;
}

export function isRuntimeReady(health: RuntimeHealth): boolean {
  return runtimeProblem(health) === undefined;
}

/** Why pods with a network of their own cannot be started, or undefined when they can. PURE. */
export function networkProblem(health: RuntimeHealth): string | undefined {
  if (health.state !== 'up') return runtimeProblem(health);
  if (health.networkReady.status) return undefined;
  const { reason, message } = health.networkReady;
  return `NetworkReady=false reason:${reason} message:${message}`;
}

export interface RuntimeMonitorOptions {
  readonly client: Pick<CriClient, 'status' | 'version'>;
  readonly logger: Logger;
  /** Called after the health changed. */
  onChange(health: RuntimeHealth, before: RuntimeHealth): void;
  /** Default 5 s, as a kubelet's. */
  readonly intervalMs?: number;
}

/** A healthy runtime answers at once: one that is silent for this long is hung. */
const STATUS_TIMEOUT_MS = 4000;
/** One that is away is looked for more often: pods wait for it. */
const AWAY_INTERVAL_MS = 1000;

/** Asks the runtime for its status every few seconds, and at once when told that something is wrong. */
export class RuntimeMonitor {
  readonly #options: RuntimeMonitorOptions;
  #health: RuntimeHealth = { state: 'unknown' };
  #answeredAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;
  #stopped = false;

  constructor(options: RuntimeMonitorOptions) {
    this.#options = options;
  }

  get health(): RuntimeHealth {
    return this.#health;
  }

  /** How long ago the last check ended, whatever it found. */
  silentMs(): number {
    return performance.now() - this.#answeredAt;
  }

  /** Forgets the last answer, so that the next good one counts as a change. */
  reset(): void {
    this.#health = { state: 'unknown' };
  }

  /** Resolves after the first check, whatever it finds. */
  async start(): Promise<void> {
    await this.check();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#checking;
  }

  /** Checks now. Calls while a check is under way share it. */
  async check(): Promise<void> {
    this.#checking ??= this.#checkOnce().finally(() => {
      this.#checking = undefined;
    });
    await this.#checking;
  }

  async #checkOnce(): Promise<void> {
    clearTimeout(this.#timer);
    const health = await this.#ask();
    this.#answeredAt = performance.now();
    const before = this.#health;
    this.#health = health;
    const intervalMs = health.state === 'up' ? (this.#options.intervalMs ?? 5000) : AWAY_INTERVAL_MS;
    if (!this.#stopped) this.#timer = setTimeout(() => void this.check(), intervalMs);
    if (JSON.stringify(health) !== JSON.stringify(before)) this.#options.onChange(health, before);
  }

  async #ask(): Promise<RuntimeHealth> {
    try {
      const options = { timeoutMs: STATUS_TIMEOUT_MS };
      const status = await this.#options.client.status(options);
      // A runtime that was away may come back as another version.
      const known = this.#health.state === 'up' ? this.#health : await this.#askVersion(options);
      const conditionOf = (type: string): RuntimeCondition => {
        const found = status.status?.conditions.find((item) => item.type === type);
        return { status: found?.status ?? true, reason: found?.reason ?? '', message: found?.message ?? '' };
      };
      return {
        state: 'up',
        name: known.name,
        version: known.version,
        runtimeReady: conditionOf('RuntimeReady'),
        networkReady: conditionOf('NetworkReady'),
        supplementalGroupsPolicy: status.features?.supplementalGroupsPolicy ?? false,
        handlers: toHandlers(status.runtimeHandlers),
      };
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error;
      // gRPC's own words for this one tell times, and so would look like a change each time.
      const isSilent = error.code === 'DEADLINE_EXCEEDED';
      const message = isSilent ? `no answer within ${STATUS_TIMEOUT_MS / 1000} s` : error.details || error.code;
      return { state: 'down', message };
    }
  }

  async #askVersion(options: { timeoutMs: number }): Promise<{ name: string; version: string }> {
    const { runtimeName, runtimeVersion } = await this.#options.client.version(options);
    return { name: runtimeName, version: runtimeVersion };
  }
}

/** In an order of its own: the runtime's changes from answer to answer. */
function toHandlers(handlers: readonly RuntimeHandler__Output[]): RuntimeHandler[] {
  return handlers
    .map(({ name, features }) => ({
      name,
      features: {
        recursiveReadOnlyMounts: features?.recursiveReadOnlyMounts ?? false,
        userNamespaces: features?.userNamespaces ?? false,
      },
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
