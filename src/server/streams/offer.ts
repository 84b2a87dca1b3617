import type { IncomingHttpHeaders } from 'node:http';
import { badRequest, forbidden } from '../../api/status-error.ts';

/** What clients and we may speak over a connection after its upgrade. */
export type ClientProtocol =
  /** Numbered channels in WebSocket messages; v5 can also tell that stdin has ended. */
  | { readonly transport: 'websocket'; readonly name: 'v5.channel.k8s.io' | 'v4.channel.k8s.io' }
  /** SPDY frames in WebSocket messages. */
  | { readonly transport: 'websocket'; readonly name: 'SPDY/3.1+portforward.k8s.io' }
  | { readonly transport: 'spdy'; readonly name: 'v5.channel.k8s.io' | 'v4.channel.k8s.io' | 'portforward.k8s.io' };

export interface UpgradeRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** Of the headers as they came, one after another: SPDY clients name each version in a header of its own. */
  readonly spdyVersions: readonly string[];
}

const channelProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'] as const;

/**
 * What to speak with a client. Older versions than v4 cannot tell exit codes; no client of the last years needs them.
 * PURE.
 *
 * @throws StatusError 400 without an upgrade, 403 when there is nothing that both sides speak, as Kubernetes answers.
 */
export function chooseProtocol(request: UpgradeRequest, purpose: 'channels' | 'portforward'): ClientProtocol {
  const { headers, method, spdyVersions } = request;
  switch (headers.upgrade?.toLowerCase()) {
    case 'websocket': {
      if (method !== 'GET') throw badRequest('a WebSocket is opened by GET');
      const offered = listed(headers['sec-websocket-protocol']);
      if (purpose === 'channels') return { transport: 'websocket', name: firstOf(channelProtocols, offered) };
      return { transport: 'websocket', name: firstOf(['SPDY/3.1+portforward.k8s.io'] as const, offered) };
    }
    case 'spdy/3.1': {
      const offered = spdyVersions.flatMap(listed);
      if (purpose === 'channels') return { transport: 'spdy', name: firstOf(channelProtocols, offered) };
      return { transport: 'spdy', name: firstOf(['portforward.k8s.io'] as const, offered) };
    }
    default:
      throw badRequest('Upgrade request required');
  }
}

function listed(header: string | undefined): string[] {
  return (header ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function firstOf<T extends string>(accepted: readonly T[], offered: readonly string[]): T {
  const found = accepted.find((name) => offered.includes(name));
  if (found !== undefined) return found;
  const shown = offered.join(' ').slice(0, 200);
  throw forbidden(`unable to negotiate protocol: client supports [${shown}], server accepts [${accepted.join(' ')}]`);
}
