/**
 * Against web pages that reach for the API through the user's browser: a name that an attacker made point to 127.0.0.1
 * shows in the Host header, a request from a foreign page in the Origin header.
 */

/** @param host the Host header, with or without a port. @param allowed names and addresses in lower case. */
export function isAllowedHost(host: string | undefined, allowed: ReadonlySet<string>): boolean {
  const name = hostName(host ?? '');
  return name !== undefined && allowed.has(name);
}

/** Requests without an Origin come from no web page. */
export function isAllowedOrigin(origin: string | undefined, allowed: ReadonlySet<string>): boolean {
  if (origin === undefined) return true;
  const match = /^https?:\/\/(.+)$/i.exec(origin);
  return match !== null && isAllowedHost(match[1], allowed);
}

/** The name without the port, in lower case, addresses of IPv6 without brackets. */
function hostName(host: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}
