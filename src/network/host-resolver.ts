import { readFile } from 'node:fs/promises';
import { type HostResolvConf, hasOnlyLoopbackServers, parseResolvConf } from './dns.ts';

/** Where systemd-resolved keeps the name servers that its stub on the loopback asks. */
const RESOLVED_CONF = '/run/systemd/resolve/resolv.conf';

/**
 * The host's resolver as pods can use it: a stub on the host's loopback is out of their reach, so what is behind it is
 * taken.
 *
 * @param path the host's resolv.conf; empty: pods get nothing from the host.
 */
export async function readHostResolvConf(path: string): Promise<HostResolvConf | undefined> {
  if (path === '') return undefined;
  const conf = parseResolvConf(await readFile(path, 'utf8'));
  if (!hasOnlyLoopbackServers(conf)) return conf;
  try {
    return parseResolvConf(await readFile(RESOLVED_CONF, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return conf;
    throw error;
  }
}
