/** The words that users know from Kubernetes, by Node's error codes. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'connect: connection timed out',
  EADDRNOTAVAIL: 'connect: cannot assign requested address',
  EACCES: 'connect: permission denied',
  EINVAL: 'connect: invalid argument',
};

/** What went wrong on the way to `address` (host and port), told as Kubernetes does. PURE. */
export function describeNetworkError(error: unknown, address: string): string {
  const { code, message } = asSystemError(error);
  const words = WORDS[code];
  if (words !== undefined) return `dial tcp ${address}: ${words}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    const reason = code === 'ENOTFOUND' ? 'no such host' : 'temporary failure in name resolution';
    return `dial tcp: lookup ${address.slice(0, address.lastIndexOf(':'))}: ${reason}`;
  }
  if (code === 'ECONNRESET')
    return message === 'socket hang up' ? 'EOF' : `read tcp ${address}: connection reset by peer`;
  if (code === 'EPIPE') return `write tcp ${address}: broken pipe`;
  if (code.startsWith('HPE_')) return `malformed HTTP response: ${message.replace(/^Parse Error: /, '')}`;
  if (isPlainHttpAnswer(error)) return 'http: server gave HTTP response to HTTPS client';
  return message;
}

/** True when TLS was spoken to a server that answered without it. PURE. */
export function isPlainHttpAnswer(error: unknown): boolean {
  const { code, message } = asSystemError(error);
  return code === 'ERR_SSL_WRONG_VERSION_NUMBER' || (code === 'EPROTO' && message.includes('wrong version number'));
}

function asSystemError(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  // A name with several addresses fails once for each of them.
  if (error instanceof AggregateError && error.errors.length > 0) return asSystemError(error.errors[0]);
  return { code: 'code' in error ? String(error.code) : '', message: error.message };
}
