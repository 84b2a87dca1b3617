// Any runtime will do.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { buildDemoVariants } from '../../../scripts/images.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { waitFor } from '../support/wait.ts';
import { isReady, parseFacts, podManifest, shell } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
const daemon = await startDaemon({ runtime, env: { CANARY: 's3cr3t', KUBECONFIG: '/s3cr3t' } });
t.teardown(() => daemon.stop());

const PODS = 20;

/** Everything that a process can see of what was meant for it, and for others. */
const everything = shell(
  'env; tr "\\0" "\\n" </proc/1/cmdline; cat /proc/self/mountinfo /etc/hosts /etc/resolv.conf; hostname; echo end',
);

async function logOf(pod: string, container: string): Promise<string> {
  return waitFor(
    `the log of ${pod}/${container}`,
    async () => {
      const log = await daemon.containerLog(pod, container);
      return log.endsWith('end\n') ? log : undefined;
    },
    30_000,
  );
}

t.test('pods that are made at once each see their own values only', async (t) => {
  const token = (pod: number, container: string) => `token-${pod}-${container}`;
  const pods = Array.from({ length: PODS }, (_, index) => index);
  await Promise.all(
    pods.map((index) =>
      daemon.createPod(
        podManifest(
          `many-${index}`,
          ['a', 'b'].map((name) => ({
            name,
            command: [...everything, token(index, name)],
            env: [
              { name: 'OWN', value: token(index, name) },
              { name: 'TWICE', value: '$(OWN) $(OWN)' },
              { name: `ONLY_${index}_${name.toUpperCase()}`, value: token(index, name) },
              { name: 'ANNOTATION', valueFrom: { fieldRef: { fieldPath: `metadata.annotations['${name}']` } } },
            ],
            volumeMounts: [{ name: token(index, name), mountPath: '/own' }],
          })),
          {
            volumes: ['a', 'b'].map((name) => ({ name: token(index, name), emptyDir: {} })),
            hostAliases: [{ ip: '192.0.2.1', hostnames: [token(index, 'pod')] }],
          },
          { annotations: { a: token(index, 'a'), b: token(index, 'b') } },
        ),
      ),
    ),
  );
  await Promise.all(pods.map((index) => daemon.waitForExistingPod(`many-${index}`, isReady, { timeoutMs: 60_000 })));
  const addresses = new Set<string>();
  for (const index of pods) {
    addresses.add((await daemon.getPod(`many-${index}`)).status?.podIP ?? '');
    for (const name of ['a', 'b']) {
      const log = await logOf(`many-${index}`, name);
      const seen = [...new Set(log.match(/token-\d+-\w+/g))].sort();
      t.strictSame(seen, [token(index, name), token(index, 'pod')], `many-${index}/${name}`);
      t.match(log, `TWICE=${token(index, name)} ${token(index, name)}\n`);
      t.match(log, `ANNOTATION=${token(index, name)}\n`);
      t.strictSame(log.match(/ONLY_\w+/g), [`ONLY_${index}_${name.toUpperCase()}`]);
    }
  }
  t.equal(addresses.size, PODS, 'each has an address of its own');
  await Promise.all(pods.map((index) => daemon.deletePod(`many-${index}`)));
});

t.test("nothing of the daemon's own environment reaches a container", async (t) => {
  const image = 'mini-kubelet.local/odd:1';
  const archive = join(runtime.root.path, 'odd.tar');
  // Names without a value: an old runtime took that for a wish to inherit.
  buildDemoVariants(archive, { [image]: { Env: ['PATH=/bin:/usr/bin', 'CANARY', 'KUBECONFIG', 'FROM_IMAGE=yes'] } });
  await runtime.ctr('images', 'import', archive);
  rmSync(archive);
  const script = (text: string) => shell(`${text}; echo end`);
  await daemon.createPod(
    podManifest('canary', [
      { name: 'image', image, command: script('env') },
      {
        name: 'pod',
        command: [...script('env; echo "args=$0"'), '$(CANARY) $$(CANARY) $(OTHER) $(EMPTY)'],
        env: [
          { name: 'EMPTY' },
          { name: 'REFERENCE', value: '$(CANARY)' },
          { name: 'ESCAPED', value: '$$(CANARY)' },
          { name: 'LATER', value: '$(OWN)' },
          { name: 'OWN', value: 'own' },
          { name: 'SHELL_WORDS', value: '$CANARY `echo $CANARY`' },
        ],
      },
    ]),
  );
  const fromImage = await logOf('canary', 'image');
  t.notMatch(fromImage, 's3cr3t');
  t.match(fromImage, 'FROM_IMAGE=yes\n');
  const log = await logOf('canary', 'pod');
  t.notMatch(log, 's3cr3t');
  t.match(parseFacts(log), {
    EMPTY: '',
    REFERENCE: '$(CANARY)',
    ESCAPED: '$(CANARY)',
    LATER: '$(OWN)',
    SHELL_WORDS: '$CANARY `echo $CANARY`',
    args: '$(CANARY) $(CANARY) $(OTHER) ',
  });
  await daemon.deletePod('canary');
});

t.test('a container can be told of its pod, its node, and what it may use', async (t) => {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const amount = (name: string, resource: string, divisor?: string) => ({
    name,
    valueFrom: { resourceFieldRef: { resource, ...(divisor ? { divisor } : {}) } },
  });
  await daemon.createPod(
    podManifest(
      'told',
      [
        {
          name: 'a',
          command: shell('env; echo end'),
          resources: { requests: { cpu: '250m', memory: '16Mi' }, limits: { cpu: '1500m', memory: '64Mi' } },
          env: [
            field('NAME', 'metadata.name'),
            field('NAMESPACE', 'metadata.namespace'),
            field('UID', 'metadata.uid'),
            field('LABEL', "metadata.labels['app.kubernetes.io/name']"),
            field('NODE', 'spec.nodeName'),
            field('ACCOUNT', 'spec.serviceAccountName'),
            field('POD_IP', 'status.podIP'),
            field('POD_IPS', 'status.podIPs'),
            field('HOST_IP', 'status.hostIP'),
            amount('CPU_LIMIT', 'limits.cpu'),
            amount('CPU_MILLI', 'limits.cpu', '1m'),
            amount('CPU_REQUEST', 'requests.cpu', '1m'),
            amount('MEMORY', 'limits.memory'),
            amount('MEMORY_MI', 'requests.memory', '1Mi'),
          ],
        },
        // Without a limit it is what the node has.
        { name: 'b', command: shell('env; echo end'), env: [amount('CPU_LIMIT', 'limits.cpu')] },
      ],
      {},
      { labels: { 'app.kubernetes.io/name': 'x.y' } },
    ),
  );
  const pod = await daemon.waitForExistingPod('told', isReady);
  const { podIP, hostIP } = pod.status ?? {};
  t.match(parseFacts(await logOf('told', 'a')), {
    NAME: 'told',
    NAMESPACE: 'default',
    UID: pod.metadata.uid,
    LABEL: 'x.y',
    NODE: daemon.root.name,
    ACCOUNT: 'default',
    POD_IP: podIP,
    POD_IPS: podIP,
    HOST_IP: hostIP,
    // Whole units, rounded up.
    CPU_LIMIT: '2',
    CPU_MILLI: '1500',
    CPU_REQUEST: '250',
    MEMORY: String(64 * 2 ** 20),
    MEMORY_MI: '16',
  });
  const node = await daemon.api.expectOk<{ status: { allocatable: { cpu: string } } }>(
    'GET',
    `/api/v1/nodes/${daemon.root.name}`,
  );
  t.match(parseFacts(await logOf('told', 'b')), { CPU_LIMIT: String(Math.ceil(Number(node.status.allocatable.cpu))) });
  await daemon.deletePod('told');
});
