import { readFile } from 'node:fs/promises';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** The addresses of one network interface, as os.networkInterfaces() gives them. */
export type Interfaces = Readonly<
  Record<string, readonly Pick<NetworkInterfaceInfo, 'address' | 'family' | 'internal'>[] | undefined>
>;

/** The addresses under which this machine is reached: at most one of each family, IPv4 first. May be empty. */
export async function readHostIPs(): Promise<string[]> {
  const [ipv4Routes, ipv6Routes] = await Promise.all([
    readRoutes('/proc/net/route'),
    readRoutes('/proc/net/ipv6_route'),
  ]);
  return chooseHostIPs(networkInterfaces(), ipv4Routes, ipv6Routes);
}

async function readRoutes(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    // A kernel without this family has no such file.
    return '';
  }
}

/**
 * The address of the interface that the default route of its family leaves by; without such a route, the first address
 * that can be reached from elsewhere. Link-local addresses are never chosen. PURE
 */
export function chooseHostIPs(interfaces: Interfaces, ipv4Routes: string, ipv6Routes: string): string[] {
  const ipv4 = chooseAddress(interfaces, 'IPv4', defaultIpv4Interface(ipv4Routes));
  const ipv6 = chooseAddress(interfaces, 'IPv6', defaultIpv6Interface(ipv6Routes));
  return [ipv4, ipv6].filter((address) => address !== undefined);
}

function chooseAddress(
  interfaces: Interfaces,
  family: 'IPv4' | 'IPv6',
  preferred: string | undefined,
): string | undefined {
  const usable = (name: string) =>
    (interfaces[name] ?? []).find((info) => info.family === family && !info.internal && !isLinkLocal(info.address))
      ?.address;
  // A machine without a default route of this family is not reached by it from afar; IPv4 is wanted nonetheless.
  if (preferred !== undefined) return usable(preferred);
  if (family === 'IPv6') return undefined;
  return Object.keys(interfaces)
    .map(usable)
    .find((address) => address !== undefined);
}

function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.') || /^fe[89ab]/i.test(address);
}

const RTF_UP = 0x1;
const RTF_REJECT = 0x200;

/** proc(5): Iface Destination Gateway Flags RefCnt Use Metric Mask ..., numbers in hex but for the metric. */
function defaultIpv4Interface(routes: string): string | undefined {
  const candidates = routes
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, destination, , flags, , , , mask]) => destination === '00000000' && mask === '00000000' && isUsable(flags),
    )
    .map(([name, , , , , , metric]) => ({ name, metric: Number(metric) }));
  return leastMetric(candidates);
}

/** net/ipv6/route.c: destination, its prefix length, source, its length, next hop, metric, references, use, flags, interface. */
function defaultIpv6Interface(routes: string): string | undefined {
  const candidates = routes
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([destination, length, , , , , , , flags, name]) => {
      return /^0{32}$/.test(destination ?? '') && length === '00' && name !== 'lo' && isUsable(flags);
    })
    .map((fields) => ({ name: fields[9], metric: Number.parseInt(fields[5] ?? '0', 16) }));
  return leastMetric(candidates);
}

function isUsable(flags: string | undefined): boolean {
  const bits = Number.parseInt(flags ?? '0', 16);
  return (bits & RTF_UP) !== 0 && (bits & RTF_REJECT) === 0;
}

function leastMetric(candidates: readonly { name: string | undefined; metric: number }[]): string | undefined {
  return candidates.toSorted((a, b) => a.metric - b.metric)[0]?.name;
}
