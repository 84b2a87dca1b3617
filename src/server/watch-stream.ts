import type { ServerResponse } from 'node:http';

/** A piece of the stream: bytes, or how to make them when their turn comes. */
type Piece = Buffer | (() => Buffer);

export interface WatchStreamLimits {
  /** Events and bytes that may wait for a slow reader. */
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** How long a reader may take nothing at all while something waits. */
  readonly stallMs: number;
}

export const defaultWatchStreamLimits: WatchStreamLimits = {
  maxEvents: 1_000,
  maxBytes: 1024 * 1024,
  stallMs: 60_000,
};

/**
 * Writes a watch to one client, never faster than it reads: the kernel's buffer and one event is all that is on the
 * way. The initial state waits as references to stored objects and costs nothing; of what happens meanwhile a bounded
 * number of events waits, and a client that falls behind further is cut off. It then lists anew: it loses time, others
 * lose nothing.
 */
export class WatchStream {
  readonly #response: ServerResponse;
  readonly #limits: WatchStreamLimits;
  #initial: Piece[] = [];
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #blocked = false;
  #ending = false;
  #stallTimer: NodeJS.Timeout | undefined;

  constructor(response: ServerResponse, limits: WatchStreamLimits) {
    this.#response = response;
    this.#limits = limits;
    response.on('drain', () => this.#onDrain());
    response.on('close', () => this.#stop());
  }

  /** Adds to the initial state; only before the first `send`. */
  sendInitial(piece: Piece): void {
    this.#initial.push(piece);
    this.#pump();
  }

  send(event: Buffer): void {
    if (this.#response.destroyed || this.#ending) return;
    this.#waiting.push(event);
    this.#waitingBytes += event.length;
    this.#pump();
    if (this.#waiting.length > this.#limits.maxEvents || this.#waitingBytes > this.#limits.maxBytes) this.destroy();
  }

  /** Closes once everything has been read. */
  end(): void {
    this.#ending = true;
    this.#pump();
  }

  destroy(): void {
    this.#stop();
    this.#response.destroy();
  }

  #pump(): void {
    while (!this.#blocked && !this.#response.destroyed) {
      const piece = this.#initial.shift() ?? this.#nextWaiting();
      if (piece === undefined) break;
      // `false` means: the kernel did not take it all.
      this.#blocked = !this.#response.write(typeof piece === 'function' ? piece() : piece);
    }
    if (this.#blocked) this.#stallTimer ??= setTimeout(() => this.destroy(), this.#limits.stallMs).unref();
    else if (this.#ending) this.#response.end();
  }

  #nextWaiting(): Buffer | undefined {
    const event = this.#waiting.shift();
    this.#waitingBytes -= event?.length ?? 0;
    return event;
  }

  #onDrain(): void {
    this.#blocked = false;
    clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
    this.#pump();
  }

  #stop(): void {
    clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
    this.#initial = [];
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}
