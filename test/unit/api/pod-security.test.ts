import t from 'tap';
import type { Pod, PodSpec } from '../../../src/api/pod.ts';
import {
  existingPodWarnings,
  isSignificantChange,
  judgePod,
  securityViolations,
} from '../../../src/api/pod-security/evaluate.ts';
import {
  type SecurityLevel,
  type SecurityRules,
  securityPolicy,
  validateSecurityLabels,
} from '../../../src/api/pod-security/policy.ts';

/** A pod that no level has anything against. */
function pod(spec: object = {}, container: object = {}, annotations: Record<string, string> = {}): Pod {
  const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'n', uid: 'u', annotations },
    spec: {
      containers: [{ name: 'c', image: 'i', securityContext, ...container }],
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      ...spec,
    } as PodSpec,
  };
}

function told(subject: Pod, level: SecurityLevel, version: SecurityRules['version'] = 'latest'): string {
  return securityViolations(subject, { level, version })
    .map(({ reason, detail }) => `${reason} (${detail})`)
    .join(', ');
}

const context = (more: object) => ({
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, ...more },
});

/** What breaks which level, and Kubernetes' words for it. */
const cases: readonly [what: string, level: SecurityLevel, subject: Pod, words: string][] = [
  [
    'the network',
    'baseline',
    pod({ hostNetwork: true, hostIPC: true }),
    'host namespaces (hostNetwork=true, hostIPC=true)',
  ],
  ['a path', 'baseline', pod({ volumes: [{ name: 'v', hostPath: { path: '/' } }] }), 'hostPath volumes (volume "v")'],
  [
    'ports',
    'baseline',
    pod(
      {},
      {
        ports: [
          { containerPort: 1, hostPort: 80 },
          { containerPort: 2, hostPort: 443 },
        ],
      },
    ),
    'hostPort (container "c" uses hostPorts 443, 80)',
  ],
  [
    'privilege',
    'baseline',
    pod({}, context({ privileged: true })),
    'privileged (container "c" must not set securityContext.privileged=true)',
  ],
  [
    'a capability',
    'baseline',
    pod({}, context({ capabilities: { drop: ['ALL'], add: ['SYS_ADMIN', 'chown'] } })),
    'non-default capabilities (container "c" must not include "SYS_ADMIN", "chown" in securityContext.capabilities.add)',
  ],
  [
    '/proc',
    'baseline',
    pod({}, context({ procMount: 'Unmasked' })),
    'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    'no seccomp',
    'baseline',
    pod({}, context({ seccompProfile: { type: 'Unconfined' } })),
    'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [
    'no AppArmor',
    'baseline',
    pod({}, context({ appArmorProfile: { type: 'Unconfined' } })),
    'forbidden AppArmor profile (container "c" must not set AppArmor profile type to "Unconfined")',
  ],
  [
    'no AppArmor by annotation',
    'baseline',
    pod({}, {}, { 'container.apparmor.security.beta.kubernetes.io/c': 'unconfined' }),
    'forbidden AppArmor profile (annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/c="unconfined"")',
  ],
  [
    'SELinux',
    'baseline',
    pod({}, context({ seLinuxOptions: { type: 'spc_t', user: 'a' } })),
    'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
  ],
  [
    'sysctls',
    'baseline',
    pod({
      securityContext: {
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
        sysctls: [
          { name: 'a.b', value: '' },
          { name: 'kernel.shm_rmid_forced', value: '1' },
        ],
      },
    }),
    'forbidden sysctls (a.b)',
  ],
  [
    "a probe's host",
    'baseline',
    pod({}, { livenessProbe: { httpGet: { port: 1, host: '169.254.169.254' } } }),
    'probe or lifecycle host (container "c" uses probe or lifecycle host "169.254.169.254")',
  ],
  [
    "a hook's host",
    'baseline',
    pod({}, { lifecycle: { preStop: { tcpSocket: { port: 1, host: 'x' } } } }),
    'probe or lifecycle host (container "c" uses probe or lifecycle host "x")',
  ],
  [
    'a host process',
    'baseline',
    pod({}, context({ windowsOptions: { hostProcess: true } })),
    'hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)',
  ],
  [
    'escalation',
    'restricted',
    pod({}, { securityContext: { capabilities: { drop: ['ALL'] } } }),
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false)',
  ],
  [
    'kept capabilities',
    'restricted',
    pod({}, context({ capabilities: { add: ['CHOWN'] } })),
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]; container "c" must not include "CHOWN" in securityContext.capabilities.add)',
  ],
  [
    'a volume of the network',
    'restricted',
    pod({ volumes: [{ name: 'v', nfs: { server: 'a', path: '/' } }, { name: 'w' }] }),
    'restricted volume types (volume "v" uses restricted volume type "nfs")',
  ],
  ['root', 'restricted', pod({}, context({ runAsUser: 0 })), 'runAsUser=0 (container "c" must not set runAsUser=0)'],
  [
    'perhaps root',
    'restricted',
    pod({ securityContext: { seccompProfile: { type: 'Localhost' } } }),
    'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)',
  ],
  [
    'root by a container',
    'restricted',
    pod({}, context({ runAsNonRoot: false })),
    'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)',
  ],
  [
    'no profile',
    'restricted',
    pod({ securityContext: { runAsNonRoot: true } }),
    'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  ],
];

t.test('a good pod is good for all levels', async (t) => {
  for (const level of ['privileged', 'baseline', 'restricted'] as const) t.equal(told(pod(), level), '');
});

t.test('what breaks a level', async (t) => {
  for (const [what, level, subject, words] of cases) {
    t.equal(told(subject, level), words, what);
    t.equal(told(subject, 'privileged'), '', `${what}: privileged allows everything`);
    if (level === 'restricted') t.equal(told(subject, 'baseline'), '', `${what}: only restricted minds`);
    else t.not(told(subject, 'restricted'), '', `${what}: what baseline minds, restricted minds`);
  }
});

t.test('no kind of container is forgotten', async (t) => {
  for (const [what, level, { metadata, spec }] of cases) {
    const [bad] = spec.containers;
    if (told({ metadata, spec: { ...spec, containers: pod().spec.containers } } as Pod, level) !== '') continue;
    for (const list of ['initContainers', 'ephemeralContainers'] as const) {
      const moved = { ...spec, containers: pod().spec.containers, [list]: [{ ...bad, name: 'moved' }] };
      const annotations = Object.fromEntries(
        Object.entries(metadata.annotations ?? {}).map(([key, value]) => [key.replace(/\/c$/, '/moved'), value]),
      );
      t.not(told({ metadata: { ...metadata, annotations }, spec: moved } as Pod, level), '', `${what} in ${list}`);
    }
  }
});

t.test('rules have their versions', async (t) => {
  const asksHost = pod({}, { livenessProbe: { httpGet: { port: 1, host: 'x' } } });
  t.equal(told(asksHost, 'baseline', 33), '');
  t.not(told(asksHost, 'baseline', 34), '');
  t.not(told(asksHost, 'baseline', 999), '', 'a version to come is the latest');
  const asRoot = pod({ hostUsers: false }, context({ runAsUser: 0, procMount: 'Unmasked' }));
  t.match(told(asRoot, 'restricted', 34), /^procMount .*, runAsUser=0/);
  t.match(told(asRoot, 'restricted', 35), /^procMount/, 'root of its own users is none, but /proc stays masked');
  t.equal(told(asRoot, 'baseline', 35), '');
  const annotated = pod({}, {}, { 'container.seccomp.security.alpha.kubernetes.io/c': 'unconfined' });
  t.match(told(annotated, 'baseline', 18), /^seccompProfile \(forbidden annotation container\.seccomp/);
  t.equal(told(annotated, 'baseline', 19), '');
});

t.test('labels of a namespace', async (t) => {
  const p = 'pod-security.kubernetes.io/';
  const open = { level: 'privileged', version: 'latest' };
  t.strictSame(securityPolicy(), { enforce: open, audit: open, warn: open });
  t.strictSame(securityPolicy({ [`${p}enforce`]: 'baseline', [`${p}enforce-version`]: 'v1.30' }), {
    enforce: { level: 'baseline', version: 30 },
    audit: open,
    warn: { level: 'baseline', version: 30 },
  });
  t.strictSame(
    securityPolicy({ [`${p}enforce`]: 'baseline', [`${p}warn`]: 'restricted', [`${p}audit`]: 'restricted' }),
    {
      enforce: { level: 'baseline', version: 'latest' },
      audit: { level: 'restricted', version: 'latest' },
      warn: { level: 'restricted', version: 'latest' },
    },
  );
  const wrong = {
    [`${p}enforce`]: 'Baseline',
    [`${p}warn`]: '',
    [`${p}audit-version`]: 'v1.01',
    [`${p}warn-version`]: '1.2',
  };
  t.strictSame(
    validateSecurityLabels(wrong).map(({ field, detail }) => `${field}: ${detail}`),
    [
      `metadata.labels[${p}enforce]: must be one of privileged, baseline, restricted`,
      `metadata.labels[${p}audit-version]: must be "latest" or "v1.x"`,
      `metadata.labels[${p}warn]: must be one of privileged, baseline, restricted`,
      `metadata.labels[${p}warn-version]: must be "latest" or "v1.x"`,
    ],
  );
  t.match(securityPolicy(wrong), { enforce: { level: 'restricted' }, warn: { level: 'privileged' } }, 'fails closed');
});

t.test('a verdict is told in the words of Kubernetes', async (t) => {
  const policy = securityPolicy({
    'pod-security.kubernetes.io/enforce': 'baseline',
    'pod-security.kubernetes.io/warn': 'restricted',
    'pod-security.kubernetes.io/audit': 'restricted',
    'pod-security.kubernetes.io/audit-version': 'v1.30',
  });
  t.strictSame(judgePod(pod(), policy), {});
  const warned = pod({}, context({ runAsUser: 0 }));
  const words = 'runAsUser=0 (container "c" must not set runAsUser=0)';
  t.strictSame(judgePod(warned, policy), {
    warning: `would violate PodSecurity "restricted:latest": ${words}`,
    audit: `would violate PodSecurity "restricted:v1.30": ${words}`,
  });
  t.match(judgePod(pod({ hostPID: true }), policy), {
    forbidden: 'violates PodSecurity "baseline:latest": host namespaces (hostPID=true)',
    warning: undefined,
  });
});

t.test('a pod is judged anew when it gets another image or container', async (t) => {
  const next = structuredClone(pod());
  next.metadata.labels = { a: 'b' };
  t.notOk(isSignificantChange(next, pod()));
  t.ok(isSignificantChange(pod({}, { image: 'other' }), pod()));
  t.ok(isSignificantChange(pod({ ephemeralContainers: [{ name: 'e', image: 'i' }] }), pod()));
});

t.test('who tightens a namespace is told of the pods that are in it', async (t) => {
  const named = (name: string, subject: Pod): Pod => ({ ...subject, metadata: { ...subject.metadata, name } });
  const pods = [named('z', pod({ hostPID: true })), named('b', pod({ hostPID: true })), named('good', pod())];
  const rules = (level: SecurityLevel): SecurityRules => ({ level, version: 'latest' });
  t.strictSame(existingPodWarnings('n', pods, rules('baseline'), rules('privileged')), [
    'existing pods in namespace "n" violate the new PodSecurity enforce level "baseline:latest"',
    'b (and 1 other pod): host namespaces',
  ]);
  t.strictSame(existingPodWarnings('n', pods, rules('baseline'), rules('restricted')), []);
  t.strictSame(existingPodWarnings('n', pods, rules('baseline'), rules('baseline')), []);
  t.strictSame(existingPodWarnings('n', [named('good', pod())], rules('restricted'), rules('privileged')), []);
});
