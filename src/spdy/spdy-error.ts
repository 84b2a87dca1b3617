/** The peer does not keep to the protocol, or to our limits: the connection is of no further use. */
export class SpdyError extends Error {
  constructor(message: string) {
    super(`SPDY: ${message}`);
    this.name = 'SpdyError';
  }
}
