import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../../src/config/config.ts';
import { parseCommandLine, settingFlags } from '../../../src/config/flags.ts';
import { printSettings } from '../../../src/config/print.ts';
import { ConfigError } from '../../../src/config/problem.ts';
import { settingPaths } from '../../../src/config/settings.ts';

const host = { hostname: 'Node-1', cpuCount: 2 };

async function problemsOf(work: Promise<unknown>): Promise<string[]> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

/** Writes files below a directory of the test and gives the path of config.yaml in it. */
function write(directory: string, files: Record<string, string>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(directory, name, '..'), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return join(directory, 'config.yaml');
}

t.test('without a file the defaults hold, and nothing is left to find out', async (t) => {
  const { config, settings } = await loadConfig({ host, file: write(t.testdir(), { 'config.yaml': '# nothing\n' }) });
  t.match(config, {
    nodeName: 'node-1',
    maxPods: 110,
    podPidsLimit: 1024,
    fileCheckFrequencyMs: 20_000,
    runtimeRequestTimeoutMs: 120_000,
    streamingConnectionIdleTimeoutMs: 4 * 3_600_000,
    eventTTLMs: 3_600_000,
    maxContainerRestartPeriodMs: 300_000,
    containerLogMaxSizeBytes: 10 * 1024 * 1024,
    maxConcurrentPodWorkers: 4,
    socketPath: '/run/mini-kubelet/api.sock',
    seccompDefault: true,
    evictionHard: { 'memory.available': '100Mi' },
  });
  t.equal(settings.nodeName, 'node-1');
});

t.test('file, drop-ins in the order of their names, flags: the later wins', async (t) => {
  const file = write(t.testdir(), {
    'config.yaml':
      'kind: KubeletConfiguration\nmaxPods: 1\nport: 1\naddress: "::1"\nkubeReserved: {cpu: 1, memory: 1Gi}\n',
    'config.yaml.d/20.yaml': 'maxPods: 3\nclusterDNS: [10.0.0.10]\nnodeLabels: null\n',
    'config.yaml.d/10.yaml': 'maxPods: 2\nport: 2\nkubeReserved: {memory: 2Gi}\nevictionHard: {nodefs.available: 5%}\n',
    'config.yaml.d/ignored.txt': 'no yaml: [',
    'config.yaml.d/.hidden.yaml': 'no yaml: [',
  });
  const { flags } = parseCommandLine([
    '--port=4',
    '--node-labels',
    'a=1,example.com/b=',
    '--node-labels',
    'c=x=y'.replace('=y', ''),
  ]);
  const { config } = await loadConfig({ host, file, flags });
  t.match(config, { maxPods: 3, port: 4, address: '::1', clusterDNS: ['10.0.0.10'] });
  t.strictSame(config.kubeReserved, { cpu: '1', memory: '2Gi' }, 'maps of files are merged by key');
  t.strictSame(config.evictionHard, { 'nodefs.available': '5%' }, 'a map of a file replaces the default');
  t.strictSame(config.nodeLabels, { a: '1', 'example.com/b': '', c: 'x' });
});

t.test('everything that is wrong is said at once, with file and line', async (t) => {
  const directory = t.testdir();
  const file = write(directory, {
    'config.yaml': [
      'maxPod: 3',
      'port: 70000',
      'address: localhost',
      'syncFrequency: 60',
      'kubeReserved: {cpu: 1, gpu: 2}',
      'nodeLabels:',
      '  a: yes',
      'crashLoopBackOff:',
      '  maxContainerRestartPeriod: 10m',
      'clusterDNS: 10.0.0.10',
      'seccompDefault: "true"',
      'cgroupDriver: cgroupsfs',
      'staticPodPath: manifests',
      'hostnameOverride: a',
      'containerRuntimeEndpoint: /run/containerd/containerd.sock',
      'kind: Pod',
      'maxPods: 1',
      'maxPods: 2',
    ].join('\n'),
    'config.yaml.d/a.yaml': 'maxPods: 1\n\tport: 2\n',
    'config.yaml.d/b.yaml': '- a list\n',
  });
  const { flags } = parseCommandLine(['--eviction-hard', 'memory.available<1x', '--container-log-max-files=many']);
  t.strictSame(
    (await problemsOf(loadConfig({ host, file, flags }))).map((line) => line.replace(`${directory}/`, '')),
    [
      'config.yaml:18: key "maxPods" already set in map',
      'config.yaml:1: there is no setting maxPod, did you mean maxPods?',
      'config.yaml:2: port must be a whole number from 0 to 65535, not 70000',
      'config.yaml:3: address must be an IP address, not "localhost"',
      'config.yaml:4: syncFrequency must be a duration like "1m30s", not 60',
      'config.yaml:5: a key of kubeReserved must be one of cpu, memory, ephemeral-storage, not "gpu"',
      'config.yaml:7: nodeLabels[a] must be a text (in quotes), not true',
      'config.yaml:9: crashLoopBackOff.maxContainerRestartPeriod must be at most 300s, not "10m"',
      'config.yaml:10: clusterDNS must be a list',
      'config.yaml:11: seccompDefault must be true or false, not "true"',
      'config.yaml:12: cgroupDriver must be one of auto, cgroupfs, systemd, not "cgroupsfs"',
      'config.yaml:13: staticPodPath must be an absolute path, not "manifests"',
      'config.yaml:14: there is no setting hostnameOverride, did you mean nodeName?',
      'config.yaml:15: containerRuntimeEndpoint must be like unix:///run/containerd/containerd.sock, not "/run/containerd/containerd.sock"',
      'config.yaml:16: kind must be KubeletConfiguration or be left out',
      'config.yaml.d/a.yaml:2: line 2, column 1: tab characters must not be used in indentation',
      'config.yaml.d/b.yaml:1: must be a map of settings',
      '--eviction-hard: evictionHard[memory.available] must be a quantity like "100Mi" or a percentage like "10%", not "1x"',
      '--container-log-max-files: containerLogMaxFiles must be a whole number from 2 to 1000, not "many"',
    ],
  );
});

t.test("a kubelet's feature MemoryQoS can be switched on, and no other gate", async (t) => {
  const load = (text: string) => loadConfig({ host, file: write(t.testdir(), { 'config.yaml': text }) });
  const off = { featureGates: { MemoryQoS: false }, memoryThrottlingFactor: 0.9, memoryReservationPolicy: 'None' };
  t.match((await load('')).config, off);
  t.match((await load('featureGates: {}')).config, off);
  const { config, settings } = await load(
    'featureGates: {MemoryQoS: true}\nmemoryThrottlingFactor: 0.8\nmemoryReservationPolicy: TieredReservation\n',
  );
  const on = {
    featureGates: { MemoryQoS: true },
    memoryThrottlingFactor: 0.8,
    memoryReservationPolicy: 'TieredReservation',
  };
  t.match(config, on);
  t.match((await load(printSettings(settings))).config, on, 'what is printed is taken');
  const problems = async (text: string) =>
    (await problemsOf(load(text))).map((line) => line.replace(/^.*config\.yaml:/, ''));
  t.strictSame(await problems('featureGates: {NodeSwap: true, MemoryQoS: "true"}'), [
    '1: there is no setting featureGates.NodeSwap',
    '1: featureGates.MemoryQoS must be true or false, not "true"',
  ]);
  t.strictSame(
    await problems('featureGates: {MemoryQoS: true}\nmemoryThrottlingFactor: 0\nmemoryReservationPolicy: Hard'),
    [
      '2: memoryThrottlingFactor must be a number above 0 and at most 1, not 0',
      '3: memoryReservationPolicy must be one of None, TieredReservation, not "Hard"',
    ],
  );
  t.strictSame(await problems('memoryThrottlingFactor: 0.8\nmemoryReservationPolicy: TieredReservation'), [
    '1: memoryThrottlingFactor needs featureGates: {MemoryQoS: true}',
    '2: memoryReservationPolicy needs featureGates: {MemoryQoS: true}',
  ]);
});

t.test('settings that contradict each other are refused', async (t) => {
  const check = (text: string, hostname = 'a') =>
    problemsOf(loadConfig({ host: { ...host, hostname }, file: write(t.testdir(), { 'config.yaml': text }) }));
  t.match(await check(`runDirectory: /${'x'.repeat(120)}`), [
    /config.yaml:1: the socket's path .* must be at most 107 bytes long/,
  ]);
  t.match(await check('serializeImagePulls: true\nmaxParallelImagePulls: 3'), [
    /config.yaml:2: maxParallelImagePulls cannot be larger than 1/,
  ]);
  t.strictSame(await check('serializeImagePulls: true'), []);
  t.match(await check('shutdownGracePeriod: 10s\nshutdownGracePeriodCriticalPods: 20s'), [
    /config.yaml:2: shutdownGracePeriodCriticalPods must not be longer/,
  ]);
  t.match(await check('shutdownGracePeriod: 10ms'), [/at least 1s/]);
  const table = 'shutdownGracePeriodByPodPriority: [{priority: 1000, shutdownGracePeriodSeconds: 30}]';
  t.same(await check(table), [], "a kubelet's form");
  t.match(await check(`shutdownGracePeriod: 10s\n${table}`), [/cannot both be set/]);
  t.match(await check('shutdownGracePeriodByPodPriority: [{priority: 1}]'), [/list of priority and shutdown/]);
  t.match(await check('shutdownGracePeriodByPodPriority: {high: 1}'), [/a priority/, /a duration/]);
  t.match(await check('stateDirectory: /a\nrunDirectory: /a'), [/different directories/]);
  t.match(await check('', 'my host'), [/the host name "my host" is no DNS name: set nodeName/]);
  t.strictSame(await check('nodeName: a.b', 'my host'), []);
});

t.test('a missing file is a problem only when it was asked for', async (t) => {
  const file = join(t.testdir(), 'none.yaml');
  t.strictSame(await problemsOf(loadConfig({ host, file })), [`${file}: there is no such file`]);
});

t.test('what config print shows means the same when it is read again', async (t) => {
  const file = write(t.testdir(), {
    'config.yaml': 'nodeLabels: {a: "yes", b: "0400"}\nclusterDNS: [10.0.0.10]\nnodeName: "1"\n',
  });
  const first = await loadConfig({ host, file });
  const again = await loadConfig({ host, file: write(t.testdir(), { 'config.yaml': printSettings(first.settings) }) });
  t.strictSame(again, first);
});

t.test('every setting has a flag of its own and is documented', async (t) => {
  const names = settingFlags().map(({ name }) => name);
  t.equal(new Set(names).size, names.length);
  const documentation = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');
  for (const { path } of settingPaths()) t.ok(documentation.includes(`\`${path.join('.')}\``), path.join('.'));
});
