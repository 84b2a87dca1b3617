import { tooManyRequests } from '../../api/status-error.ts';

/** What ends by an event: a response, or the connection of a stream. */
interface Closable {
  once(event: 'close', listener: () => void): unknown;
}

/** Watches, followed logs and streams into pods: they are bounded in number, and end politely when the server does. */
export class LongRunning {
  readonly #limit: number;
  readonly #open = new Map<Closable, () => void>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#open.size;
  }

  /** @throws StatusError 429 when there are too many already. */
  add(closable: Closable, end: () => void): void {
    if (this.#open.size >= this.#limit)
      throw tooManyRequests('too many watches, followed logs and streams are open', 5);
    this.#open.set(closable, end);
    closable.once('close', () => this.#open.delete(closable));
  }

  endAll(): void {
    for (const end of this.#open.values()) end();
  }
}
