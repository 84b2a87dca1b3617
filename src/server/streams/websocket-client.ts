import type { SpdyConnection, SpdyStream } from '../../spdy/connection.ts';
import {
  type ChannelName,
  type ClientEvents,
  channelHeaders,
  failureText,
  type StreamClient,
} from './stream-client.ts';
import type { WebSocketConnection } from './websocket.ts';

/** The first byte of every message. */
const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

const names = new Map<number, ChannelName>(
  (['stdin', 'stdout', 'stderr', 'error', 'resize'] as const).map((name) => [CHANNEL[name], name]),
);

/** Of exec and attach by WebSocket: numbered channels in messages on the one side, SPDY streams on the other. */
export class WebSocketClient implements StreamClient {
  readonly #connection: WebSocketConnection;
  readonly #expected: ReadonlySet<ChannelName>;
  /** v5: message 255 tells that a channel has ended. */
  readonly #canClose: boolean;
  readonly #streams = new Map<ChannelName, SpdyStream>();
  #isOutcomeTold = false;

  constructor(connection: WebSocketConnection, expected: ReadonlySet<ChannelName>, canClose: boolean) {
    this.#connection = connection;
    this.#expected = expected;
    this.#canClose = canClose;
  }

  start(runtime: SpdyConnection, events: ClientEvents): void {
    const { webSocket } = this.#connection;
    for (const name of this.#expected) this.#open(name, runtime, events);
    webSocket.on('message', (data) => {
      if (this.#receive(data as Buffer, events)) return;
      this.#connection.pause();
    });
    this.#connection.onDrain(() => runtime.resume());
    webSocket.on('close', () => events.onGone());
    // Tells clients that wait for a first message that the connection stands.
    const first = (['stdout', 'stderr', 'error'] as const).find((name) => this.#expected.has(name)) ?? 'error';
    this.#connection.send([Buffer.from([CHANNEL[first]])]);
  }

  resume(): void {
    this.#connection.resume();
  }

  finish(reason: string): void {
    if (!this.#isOutcomeTold) this.#connection.send([Buffer.from([CHANNEL.error]), failureText(reason)]);
    this.#isOutcomeTold = true;
    this.#connection.end();
    this.#connection.resume();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  #open(name: ChannelName, runtime: SpdyConnection, events: ClientEvents): void {
    const stream = runtime.openStream(channelHeaders(name));
    this.#streams.set(name, stream);
    const channel = Buffer.from([CHANNEL[name]]);
    stream.handle({
      onData: (piece) => {
        events.onActivity(piece.length);
        if (name === 'error') this.#isOutcomeTold = true;
        if (!this.#connection.send([channel, piece])) runtime.pause();
      },
      // Channels towards a client have no end of their own: the last of all is the status, then the WebSocket closes.
      onEnd: () => {},
      onReset: () => {},
    });
  }

  /** @returns whether there is room for more. Unknown channels, and those that only we write, are passed over. */
  #receive(message: Buffer, { onActivity }: ClientEvents): boolean {
    const channel = message[0];
    if (channel === undefined) return true;
    onActivity(message.length);
    const payload = message.subarray(1);
    if (channel === CHANNEL.close) {
      const ended = names.get(payload[0] ?? -1);
      if (this.#canClose && ended === 'stdin') this.#streams.get(ended)?.end();
      return true;
    }
    const name = names.get(channel);
    if (name !== 'stdin' && name !== 'resize') return true;
    return this.#streams.get(name)?.write(payload) ?? true;
  }
}
