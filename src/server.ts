import { join } from 'node:path';
import type { Registry } from 'prom-client';
import packageJson from '../package.json' with { type: 'json' };
import type { Decoder } from './api/decode/decode.ts';
import { kindsFor } from './api/kinds.ts';
import type { PodKindOptions } from './api/pod-kind.ts';
import type { Config } from './config/config.ts';
import { maskedSettings } from './config/masked-settings.ts';
import type { Settings } from './config/settings.ts';
import type { Machine } from './machine.ts';
import type { PodApi } from './pod/pod-api.ts';
import type { ProbeMetrics } from './probes/metrics.ts';
import { ApiServer, type ApiServerConfig } from './server/api-server.ts';
import type { HealthCheck } from './server/http/health-routes.ts';
import type { UsageSource } from './server/http/kubelet-routes.ts';
import type { Store } from './store/store.ts';
import type { ServiceAccountTokens } from './tokens/service-account-tokens.ts';
import { systemClock } from './util/clock.ts';
import type { Logger } from './util/log.ts';

/** The parts of the daemon that the API shows or works through. */
export interface ServerParts {
  readonly config: Config;
  /** The settings in force, as they could stand in a file: told at `/configz`. */
  readonly settings: Settings | undefined;
  readonly logger: Logger;
  readonly store: Store;
  readonly decoder: Decoder;
  readonly podApi: PodApi;
  readonly podOptions: PodKindOptions;
  readonly tokens: ServiceAccountTokens;
  readonly machine: Machine;
  readonly hostIPs: () => readonly string[];
  readonly usage: UsageSource;
  readonly registry: Registry;
  readonly probeMetrics: ProbeMetrics;
  readonly health: () => HealthCheck[];
  readonly isHealthy: () => boolean;
  readonly onCertificateProblem: (message: string) => void;
}

/** For each listener: together less than half of the file descriptors that the service has. */
const MAX_CONNECTIONS = 4096;

/** Builds what serves the API, on the socket and by TLS. No logic. */
export function createServer(parts: ServerParts): ApiServer {
  const { config, hostIPs } = parts;
  return new ApiServer({
    registry: parts.registry,
    config: serverConfig(config, hostIPs()),
    store: parts.store,
    decoder: parts.decoder,
    kinds: kindsFor(parts.podOptions),
    podOperations: parts.podApi,
    tokens: parts.tokens,
    kubelet: {
      usage: parts.usage,
      cpuCount: parts.machine.capacity.cpuCount,
      settings: maskedSettings(parts.settings ?? {}),
      syncLoopProblem: () => (parts.isHealthy() ? undefined : 'the runtime was not asked for a long time'),
    },
    health: parts.health,
    onCertificateProblem: parts.onCertificateProblem,
    probeMetrics: parts.probeMetrics.registry,
    nodeName: config.nodeName,
    serviceNetwork: () => ({
      cidr: config.serviceCIDR,
      family: hostIPs()[0]?.includes(':') ? 'IPv6' : 'IPv4',
    }),
    version: packageJson.version,
    logger: parts.logger,
    clock: systemClock,
  });
}

function serverConfig(config: Config, hostIPs: readonly string[]): ApiServerConfig {
  const { stateDirectory, kubeconfigPath, socketPath, enableServer, address, port } = config;
  // Who listens on all addresses is asked for by any of them.
  const extraNames = ['0.0.0.0', '::'].includes(address) ? hostIPs : [];
  const tls = { host: address, port, pkiDirectory: join(stateDirectory, 'pki'), kubeconfigPath, extraNames };
  return {
    socketPath,
    tls: enableServer && port > 0 ? tls : undefined,
    streamIdleTimeoutMs: config.streamingConnectionIdleTimeoutMs,
    audit: auditConfig(config),
    automountServiceAccountToken: config.automountServiceAccountToken,
    maxConnections: MAX_CONNECTIONS,
  };
}

function auditConfig(config: Config): ApiServerConfig['audit'] {
  const { auditLogPath: path, auditLogMaxSizeBytes: maxBytes, auditLogMaxFiles: maxFiles } = config;
  return path === '' ? undefined : { path, maxBytes, maxFiles };
}
