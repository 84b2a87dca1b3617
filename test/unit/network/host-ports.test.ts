import t from 'tap';
import type { Container, Pod, PodSpec } from '../../../src/api/pod.ts';
import { podPortMappings } from '../../../src/network/host-ports.ts';

const pod = (spec: Partial<PodSpec>): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u' },
  spec: { containers: [], ...spec },
});
const web: Container = {
  name: 'web',
  ports: [
    { containerPort: 80, hostPort: 8080 },
    { containerPort: 81, hostPort: 8081, protocol: 'UDP', hostIP: '127.0.0.1' },
    { containerPort: 82 },
  ],
};

t.test('only ports with a host port are mapped', async (t) => {
  t.strictSame(podPortMappings(pod({ containers: [web] })), [
    { protocol: 'TCP', containerPort: 80, hostPort: 8080, hostIp: '' },
    { protocol: 'UDP', containerPort: 81, hostPort: 8081, hostIp: '127.0.0.1' },
  ]);
});

t.test("a sidecar's ports are mapped, those of an init container that ends are not", async (t) => {
  const initContainers: Container[] = [
    { name: 'proxy', restartPolicy: 'Always', ports: [{ containerPort: 1, hostPort: 101 }] },
    { name: 'prepare', ports: [{ containerPort: 2, hostPort: 102 }] },
  ];
  const ports = podPortMappings(pod({ containers: [web], initContainers })).map((mapping) => mapping.hostPort);
  t.strictSame(ports, [101, 8080, 8081]);
});

t.test("with the host's network there is nothing to map", async (t) => {
  t.strictSame(podPortMappings(pod({ containers: [web], hostNetwork: true })), []);
});
