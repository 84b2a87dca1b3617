export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** One change of one object, as JSON: a fraction of the memory that parsed objects of past versions would hold. */
export interface PastChange {
  readonly resourceVersion: number;
  /** Of the object, among those of its kind. */
  readonly key: string;
  readonly type: ChangeType;
  readonly body: string;
  readonly previousBody: string | undefined;
}

export interface HistoryLimits {
  readonly maxChanges: number;
  /** Of `body`, in UTF-16 units. `previousBody` is normally the `body` of an earlier change and costs nothing more. */
  readonly maxLength: number;
}

/** The latest changes of one kind: a watch that broke off goes on where it was, and a list shows an earlier state. */
export class ChangeHistory {
  readonly #limits: HistoryLimits;
  #changes: PastChange[] = [];
  #start = 0;
  #length = 0;
  #forgottenUpTo: number;

  /** @param resourceVersion what happened up to here (before the start of the daemon) is not known. */
  constructor(resourceVersion: number, limits: HistoryLimits) {
    this.#forgottenUpTo = resourceVersion;
    this.#limits = limits;
  }

  /** The lowest resourceVersion from which `since` can go on. */
  get oldest(): number {
    return this.#forgottenUpTo;
  }

  add(change: PastChange): void {
    this.#changes.push(change);
    this.#length += change.body.length;
    while (this.#size > this.#limits.maxChanges || (this.#length > this.#limits.maxLength && this.#size > 1)) {
      this.#forgetFirst();
    }
  }

  /** Every change after the given resourceVersion, or undefined when some of them are forgotten. */
  since(resourceVersion: number): readonly PastChange[] | undefined {
    if (resourceVersion < this.#forgottenUpTo) return undefined;
    return this.#changes.slice(this.#start).filter((change) => change.resourceVersion > resourceVersion);
  }

  /**
   * The bodies that objects had at the given resourceVersion, by key, of those that changed after it; undefined for one
   * that was not there. Undefined as a whole when some of the changes are forgotten.
   */
  bodiesAt(resourceVersion: number): ReadonlyMap<string, string | undefined> | undefined {
    const changes = this.since(resourceVersion);
    if (!changes) return undefined;
    const bodies = new Map<string, string | undefined>();
    for (const { key, previousBody } of changes) if (!bodies.has(key)) bodies.set(key, previousBody);
    return bodies;
  }

  get #size(): number {
    return this.#changes.length - this.#start;
  }

  #forgetFirst(): void {
    const first = this.#changes[this.#start];
    if (!first) return;
    this.#forgottenUpTo = first.resourceVersion;
    this.#length -= first.body.length;
    this.#start += 1;
    if (this.#start > 1_000 && this.#start * 2 > this.#changes.length) {
      this.#changes = this.#changes.slice(this.#start);
      this.#start = 0;
    }
  }
}
