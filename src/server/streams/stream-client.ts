import type { Status } from '../../api/meta.ts';
import type { SpdyConnection, SpdyStream } from '../../spdy/connection.ts';
import type { Headers } from '../../spdy/header-block.ts';

/** The streams that a command or an attached process has towards the runtime. */
export type ChannelName = 'stdin' | 'stdout' | 'stderr' | 'error' | 'resize';

/** What the client's side of a session tells the session. */
export interface ClientEvents {
  /** So much data went through, in whichever direction. */
  onActivity(bytes: number): void;
  /** The client is gone, or going. */
  onGone(): void;
}

/** The client's side of a session, in whichever protocol it speaks. It drives the runtime's streams. */
export interface StreamClient {
  /** Begins to pass on. `runtime` was not started before. */
  start(runtime: SpdyConnection, events: ClientEvents): void;
  /** The client reads again: so may the runtime send. And the other way round. */
  resume(): void;
  /** Nothing comes from the runtime any more. Tells the client if that came without a word, and says goodbye. */
  finish(reason: string): void;
  destroy(): void;
}

/** What clients understand on an error stream instead of the command's own end. */
export function failureText(reason: string): Buffer {
  const status: Status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: reason,
    reason: 'InternalError',
    code: 500,
  };
  return Buffer.from(JSON.stringify(status));
}

/** Of `kubectl exec` and `attach`: which streams the runtime waits for. */
export function expectedChannels(wanted: {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}): ReadonlySet<ChannelName> {
  return new Set<ChannelName>([
    'error',
    ...(['stdin', 'stdout', 'stderr'] as const).filter((name) => wanted[name]),
    ...(wanted.tty ? (['resize'] as const) : []),
  ]);
}

export function channelHeaders(name: ChannelName): Headers {
  return new Map([['streamtype', name]]);
}

/**
 * Passes on all that comes on a stream. Holds nothing back: where the other side cannot take more, the whole connection
 * that it came on is paused.
 */
export function passOn(
  from: SpdyStream,
  to: SpdyStream,
  pauseSender: () => void,
  onActivity: (bytes: number) => void,
): void {
  from.handle({
    onData: (piece) => {
      onActivity(piece.length);
      if (!to.write(piece)) pauseSender();
    },
    onEnd: () => to.end(),
    onReset: () => to.reset(),
  });
}
