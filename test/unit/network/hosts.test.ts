import t from 'tap';
import type { Pod, PodSpec } from '../../../src/api/pod.ts';
import { renderHostsFile } from '../../../src/network/hosts.ts';

const pod = (spec: Partial<PodSpec> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u' },
  spec: { containers: [{ name: 'c' }], ...spec },
});
const facts = { podIPs: ['10.1.0.7'], clusterDomain: 'cluster.local' };

t.test('a pod of its own network gets the managed file', async (t) => {
  t.equal(
    renderHostsFile(pod(), facts),
    `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
10.1.0.7\tweb
`,
  );
});

t.test('hostname, subdomain and both address families', async (t) => {
  const text = renderHostsFile(pod({ hostname: 'front', subdomain: 'tier' }), {
    ...facts,
    podIPs: ['10.1.0.7', 'fd00::7'],
  });
  t.match(
    text,
    '\n10.1.0.7\tfront.tier.shop.svc.cluster.local\tfront\nfd00::7\tfront.tier.shop.svc.cluster.local\tfront\n',
  );
});

t.test('the FQDN as host name leaves the file as it is', async (t) => {
  const spec = { hostname: 'a', subdomain: 'b' };
  t.equal(renderHostsFile(pod({ ...spec, setHostnameAsFQDN: true }), facts), renderHostsFile(pod(spec), facts));
});

t.test('aliases come after everything else, one line for each address', async (t) => {
  const hostAliases = [
    { ip: '10.9.9.1', hostnames: ['db', 'db.local'] },
    { ip: 'fd00::9', hostnames: ['cache'] },
  ];
  const block = '\n# Entries added by HostAliases.\n10.9.9.1\tdb\tdb.local\nfd00::9\tcache\n';
  t.ok(renderHostsFile(pod({ hostAliases }), facts).endsWith(`10.1.0.7\tweb\n${block}`));
  t.equal(
    renderHostsFile(pod({ hostAliases, hostNetwork: true }), { ...facts, hostFile: '127.0.0.1 localhost\n' }),
    `# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n${block}`,
  );
});

t.test('a value that would make a line of its own is refused', async (t) => {
  for (const bad of ['a\nb', 'a\rb', 'a\0b', 'a b', 'a\tb', '\x7f']) {
    const name = JSON.stringify(bad);
    t.throws(() => renderHostsFile(pod({ hostAliases: [{ ip: '10.0.0.1', hostnames: [bad] }] }), facts), name);
    t.throws(() => renderHostsFile(pod({ hostAliases: [{ ip: bad, hostnames: ['x'] }] }), facts), name);
    t.throws(() => renderHostsFile(pod({ hostname: bad }), facts), name);
    t.throws(() => renderHostsFile(pod({ subdomain: bad }), facts), name);
    t.throws(() => renderHostsFile(pod({ hostnameOverride: bad }), facts), name);
    t.throws(() => renderHostsFile(pod(), { ...facts, podIPs: [bad] }), name);
  }
});
