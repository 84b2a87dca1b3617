import t from 'tap';
import type { Container, Pod, PodSpec, VolumeMount } from '../../../src/api/pod.ts';
import { type AdmissionNode, admit } from '../../../src/node/admission.ts';
import type { ImageVolumeSupport } from '../../../src/runtime/runtime-monitor.ts';

const node: AdmissionNode = {
  name: 'this-node',
  labels: { 'kubernetes.io/os': 'linux', disk: 'ssd', generation: '7' },
  taints: [],
  allocatable: { cpu: '2', memory: '1Gi', 'ephemeral-storage': '10Gi', pods: '3', 'hugepages-2Mi': '0' },
  maxPods: 3,
  kernelRelease: '6.1.0-18-amd64',
  allowedUnsafeSysctls: ['kernel.msg*', 'net.core.somaxconn'],
  runtimeHandler: '',
  features: { supplementalGroupsPolicy: false, userNamespaces: false, imageVolumes: 'none' as const },
};

let count = 0;

function pod(spec: Partial<PodSpec> = {}, rest: Partial<Pod> = {}): Pod {
  count += 1;
  const { metadata, ...others } = rest;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${count}`, namespace: 'default', uid: `uid-${count}`, ...metadata },
    spec: { containers: [container()], ...spec },
    ...others,
  } as Pod;
}

function container(rest: Partial<Container> = {}): Container {
  return { name: 'main', image: 'busybox', ...rest } as Container;
}

function requesting(requests: Record<string, string>): Pod {
  return pod({ containers: [container({ resources: { requests } })] });
}

function onPort(hostPort: number, hostIP?: string, protocol: 'TCP' | 'UDP' = 'TCP'): Pod {
  return pod({ containers: [container({ ports: [{ containerPort: 80, hostPort, hostIP, protocol }] })] });
}

t.test('a pod that fits is admitted', async (t) => {
  t.equal(admit(requesting({ cpu: '2', memory: '1Gi', 'ephemeral-storage': '10Gi' }), [], node), undefined);
});

const refused: Record<string, { pod: Pod; others?: Pod[]; reason: string; message: string }> = {
  'more CPU than the node has': {
    pod: requesting({ cpu: '4' }),
    reason: 'OutOfcpu',
    message: "Pod was rejected: Node didn't have enough resource: cpu, requested: 4000, used: 0, capacity: 2000",
  },
  'more memory than the others leave': {
    pod: requesting({ memory: '768Mi' }),
    others: [requesting({ memory: '256Mi' }), requesting({ memory: '128Mi' })],
    reason: 'OutOfmemory',
    message:
      "Pod was rejected: Node didn't have enough resource: memory, requested: 805306368, used: 402653184, capacity: 1073741824",
  },
  'more storage than the node has': {
    pod: requesting({ 'ephemeral-storage': '11Gi' }),
    reason: 'OutOfephemeral-storage',
    message:
      "Pod was rejected: Node didn't have enough resource: ephemeral-storage, requested: 11811160064, used: 0, capacity: 10737418240",
  },
  'one pod too many': {
    pod: pod(),
    others: [pod(), pod(), pod()],
    reason: 'OutOfpods',
    message: "Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3",
  },
  'a device that the node does not know': {
    pod: requesting({ 'example.com/gpu': '1' }),
    reason: 'OutOfexample.com/gpu',
    message: "Pod was rejected: Node didn't have enough resource: example.com/gpu, requested: 1, used: 0, capacity: 0",
  },
  'huge pages that were not set aside': {
    pod: requesting({ 'hugepages-2Mi': '2Mi' }),
    reason: 'OutOfhugepages-2Mi',
    message:
      "Pod was rejected: Node didn't have enough resource: hugepages-2Mi, requested: 2097152, used: 0, capacity: 0",
  },
  'a node selector for other nodes': {
    pod: pod({ nodeSelector: { disk: 'hdd' } }),
    reason: 'NodeAffinity',
    message: "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
  },
  'the name of another node': {
    pod: pod({ nodeName: 'other-node' }),
    reason: 'NodeName',
    message: "Pod was rejected: Predicate NodeName failed: node(s) didn't match the requested node name",
  },
  'a host port that is taken': {
    pod: onPort(8080),
    others: [onPort(8080)],
    reason: 'NodePorts',
    message: "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
  },
  'another operating system': {
    pod: pod({ os: { name: 'windows' } }),
    reason: 'PodOSNotSupported',
    message: "Pod was rejected: Failed to admit pod as the OS field doesn't match node OS",
  },
  'the label of another operating system': {
    pod: pod(
      {},
      { metadata: { name: 'w', namespace: 'default', uid: 'w', labels: { 'kubernetes.io/os': 'windows' } } },
    ),
    reason: 'PodOSSelectorNodeLabelDoesNotMatch',
    message: "Pod was rejected: Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
  },
  'strict supplemental groups where the runtime cannot': {
    pod: pod({ securityContext: { supplementalGroupsPolicy: 'Strict' } }),
    reason: 'SupplementalGroupsPolicyNotSupported',
    message: 'Pod was rejected: SupplementalGroupsPolicy=Strict is not supported in this node',
  },
};

for (const [what, { pod: candidate, others = [], reason, message }] of Object.entries(refused)) {
  t.test(`refused: ${what}`, async (t) => {
    t.strictSame(admit(candidate, others, node), { reason, message });
  });
}

t.test('a pod that ended holds nothing', async (t) => {
  const ended = (['Succeeded', 'Failed'] as const).map((phase) => ({ ...requesting({ cpu: '2' }), status: { phase } }));
  t.equal(admit(requesting({ cpu: '2' }), [...ended, ...ended] as Pod[], node), undefined);
});

t.test('a pod does not stand in its own way', async (t) => {
  const self = requesting({ cpu: '2' });
  t.equal(admit(self, [self], node), undefined);
});

t.test('host ports', async (t) => {
  const portConflict = (wanted: Pod, held: Pod) => admit(wanted, [held], node)?.reason === 'NodePorts';
  t.notOk(portConflict(onPort(80), onPort(81)), 'other ports do not conflict');
  t.notOk(portConflict(onPort(53, undefined, 'UDP'), onPort(53)), 'nor do other protocols');
  t.notOk(portConflict(onPort(80, '192.0.2.1'), onPort(80, '192.0.2.2')), 'nor different addresses');
  t.ok(portConflict(onPort(80, '192.0.2.1'), onPort(80)), 'all addresses include each one');
  t.ok(portConflict(onPort(80, '0.0.0.0'), onPort(80, '192.0.2.2')), 'in both directions');
  t.ok(portConflict(onPort(80, '::'), onPort(80, 'fd00::1')), 'for IPv6, too');
  const onHost = pod({
    hostNetwork: true,
    containers: [container({ ports: [{ containerPort: 80, protocol: 'TCP' }] })],
  });
  t.ok(portConflict(onPort(80), onHost), 'on the host network a container port is a host port');
  const init = (restartPolicy?: 'Always') =>
    pod({
      initContainers: [
        container({ name: 'init', restartPolicy, ports: [{ containerPort: 1, hostPort: 80, protocol: 'TCP' }] }),
      ],
    });
  t.ok(portConflict(init('Always'), onPort(80)), 'a sidecar holds its ports');
  t.notOk(portConflict(init(), onPort(80)), 'an init container that ends does not');
});

t.test('required node affinity', async (t) => {
  type Term = { matchExpressions?: unknown[]; matchFields?: unknown[] };
  const admits = (...nodeSelectorTerms: Term[]) => {
    const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } };
    return admit(pod({ affinity } as Partial<PodSpec>), [], node) === undefined;
  };
  const label = (key: string, operator: string, ...values: string[]): Term => ({
    matchExpressions: [{ key, operator, values }],
  });
  t.ok(admits(label('disk', 'In', 'ssd', 'nvme')));
  t.notOk(admits(label('disk', 'In', 'hdd')));
  t.notOk(admits(label('disk', 'NotIn', 'ssd')));
  t.ok(admits(label('zone', 'NotIn', 'a')), 'a label that is not there is in no list');
  t.ok(admits(label('disk', 'Exists')));
  t.notOk(admits(label('toString', 'Exists')), 'what JavaScript objects inherit is no label');
  t.ok(admits(label('zone', 'DoesNotExist')));
  t.ok(admits(label('generation', 'Gt', '6')));
  t.notOk(admits(label('generation', 'Gt', '7')));
  t.ok(admits(label('generation', 'Lt', '10')), 'numbers are compared as numbers');
  t.notOk(admits(label('disk', 'Gt', '1')), 'a label that is no number is neither greater nor less');
  t.ok(admits(label('disk', 'In', 'hdd'), label('disk', 'In', 'ssd')), 'one term is enough');
  t.notOk(
    admits({
      matchExpressions: [
        ...(label('disk', 'Exists').matchExpressions ?? []),
        ...(label('zone', 'Exists').matchExpressions ?? []),
      ],
    }),
    'all requirements of a term have to hold',
  );
  t.notOk(admits({}), 'a term without a requirement matches nothing');
  t.ok(admits({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['this-node'] }] }));
  t.notOk(admits({ matchFields: [{ key: 'metadata.name', operator: 'NotIn', values: ['this-node'] }] }));
});

t.test('taints', async (t) => {
  const tainted = (effect: 'NoExecute' | 'NoSchedule'): AdmissionNode => ({
    ...node,
    taints: [{ key: 'broken', value: 'yes', effect }],
  });
  t.equal(admit(pod(), [], tainted('NoExecute'))?.reason, 'TaintToleration');
  t.equal(admit(pod(), [], tainted('NoSchedule')), undefined, 'only a scheduler looks at NoSchedule');
  const tolerating = (toleration: Record<string, string>) =>
    admit(pod({ tolerations: [toleration] } as Partial<PodSpec>), [], tainted('NoExecute')) === undefined;
  t.ok(tolerating({ operator: 'Exists' }));
  t.ok(tolerating({ key: 'broken', operator: 'Exists', effect: 'NoExecute' }));
  t.ok(tolerating({ key: 'broken', value: 'yes' }));
  t.notOk(tolerating({ key: 'broken', value: 'no' }));
  t.notOk(tolerating({ key: 'other', operator: 'Exists' }));
  t.notOk(tolerating({ key: 'broken', operator: 'Exists', effect: 'NoSchedule' }));
  const staticPod = pod(
    {},
    {
      metadata: { name: 's', namespace: 'default', uid: 's', annotations: { 'kubernetes.io/config.source': 'file' } },
    },
  );
  t.equal(admit(staticPod, [], tainted('NoExecute')), undefined, 'static pods belong to the node');
});

t.test('of several reasons the first in a kubelet order is given', async (t) => {
  const candidate = pod({
    nodeSelector: { disk: 'hdd' },
    containers: [container({ resources: { requests: { cpu: '3', memory: '2Gi' } } })],
  });
  t.equal(admit(candidate, [], node)?.reason, 'OutOfcpu');
});

t.test('user namespaces', async (t) => {
  const asking = pod({ hostUsers: false });
  t.match(admit(asking, [], node), {
    reason: 'PodFeatureUnsupported',
    message: 'Pod was rejected: hostUsers=false: the runtime handler "" does not support user namespaces',
  });
  t.match(admit(pod({ hostUsers: false, runtimeClassName: 'x' }), [], { ...node, runtimeHandler: 'other' }), {
    message: /the runtime handler "other" does not/,
  });
  const features = { ...node.features, userNamespaces: true };
  t.equal(admit(asking, [], { ...node, features }), undefined);
  t.equal(admit(pod({ hostUsers: true }), [], node), undefined);
});

t.test('volumes of images', async (t) => {
  const verdict = (mount: Partial<VolumeMount>, imageVolumes: ImageVolumeSupport) => {
    const volumeMounts = [
      { name: 'data', mountPath: '/data', subPath: 'part' },
      { name: 'files', mountPath: '/files', ...mount },
    ];
    const asking = pod({
      containers: [container({ volumeMounts })],
      volumes: [{ name: 'data' }, { name: 'files', image: { reference: 'one' } }],
    });
    return admit(asking, [], { ...node, features: { ...node.features, imageVolumes } });
  };
  t.match(verdict({}, 'none'), {
    reason: 'PodFeatureUnsupported',
    message: 'Pod was rejected: volume "files": the container runtime does not support volumes of images',
  });
  t.equal(verdict({}, 'whole'), undefined);
  for (const mount of [{ subPath: 'bin' }, { subPathExpr: '$(DIR)' }]) {
    t.match(verdict(mount, 'whole'), { message: /subPath of volume "files" in container "main": .*only as a whole$/ });
    t.equal(verdict(mount, 'subPath'), undefined);
  }
});

t.test('sysctls', async (t) => {
  const verdict = (name: string, spec: Partial<PodSpec> = {}, changes: Partial<AdmissionNode> = {}) => {
    const asking = pod({ ...spec, securityContext: { sysctls: [{ name, value: '1' }] } });
    return admit(asking, [], { ...node, ...changes });
  };
  for (const name of [
    'kernel.shm_rmid_forced',
    'net/ipv4/tcp_syncookies',
    'net.ipv4.tcp_rmem',
    'kernel.msgmax',
    'net/core/somaxconn',
  ]) {
    t.equal(verdict(name), undefined, name);
  }
  const forbidden = (name: string, problem: string) => ({
    reason: 'SysctlForbidden',
    message: `Pod was rejected: forbidden sysctl: "${name}" ${problem}`,
  });
  for (const name of ['kernel.core_pattern', 'net.core.somaxconn2', 'kernel.shmmax', 'kernel.ms', 'toString']) {
    t.strictSame(verdict(name), forbidden(name, 'not allowlisted'), name);
  }
  const older = { kernelRelease: '4.14.1' };
  t.match(verdict('net.ipv4.tcp_rmem', {}, older), { reason: 'SysctlForbidden' }, 'not safe on an old kernel');
  t.strictSame(
    verdict('net.ipv4.tcp_syncookies', { hostNetwork: true }),
    forbidden('net.ipv4.tcp_syncookies', 'not allowed with host net enabled'),
  );
  t.strictSame(
    verdict('kernel.shm_rmid_forced', { hostIPC: true }),
    forbidden('kernel.shm_rmid_forced', 'not allowed with host ipc enabled'),
  );
  t.equal(verdict('kernel.shm_rmid_forced', { hostNetwork: true }), undefined);
  const all = { allowedUnsafeSysctls: ['kernel.domainname'] };
  t.match(verdict('kernel.domainname', { hostNetwork: true }, all), { reason: 'SysctlForbidden' });
});
