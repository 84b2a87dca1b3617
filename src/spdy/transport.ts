import type { Duplex } from 'node:stream';

/** A connection's bytes in both directions, with back-pressure: a socket, or a WebSocket's messages. */
export interface Transport {
  /** Writes the parts as one. @returns false when the peer reads slower than that: write on after `onDrain`. */
  write(parts: readonly Buffer[]): boolean;
  /** Not yet taken by the system. */
  readonly bufferedBytes: number;
  pause(): void;
  resume(): void;
  /** Closes after all that was written is sent. */
  end(): void;
  destroy(): void;
  /** To be called once; nothing is read before. */
  start(events: TransportEvents): void;
}

export interface TransportEvents {
  onData(chunk: Buffer): void;
  onDrain(): void;
  /** The peer sends no more. */
  onEnd(): void;
  /** Once and last. */
  onClose(error: Error | undefined): void;
}

/**
 * What may wait to be written. More than a socket's own mark: where all cores are busy, every wait for the other side
 * costs a turn of the scheduler, and there are several sides.
 */
export const MAX_QUEUED_BYTES = 256 * 1024;

export function socketTransport(socket: Duplex): Transport {
  return {
    write: (parts) => {
      if (!socket.writable) return true;
      socket.cork();
      for (const part of parts) socket.write(part);
      socket.uncork();
      return socket.writableLength < MAX_QUEUED_BYTES;
    },
    get bufferedBytes() {
      return socket.writableLength;
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    start: ({ onData, onDrain, onEnd, onClose }) => {
      let failure: Error | undefined;
      socket.on('data', onData);
      socket.on('drain', onDrain);
      socket.on('end', onEnd);
      socket.on('error', (error: Error) => {
        failure = error;
      });
      socket.on('close', () => onClose(failure));
      // It closed before anybody listened.
      if (socket.destroyed) process.nextTick(() => onClose(failure));
    },
  };
}
