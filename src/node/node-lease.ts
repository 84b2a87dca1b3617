import { randomUUID } from 'node:crypto';
import { leaseKind } from '../api/kinds.ts';
import type { Lease } from '../api/lease.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';

export interface NodeLeaseOptions {
  readonly store: Pick<Store, 'get' | 'list' | 'create' | 'update' | 'delete'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeName: string;
  readonly nodeUid: () => string | undefined;
}

export const LEASE_NAMESPACE = 'kube-node-lease';
/** As a kubelet's nodeLeaseDurationSeconds, a quarter of which passes between two renewals. */
const LEASE_SECONDS = 40;
const RENEW_MS = 10_000;

/**
 * Renews the node's Lease, by which clients tell that the daemon is alive (k8s.io/component-helpers' lease controller). A
 * renewal need not survive a power cut, and waits for no disk.
 */
export class NodeLease {
  readonly #options: NodeLeaseOptions;
  #timer: NodeJS.Timeout | undefined;
  #renewals = 0;

  constructor(options: NodeLeaseOptions) {
    this.#options = options;
  }

  /** How often the store was written for it: that is no sign of work. */
  get renewals(): number {
    return this.#renewals;
  }

  /** Only when the namespaces of the system are there. Removes the lease of a node that was renamed. */
  start(): void {
    const { store, nodeName, logger } = this.#options;
    const ofUs = ({ metadata }: Lease) => metadata.ownerReferences?.[0]?.kind === 'Node' && metadata.name !== nodeName;
    try {
      for (const { metadata } of store.list(leaseKind, { namespace: LEASE_NAMESPACE, filter: ofUs }).items) {
        store.delete(leaseKind, LEASE_NAMESPACE, metadata.name, {}, { durable: false });
      }
    } catch (error) {
      logger.warn({ err: error }, 'the lease of a former name of the node could not be removed');
    }
    this.#renew();
    this.#timer = setInterval(() => this.#renew(), RENEW_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** A failure is made good by the next renewal. */
  #renew(): void {
    const { store, nodeName, logger } = this.#options;
    try {
      if (store.get(leaseKind, LEASE_NAMESPACE, nodeName)) {
        const renew = (current: Lease) => this.#renewed(current.metadata);
        store.update(leaseKind, LEASE_NAMESPACE, nodeName, renew, { durable: false });
      } else {
        const creationTimestamp = this.#time().replace(/\.\d+Z$/, 'Z');
        const metadata = { name: nodeName, namespace: LEASE_NAMESPACE, uid: randomUUID(), creationTimestamp };
        store.create(leaseKind, this.#renewed(metadata), { durable: false });
      }
      this.#renewals += 1;
    } catch (error) {
      logger.warn({ err: error }, "the node's lease could not be renewed");
    }
  }

  #renewed(metadata: Lease['metadata']): Lease {
    const { nodeName, nodeUid } = this.#options;
    const uid = nodeUid();
    const owner = { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: uid ?? '' };
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...metadata, ...(uid === undefined ? {} : { ownerReferences: [owner] }) },
      spec: { holderIdentity: nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime: this.#time() },
    };
  }

  /** With microseconds. */
  #time(): string {
    return new Date(this.#options.clock.now()).toISOString().replace('Z', '000Z');
  }
}
