import type { Container, HTTPGetAction, HTTPHeader } from '../api/pod.ts';
import { hostPort, resolveHost, resolvePort } from './address.ts';

/** Whom to ask by HTTP, and how. */
export interface HttpTarget {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** With the query, in characters that a request line may have. */
  readonly path: string;
  /** Names and values in turns, as they are sent. */
  readonly headers: readonly string[];
}

/** What frames a message is not the user's to say: Kubernetes leaves these out too (net/http's reqWriteExcludeHeader). */
const FRAMING = new Set(['content-length', 'transfer-encoding', 'trailer']);

/**
 * What an httpGet action asks for (pkg/probe/http/request.go): the pod's address unless it names a host, and the
 * headers `User-Agent` and `Accept` unless it sets them; one that it sets to nothing is not sent. PURE.
 *
 * @param userAgent `kube-probe/1.36`, for instance.
 * @throws AddressError when the port has no number or the pod no address.
 */
export function httpTarget(
  action: HTTPGetAction,
  container: Pick<Container, 'name' | 'ports'>,
  podIP: string | undefined,
  userAgent: string,
): HttpTarget {
  const host = resolveHost(action.host, podIP);
  const port = resolvePort(action.port, container);
  const given = (action.httpHeaders ?? []).filter(({ name }) => !FRAMING.has(name.toLowerCase()));
  const hostHeader = given.findLast(({ name, value }) => isNamed(name, 'host') && value !== '')?.value;
  return {
    scheme: action.scheme === 'HTTPS' ? 'https' : 'http',
    host,
    port,
    path: requestPath(action.path ?? ''),
    headers: [
      ...['Host', inBytes(hostHeader ?? hostPort(host, port))],
      ...defaultHeader(given, 'User-Agent', userAgent),
      ...defaultHeader(given, 'Accept', '*/*'),
      ...given.filter(isSentAsGiven).flatMap(({ name, value }) => [name, inBytes(value ?? '')]),
    ],
  };
}

function isNamed(name: string, lowerCase: string): boolean {
  return name.toLowerCase() === lowerCase;
}

function isSentAsGiven({ name, value }: HTTPHeader): boolean {
  if (isNamed(name, 'host')) return false;
  return value !== '' || !(isNamed(name, 'user-agent') || isNamed(name, 'accept'));
}

function defaultHeader(given: readonly HTTPHeader[], name: string, value: string): string[] {
  return given.some((header) => isNamed(header.name, name.toLowerCase())) ? [] : [name, value];
}

/** Node sends a header's characters as bytes: of UTF-8 that is one character for each byte. */
function inBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The path and query of what the user wrote, which may be a whole URL: its host does not count. */
function requestPath(text: string): string {
  const [withoutFragment = ''] = text.split('#', 1);
  const path = withoutFragment.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?]*/, '').replace(/^\/\/[^/?]*(?=\/|$)/, '');
  const encoded = path.toWellFormed().replace(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character));
  return encoded.startsWith('/') ? encoded : `/${encoded}`;
}
