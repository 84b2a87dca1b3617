import { existsSync, readFileSync } from 'node:fs';

export interface TimelineEvent {
  readonly container: string;
  /** What the container wrote: start, tick, term, exit, or a word of its own. */
  readonly what: string;
  /** The machine's time since boot in seconds, to a hundredth. */
  readonly uptimeSeconds: number;
}

export interface TimelineScript {
  /** Ends by itself after this many seconds; without it the container runs until it is stopped. */
  readonly exitAfterSeconds?: number;
  readonly exitCode?: number;
  /** How long it goes on after SIGTERM. */
  readonly termSeconds?: number;
  /** Where the timeline's directory is mounted in the container. */
  readonly mountPath?: string;
}

/**
 * A command for a container with a shell that writes down when it starts, gets SIGTERM, and ends. One appended line
 * per event, so the order of lines is the order of events; the containers share the file by a hostPath volume.
 */
export function timelineCommand(container: string, script: TimelineScript = {}): string[] {
  const file = `${script.mountPath ?? '/timeline'}/events`;
  const lines = [
    `log() { read up rest </proc/uptime; echo "$up ${container} $1" >>${file}; }`,
    `trap 'log term; sleep ${script.termSeconds ?? 0}; log exit; exit ${script.exitCode ?? 0}' TERM`,
    'log start',
    // A shell runs its trap only between commands, so it waits for a child instead of sleeping itself.
    `sleep ${script.exitAfterSeconds ?? 1_000_000} & wait $!`,
    'log exit',
    `exit ${script.exitCode ?? 0}`,
  ];
  return ['sh', '-c', lines.join('\n')];
}

/** What containers wrote, and the questions that tests ask of it. */
export class Timeline {
  readonly events: readonly TimelineEvent[];

  constructor(events: readonly TimelineEvent[]) {
    this.events = events;
  }

  /** @param directory the shared directory as the host sees it. */
  static read(directory: string): Timeline {
    const file = `${directory}/events`;
    if (!existsSync(file)) return new Timeline([]);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    return new Timeline(
      lines.map((line) => {
        const [uptime = '', container = '', what = ''] = line.split(' ');
        return { container, what, uptimeSeconds: Number(uptime) };
      }),
    );
  }

  /** Position of the first (or n-th) event of this kind. */
  #index(container: string, what: string, occurrence = 1): number {
    let seen = 0;
    return this.events.findIndex((event) => {
      if (event.container === container && event.what === what) seen += 1;
      return seen === occurrence;
    });
  }

  count(container: string, what: string): number {
    return this.events.filter((event) => event.container === container && event.what === what).length;
  }

  startsBefore(first: string, second: string): boolean {
    return this.#inOrder(this.#index(first, 'start'), this.#index(second, 'start'));
  }

  exitsBefore(first: string, second: string): boolean {
    return this.#inOrder(this.#index(first, 'exit'), this.#index(second, 'exit'));
  }

  /** The first has ended when the second starts. */
  exitsBeforeStart(first: string, second: string): boolean {
    return this.#inOrder(this.#index(first, 'exit'), this.#index(second, 'start'));
  }

  /** Both were running at some moment. */
  runTogether(one: string, other: string): boolean {
    const starts = Math.max(this.#index(one, 'start'), this.#index(other, 'start'));
    const ends = [this.#index(one, 'exit'), this.#index(other, 'exit')].filter((index) => index >= 0);
    return this.count(one, 'start') > 0 && this.count(other, 'start') > 0 && ends.every((end) => starts < end);
  }

  /** Seconds between two events of one container, or of two. */
  secondsBetween(from: readonly [string, string], to: readonly [string, string]): number {
    const start = this.events[this.#index(...from)];
    const end = this.events[this.#index(...to)];
    if (start === undefined || end === undefined) throw new Error(`no ${from} or no ${to} in\n${this}`);
    return end.uptimeSeconds - start.uptimeSeconds;
  }

  #inOrder(first: number, second: number): boolean {
    return first >= 0 && second >= 0 && first < second;
  }

  /** For a failing test's message. */
  toString(): string {
    const begin = this.events[0]?.uptimeSeconds ?? 0;
    return this.events
      .map(
        ({ uptimeSeconds, container, what }) =>
          `${(uptimeSeconds - begin).toFixed(2).padStart(8)} ${container} ${what}`,
      )
      .join('\n');
  }
}
