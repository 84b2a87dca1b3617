/** "All addresses" is where a server listens, but no address that a client could ask for: this machine's own is one. */
export function reachableHost(host: string): string {
  return { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
}

/** What a kubeconfig points to: `https://127.0.0.1:10250`. */
export function serverUrl(host: string, port: number): string {
  const reachable = reachableHost(host);
  return `https://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
