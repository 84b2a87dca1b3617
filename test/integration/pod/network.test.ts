import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import t from 'tap';
import type { Node } from '../../../src/api/node.ts';
import type { Container, Pod } from '../../../src/api/pod.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { leaksSince, takeSnapshot } from '../support/leaks.ts';
import { waitFor } from '../support/wait.ts';
import { isOver, isReady, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime });
t.teardown(() => daemon.stop());

/** Of this file's own: other daemons on the machine may have ports as well. */
const PORT = 20_000 + daemon.root.number * 10;

const node = await daemon.api.expectOk<Node>('GET', `/api/v1/nodes/${daemon.root.name}`);
const hostIP = node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '';

/** Answers each request with a word. */
const web = (word: string, port = 8080): Partial<Container> & { name: string } => ({
  name: 'web',
  command: shell(`mkdir -p /tmp/www; echo ${word} >/tmp/www/index.html; httpd -p ${port} -h /tmp/www`),
});

async function fetchText(address: string): Promise<string> {
  const response = await fetch(`http://${address}/`, {
    signal: AbortSignal.timeout(2000),
    headers: { connection: 'close' },
  });
  return (await response.text()).trim();
}

const answer = (address: string, word: string) =>
  waitFor(`${word} from ${address}`, async () => (await fetchText(address)) === word);

function isRefused(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: 2000 });
    const end = (refused: boolean) => {
      socket.destroy();
      resolve(refused);
    };
    socket.once('connect', () => end(false));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(true));
  });
}

const before = await takeSnapshot({ runtime, daemon });
/** Whether packets for 127.0.0.1 come in from other machines: what listens there is meant for the host alone. */
const routesLocalnet = () =>
  ['all', 'default'].map((name) => readFileSync(`/proc/sys/net/ipv4/conf/${name}/route_localnet`, 'utf8').trim());
const routesLocalnetBefore = routesLocalnet();

t.test('a host port leads into the pod, and is free again when the pod is gone', async (t) => {
  await daemon.createPod(
    podManifest('published', [
      {
        ...web('hello'),
        ports: [
          { containerPort: 8080, hostPort: PORT },
          { containerPort: 9999, hostPort: PORT, protocol: 'UDP' },
        ],
      },
    ]),
  );
  const pod = await daemon.waitForExistingPod('published', isReady);
  await answer(`${hostIP}:${PORT}`, 'hello');
  await answer(`${pod.status?.podIP}:8080`, 'hello');
  t.strictSame(routesLocalnet(), routesLocalnetBefore, 'no door into the host is opened for it');
  const rules = (await takeSnapshot({ runtime, daemon }))['packet filter rules'] ?? [];
  const protocols = rules.flatMap((rule) =>
    rule.includes(`--dports ${PORT} `) ? (/-p (\w+)/.exec(rule)?.[1] ?? []) : [],
  );
  t.strictSame(protocols.sort(), ['tcp', 'udp'], 'UDP as well, by a rule of its own');

  await daemon.restart('SIGKILL');
  await answer(`${hostIP}:${PORT}`, 'hello');
  await daemon.deletePod('published');
  t.ok(await isRefused(hostIP, PORT), 'nobody answers there any more');

  await daemon.createPod(podManifest('next', [{ ...web('next'), ports: [{ containerPort: 8080, hostPort: PORT }] }]));
  await answer(`${hostIP}:${PORT}`, 'next');
  await daemon.deletePod('next');
});

t.test('a pod that wants a host port that is taken is refused', async (t) => {
  const ports = (hostPort: number, more: object = {}) => [{ containerPort: 8080, hostPort, ...more }];
  await daemon.createPod(podManifest('holder', [{ ...web('holder'), ports: ports(PORT) }]));
  await daemon.waitForExistingPod('holder', isReady);
  await daemon.createPod(podManifest('taken', [{ ...web('taken'), ports: ports(PORT, { hostIP: '127.0.0.1' }) }]));
  const refused = await daemon.waitForExistingPod('taken', isOver);
  t.match(refused.status, { phase: 'Failed', reason: 'NodePorts', message: /didn't have free ports/ });
  t.notOk(
    refused.status?.containerStatuses?.some(({ containerID }) => containerID),
    'nothing of it was started',
  );

  await daemon.createPod(podManifest('udp', [{ ...web('udp'), ports: ports(PORT, { protocol: 'UDP' }) }]));
  await daemon.createPod(podManifest('other', [{ ...web('other'), ports: ports(PORT + 1) }]));
  for (const name of ['udp', 'other']) t.ok(isReady(await daemon.waitForExistingPod(name, isReady)), name);
  await answer(`${hostIP}:${PORT}`, 'holder');
  await answer(`${hostIP}:${PORT + 1}`, 'other');

  // A pod that ended holds its port no longer.
  await daemon.deletePod('holder');
  await daemon.createPod(
    podManifest('ended', [{ name: 'a', command: ['true'], ports: ports(PORT) }], { restartPolicy: 'Never' }),
  );
  await daemon.waitForExistingPod('ended', isOver);
  await daemon.createPod(podManifest('after', [{ ...web('after'), ports: ports(PORT) }]));
  await answer(`${hostIP}:${PORT}`, 'after');
  for (const name of ['taken', 'udp', 'other', 'ended', 'after']) await daemon.deletePod(name);
});

t.test("pods in the host's network have its ports, and their ports count", async (t) => {
  const hostPod = (name: string, port: number) =>
    podManifest(name, [{ ...web(name, port), ports: [{ containerPort: port }] }], { hostNetwork: true });
  const first = await daemon.createPod(hostPod('first', PORT + 2));
  t.equal(first.spec.containers[0]?.ports?.[0]?.hostPort, PORT + 2, 'the host port is the port');
  const ready = await daemon.waitForExistingPod('first', isReady);
  t.match(ready.status, { podIP: hostIP, hostIP });
  await answer(`127.0.0.1:${PORT + 2}`, 'first');
  await daemon.createPod(hostPod('second', PORT + 2));
  t.match((await daemon.waitForExistingPod('second', isOver)).status, { reason: 'NodePorts' });
  await daemon.createPod(hostPod('third', PORT + 3));
  await answer(`${hostIP}:${PORT + 3}`, 'third');
  for (const name of ['first', 'second', 'third']) await daemon.deletePod(name);
});

t.test('containers of a pod meet on localhost, and pods by their addresses and names of their own', async (t) => {
  const ask = (address: string) => shell(`until wget -qO- http://${address}/ 2>/dev/null; do sleep 0.1; done`);
  await daemon.createPod(podManifest('server', [web('inside'), { name: 'client', command: ask('localhost:8080') }]));
  const server = await daemon.waitForExistingPod('server', isReady);
  await daemon.createPod(
    podManifest('client', [{ name: 'client', command: ask('friend:8080') }], {
      hostAliases: [{ ip: server.status?.podIP ?? '', hostnames: ['friend'] }],
    }),
  );
  const client = await daemon.waitForExistingPod('client', isReady);
  t.not(client.status?.podIP, server.status?.podIP);
  for (const pod of ['server', 'client']) {
    await waitFor(`the answer in ${pod}`, async () => (await daemon.containerLog(pod, 'client')) === 'inside\n');
  }
  for (const name of ['client', 'server']) await daemon.deletePod(name);
});

t.test('a pod has the host name, hosts and resolver that its manifest says', async (t) => {
  const script = shell(
    'hostname; hostname -f 2>/dev/null; grep -v "^#" /etc/hosts | tail -1 | tr "\\t" " "; cat /etc/resolv.conf; echo end',
  );
  const pods: [string, Partial<Pod['spec']>, RegExp][] = [
    ['plain', {}, /^plain\n/],
    ['named', { hostname: 'other', subdomain: 'sub' }, /^other\n/],
    [
      'servers',
      {
        dnsPolicy: 'None',
        dnsConfig: { nameservers: ['192.0.2.1'], searches: ['a.test', 'b.test'], options: [{ name: 'debug' }] },
      },
      /search a\.test b\.test\nnameserver 192\.0\.2\.1\noptions debug\n/,
    ],
    ['more', { dnsPolicy: 'Default', dnsConfig: { nameservers: ['192.0.2.2'] } }, /nameserver 192\.0\.2\.2\n/],
  ];
  for (const [name, spec] of pods) await daemon.createPod(podManifest(name, [{ name: 'a', command: script }], spec));
  for (const [name, , expected] of pods) {
    const log = await waitFor(`the log of ${name}`, async () => {
      const text = await daemon.containerLog(name, 'a');
      return text.endsWith('end\n') ? text : undefined;
    });
    t.match(log, expected, name);
    t.ok(statusOf(await daemon.getPod(name), 'a'));
    await daemon.deletePod(name);
  }
});

t.test('no address, rule or network is left', async (t) => {
  t.strictSame(
    (await leaksSince(before, { runtime, daemon })).filter((leak) => !leak.startsWith('open files')),
    [],
  );
});
