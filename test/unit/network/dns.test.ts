import t from 'tap';
import type { Pod, PodSpec } from '../../../src/api/pod.ts';
import { hasOnlyLoopbackServers, parseResolvConf, podDnsConfig } from '../../../src/network/dns.ts';

const pod = (spec: Partial<PodSpec> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u' },
  spec: { containers: [], ...spec },
});
const host = { servers: ['192.0.2.1', '192.0.2.2'], searches: ['example.org'], options: ['rotate', 'timeout:2'] };
const facts = { clusterDNS: ['10.96.0.10'], clusterDomain: 'cluster.local', hostResolvConf: host };
const cluster = {
  servers: ['10.96.0.10'],
  searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'example.org'],
  options: ['ndots:5'],
  warnings: [],
};
const plainHost = { ...host, warnings: [] };
const reasons = (dns: ReturnType<typeof podDnsConfig>) => dns.warnings.map((warning) => warning.reason);

t.test('the base follows from dnsPolicy and hostNetwork', async (t) => {
  t.strictSame(podDnsConfig(pod(), facts), cluster, 'ClusterFirst is the default');
  t.strictSame(podDnsConfig(pod({ dnsPolicy: 'ClusterFirst', hostNetwork: true }), facts), plainHost);
  t.strictSame(podDnsConfig(pod({ dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }), facts), cluster);
  t.strictSame(podDnsConfig(pod({ dnsPolicy: 'Default' }), facts), plainHost);
  t.strictSame(podDnsConfig(pod({ dnsPolicy: 'None' }), facts), {
    servers: [],
    searches: [],
    options: [],
    warnings: [],
  });
});

t.test('ClusterFirst without a cluster DNS falls back to the host, and says so', async (t) => {
  const dns = podDnsConfig(pod(), { ...facts, clusterDNS: [] });
  t.strictSame([dns.servers, dns.searches, dns.options], [host.servers, host.searches, host.options]);
  t.match(dns.warnings, [{ type: 'Normal', reason: 'MissingClusterDNS' }], 'no warning: it is how most machines are');
});

t.test('without a resolv.conf of the host nothing is looked up', async (t) => {
  const none = { ...facts, hostResolvConf: undefined };
  t.match(podDnsConfig(pod({ dnsPolicy: 'Default' }), none), { servers: ['127.0.0.1'], searches: ['.'] });
  t.strictSame(podDnsConfig(pod(), none).searches, cluster.searches.slice(0, 3));
});

t.test('name servers that a pod cannot reach are warned of, not those of the manifest', async (t) => {
  const stub = { ...facts, hostResolvConf: { servers: ['127.0.0.53'], searches: [], options: [] } };
  t.strictSame(reasons(podDnsConfig(pod({ dnsPolicy: 'Default' }), stub)), ['DNSConfigForming']);
  t.strictSame(reasons(podDnsConfig(pod({ dnsPolicy: 'Default', hostNetwork: true }), stub)), []);
  const own = podDnsConfig(pod({ dnsPolicy: 'None', dnsConfig: { nameservers: ['127.0.0.1'] } }), stub);
  t.strictSame([own.servers, own.warnings], [['127.0.0.1'], []]);
  t.notOk(hasOnlyLoopbackServers({ servers: ['127.0.0.53', '192.0.2.1'], searches: [], options: [] }));
});

t.test('dnsConfig is added to the base: duplicates once, an option replaces one of its name', async (t) => {
  const dnsConfig = {
    nameservers: ['192.0.2.9', '10.96.0.10'],
    searches: ['cluster.local', 'extra.test'],
    options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
  };
  const dns = podDnsConfig(pod({ dnsConfig }), facts);
  t.strictSame(dns.servers, ['10.96.0.10', '192.0.2.9']);
  t.strictSame(dns.searches, [...cluster.searches, 'extra.test']);
  t.strictSame(dns.options, ['ndots:2', 'edns0']);
});

t.test('what resolvers do not take is cut, and told', async (t) => {
  const fit = (dnsConfig: PodSpec['dnsConfig']) => podDnsConfig(pod({ dnsPolicy: 'None', dnsConfig }), facts);
  const servers = fit({ nameservers: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'] });
  t.strictSame(servers.servers.length, 3);
  t.match(servers.warnings[0]?.message, /applied nameserver line is: 192\.0\.2\.1 192\.0\.2\.2 192\.0\.2\.3$/);

  const names = (count: number, length: number) =>
    Array.from({ length: count }, (_, index) => `${index}`.padEnd(length, 'x'));
  t.equal(fit({ searches: names(32, 3) }).warnings.length, 0);
  t.equal(fit({ searches: names(33, 3) }).searches.length, 32);
  t.equal(fit({ searches: [...names(2, 3), 'y'.repeat(254)] }).searches.length, 2, 'too long for some resolvers');
  const long = fit({ searches: names(20, 200) });
  t.equal(long.searches.length, 10, '10 × 200 characters and 9 blanks are 2009, one more would be 2210');
  t.strictSame(reasons(long), ['DNSConfigForming']);
});

t.test('a value that would make a line of its own is refused', async (t) => {
  for (const bad of ['a\nnameserver 6.6.6.6', 'a\r', '\0', 'a b']) {
    for (const dnsConfig of [{ nameservers: [bad] }, { searches: [bad] }, { options: [{ name: bad }] }]) {
      t.throws(() => podDnsConfig(pod({ dnsConfig }), facts), { name: 'NotPlainError' });
    }
    t.throws(() => podDnsConfig(pod({ dnsConfig: { options: [{ name: 'x', value: bad }] } }), facts));
  }
});

t.test('a resolv.conf is read as a kubelet reads it', async (t) => {
  const text = `# comment
; another
domain ignored.test
nameserver 192.0.2.1
  nameserver\t192.0.2.2  # trailing
search old.test
search a.test. b.test .
options rotate
options ndots:2 timeout:1
nameserver
`;
  t.strictSame(parseResolvConf(text), {
    servers: ['192.0.2.1', '192.0.2.2'],
    searches: ['a.test', 'b.test', '.'],
    options: ['ndots:2', 'timeout:1'],
  });
  t.strictSame(parseResolvConf(''), { servers: [], searches: [], options: [] });
});
