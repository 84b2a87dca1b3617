import type { ServerResponse } from 'node:http';
import { tooManyRequests } from '../../api/status-error.ts';

/** Watches and followed logs: they are bounded in number, and end politely when the server does. */
export class LongRunning {
  readonly #limit: number;
  readonly #open = new Map<ServerResponse, () => void>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get count(): number {
    return this.#open.size;
  }

  /** @throws StatusError 429 when there are too many already. */
  add(response: ServerResponse, end: () => void): void {
    if (this.#open.size >= this.#limit) throw tooManyRequests('too many watches and followed logs are open', 5);
    this.#open.set(response, end);
    response.once('close', () => this.#open.delete(response));
  }

  endAll(): void {
    for (const end of this.#open.values()) end();
  }
}
