import type { SpdyConnection, SpdyStream } from '../../spdy/connection.ts';
import { RESET } from '../../spdy/frames.ts';
import type { Headers } from '../../spdy/header-block.ts';
import {
  type ChannelName,
  type ClientEvents,
  channelHeaders,
  failureText,
  passOn,
  type StreamClient,
} from './stream-client.ts';

/** What becomes of a stream that a client opens. */
export type StreamVerdict =
  /** A stream with these headers is opened to the runtime and both are joined. */
  | { readonly kind: 'pass'; readonly headers: Headers }
  /** The runtime waits for no such stream: it is as if it were empty. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'refuse' };

/** Judges streams in the order in which they are opened. */
export interface StreamRules {
  judge(headers: Headers): StreamVerdict;
  /** Whether these headers are those of the one stream that tells how it went. */
  isOutcome(headers: Headers): boolean;
}

/** A client that speaks SPDY itself: its streams and the runtime's are joined pair by pair. */
export class SpdyClient implements StreamClient {
  readonly #connection: SpdyConnection;
  readonly #rules: StreamRules;
  #outcome: SpdyStream | undefined;
  #isOutcomeTold = false;

  constructor(connection: SpdyConnection, rules: StreamRules) {
    this.#connection = connection;
    this.#rules = rules;
  }

  start(runtime: SpdyConnection, events: ClientEvents): void {
    this.#connection.start({
      onStream: (stream) => this.#opened(stream, runtime, events.onActivity),
      onDrain: () => runtime.resume(),
      onEnd: () => events.onGone(),
      onClose: () => events.onGone(),
    });
  }

  resume(): void {
    this.#connection.resume();
  }

  finish(reason: string): void {
    if (this.#outcome && !this.#isOutcomeTold) {
      this.#outcome.write(failureText(reason));
      this.#outcome.end();
    }
    this.#connection.end();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  #opened(stream: SpdyStream, runtime: SpdyConnection, onActivity: (bytes: number) => void): void {
    const verdict = this.#rules.judge(stream.headers);
    if (verdict.kind === 'refuse') {
      stream.reset(RESET.protocolError);
      return;
    }
    if (verdict.kind === 'empty') {
      stream.end();
      return;
    }
    const counterpart = runtime.openStream(verdict.headers);
    passOn(stream, counterpart, () => this.#connection.pause(), onActivity);
    const isOutcome = this.#rules.isOutcome(stream.headers);
    if (isOutcome) this.#outcome = stream;
    passOn(
      counterpart,
      stream,
      () => runtime.pause(),
      (bytes) => {
        if (isOutcome) this.#isOutcomeTold = true;
        onActivity(bytes);
      },
    );
  }
}

/** Of exec and attach: each of the streams once. */
export function channelRules(expected: ReadonlySet<ChannelName>): StreamRules {
  const opened = new Set<string>();
  return {
    judge: (headers) => {
      const name = headers.get('streamtype');
      if (!isChannelName(name) || opened.has(name)) return { kind: 'refuse' };
      opened.add(name);
      return expected.has(name) ? { kind: 'pass', headers: channelHeaders(name) } : { kind: 'empty' };
    },
    isOutcome: (headers) => headers.get('streamtype') === 'error',
  };
}

/** Of port-forward: a pair for every connection, one for data and one for what went wrong. */
export const portForwardRules: StreamRules = {
  judge: (headers) => {
    const type = headers.get('streamtype') ?? '';
    const port = headers.get('port') ?? '';
    const requestId = headers.get('requestid') ?? '';
    const isValid =
      (type === 'error' || type === 'data') &&
      /^[1-9]\d{0,4}$/.test(port) &&
      Number(port) <= 65_535 &&
      /^[\w.-]{0,64}$/.test(requestId);
    if (!isValid) return { kind: 'refuse' };
    const passed: [string, string][] = [
      ['streamtype', type],
      ['port', port],
    ];
    if (requestId !== '') passed.push(['requestid', requestId]);
    return { kind: 'pass', headers: new Map(passed) };
  },
  isOutcome: () => false,
};

function isChannelName(name: string | undefined): name is ChannelName {
  return name === 'stdin' || name === 'stdout' || name === 'stderr' || name === 'error' || name === 'resize';
}
