import type { Pod } from '../src/api/pod.ts';
import { isReady } from '../test/integration/support/api-client.ts';
import type { DaemonFixture } from '../test/integration/support/daemon.ts';
import { podManifest } from '../test/integration/support/pods.ts';
import { concurrently } from './measure.ts';

const pods = '/api/v1/namespaces/default/pods';

/** Creates pods by the API and sees on one watch when they are ready, as any client would. */
export class DaemonPods {
  readonly #daemon: DaemonFixture;
  readonly #stop = new AbortController();
  readonly #waiting = new Map<
    string,
    { readonly predicate: (pod: Pod | undefined) => boolean; readonly done: () => void }
  >();
  #watching: Promise<void> | undefined;

  constructor(daemon: DaemonFixture) {
    this.#daemon = daemon;
  }

  async watch(): Promise<void> {
    const { metadata } = await this.#daemon.api.expectOk<{ metadata: { resourceVersion: string } }>('GET', pods);
    this.#watching = this.#readEvents(`${pods}?watch=true&resourceVersion=${metadata.resourceVersion}`);
  }

  async #readEvents(path: string): Promise<void> {
    try {
      for await (const { type, object } of this.#daemon.api.watch<Pod>(path, this.#stop.signal)) {
        if (type === 'ERROR') throw new Error(`the watch failed: ${JSON.stringify(object)}`);
        if (type === 'BOOKMARK') continue;
        const waiting = this.#waiting.get(object.metadata.name);
        if (waiting?.predicate(type === 'DELETED' ? undefined : object)) {
          this.#waiting.delete(object.metadata.name);
          waiting.done();
        }
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    }
  }

  /** Resolves at the event that makes the predicate true; undefined stands for a deleted pod. */
  #seen(name: string, predicate: (pod: Pod | undefined) => boolean): Promise<void> {
    return new Promise((done) => this.#waiting.set(name, { predicate, done }));
  }

  /** From the POST until the pod is seen ready. */
  async start(name: string, restartPolicy: 'Always' | 'Never' = 'Always'): Promise<void> {
    const ready = this.#seen(name, isReady);
    await this.#daemon.createPod(podManifest(name, { restartPolicy, terminationGracePeriodSeconds: 1 }));
    await ready;
  }

  async remove(name: string): Promise<void> {
    const gone = this.#seen(name, (pod) => pod === undefined);
    await this.#daemon.api.expectOk('DELETE', `${pods}/${name}?gracePeriodSeconds=0`);
    await gone;
  }

  async removeAll(names: readonly string[]): Promise<void> {
    await concurrently(names, names.length, (name) => this.remove(name));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }
}
