import { randomUUID } from 'node:crypto';
import { configMapKind, namespaceKind, serviceAccountKind } from '../../api/kinds.ts';
import type { KubeObject } from '../../api/meta.ts';
import type { Store } from '../../store/store.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/log.ts';

export const DEFAULT_ACCOUNT = 'default';
/** With it pods know the API's certificate. */
export const ROOT_CA = 'kube-root-ca.crt';

export interface NamespaceObjectsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Keeps in every namespace what Kubernetes has in every one: the service account `default`, and the ConfigMap with the
 * certificate of the API's authority. What somebody deletes or changes is brought back.
 */
export class NamespaceObjects {
  readonly #options: NamespaceObjectsOptions;
  #authority: string | undefined;
  #stopWatches: (() => void)[] = [];

  constructor(options: NamespaceObjectsOptions) {
    this.#options = options;
  }

  /** From here on each namespace has its account when a request can first use it. */
  start(): void {
    const { store } = this.#options;
    const ensure = ({ metadata }: KubeObject) => this.#ensure(metadata.namespace ?? '');
    this.#stopWatches = [
      store.watch(namespaceKind, {}, ({ type, object }) => {
        if (type === 'ADDED') this.#ensure(object.metadata.name);
      }),
      store.watch(serviceAccountKind, { filter: isNamed(DEFAULT_ACCOUNT) }, ({ object }) => ensure(object)),
      store.watch(configMapKind, { filter: isNamed(ROOT_CA) }, ({ object }) => ensure(object)),
    ];
  }

  /** @param authority PEM. */
  setAuthority(authority: string): void {
    this.#authority = authority;
    for (const { metadata } of this.#options.store.list(namespaceKind).items) this.#ensure(metadata.name);
  }

  stop(): void {
    for (const stop of this.#stopWatches.splice(0)) stop();
  }

  #ensure(namespace: string): void {
    const { store, logger } = this.#options;
    if (!store.get(namespaceKind, undefined, namespace)) return;
    try {
      if (!store.get(serviceAccountKind, namespace, DEFAULT_ACCOUNT)) {
        const metadata = this.#metadata(namespace, DEFAULT_ACCOUNT);
        store.create(serviceAccountKind, { apiVersion: 'v1', kind: 'ServiceAccount', metadata }, { durable: false });
      }
      if (this.#authority !== undefined) this.#ensureAuthority(namespace, this.#authority);
    } catch (error) {
      // A full disk: whatever happens in the namespace next leads here again.
      logger.error({ err: error, namespace }, 'a namespace lacks what every one has');
    }
  }

  #ensureAuthority(namespace: string, authority: string): void {
    const { store } = this.#options;
    const data = { 'ca.crt': authority };
    const existing = store.get(configMapKind, namespace, ROOT_CA);
    if (!existing) {
      const metadata = this.#metadata(namespace, ROOT_CA);
      store.create(configMapKind, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }, { durable: false });
    } else if (existing.data?.['ca.crt'] !== authority) {
      store.update(configMapKind, namespace, ROOT_CA, (current) => ({ ...current, data }), { durable: false });
    }
  }

  #metadata(namespace: string, name: string) {
    const creationTimestamp = new Date(this.#options.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    return { name, namespace, uid: randomUUID(), creationTimestamp };
  }
}

function isNamed(name: string): (object: KubeObject) => boolean {
  return ({ metadata }) => metadata.name === name;
}
