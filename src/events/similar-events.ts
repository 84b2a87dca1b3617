/** From so many different messages on, within the interval, similar events are told as one (client-go's aggregator). */
const MAX_MESSAGES = 10;
const INTERVAL_MS = 600_000;
const MAX_KEYS = 4096;

/** What all messages of similar events begin with once they are combined. */
export const COMBINED_PREFIX = '(combined from similar events): ';

interface Seen {
  readonly messages: Set<string>;
  lastMs: number;
}

/**
 * Notices when events that differ in nothing but their message come again and again: messages with a time or an id in
 * them would each be an event of its own. Bounded in keys and messages. PURE: the time is an argument.
 */
export class SimilarEvents {
  /** The one that was seen longest ago first. */
  readonly #seen = new Map<string, Seen>();

  /** Whether this event, and those like it that follow, are to be told as one. */
  isTooMany(key: string, message: string, nowMs: number): boolean {
    const known = this.#seen.get(key);
    const seen = known && nowMs - known.lastMs <= INTERVAL_MS ? known : { messages: new Set<string>(), lastMs: nowMs };
    if (seen.messages.size < MAX_MESSAGES) seen.messages.add(message);
    seen.lastMs = nowMs;
    this.#seen.delete(key);
    this.#seen.set(key, seen);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > MAX_KEYS && oldest !== undefined) this.#seen.delete(oldest);
    return seen.messages.size >= MAX_MESSAGES;
  }
}
