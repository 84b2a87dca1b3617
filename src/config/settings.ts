import { type Static, Type } from 'typebox';

/** A machine that is to go down does so within a day. */
const MAX_SHUTDOWN_MS = 24 * 3_600_000;

/**
 * Every setting, once: from this table come the types, the check of the configuration file, the flags, `--help` and
 * `config print`. Names are those of KubeletConfiguration (kubelet.config.k8s.io/v1beta1) where the meaning is the same.
 *
 * Beside JSON Schema a setting has
 * - `default`: what holds when nobody says anything; an empty text or 0 may mean "found out at start";
 * - `format`: see formats.ts;
 * - `flag`: the flag's name where it is not the setting's own name in kebab-case.
 */
export const settingsSchema = Type.Object(
  {
    nodeName: text('', 'name', 'name of the node; empty: the host name'),
    nodeLabels: map({}, 'label', 'labels of the node'),
    staticPodPath: text(
      '/etc/mini-kubelet/manifests',
      'path-or-empty',
      'directory of static pod manifests; empty: none',
    ),
    fileCheckFrequency: text(
      '20s',
      'duration',
      'how often the directory is read even if nothing seems to have changed',
      {
        minimumMs: 1000,
      },
    ),
    syncFrequency: text(
      '1m',
      'duration',
      'how often each pod is compared with what runs even if nothing seems to have changed',
      {
        minimumMs: 1000,
      },
    ),

    containerRuntimeEndpoint: text(
      'unix:///run/containerd/containerd.sock',
      'unix-endpoint',
      'socket of the container runtime (CRI v1)',
    ),
    imageServiceEndpoint: text('', 'unix-endpoint-or-empty', 'socket of the image service; empty: the runtime'),
    runtimeRequestTimeout: text('2m', 'duration', 'deadline of a call to the runtime', { minimumMs: 1000 }),
    serializeImagePulls: bool(false, 'pull one image at a time'),
    maxParallelImagePulls: integer(5, 1, 1000, 'how many images may be pulled at once'),
    imageGCHighThresholdPercent: integer(
      85,
      0,
      100,
      'usage of the disk from which on unused images are removed; 100: never',
    ),
    imageGCLowThresholdPercent: integer(80, 0, 100, 'usage of the disk down to which they are'),
    imageMinimumGCAge: text('2m', 'duration', 'how long an image stays at least'),
    imageMaximumGCAge: text('0s', 'duration', 'how long an image stays that nothing uses; 0s: for ever'),
    registryPullQPS: integer(5, 0, 100_000, 'how many pulls may begin in a second; 0: any number'),
    registryBurst: integer(10, 1, 100_000, 'how many may begin at once before that counts'),
    dockerConfigPaths: list(
      ['/var/lib/mini-kubelet/config.json', '/root/.docker/config.json', '/.docker/config.json'],
      'path',
      'Docker configurations with credentials for every pod of the node; the first that is there counts',
    ),
    imageCredentialProviderConfig: text(
      '',
      'path-or-empty',
      'file that names the programs which know credentials (CredentialProviderConfig); empty: none',
    ),
    imageCredentialProviderBinDir: text('', 'path-or-empty', 'directory of those programs'),
    imagePullCredentialsVerificationPolicy: oneOf(
      'NeverVerifyPreloadedImages',
      ['NeverVerify', 'NeverVerifyPreloadedImages', 'NeverVerifyAllowlistedImages', 'AlwaysVerify'],
      'which images that are there a pod may only use with a credential that they could be pulled with',
    ),
    preloadedImagesVerificationAllowlist: list(
      [],
      'image-pattern',
      'images that NeverVerifyAllowlistedImages lets every pod use: repositories, or beginnings of them as registry.test/team/*',
    ),
    maxConcurrentPodWorkers: integer(
      0,
      0,
      1000,
      'how many pods may be started or stopped at once; 0: by the number of CPUs',
    ),
    crashLoopBackOff: Type.Object({
      maxContainerRestartPeriod: text('5m', 'duration', 'longest wait before a container is started again', {
        minimumMs: 1000,
        maximumMs: 300_000,
        flag: 'max-container-restart-period',
      }),
    }),

    shutdownGracePeriod: text(
      '0s',
      'duration',
      'how long a shutdown of the machine waits for pods to end, by systemd-logind; 0s: it ends them as it likes',
      { maximumMs: MAX_SHUTDOWN_MS },
    ),
    shutdownGracePeriodCriticalPods: text('0s', 'duration', 'the last part of it, which only critical pods have', {
      maximumMs: MAX_SHUTDOWN_MS,
    }),

    shutdownGracePeriodByPodPriority: map(
      {},
      'priority-period',
      'instead of both: how long the shutdown waits for pods of a priority, the least one first',
    ),

    maxPods: integer(110, 1, 100_000, 'how many pods the node takes'),
    podPidsLimit: integer(1024, -1, 2 ** 31 - 1, 'processes per pod; -1: no limit'),
    cgroupDriver: oneOf('auto', ['auto', 'cgroupfs', 'systemd'], 'who makes cgroups; must be what the runtime uses'),
    cgroupRoot: text('', 'cgroup', 'the cgroup that holds all pods; empty: the top'),
    kubeReserved: map({}, 'reserved', 'resources kept from pods for the daemon and the runtime'),
    systemReserved: map({}, 'reserved', 'resources kept from pods for the rest of the system'),
    evictionHard: map(
      { 'memory.available': '100Mi', 'nodefs.available': '10%' },
      'eviction-signal',
      'resources kept from pods so that the node never runs out of them',
    ),
    allowedUnsafeSysctls: list(
      [],
      'sysctl-pattern',
      'sysctls that pods may set besides the safe ones, as names or as beginnings with *',
    ),
    featureGates: Type.Object({
      MemoryQoS: bool(
        false,
        'on cgroup v2, throttle what uses more memory than it requested, by the two settings that follow',
        { flag: 'memory-qos' },
      ),
    }),
    memoryThrottlingFactor: number(
      0.9,
      { above: 0, maximum: 1 },
      'with MemoryQoS: how much of what lies between request and limit can be used at full speed',
    ),
    memoryReservationPolicy: oneOf(
      'None',
      ['None', 'TieredReservation'],
      'with MemoryQoS: whether memory that was requested is kept from being reclaimed',
    ),
    seccompDefault: bool(true, "the runtime's default seccomp profile for every container that names no other"),

    clusterDNS: list([], 'ip', 'name servers for pods with dnsPolicy ClusterFirst'),
    clusterDomain: text('', 'dns-name-or-empty', 'domain added to the search paths of those pods'),
    serviceCIDR: text(
      '',
      'cidr-or-empty',
      'range of the addresses of Services, for whoever forwards them; empty: Services are headless',
    ),
    resolvConf: text('/etc/resolv.conf', 'path-or-empty', "the host's resolver configuration, for pods; empty: none"),

    podLogsDir: text('/var/log/pods', 'path', 'container logs'),
    containerLogLinksDirectory: text(
      '/var/log/containers',
      'path-or-empty',
      'links to the container logs; empty: none',
    ),
    containerLogMaxSize: text('10Mi', 'size', 'size at which a container log is rotated'),
    containerLogMaxFiles: integer(5, 2, 1000, 'log files kept of each container'),

    enableServer: bool(true, 'serve the API on TCP as well; the unix socket is always served'),
    address: text('127.0.0.1', 'ip', 'IP address of the API on TCP (TLS, with credentials only)'),
    port: integer(10250, 0, 65_535, 'port of the API on TCP; 0: none'),
    streamingConnectionIdleTimeout: text(
      '4h',
      'duration',
      'how long an exec, attach or port-forward may be without data before it is ended',
      { minimumMs: 1000 },
    ),
    automountServiceAccountToken: bool(
      false,
      'mount the token of their account into pods that do not say whether, nor does their account',
    ),
    auditLogPath: text('', 'path-or-empty', 'file in which requests are noted, one JSON object a line; empty: none'),
    auditLogMaxSize: text('100Mi', 'size', 'size at which that file is rotated'),
    auditLogMaxFiles: integer(10, 2, 1000, 'files kept of it'),
    eventTTL: text('1h', 'duration', 'how long events are kept', { minimumMs: 1000 }),

    localVolumesDirectory: text(
      '',
      'path-or-empty',
      'where volumes for claims are made; empty: volumes in the state directory',
    ),
    stateDirectory: text('/var/lib/mini-kubelet', 'path', 'objects, volumes, keys', { flag: 'state-dir' }),
    runDirectory: text('/run/mini-kubelet', 'path', 'socket and other files until the next boot', { flag: 'run-dir' }),
    socketPath: text('', 'path-or-empty', 'unix socket of the API; empty: api.sock in the run directory', {
      flag: 'socket',
    }),
    kubeconfigPath: text(
      '/etc/mini-kubelet/admin.kubeconfig',
      'path',
      "the administrator's kubeconfig, written at first start",
      {
        flag: 'kubeconfig',
      },
    ),
    logLevel: oneOf(
      'info',
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
      'least severe messages that are logged',
    ),
  },
  { additionalProperties: false },
);

/** All settings as they are written in a file, with nothing left out. */
export type Settings = Static<typeof settingsSchema>;

/** What the check and the flags see of a setting. */
export interface SettingSchema {
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';
  readonly description?: string;
  readonly default?: unknown;
  readonly format?: string;
  readonly flag?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minimumMs?: number;
  readonly maximumMs?: number;
  /** Of an object with fixed names. Without it an object is a map of texts. */
  readonly properties?: Readonly<Record<string, SettingSchema>>;
}

interface TextOptions {
  readonly flag?: string;
  readonly minimumMs?: number;
  readonly maximumMs?: number;
}

function text(fallback: string, format: string, description: string, options: TextOptions = {}) {
  return Type.String({ default: fallback, format, description, ...options });
}

function oneOf<const V extends readonly string[]>(fallback: V[number], values: V, description: string) {
  return Type.Unsafe<V[number]>({ type: 'string', default: fallback, enum: values, description });
}

function integer(fallback: number, minimum: number, maximum: number, description: string) {
  return Type.Integer({ default: fallback, minimum, maximum, description });
}

function number(fallback: number, { above, maximum }: { above: number; maximum: number }, description: string) {
  return Type.Number({ default: fallback, exclusiveMinimum: above, maximum, description });
}

function bool(fallback: boolean, description: string, options: Pick<TextOptions, 'flag'> = {}) {
  return Type.Boolean({ default: fallback, description, ...options });
}

function list(fallback: readonly string[], format: string, description: string) {
  return Type.Unsafe<string[]>({ type: 'array', default: fallback, format, description });
}

function map(fallback: Readonly<Record<string, string>>, format: string, description: string) {
  return Type.Unsafe<Record<string, string>>({ type: 'object', default: fallback, format, description });
}

/** The settings at the top, in the order in which they are shown. */
export const settingsTable: Readonly<Record<string, SettingSchema>> = settingsSchema.properties as unknown as Record<
  string,
  SettingSchema
>;

/** Every setting with a value of its own, by its path: `['crashLoopBackOff', 'maxContainerRestartPeriod']`. */
export function settingPaths(
  properties: Readonly<Record<string, SettingSchema>> = settingsTable,
): { path: readonly string[]; schema: SettingSchema }[] {
  return Object.entries(properties).flatMap(([name, schema]) =>
    schema.properties === undefined
      ? [{ path: [name], schema }]
      : settingPaths(schema.properties).map((inner) => ({ path: [name, ...inner.path], schema: inner.schema })),
  );
}

/** The settings when nobody says anything. */
export function defaultSettings(): Settings {
  const settings: Record<string, unknown> = {};
  for (const { path, schema } of settingPaths()) setAt(settings, path, structuredClone(schema.default));
  return settings as Settings;
}

/** Sets a value in a tree of plain objects, whose missing branches it makes. */
export function setAt(tree: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path;
  if (name === undefined) return;
  if (rest.length === 0) {
    tree[name] = value;
    return;
  }
  const branch = (tree[name] ?? {}) as Record<string, unknown>;
  tree[name] = branch;
  setAt(branch, rest, value);
}
