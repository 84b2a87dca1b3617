import { createHash, randomUUID } from 'node:crypto';
import type { EndpointSlice } from '../../api/endpoint-slice.ts';
import type { Endpoints } from '../../api/endpoints.ts';
import { endpointSliceKind, endpointsKind, namespaceKind, podKind, serviceKind } from '../../api/kinds.ts';
import { headless, type Service } from '../../api/service.ts';
import {
  ENDPOINTS_MANAGED_BY_LABEL,
  ENDPOINTS_MANAGER,
  endpointSubsets,
  HEADLESS_LABEL,
  isSliceOf,
  MANAGED_BY_LABEL,
  OVER_CAPACITY_ANNOTATION,
  SERVICE_NAME_LABEL,
  SLICE_MANAGER,
  type SliceContent,
  serviceSlices,
} from '../../api/service-endpoints.ts';
import type { Store } from '../../store/store.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/log.ts';

export interface ServiceEndpointsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Changes of so long are brought into the slices together: starting a pod changes its status a few times. */
const GATHER_MS = 20;

/** Keeps the EndpointSlices and Endpoints of services with a selector as their pods are. What somebody changes of them is brought back. */
export class ServiceEndpoints {
  readonly #options: ServiceEndpointsOptions;
  readonly #stale = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #stopWatches: (() => void)[] = [];

  constructor(options: ServiceEndpointsOptions) {
    this.#options = options;
  }

  start(): void {
    const { store } = this.#options;
    this.#stopWatches = [
      store.watch(serviceKind, {}, ({ object }) => this.#note(object.metadata.namespace)),
      store.watch(podKind, {}, ({ object }) => this.#noteIfUsed(object.metadata.namespace)),
      store.watch(endpointSliceKind, {}, ({ object }) => this.#note(object.metadata.namespace)),
    ];
  }

  stop(): void {
    for (const stop of this.#stopWatches.splice(0)) stop();
    clearTimeout(this.#timer);
  }

  #noteIfUsed(namespace: string): void {
    if (this.#options.store.list(serviceKind, { namespace }).items.length > 0) this.#note(namespace);
  }

  #note(namespace: string): void {
    this.#stale.add(namespace);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const namespaces = [...this.#stale];
      this.#stale.clear();
      for (const name of namespaces) this.#reconcile(name);
    }, GATHER_MS).unref();
  }

  #reconcile(namespace: string): void {
    const { store, logger } = this.#options;
    // Whatever goes with the namespace must not come again.
    const there = store.get(namespaceKind, undefined, namespace);
    if (!there || there.metadata.deletionTimestamp) return;
    try {
      const pods = store.list(podKind, { namespace }).items;
      const services = store.list(serviceKind, { namespace }).items;
      const selecting = new Set<string>();
      for (const service of services) {
        const wanted = serviceSlices(service, pods);
        if (!wanted) continue;
        selecting.add(service.metadata.name);
        this.#write(service, wanted);
        this.#writeEndpoints(service, wanted);
      }
      this.#removeOf(namespace, new Set(services.map(({ metadata }) => metadata.name)));
      this.#removeEndpoints(namespace, selecting);
    } catch (error) {
      // A full disk: the next change leads here again.
      logger.error({ err: error, namespace }, 'the endpoints of services could not be stored');
    }
  }

  #write(service: Service, wanted: readonly SliceContent[]): void {
    const { store } = this.#options;
    const { namespace, name } = service.metadata;
    const slices = wanted.map((content) => this.#sliceOf(service, content, wanted));
    const kept = new Set(slices.map(({ metadata }) => metadata.name));
    for (const { metadata } of this.#slicesOf(namespace, name)) {
      if (!kept.has(metadata.name)) store.delete(endpointSliceKind, namespace, metadata.name, {}, { durable: false });
    }
    for (const slice of slices) {
      if (!store.get(endpointSliceKind, namespace, slice.metadata.name)) {
        store.create(endpointSliceKind, slice, { durable: false });
        continue;
      }
      const mutate = ({ metadata }: EndpointSlice): EndpointSlice => ({
        ...slice,
        metadata: {
          ...metadata,
          labels: { ...metadata.labels, ...slice.metadata.labels },
          ownerReferences: slice.metadata.ownerReferences,
        },
      });
      store.update(endpointSliceKind, namespace, slice.metadata.name, mutate, { durable: false });
    }
  }

  #writeEndpoints(service: Service, slices: readonly SliceContent[]): void {
    const { store } = this.#options;
    const { namespace, name } = service.metadata;
    const wanted = this.#endpointsOf(service, slices);
    if (!store.get(endpointsKind, namespace, name)) {
      store.create(endpointsKind, wanted, { durable: false });
      return;
    }
    const mutate = ({ metadata: { uid, creationTimestamp } }: Endpoints): Endpoints => ({
      ...wanted,
      metadata: { ...wanted.metadata, uid, creationTimestamp },
    });
    store.update(endpointsKind, namespace, name, mutate, { durable: false });
  }

  #endpointsOf({ metadata, spec }: Service, slices: readonly SliceContent[]): Endpoints {
    const { namespace, name, labels } = metadata;
    const { subsets, isTruncated } = endpointSubsets(spec, slices);
    return {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: {
        name,
        namespace,
        uid: randomUUID(),
        creationTimestamp: this.#now(),
        labels: {
          ...labels,
          [ENDPOINTS_MANAGED_BY_LABEL]: ENDPOINTS_MANAGER,
          ...(spec.clusterIP === headless ? { [HEADLESS_LABEL]: '' } : {}),
        },
        ...(isTruncated ? { annotations: { [OVER_CAPACITY_ANNOTATION]: 'truncated' } } : {}),
      },
      ...(subsets.length > 0 ? { subsets } : {}),
    };
  }

  /** Of services that are gone, or have no selector. */
  #removeEndpoints(namespace: string, selecting: ReadonlySet<string>): void {
    const { store } = this.#options;
    for (const { metadata } of store.list(endpointsKind, { namespace }).items) {
      if (!selecting.has(metadata.name)) store.delete(endpointsKind, namespace, metadata.name, {}, { durable: false });
    }
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  /** The same content, or the same part of it, always has the same name. */
  #sliceOf(service: Service, content: SliceContent, all: readonly SliceContent[]): EndpointSlice {
    const { namespace, name, uid } = service.metadata;
    const part = all.filter(({ addressType, ports }) => addressType === content.addressType && ports === content.ports);
    const identity = JSON.stringify([uid, content.addressType, content.ports, part.indexOf(content)]);
    const suffix = createHash('sha256').update(identity).digest('hex').slice(0, 5);
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${name}-${suffix}`,
        namespace,
        uid: randomUUID(),
        creationTimestamp: this.#now(),
        labels: {
          ...service.metadata.labels,
          [SERVICE_NAME_LABEL]: name,
          [MANAGED_BY_LABEL]: SLICE_MANAGER,
          ...(service.spec.clusterIP === headless ? { [HEADLESS_LABEL]: '' } : {}),
        },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name, uid, controller: true, blockOwnerDeletion: true }],
      },
      addressType: content.addressType,
      endpoints: [...content.endpoints],
      ports: [...content.ports],
    };
  }

  #slicesOf(namespace: string, service: string): EndpointSlice[] {
    return this.#options.store.list(endpointSliceKind, { namespace, filter: (slice) => isSliceOf(service, slice) })
      .items;
  }

  /** Of services that are gone. */
  #removeOf(namespace: string, services: ReadonlySet<string>): void {
    const { store } = this.#options;
    for (const slice of store.list(endpointSliceKind, { namespace }).items) {
      const service = slice.metadata.labels?.[SERVICE_NAME_LABEL] ?? '';
      if (!isSliceOf(service, slice) || services.has(service)) continue;
      store.delete(endpointSliceKind, namespace, slice.metadata.name, {}, { durable: false });
    }
  }
}
