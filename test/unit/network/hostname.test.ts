import t from 'tap';
import type { Pod, PodSpec } from '../../../src/api/pod.ts';
import { HostnameError, podHostname } from '../../../src/network/hostname.ts';

const hostname = (name: string, spec: Partial<PodSpec> = {}) => {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'ns', uid: 'u' },
    spec: { containers: [], ...spec },
  };
  return podHostname(pod, 'cluster.local');
};

t.test('the name of the pod, unless the manifest names one', async (t) => {
  t.strictSame(hostname('web'), { hostname: 'web', shortName: 'web', domain: '' });
  t.equal(hostname('web.v1').hostname, 'web.v1');
  t.equal(hostname('web', { hostname: 'front' }).hostname, 'front');
  t.equal(hostname('web', { hostname: 'front', hostnameOverride: 'any.name.at.all' }).hostname, 'any.name.at.all');
});

t.test('a long name is cut to 63 characters, and not after a hyphen or a dot', async (t) => {
  t.equal(hostname('a'.repeat(70)).hostname, 'a'.repeat(63));
  t.equal(hostname(`${'a'.repeat(61)}.-b-more`).hostname, 'a'.repeat(61));
});

t.test('with a subdomain there is a domain, and the host name has it only when asked for', async (t) => {
  t.strictSame(hostname('web', { subdomain: 'tier' }), {
    hostname: 'web',
    shortName: 'web',
    domain: 'tier.ns.svc.cluster.local',
  });
  t.equal(hostname('web', { setHostnameAsFQDN: true }).hostname, 'web', 'there is no domain to add');
  t.equal(hostname('web', { subdomain: 'tier', setHostnameAsFQDN: true }).hostname, 'web.tier.ns.svc.cluster.local');
  t.strictSame(hostname('web', { subdomain: 'tier', hostnameOverride: 'x', setHostnameAsFQDN: true }), {
    hostname: 'x',
    shortName: 'x',
    domain: '',
  });
});

t.test('a full name longer than the kernel takes stops the pod with the reason', async (t) => {
  t.throws(() => hostname('a'.repeat(60), { subdomain: 'tier', setHostnameAsFQDN: true }), {
    name: 'HostnameError',
    message: /FQDN a+\.tier\.ns\.svc\.cluster\.local is too long \(64 characters is the max, 86 characters requested\)/,
  });
});

t.test('what is no DNS label is refused', async (t) => {
  for (const bad of ['Upper', 'under_score', '-a', 'a.b', 'new\nline']) {
    t.throws(() => hostname('web', { hostname: bad }), HostnameError);
    t.throws(() => hostname('web', { subdomain: bad }), HostnameError);
  }
});
