import { controlFrame, dataHeader, dataPieces, FLAG_FIN, FRAME, FrameParser, RESET } from './frames.ts';
import { HeaderDecoder, HeaderEncoder, type Headers } from './header-block.ts';
import { SpdyError } from './spdy-error.ts';
import type { Transport } from './transport.ts';

export interface ConnectionHandlers {
  /** The peer opened a stream. Set its handlers at once, or reset it. */
  onStream(stream: SpdyStream): void;
  /** There is room again after a `write` that returned false. */
  onDrain(): void;
  /** The peer sends no more. */
  onEnd(): void;
  /** Once, and nothing after it. Undefined: the peer closed, or we did. */
  onClose(error: Error | undefined): void;
}

export interface StreamHandlers {
  onData(piece: Buffer): void;
  /** The peer writes no more. */
  onEnd(): void;
  onReset(): void;
}

export interface ConnectionOptions {
  /** Who opened the connection opens the streams with odd numbers. */
  readonly role: 'client' | 'server';
  /** Streams of the peer that may be open at once; more are refused. */
  readonly maxStreams: number;
}

/** What a peer that sends and never reads can make us hold, in answers to its pings and the like. */
const maxBufferedBytes = 4 * 1024 * 1024;
const maxId = 0x7fffffff;
const unheard: StreamHandlers = { onData: () => {}, onEnd: () => {}, onReset: () => {} };

/**
 * One SPDY/3.1 connection, as Kubernetes and the container runtimes speak it (github.com/moby/spdystream): those never
 * send a WINDOW_UPDATE, so that who waits for one waits for ever. Flow control is the connection's own, for all of its
 * streams together: `write` says when to stop, `pause` stops the peer.
 */
export class SpdyConnection {
  readonly #transport: Transport;
  readonly #options: ConnectionOptions;
  readonly #encoder = new HeaderEncoder();
  readonly #decoder = new HeaderDecoder();
  readonly #streams = new Map<number, SpdyStream>();
  readonly #parser: FrameParser;
  #handlers: ConnectionHandlers | undefined;
  #nextId: number;
  #lastPeerId = 0;
  #failure: Error | undefined;
  #isEnding = false;
  #isClosed = false;

  constructor(transport: Transport, options: ConnectionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#nextId = options.role === 'client' ? 1 : 2;
    this.#parser = new FrameParser({
      onData: (id, piece, isFin) => this.#streams.get(id)?.receive(piece, isFin),
      onControl: (type, flags, body) => this.#control(type, flags, body),
    });
  }

  /** Begins to read. To be called once. */
  start(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
    this.#transport.start({
      onData: (chunk) => this.#read(chunk),
      onDrain: () => handlers.onDrain(),
      onEnd: () => handlers.onEnd(),
      onClose: (error) => this.#close(error),
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Opens a stream; it may be written to at once. */
  openStream(headers: Headers): SpdyStream {
    const stream = new SpdyStream(this.#nextId, headers, this.#writer);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    // 32 bits each: the stream, none that it belongs to; then the highest priority and no slot.
    this.#send([controlFrame(FRAME.synStream, 0, stream.id, 0, Buffer.alloc(2), this.#encoder.encode(headers))]);
    return stream;
  }

  /** Stops reading, for when what is read cannot be passed on. */
  pause(): void {
    this.#transport.pause();
  }

  resume(): void {
    this.#transport.resume();
  }

  /** Says goodbye and closes, after all that was written. What the peer still sends is read and forgotten. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#send([controlFrame(FRAME.goAway, 0, this.#lastPeerId, 0)]);
    this.#transport.end();
    this.#transport.resume();
  }

  /** Closes at once. */
  destroy(): void {
    this.#isEnding = true;
    this.#transport.destroy();
  }

  readonly #writer: StreamWriter = {
    data: (id, payload) => {
      let isRoom = true;
      for (const piece of dataPieces(payload)) isRoom = this.#send([dataHeader(id, piece.length, false), piece]);
      return isRoom;
    },
    fin: (id) => void this.#send([dataHeader(id, 0, true)]),
    reset: (id, status) => void this.#send([controlFrame(FRAME.rstStream, 0, id, status)]),
    forget: (id) => void this.#streams.delete(id),
  };

  #send(parts: readonly Buffer[]): boolean {
    if (this.#isClosed) return true;
    if (this.#transport.bufferedBytes > maxBufferedBytes) {
      this.#fail(new SpdyError('the peer does not read'));
      return true;
    }
    return this.#transport.write(parts);
  }

  #read(chunk: Buffer): void {
    if (this.#isEnding || this.#failure) return;
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#transport.destroy();
  }

  #close(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#streams.clear();
    this.#handlers?.onClose(this.#failure ?? error);
  }

  #control(type: number, flags: number, body: Buffer): void {
    switch (type) {
      case FRAME.synStream:
        this.#opened(flags, body);
        return;
      case FRAME.synReply:
      case FRAME.headers: {
        // Read even where nobody looks: all header blocks are one compressed stream.
        this.#decoder.decode(within(body, 4).subarray(4));
        if (flags & FLAG_FIN) this.#streams.get(idAt(body, 0))?.receive(body.subarray(0, 0), true);
        return;
      }
      case FRAME.rstStream:
        this.#streams.get(idAt(within(body, 8), 0))?.wasReset();
        return;
      case FRAME.ping: {
        const id = within(body, 4).readUInt32BE(0);
        const isPeers = (id % 2 === 1) === (this.#options.role === 'server');
        if (isPeers) this.#send([controlFrame(FRAME.ping, 0, id)]);
        return;
      }
      default:
        // SETTINGS, WINDOW_UPDATE and GOAWAY ask nothing of us: who goes away closes when its streams are done.
        return;
    }
  }

  #opened(flags: number, body: Buffer): void {
    const id = idAt(within(body, 10), 0);
    const headers = this.#decoder.decode(body.subarray(10));
    const isPeers = (id % 2 === 1) === (this.#options.role === 'server');
    if (!isPeers || id <= this.#lastPeerId) throw new SpdyError(`stream ${id} may not be opened`);
    this.#lastPeerId = id;
    if (this.#streams.size >= this.#options.maxStreams) {
      this.#writer.reset(id, RESET.refused);
      return;
    }
    const stream = new SpdyStream(id, headers, this.#writer);
    this.#streams.set(id, stream);
    // First of all: spdystream passes over what comes on a stream before its reply.
    this.#send([controlFrame(FRAME.synReply, 0, id, this.#encoder.encode(new Map()))]);
    this.#handlers?.onStream(stream);
    if (flags & FLAG_FIN) stream.receive(body.subarray(0, 0), true);
  }
}

interface StreamWriter {
  data(id: number, payload: Buffer): boolean;
  fin(id: number): void;
  reset(id: number, status: number): void;
  forget(id: number): void;
}

/** A stream of a connection. Each side ends its own direction; a reset ends both. */
export class SpdyStream {
  readonly id: number;
  readonly headers: Headers;
  readonly #writer: StreamWriter;
  #handlers: StreamHandlers = unheard;
  #isEndedByUs = false;
  #isEndedByPeer = false;
  #isReset = false;

  constructor(id: number, headers: Headers, writer: StreamWriter) {
    this.id = id;
    this.headers = headers;
    this.#writer = writer;
  }

  handle(handlers: StreamHandlers): void {
    this.#handlers = handlers;
  }

  /** Once the stream is ended or reset, does nothing. @returns false when to wait for the connection's `onDrain`. */
  write(payload: Buffer): boolean {
    if (this.#isEndedByUs || this.#isReset || payload.length === 0) return true;
    return this.#writer.data(this.id, payload);
  }

  end(): void {
    if (this.#isEndedByUs || this.#isReset) return;
    this.#isEndedByUs = true;
    this.#writer.fin(this.id);
    if (this.#isEndedByPeer) this.#writer.forget(this.id);
  }

  reset(status: number = RESET.cancel): void {
    if (this.#isReset || (this.#isEndedByUs && this.#isEndedByPeer)) return;
    this.#isReset = true;
    this.#writer.reset(this.id, status);
    this.#writer.forget(this.id);
  }

  /** For the connection. */
  receive(piece: Buffer, isFin: boolean): void {
    if (this.#isEndedByPeer) return;
    if (piece.length > 0) this.#handlers.onData(piece);
    if (!isFin || this.#isReset) return;
    this.#isEndedByPeer = true;
    if (this.#isEndedByUs) this.#writer.forget(this.id);
    this.#handlers.onEnd();
  }

  /** For the connection. */
  wasReset(): void {
    this.#isReset = true;
    this.#writer.forget(this.id);
    this.#handlers.onReset();
  }
}

/** @throws SpdyError when the frame is too short. */
function within(body: Buffer, bytes: number): Buffer {
  if (body.length < bytes) throw new SpdyError('a control frame is cut off');
  return body;
}

function idAt(body: Buffer, at: number): number {
  const id = body.readUInt32BE(at) & maxId;
  if (id === 0) throw new SpdyError('there is no stream 0');
  return id;
}
