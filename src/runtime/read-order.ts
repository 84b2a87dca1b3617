interface Reads {
  /** How many were begun since the last time that none was under way. */
  begun: number;
  underWay: number;
  /** Number of the latest one whose answer counted. */
  answered: number;
}

/**
 * Sees to it that of several reads of one thing no answer counts that was overtaken: it may be older than what is known
 * by now, and would bring back what is gone.
 */
export class ReadOrder {
  readonly #reads = new Map<string, Reads>();

  /** The answer of `read`, or `overtaken` when one that was begun later has answered before. @throws what `read` throws. */
  async latest<T>(id: string, read: () => Promise<T>): Promise<{ readonly value: T } | 'overtaken'> {
    const reads = this.#reads.get(id) ?? { begun: 0, underWay: 0, answered: 0 };
    this.#reads.set(id, reads);
    reads.begun += 1;
    reads.underWay += 1;
    const number = reads.begun;
    try {
      const value = await read();
      if (number < reads.answered) return 'overtaken';
      reads.answered = number;
      return { value };
    } finally {
      reads.underWay -= 1;
      if (reads.underWay === 0) this.#reads.delete(id);
    }
  }
}
