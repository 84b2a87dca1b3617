import { isIPv6 } from 'node:net';
import type { Container } from '../api/pod.ts';

/** A port or host that a probe or hook names and that cannot be found: nobody can be asked there. */
export class AddressError extends Error {}

/**
 * The number of a port that is given by number, or by its name among the container's ports (`ResolveContainerPort` in
 * pkg/probe/util.go). PURE.
 *
 * @throws AddressError
 */
export function resolvePort(port: number | string, container: Pick<Container, 'name' | 'ports'>): number {
  const number =
    typeof port === 'number'
      ? port
      : (container.ports?.find(({ name }) => name === port)?.containerPort ?? numberInText(port));
  if (number === undefined) throw new AddressError(`container ${container.name} has no port named ${port}`);
  if (number < 1 || number > 65535) throw new AddressError(`invalid port number: ${number}`);
  return number;
}

function numberInText(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/**
 * The host that was named, or the pod's address. PURE.
 *
 * @throws AddressError while the pod has no address.
 */
export function resolveHost(host: string | undefined, podIP: string | undefined): string {
  const known = host || podIP;
  if (!known) throw new AddressError('the pod has no address yet');
  return known;
}

/** `10.0.0.1:80`, `[fd00::1]:80`. PURE. */
export function hostPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
