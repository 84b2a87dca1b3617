import t from 'tap';
import type { Service } from '../../../src/api/service.ts';
import { containerEnvironment } from '../../../src/pod/environment.ts';
import { linkedServices, serviceEnvironment } from '../../../src/pod/service-environment.ts';
import { podWith } from './fixtures.ts';

function service(name: string, spec: Partial<Service['spec']> = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', uid: name },
    spec: { clusterIP: '10.96.0.7', ports: [{ port: 80, protocol: 'TCP' }], ...spec },
  };
}

t.test('the variables of a service', async (t) => {
  const ports = [
    { name: 'http-main', port: 80, protocol: 'TCP' as const },
    { name: 'dns', port: 53, protocol: 'UDP' as const },
  ];
  t.same(Object.fromEntries(serviceEnvironment([service('my-web', { ports })])), {
    MY_WEB_SERVICE_HOST: '10.96.0.7',
    MY_WEB_SERVICE_PORT: '80',
    MY_WEB_SERVICE_PORT_HTTP_MAIN: '80',
    MY_WEB_SERVICE_PORT_DNS: '53',
    MY_WEB_PORT: 'tcp://10.96.0.7:80',
    MY_WEB_PORT_80_TCP: 'tcp://10.96.0.7:80',
    MY_WEB_PORT_80_TCP_PROTO: 'tcp',
    MY_WEB_PORT_80_TCP_PORT: '80',
    MY_WEB_PORT_80_TCP_ADDR: '10.96.0.7',
    MY_WEB_PORT_53_UDP: 'udp://10.96.0.7:53',
    MY_WEB_PORT_53_UDP_PROTO: 'udp',
    MY_WEB_PORT_53_UDP_PORT: '53',
    MY_WEB_PORT_53_UDP_ADDR: '10.96.0.7',
  });
  t.equal(serviceEnvironment([service('a', { clusterIP: 'fd00::1' })]).get('A_PORT'), 'tcp://[fd00::1]:80');
});

t.test('services without an address have none', async (t) => {
  t.same(serviceEnvironment([service('a', { clusterIP: 'None' }), service('b', { clusterIP: '' })]), new Map());
});

t.test('which services a pod is told of', async (t) => {
  const names = (services: readonly Service[]) => services.map(({ metadata }) => metadata.name);
  const kubernetes = service('kubernetes');
  t.same(names(linkedServices(true, [service('a')], undefined)), ['a']);
  t.same(names(linkedServices(true, [service('a')], kubernetes)), ['a', 'kubernetes']);
  t.same(names(linkedServices(false, [service('a')], kubernetes)), ['kubernetes']);
  t.same(names(linkedServices(true, [kubernetes], kubernetes)), ['kubernetes']);
});

t.test("a container's own variables come first, win, and may use those of services", async (t) => {
  const facts = {
    podIPs: [],
    hostIPs: [],
    nodeName: 'node',
    allocatable: {},
    sources: { configMap: () => undefined, secret: () => undefined, serviceAccount: () => undefined },
    services: [service('web')],
    envFiles: new Map(),
  };
  const env = [
    { name: 'URL', value: 'http://$(WEB_SERVICE_HOST):$(WEB_SERVICE_PORT)' },
    { name: 'WEB_PORT', value: 'mine' },
  ];
  const entries = containerEnvironment(podWith({}), { name: 'a', image: 'one', env }, facts);
  t.same(entries.map(({ key, value }) => `${key}=${value}`).slice(0, 4), [
    'URL=http://10.96.0.7:80',
    'WEB_PORT=mine',
    'WEB_SERVICE_HOST=10.96.0.7',
    'WEB_SERVICE_PORT=80',
  ]);
  t.equal(entries.length, 8);
});
