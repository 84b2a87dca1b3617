// What other tools that run pods as root were found to do for a pod that asks for it, or plants it. Each test is named for
// what the daemon does instead.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import t from 'tap';
import type { Container, Pod } from '../../../src/api/pod.ts';
import { podPath } from '../support/api-client.ts';
import { startContainerd, wantedContainerd } from '../support/containerd.ts';
import { startDaemon } from '../support/daemon.ts';
import { sendSignal } from '../support/processes.ts';
import { waitFor } from '../support/wait.ts';
import { DEMO_IMAGE, isReady, parseFacts, podManifest, shell, statusOf } from './pods.ts';

const runtime = await startContainerd({ version: wantedContainerd() });
t.teardown(() => runtime.stop());
// Whatever its parent says, what the daemon makes is its own.
const umask = process.umask(0);
const daemon = await startDaemon({ runtime });
process.umask(umask);
t.teardown(() => daemon.stop());

const podsUrl = '/api/v1/namespaces/default/pods';
const idOf = (pod: Pod, container: string) => (statusOf(pod, container).containerID ?? '').replace('containerd://', '');
const pidOf = (pod: Pod, container: string) => runtime.containerPid(idOf(pod, container));

t.test('a pod that mounts the logs of all pods has the daemon read and write nothing else', async (t) => {
  mkdirSync(daemon.podLogsDir, { recursive: true });
  const logs = (name: string) => join(daemon.podLogsDir, name);
  // As a line of a log: whoever reads it as one shows it.
  const secret = '2026-01-01T00:00:00.5Z stdout F root:secret\n';
  mkdirSync(logs('elsewhere'));
  for (const path of ['canary', 'elsewhere/0.log', 'elsewhere/1.log'])
    writeFileSync(logs(path), secret, { mode: 0o600 });
  const planted = {
    link: `rm 0.log; ln -s ${logs('canary')} 0.log; ln -s ${logs('written')} 1.log`,
    hard: 'rm 0.log; ln /logs/canary 0.log; ln /logs/canary 1.log',
    fifo: 'rm 0.log; mkfifo 0.log; mkfifo 1.log',
    device: 'rm 0.log; mknod 0.log c 1 5; mknod 1.log c 1 5',
    directory: `cd ..; mv directory away; ln -s ${logs('elsewhere')} directory`,
  };
  const names = Object.keys(planted);
  const script = Object.entries(planted).map(
    ([name, words]) => `(cd /logs/default_evil_$UID_OF_POD/${name}; ${words})`,
  );
  await daemon.createPod(
    podManifest(
      'evil',
      [
        ...names.map((name) => ({
          name,
          command: shell(`echo mine`),
          terminationMessagePolicy: 'FallbackToLogsOnError' as const,
        })),
        {
          name: 'attacker',
          env: [{ name: 'UID_OF_POD', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } }],
          command: shell(`until [ -e /logs/begin ]; do sleep 0.1; done\nset -e\n${script.join('\n')}\necho planted`),
          volumeMounts: [{ name: 'logs', mountPath: '/logs' }],
        },
      ],
      { volumes: [{ name: 'logs', hostPath: { path: daemon.podLogsDir } }] },
    ),
  );
  const pod = await daemon.waitForExistingPod('evil', isReady);
  for (const name of names) {
    await waitFor(`the log of ${name}`, async () => (await daemon.containerLog('evil', name)) === 'mine\n');
  }
  writeFileSync(logs('begin'), '');
  await waitFor('the attack', async () => (await daemon.containerLog('evil', 'attacker')) === 'planted\n');

  /** What is sent of a log that is to be refused, by its code or, where the server took long to see it, by cutting off. */
  const assertRefused = async (name: string, query: string) => {
    const path = `${podPath('evil')}/log?container=${name}${query}`;
    const answer = await daemon.api.stream(path, AbortSignal.timeout(30_000));
    let text = '';
    let isRefused = (answer.statusCode ?? 0) >= 400;
    try {
      for await (const chunk of answer) text += String(chunk);
    } catch (error) {
      isRefused = (error as NodeJS.ErrnoException).code === 'ECONNRESET';
    }
    t.ok(isRefused, `${name}${query}: ${answer.statusCode} ${text}`);
    t.notMatch(text, 'root:');
    t.notMatch(text, daemon.root.path, 'nor is it told where the logs are');
  };
  for (const name of names) {
    for (const query of ['', '&follow=true', '&tailLines=3', '&timestamps=true&limitBytes=100']) {
      await assertRefused(name, query);
    }
  }

  for (const name of names) process.kill(pidOf(pod, name), 'SIGKILL');
  const again = await daemon.waitForExistingPod(
    'evil',
    (seen) =>
      names.every(
        (name) => name === 'directory' || (statusOf(seen, name).restartCount > 0 && statusOf(seen, name).ready),
      ),
    { timeoutMs: 60_000 },
  );
  for (const name of names) {
    const { lastState, state } = statusOf(again, name);
    t.equal((lastState?.terminated ?? state?.terminated)?.message, undefined, `${name}: its last words`);
    await assertRefused(name, '&previous=true');
    if (name === 'directory') continue;
    await waitFor(`the new log of ${name}`, async () => (await daemon.containerLog('evil', name)) === 'mine\n');
  }
  t.notOk(existsSync(logs('written')), 'the runtime did not write through the link');
  for (const path of ['canary', 'elsewhere/0.log']) t.equal(readFileSync(logs(path), 'utf8'), secret);
  await daemon.deletePod('evil');
  for (const path of ['canary', 'elsewhere/0.log', 'elsewhere/1.log'])
    t.equal(readFileSync(logs(path), 'utf8'), secret);
});

t.test('every kind of container is confined, and so is what is run in it', async (t) => {
  const probe = `
p=$(cat /proc/sys/kernel/core_pattern)
(echo "$p" >/proc/sys/kernel/core_pattern) 2>/dev/null && echo sysctl=written || echo sysctl=refused
(echo >/proc/sysrq-trigger) 2>/dev/null && echo sysrq=written || echo sysrq=refused
for name in CapInh Seccomp; do echo "$name=$(sed -n "s/^$name:\\t//p" /proc/self/status)"; done
echo "readOnly=$(grep -cE ' /proc/sys ro' /proc/self/mountinfo)"
echo "keys=$(cat /proc/keys | wc -c) $(ls /sys/firmware | wc -l)"
echo facts=done`;
  const expected = {
    sysctl: 'refused',
    sysrq: 'refused',
    CapInh: '0000000000000000',
    Seccomp: '2',
    readOnly: '1',
    keys: '0 0',
  };
  const command = shell(probe);
  await daemon.createPod(
    podManifest(
      'kinds',
      [
        { name: 'main', command },
        { name: 'user', command: shell(''), securityContext: { runAsUser: 1000, runAsGroup: 3000 } },
      ],
      {
        securityContext: { supplementalGroups: [4000], fsGroup: 2000 },
        initContainers: [
          { name: 'init', image: DEMO_IMAGE, command: ['sh', '-c', probe] },
          { name: 'sidecar', image: DEMO_IMAGE, command, restartPolicy: 'Always' },
        ],
      },
    ),
  );
  await daemon.waitForExistingPod('kinds', isReady);
  await daemon.api.expectOk('PATCH', `${podPath('kinds')}/ephemeralcontainers`, {
    body: { spec: { ephemeralContainers: [{ name: 'looks', image: DEMO_IMAGE, command }] } },
    contentType: 'application/strategic-merge-patch+json',
  });
  for (const name of ['init', 'sidecar', 'main', 'looks']) {
    const facts = await waitFor(`the facts of ${name}`, async () => {
      const found = parseFacts(await daemon.containerLog('kinds', name));
      return found.facts === 'done' ? found : undefined;
    });
    t.match(facts, expected, name);
  }
  const exec = (container: string, ...words: string[]) =>
    daemon.kubectl(['exec', 'kinds', '-c', container, '--', ...words]);
  t.match(parseFacts((await exec('main', 'sh', '-c', probe)).stdout), expected, 'exec');
  const { stdout } = await exec('user', 'sh', '-c', 'id -u; id -g; id -G');
  const [uid, gid, groups = ''] = stdout.trim().split('\n');
  t.strictSame([uid, gid, groups.split(' ').sort().join(' ')], ['1000', '3000', '2000 3000 4000 50000']);
});

t.test('nothing of the daemon is open in a container, and its API has no name that all of the host see', async (t) => {
  const pod = await daemon.waitForExistingPod('kinds', isReady);
  const pid = pidOf(pod, 'main');
  const files = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  t.ok(files.length > 0);
  t.notMatch(files.join('\n'), daemon.root.path);
  t.notMatch(files.join('\n'), 'socket:');
  await daemon.deletePod('kinds');

  const ours = new Set(
    readdirSync(`/proc/${daemon.pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${daemon.pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        // It was closed meanwhile.
        return [];
      }
    }),
  );
  const sockets = readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , , , , inode]) => ours.has(inode ?? ''));
  t.ok(sockets.some(([, , , , , , , path]) => path === join(daemon.runDir, 'api.sock')));
  t.strictSame(
    sockets.filter(([, , , , , , , path]) => path?.startsWith('@')),
    [],
    'the network namespace of the host alone leads nowhere',
  );
});

/** The programs that the daemon starts during `work`, with their arguments. */
async function programsDuring(work: () => Promise<unknown>): Promise<string[][]> {
  const output = join(daemon.root.path, 'trace');
  const args = ['-f', '-qq', '-s', '4096', '-o', output, '-e', 'trace=execve', '-p', String(daemon.pid)];
  const tracer = spawn('strace', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const end = new Promise((resolve) => tracer.once('exit', resolve));
  const threads = () => readdirSync(`/proc/${daemon.pid}/task`);
  const isHeld = (task: string) =>
    /^TracerPid:\s*[1-9]/m.test(readFileSync(`/proc/${daemon.pid}/task/${task}/status`, 'utf8'));
  try {
    await waitFor('strace to hold the daemon', () => threads().every(isHeld));
    await work();
  } finally {
    if (tracer.pid !== undefined) sendSignal(tracer.pid, 'SIGTERM');
    await end;
  }
  // Of `mount` in each place of PATH, all but one fail; strace tells how on a line of its own when another thread comes between.
  const pending = new Map<string, string>();
  const started: string[] = [];
  for (const line of readFileSync(output, 'utf8').split('\n')) {
    const [, task = '', call = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = call.startsWith('<... execve resumed>') ? pending.get(task) : undefined;
    const list = /^execve\("[^"]*", \[(.*)\], 0x/.exec(call)?.[1] ?? resumed;
    if (list === undefined) continue;
    if (call.endsWith('<unfinished ...>')) pending.set(task, list);
    else if (call.endsWith(' = 0')) started.push(list);
  }
  return started.map((list) => [...list.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = '']) => word));
}

t.test('no word of a manifest is a command, and only what belongs to a pod is mounted', async (t) => {
  const made = join(daemon.root.path, 'pwned');
  const words = [
    `$(touch ${made})`,
    `\`touch ${made}\``,
    `; touch ${made} #`,
    `\n touch ${made} \n`,
    '-o remount',
    '--help',
  ];
  const manifest = (word: string, index: number) =>
    podManifest(
      `words-${index}`,
      [
        {
          name: 'a',
          command: ['sh', '-c', 'sleep 1000000 & wait', word],
          args: [word],
          env: [{ name: 'WORD', value: word }],
          volumeMounts: [
            { name: 'memory', mountPath: `/mnt/${word}` },
            { name: 'memory', mountPath: '/part', subPath: word },
            { name: 'host', mountPath: '/host', subPathExpr: '$(WORD)' },
          ],
        },
      ],
      {
        volumes: [
          { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } },
          { name: 'host', hostPath: { path: join(daemon.root.path, 'words', word), type: 'DirectoryOrCreate' } },
        ],
      },
      { annotations: { word } },
    );
  const programs = await programsDuring(async () => {
    for (const [index, word] of words.entries()) await daemon.createPod(manifest(word, index));
    for (const index of words.keys()) {
      const pod = await daemon.waitForExistingPod(`words-${index}`, isReady, { timeoutMs: 60_000 });
      t.equal(pod.metadata.annotations?.word, words[index], 'it has come in as it is');
    }
    for (const index of words.keys()) await daemon.deletePod(`words-${index}`, { gracePeriodSeconds: 0 });
  });
  t.notOk(existsSync(made));
  t.strictSame([...new Set(programs.map(([name]) => name))].sort(), ['mount', 'umount']);
  const byDescriptor = /^\/proc\/\d+\/fd\/\d+(\/[^/]+)?$/;
  for (const args of programs) {
    t.ok(args.includes('--no-canonicalize'), args.join(' '));
    const paths = args.filter((arg) => arg.startsWith('/'));
    t.ok(
      paths.length > 0 && paths.every((path) => byDescriptor.test(path)),
      'what is open, not a path that may be swapped',
    );
  }
  // A volume in memory and two parts of volumes for each pod.
  const mounts = programs.filter(([name]) => name === 'mount');
  t.equal(mounts.length, 3 * words.length, mounts.map((args) => args.join(' ')).join('; '));
});

t.test('what would lead out of a file or a directory of the daemon is refused at the door', async (t) => {
  const lines = ['a\nb', 'a\rb', 'a\0b'];
  const refused: [field: string, spec: Partial<Pod['spec']>, container?: Partial<Container>][] = [
    [
      'spec.volumes[0].gitRepo',
      { volumes: [{ name: 'v', gitRepo: { repository: 'https://example.com/x' } } as never] },
    ],
    ...lines.flatMap((text): [string, Partial<Pod['spec']>, Partial<Container>?][] => [
      ['spec.hostAliases[0].hostnames[0]', { hostAliases: [{ ip: '192.0.2.1', hostnames: [text] }] }],
      ['spec.dnsConfig.nameservers[0]', { dnsPolicy: 'None', dnsConfig: { nameservers: [text] } }],
      ['spec.dnsConfig.searches[0]', { dnsConfig: { searches: [text] } }],
      ['spec.hostname', { hostname: text }],
      ['spec.subdomain', { subdomain: text }],
      ['spec.containers[0].env[0].name', {}, { env: [{ name: text, value: '' }] }],
    ]),
  ];
  for (const [field, spec, container] of refused) {
    const body = podManifest('refused', [{ name: 'a', command: shell(''), ...container }], spec);
    const { status, text } = await daemon.api.request('POST', podsUrl, { body });
    t.equal(status, 422, JSON.stringify([spec, container]));
    t.match(text, field);
  }
  // Names and UIDs become names of directories.
  const created = await daemon.createPod(
    podManifest('uid', [{ name: 'a', command: shell('') }], {}, { uid: '../../x' }),
  );
  t.match(created.metadata.uid, /^[0-9a-f-]{36}$/);
  writeFileSync(join(daemon.manifestsDir, 'up.json'), JSON.stringify(podManifest('..', [{ name: 'a' }])));
  await waitFor('the refusal', () => daemon.log().includes('metadata.name: Invalid value'));
  const uids = new Set(
    (await daemon.api.expectOk<{ items: Pod[] }>('GET', podsUrl)).items.map(({ metadata }) => metadata.uid),
  );
  t.strictSame(
    readdirSync(join(daemon.stateDir, 'pods')).filter((name) => !uids.has(name)),
    [],
  );
  await daemon.deletePod('uid');
});

t.test('what the daemon makes is for nobody else, but for what pods and log agents are to reach', async (t) => {
  const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'open' }, data: { a: 'b' } };
  await daemon.api.expectOk('POST', '/api/v1/namespaces/default/configmaps', { body: config });
  const volumes = [
    { name: 'config', configMap: { name: 'open' } },
    { name: 'disk', emptyDir: {} },
  ];
  const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }));
  await daemon.createPod(podManifest('files', [{ name: 'a', command: shell(''), volumeMounts }], { volumes }));
  await daemon.waitForExistingPod('files', isReady);
  const pods = join(daemon.stateDir, 'pods');
  const open: string[] = [];
  const visit = (path: string) => {
    const { mode } = statSync(path);
    // Below a directory that others cannot enter they reach nothing, and what pods use has modes of its own.
    if ((mode & 0o077) !== 0) open.push(`${relative(daemon.root.path, path)} ${(mode & 0o7777).toString(8)}`);
    if (!statSync(path).isDirectory() || path === pods) return;
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (!entry.isSymbolicLink()) visit(join(path, entry.name));
  };
  for (const path of [daemon.stateDir, daemon.runDir, daemon.kubeconfig]) visit(path);
  // The socket is for root's group, and certificates are no secret.
  t.strictSame(open.sort(), [
    'run/api.sock 660',
    'run/mini-kubelet.pid 644',
    'state/pki/ca.crt 644',
    'state/pki/server.crt 644',
  ]);
  for (const name of readdirSync(pods)) t.equal(statSync(join(pods, name)).mode & 0o007, 0, name);
  await daemon.deletePod('files');
});
