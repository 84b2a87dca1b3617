import { pino } from 'pino';
import t from 'tap';
import type { KindDefinition } from '../../../src/api/kind.ts';
import type { Node } from '../../../src/api/node.ts';
import { goArchitecture, parseOsImage } from '../../../src/node/node-info.ts';
import { type NodeFacts, nodeObject, type RuntimeHealth } from '../../../src/node/node-object.ts';
import { NodeStatusManager } from '../../../src/node/node-status.ts';

const good = { status: true, reason: '', message: '' };
const up: RuntimeHealth = {
  state: 'up',
  name: 'containerd',
  version: '1.6.20',
  runtimeReady: good,
  networkReady: good,
};
const noNetwork: RuntimeHealth = {
  ...up,
  networkReady: {
    status: false,
    reason: 'NetworkPluginNotReady',
    message: 'Network plugin returns error: cni plugin not initialized',
  },
};

const facts: NodeFacts = {
  name: 'node-1',
  hostname: 'host-1',
  hostIPs: ['192.0.2.2', 'fd00::2'],
  labels: { role: 'edge' },
  taints: [],
  resources: {
    capacity: { cpu: '2', memory: '1Gi' },
    allocatable: { cpu: '1900m', memory: '900Mi' },
    podLimits: { cpuMilli: 1900, memoryBytes: 1n },
  },
  machine: {
    machineId: 'm',
    systemUuid: 's',
    bootId: 'b',
    kernelVersion: '6.1.0',
    osImage: 'Debian GNU/Linux 12 (bookworm)',
    architecture: 'amd64',
  },
  swapBytes: 0n,
  version: 'v1.36.2',
  apiPort: 10250,
  runtime: up,
};

const start = Date.parse('2026-01-02T03:04:05.678Z');
const ready = (node: Node | undefined) => node?.status?.conditions?.find(({ type }) => type === 'Ready');

t.test('labels go with the setting that gave them; those of users stay', async (t) => {
  const before = nodeObject(undefined, { ...facts, labels: { role: 'edge', room: 'cellar' } }, 'uid-1', start);
  const labelled = {
    ...before,
    metadata: {
      ...before.metadata,
      labels: { ...before.metadata.labels, mine: 'yes' },
      annotations: { ...before.metadata.annotations, note: 'kept' },
    },
  };
  const after = nodeObject(labelled, { ...facts, labels: { room: 'attic' } }, 'uid-1', start);
  t.match(after.metadata.labels, { room: 'attic', mine: 'yes', 'kubernetes.io/os': 'linux' });
  t.notOk(Object.hasOwn(after.metadata.labels ?? {}, 'role'));
  t.match(after.metadata.annotations, { note: 'kept' });
  const last = nodeObject(after, { ...facts, labels: {} }, 'uid-1', start);
  t.strictSame(
    Object.keys(last.metadata.labels ?? {}).filter((name) => !name.startsWith('kubernetes.io/')),
    ['mine'],
  );
  t.strictSame(last.metadata.annotations, { note: 'kept' });
});

t.test('the node shows what the machine is', async (t) => {
  const node = nodeObject(undefined, facts, 'uid-1', start);
  t.match(node, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: 'node-1',
      uid: 'uid-1',
      creationTimestamp: '2026-01-02T03:04:05Z',
      labels: {
        'kubernetes.io/hostname': 'host-1',
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        role: 'edge',
      },
    },
    status: {
      capacity: { cpu: '2', memory: '1Gi' },
      allocatable: { cpu: '1900m', memory: '900Mi' },
      addresses: [
        { type: 'InternalIP', address: '192.0.2.2' },
        { type: 'InternalIP', address: 'fd00::2' },
        { type: 'Hostname', address: 'host-1' },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: { containerRuntimeVersion: 'containerd://1.6.20', kubeletVersion: 'v1.36.2', architecture: 'amd64' },
    },
  });
  t.strictSame(
    node.status?.conditions?.map(({ type, status, reason }) => [type, status, reason]),
    [
      ['MemoryPressure', 'False', 'KubeletHasSufficientMemory'],
      ['DiskPressure', 'False', 'KubeletHasNoDiskPressure'],
      ['PIDPressure', 'False', 'KubeletHasSufficientPID'],
      ['Ready', 'True', 'KubeletReady'],
    ],
  );
});

t.test('it is not ready while the runtime or its network is not, and says why', async (t) => {
  const message = (runtime: RuntimeHealth) => ready(nodeObject(undefined, { ...facts, runtime }, 'u', start))?.message;
  t.equal(
    message(noNetwork),
    'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized',
  );
  t.equal(message({ state: 'down', message: 'connection refused' }), 'container runtime is down: connection refused');
  t.match(message({ state: 'unknown' }), /may not have completed yet/);
  const both = message({
    ...noNetwork,
    runtimeReady: { status: false, reason: 'Starting', message: 'wait' },
  } as RuntimeHealth);
  t.match(both, /^\[container runtime not ready: .*, container runtime network not ready: .*\]$/);
});

t.test('a condition keeps the time of its last change while only the heartbeat goes on', async (t) => {
  const first = nodeObject(undefined, facts, 'u', start);
  const later = nodeObject(first, facts, 'u', start + 60_000);
  t.match(ready(later), { lastTransitionTime: '2026-01-02T03:04:05Z', lastHeartbeatTime: '2026-01-02T03:05:05Z' });
  const broken = nodeObject(later, { ...facts, runtime: noNetwork }, 'u', start + 120_000);
  t.match(ready(broken), { status: 'False', lastTransitionTime: '2026-01-02T03:06:05Z' });
});

t.test('what users wrote into the node stays, and what the daemon owns is restored', async (t) => {
  const stored = nodeObject(undefined, facts, 'u', start);
  const edited: Node = {
    ...stored,
    metadata: { ...stored.metadata, labels: { mine: 'yes', 'kubernetes.io/os': 'beos' }, annotations: { note: 'x' } },
    spec: { unschedulable: true, taints: [{ key: 'k', effect: 'NoExecute' }] },
  };
  const next = nodeObject(edited, { ...facts, taints: [{ key: 'configured', effect: 'NoSchedule' }] }, 'u', start);
  t.match(next.metadata, {
    labels: { mine: 'yes', 'kubernetes.io/os': 'linux', role: 'edge' },
    annotations: { note: 'x' },
  });
  t.strictSame(next.spec, edited.spec);
});

t.test('a runtime that is away for a moment keeps its name', async (t) => {
  const stored = nodeObject(undefined, facts, 'u', start);
  const away = nodeObject(stored, { ...facts, runtime: { state: 'down', message: 'gone' } }, 'u', start);
  t.equal(away.status?.nodeInfo?.containerRuntimeVersion, 'containerd://1.6.20');
});

t.test('the names of system and architecture are those that Kubernetes uses', async (t) => {
  t.equal(
    parseOsImage('NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'),
    'Debian GNU/Linux 12 (bookworm)',
  );
  t.equal(parseOsImage(''), 'Linux');
  t.equal(goArchitecture('x64'), 'amd64');
  t.equal(goArchitecture('arm64'), 'arm64');
});

t.test('the stored node changes when the runtime changes, and not when it says the same again', async (t) => {
  let stored: Node | undefined;
  let writes = 0;
  let now = start;
  const removed: string[] = [];
  const events: string[] = [];
  const old = nodeObject(undefined, { ...facts, name: 'old-name' }, 'u', start);
  const manager = new NodeStatusManager({
    store: {
      get: () => stored,
      list: () => ({ items: stored ? [stored, old] : [old] }),
      delete: (_kind, _namespace, name) => {
        removed.push(name);
        return old;
      },
      create: (_kind, object) => {
        stored = object;
        writes += 1;
        return object;
      },
      update: (_kind, _namespace, _name, mutate) => {
        const next = stored && mutate(stored);
        if (next) {
          stored = next;
          writes += 1;
        }
        return stored as Node;
      },
    },
    kind: {} as KindDefinition<Node>,
    clock: { now: () => now, monotonicMs: () => now },
    logger: pino({ level: 'silent' }),
    facts: async () => facts,
    onEvent: (_node, reason) => events.push(reason),
  });
  await manager.start();
  t.strictSame(removed, ['old-name'], 'a node of another name is this one before it was renamed');
  t.equal(ready(stored)?.status, 'False', 'the runtime has not been asked yet');
  manager.runtimeStatus(up);
  t.equal(ready(stored)?.status, 'True');
  t.equal(writes, 2);
  now += 5000;
  manager.runtimeStatus(up);
  t.equal(writes, 2);
  manager.runtimeStatus({ state: 'down', message: 'connection refused' });
  t.match(ready(stored), { status: 'False', lastTransitionTime: '2026-01-02T03:04:10Z' });
  manager.stop();
  manager.runtimeStatus(up);
  t.equal(writes, 3, 'nothing is written after the stop');
  t.strictSame(events, ['Starting', 'NodeReady', 'NodeNotReady']);
});
