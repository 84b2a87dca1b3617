import ipaddr from 'ipaddr.js';
import { type FieldError, invalid } from './field-error.ts';
import { headless, type Service, type ServiceSpec } from './service.ts';

/** Addresses of services. PURE. */

export interface ServiceNetwork {
  /** The range that addresses are given from, `10.96.0.0/12`; empty: there is nobody who would forward them. */
  readonly cidr: string;
  /** Of the node's first address. */
  readonly family: 'IPv4' | 'IPv6';
}

/** Why an address that the client wants cannot be had. @param used addresses of other services. */
export function clusterIPProblems({ spec }: Service, network: ServiceNetwork, used: ReadonlySet<string>): FieldError[] {
  const { clusterIP = '', clusterIPs = [] } = spec;
  if (clusterIP === '' || clusterIP === headless) return [];
  const refuse = (why: string) => [
    invalid('spec.clusterIPs', clusterIPs, `failed to allocate IP ${clusterIP}: ${why}`),
  ];
  if (used.has(canonical(clusterIP))) return refuse('provided IP is already allocated');
  if (network.cidr === '') return [];
  const [base, bits] = ipaddr.parseCIDR(network.cidr);
  const address = ipaddr.parse(clusterIP);
  const isInside = address.kind() === base.kind() && address.match(base, bits);
  return isInside ? [] : refuse(`the provided network does not match the range ${network.cidr}`);
}

/** Two texts of one IPv6 address are the same address. */
export function canonical(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.parse(address).toString() : address;
}

/**
 * Gives a service that names no address one of the range, and without a range none: `None`, as an address to which
 * nothing listens would be a trap. Fills in the families of addresses. In place.
 *
 * @param random from 0 to 1.
 * @returns what the client should know. @throws Error when the range is used up.
 */
export function giveClusterIP(spec: ServiceSpec, network: ServiceNetwork, used: ReadonlySet<string>, random: number) {
  const warnings: string[] = [];
  if (!spec.clusterIP) {
    spec.clusterIP = network.cidr === '' ? headless : freeAddress(network.cidr, used, random);
    spec.clusterIPs = [spec.clusterIP];
    if (spec.clusterIP === headless) {
      warnings.push(
        'spec.clusterIP: nothing forwards to services here and no serviceCIDR is configured: the service is headless',
      );
    }
  } else if (spec.clusterIP !== headless && network.cidr === '') {
    warnings.push('spec.clusterIP: the address is stored, but mini-kubelet does not forward it to pods');
  }
  spec.ipFamilyPolicy ??= 'SingleStack';
  if (!spec.ipFamilies?.length) spec.ipFamilies = [familyOf(spec, network)];
  return warnings;
}

function familyOf({ clusterIP = '' }: ServiceSpec, network: ServiceNetwork): 'IPv4' | 'IPv6' {
  if (!ipaddr.isValid(clusterIP)) return network.family;
  return ipaddr.parse(clusterIP).kind() === 'ipv6' ? 'IPv6' : 'IPv4';
}

/** Ranges beyond this size are used from their beginning on only. */
const MAX_HOST_BITS = 20;

/** The first and the last address of a range are no service's. */
function freeAddress(cidr: string, used: ReadonlySet<string>, random: number): string {
  const [base, bits] = ipaddr.parseCIDR(cidr);
  const bytes = base.toByteArray();
  const count = 2 ** Math.min(bytes.length * 8 - bits, MAX_HOST_BITS) - 2;
  const first = Math.floor(random * count);
  for (let step = 0; step < count; step++) {
    const address = addTo(bytes, 1 + ((first + step) % count));
    if (!used.has(address)) return address;
  }
  throw new Error(`all addresses of ${cidr} are in use`);
}

function addTo(bytes: readonly number[], offset: number): string {
  const sum = [...bytes];
  let carry = offset;
  for (let index = sum.length - 1; index >= 0 && carry > 0; index--) {
    const value = (sum[index] ?? 0) + carry;
    sum[index] = value % 256;
    carry = Math.floor(value / 256);
  }
  return ipaddr.fromByteArray(sum).toString();
}
