import { hostname } from 'node:os';
import packageJson from '../package.json' with { type: 'json' };
import { nodeKind } from './api/kinds.ts';
import type { Config } from './config/config.ts';
import type { EventRecorder } from './events/recorder.ts';
import type { Machine } from './machine.ts';
import { readHostIPs } from './node/host-ip.ts';
import { NodeLease } from './node/node-lease.ts';
import { NodeStatusManager } from './node/node-status.ts';
import type { Store } from './store/store.ts';
import { systemClock } from './util/clock.ts';
import type { Logger } from './util/log.ts';

/** The parts of the daemon that its node is told from. */
export interface NodeParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly store: Store;
  readonly recorder: EventRecorder;
  /** Asked for when the status is started, not before. */
  readonly machine: () => Machine;
  readonly isShuttingDown: () => boolean;
}

/** The node that the daemon is. */
export interface OwnNode {
  readonly status: NodeStatusManager;
  /** To be started after the namespaces of the system are there. */
  readonly lease: NodeLease;
  /** They come and go: read anew with every heartbeat of the node. */
  readonly hostIPs: readonly string[];
  /** Those of its object, which users may change. */
  readonly labels: Readonly<Record<string, string>>;
  /** Shows as an event of the node what is wrong with something that has no object of its own. */
  warn(reason: string, message: string, fieldPath: string): void;
}

/** Builds what keeps the node's object and lease. No logic. */
export function createNode(parts: NodeParts): OwnNode {
  const { config, logger, store, recorder } = parts;
  const { nodeName } = config;
  let hostIPs: readonly string[] = [];
  const object = () => store.get(nodeKind, undefined, nodeName);
  const status = new NodeStatusManager({
    store,
    kind: nodeKind,
    clock: systemClock,
    logger,
    facts: async () => {
      hostIPs = await readHostIPs();
      return nodeFacts(parts, hostIPs);
    },
    onEvent: (node, reason, message) => recorder.event(node, 'Normal', reason, message),
  });
  const lease = new NodeLease({
    store,
    clock: systemClock,
    logger,
    nodeName,
    nodeUid: () => object()?.metadata.uid,
  });
  return {
    status,
    lease,
    get hostIPs() {
      return hostIPs;
    },
    get labels() {
      return object()?.metadata.labels ?? {};
    },
    warn: (reason, message, fieldPath) => {
      const node = object();
      if (node) recorder.event(node, 'Warning', reason, message, fieldPath);
    },
  };
}

function nodeFacts(parts: NodeParts, hostIPs: readonly string[]) {
  const machine = parts.machine();
  const { nodeName, nodeLabels, enableServer, port } = parts.config;
  return {
    name: nodeName,
    hostname: hostname(),
    hostIPs,
    labels: nodeLabels,
    taints: [],
    resources: machine.resources,
    machine: machine.info,
    swapBytes: machine.capacity.swapBytes,
    version: `v${packageJson.version}`,
    isShuttingDown: parts.isShuttingDown(),
    ...(enableServer && port > 0 ? { apiPort: port } : {}),
  };
}
