import t from 'tap';
import { chooseHostIPs, type Interfaces } from '../../../src/node/host-ip.ts';

const routeHeader = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const defaultRoute = (name: string, metric: number, flags = '0003') =>
  `${name}\t00000000\t010200C0\t${flags}\t0\t0\t${metric}\t00000000\t0\t0\t0\n`;
const zero = '0'.repeat(32);
const defaultIpv6Route = (name: string, flags = '00000003') =>
  `${zero} 00 ${zero} 00 fd000000000000000000000000000001 00000400 00000002 00000000 ${flags}     ${name}\n`;

const ipv4 = (address: string) => ({ address, family: 'IPv4' as const, internal: false });
const ipv6 = (address: string) => ({ address, family: 'IPv6' as const, internal: false });

const interfaces: Interfaces = {
  lo: [
    { address: '127.0.0.1', family: 'IPv4', internal: true },
    { address: '::1', family: 'IPv6', internal: true },
  ],
  cni0: [ipv4('10.88.0.1')],
  eth0: [ipv6('fe80::1'), ipv4('192.0.2.2'), ipv4('192.0.2.3'), ipv6('fd00::2')],
  eth1: [ipv4('198.51.100.7')],
};

t.test('the address of the interface with the default route is the one, for each family', async (t) => {
  t.strictSame(chooseHostIPs(interfaces, routeHeader + defaultRoute('eth0', 0), defaultIpv6Route('eth0')), [
    '192.0.2.2',
    'fd00::2',
  ]);
});

t.test('of several default routes the one with the least metric counts', async (t) => {
  const routes = routeHeader + defaultRoute('eth0', 600) + defaultRoute('eth1', 100);
  t.strictSame(chooseHostIPs(interfaces, routes, ''), ['198.51.100.7']);
});

t.test('a route that is down or that rejects is none', async (t) => {
  t.strictSame(chooseHostIPs({ eth1: interfaces.eth1 }, routeHeader + defaultRoute('eth0', 0, '0002'), ''), [
    '198.51.100.7',
  ]);
  t.strictSame(chooseHostIPs(interfaces, routeHeader + defaultRoute('eth0', 0), defaultIpv6Route('lo', '80200001')), [
    '192.0.2.2',
  ]);
});

t.test('a machine without a default route still has an IPv4 address', async (t) => {
  t.strictSame(chooseHostIPs({ lo: interfaces.lo, eth1: interfaces.eth1 }, routeHeader, ''), ['198.51.100.7']);
});

t.test('a machine without a network has no address', async (t) => {
  t.strictSame(chooseHostIPs({ lo: interfaces.lo, eth2: [ipv4('169.254.3.4'), ipv6('fe80::9')] }, '', ''), []);
});
