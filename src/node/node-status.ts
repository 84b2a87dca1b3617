import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { KindDefinition } from '../api/kind.ts';
import type { Node } from '../api/node.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/log.ts';
import { type NodeFacts, nodeObject, type RuntimeHealth } from './node-object.ts';

/** What is asked of the store. */
export interface NodeStore {
  get(kind: KindDefinition<Node>, namespace: string | undefined, name: string): Node | undefined;
  list(kind: KindDefinition<Node>): { readonly items: readonly Node[] };
  create(kind: KindDefinition<Node>, object: Node, options?: { readonly durable?: boolean }): Node;
  update(
    kind: KindDefinition<Node>,
    namespace: string | undefined,
    name: string,
    mutate: (current: Node) => Node | undefined,
    options?: { readonly durable?: boolean },
  ): Node;
  delete(kind: KindDefinition<Node>, namespace: string | undefined, name: string): Node;
}

export interface NodeStatusManagerOptions {
  readonly store: NodeStore;
  readonly kind: KindDefinition<Node>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Tells what has happened to the node. */
  readonly onEvent: (node: Node, reason: string, message: string) => void;
  /** Everything but the runtime's health, read anew at each heartbeat: addresses and CPUs come and go. */
  readonly facts: () => Promise<Omit<NodeFacts, 'runtime'>>;
  /** How often the object is written when nothing changed. Default five minutes, as a kubelet's nodeStatusReportFrequency. */
  readonly heartbeatMs?: number;
}

const HEARTBEAT_MS = 5 * 60_000;

/** Keeps the Node object in the store: at once when the runtime's health changes, and at each heartbeat. */
export class NodeStatusManager {
  readonly #options: NodeStatusManagerOptions;
  #facts: Omit<NodeFacts, 'runtime'> | undefined;
  #runtime: RuntimeHealth = { state: 'unknown' };
  #timer: NodeJS.Timeout | undefined;

  constructor(options: NodeStatusManagerOptions) {
    this.#options = options;
  }

  /**
   * Makes or updates the Node object, and removes those of other names: the node was renamed, and nobody would tell of
   * them any more. @throws what `facts` and the store throw.
   */
  async start(): Promise<void> {
    this.#facts = await this.#options.facts();
    const { store, kind } = this.#options;
    for (const { metadata } of store.list(kind).items) {
      if (metadata.name && metadata.name !== this.#facts.name) store.delete(kind, undefined, metadata.name);
    }
    const node = this.#write(this.#facts, true);
    this.#options.onEvent(node, 'Starting', 'Starting mini-kubelet.');
    this.#timer = setInterval(() => this.#heartbeat(), this.#options.heartbeatMs ?? HEARTBEAT_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#facts = undefined;
  }

  /** To be called whenever the runtime was asked: the object is written when what it says has changed. */
  runtimeStatus(runtime: RuntimeHealth): void {
    this.#runtime = runtime;
    if (this.#facts) this.#writeOrLog(this.#facts, false);
  }

  /** Writes the object anew, when something else than the runtime's health has changed. */
  refresh(): void {
    this.#heartbeat();
  }

  #heartbeat(): void {
    this.#options.facts().then(
      (facts) => {
        // Stopped meanwhile.
        if (this.#timer === undefined) return;
        this.#facts = facts;
        this.#writeOrLog(facts, true);
      },
      (err: unknown) => this.#options.logger.error({ err }, 'the node could not be examined'),
    );
  }

  /** The next change or heartbeat tries again. */
  #writeOrLog(facts: Omit<NodeFacts, 'runtime'>, heartbeat: boolean): void {
    try {
      this.#write(facts, heartbeat);
    } catch (err) {
      this.#options.logger.error({ err }, 'the node object could not be stored');
    }
  }

  #write(facts: Omit<NodeFacts, 'runtime'>, heartbeat: boolean): Node {
    const { store, kind, clock } = this.#options;
    const current = { ...facts, runtime: this.#runtime };
    const now = clock.now();
    // The object can be made again from what is observed, so it need not survive a power cut.
    const options = { durable: false };
    const before = store.get(kind, undefined, facts.name);
    if (before === undefined) return store.create(kind, nodeObject(undefined, current, randomUUID(), now), options);
    const mutate = (stored: Node) => {
      const next = nodeObject(stored, current, stored.metadata.uid ?? '', now);
      return heartbeat || !sameButForHeartbeat(stored, next) ? next : undefined;
    };
    const node = store.update(kind, undefined, facts.name, mutate, options);
    this.#tellReadiness(before, node);
    return node;
  }

  /** That a runtime was not asked yet is no news: the start is told of already. */
  #tellReadiness(before: Node, node: Node): void {
    if (isReady(before) === isReady(node) || this.#runtime.state === 'unknown') return;
    const reason = isReady(node) ? 'NodeReady' : 'NodeNotReady';
    this.#options.onEvent(node, reason, `Node ${node.metadata.name} status is now: ${reason}`);
  }
}

function isReady({ status }: Node): boolean {
  return status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
}

function sameButForHeartbeat(a: Node, b: Node): boolean {
  return isDeepStrictEqual(withoutHeartbeat(a), withoutHeartbeat(b));
}

function withoutHeartbeat(node: Node): unknown {
  const conditions = node.status?.conditions?.map((condition) => ({ ...condition, lastHeartbeatTime: undefined }));
  return { ...node, status: { ...node.status, conditions } };
}
