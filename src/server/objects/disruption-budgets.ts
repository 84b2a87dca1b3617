import { isDeepStrictEqual } from 'node:util';
import { budgetStatus, isBudgetOf } from '../../api/disruption.ts';
import { podDisruptionBudgetKind, podKind } from '../../api/kinds.ts';
import type { Store } from '../../store/store.ts';
import type { Clock } from '../../util/clock.ts';
import type { Logger } from '../../util/log.ts';

export interface DisruptionBudgetsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Keeps the status of PodDisruptionBudgets, for those who read it: evictions are decided from the pods themselves. */
export class DisruptionBudgets {
  readonly #options: DisruptionBudgetsOptions;
  /** Namespaces in which something has changed. */
  readonly #changed = new Set<string>();
  #isDue: NodeJS.Immediate | undefined;
  #stopWatches: (() => void)[] = [];

  constructor(options: DisruptionBudgetsOptions) {
    this.#options = options;
  }

  start(): void {
    const { store } = this.#options;
    const changed = ({ object }: { object: { metadata: { namespace?: string } } }) =>
      this.#note(object.metadata.namespace ?? '');
    this.#stopWatches = [store.watch(podDisruptionBudgetKind, {}, changed), store.watch(podKind, {}, changed)];
  }

  stop(): void {
    for (const stop of this.#stopWatches.splice(0)) stop();
    clearImmediate(this.#isDue);
  }

  /** Many changes at once are one. */
  #note(namespace: string): void {
    this.#changed.add(namespace);
    this.#isDue ??= setImmediate(() => {
      this.#isDue = undefined;
      const namespaces = [...this.#changed];
      this.#changed.clear();
      for (const changed of namespaces) this.#update(changed);
    });
  }

  #update(namespace: string): void {
    const { store, clock, logger } = this.#options;
    const budgets = store.list(podDisruptionBudgetKind, { namespace }).items;
    if (budgets.length === 0) return;
    const pods = store.list(podKind, { namespace }).items;
    const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    for (const { metadata } of budgets) {
      try {
        store.update(
          podDisruptionBudgetKind,
          namespace,
          metadata.name,
          (budget) => {
            const selected = pods.filter((pod) => isBudgetOf(budget, pod));
            const status = { ...budget.status, ...budgetStatus(budget, selected, now) };
            return isDeepStrictEqual(status, budget.status) ? undefined : { ...budget, status };
          },
          { durable: false },
        );
      } catch (error) {
        logger.error({ err: error, namespace, budget: metadata.name }, 'the status of a budget could not be stored');
      }
    }
  }
}
