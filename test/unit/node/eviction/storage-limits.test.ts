import t from 'tap';
import type { Container, Pod, Volume } from '../../../../src/api/pod.ts';
import {
  hasContainerStorageLimit,
  hasStorageLimit,
  type PodStorageUsage,
  storageLimitProblem,
} from '../../../../src/node/eviction/storage-limits.ts';
import { podWith } from '../../pod/fixtures.ts';

const MiB = 1024 ** 2;

function container(name: string, limit?: string): Container {
  return { name, image: 'i', ...(limit ? { resources: { limits: { 'ephemeral-storage': limit } } } : {}) };
}

const scratch: Volume = { name: 'scratch', emptyDir: { sizeLimit: '10Mi' } };
const unlimited: Volume = { name: 'free', emptyDir: {} };

function usage(mib: { scratch?: number; free?: number; a?: number; b?: number; other?: number }): PodStorageUsage {
  const { scratch = 0, free = 0, a = 0, b = 0, other = 0 } = mib;
  return {
    emptyDirs: new Map([
      ['scratch', scratch * MiB],
      ['free', free * MiB],
    ]),
    containers: new Map([
      ['a', a * MiB],
      ['b', b * MiB],
    ]),
    otherBytes: other * MiB,
  };
}

const volumes = [scratch, unlimited];
const limited = podWith({ volumes, containers: [container('a', '20Mi'), container('b', '30Mi')] });
const half = podWith({ volumes, containers: [container('a', '20Mi'), container('b')] });

t.test('why a pod has to go', async (t) => {
  const rows: Record<string, [pod: Pod, usage: PodStorageUsage, problem?: string]> = {
    'everything is good': [limited, usage({ scratch: 10, a: 20, b: 10, other: 10 })],
    'a volume': [limited, usage({ scratch: 10.1 }), 'Usage of EmptyDir volume "scratch" exceeds the limit "10Mi". '],
    'all together': [
      limited,
      usage({ free: 40, a: 5, other: 6 }),
      'Pod ephemeral local storage usage exceeds the total limit of containers 50Mi. ',
    ],
    'what is no container’s own counts too': [
      limited,
      usage({ other: 51 }),
      'Pod ephemeral local storage usage exceeds the total limit of containers 50Mi. ',
    ],
    'a container': [limited, usage({ a: 21 }), 'Container a exceeded its local ephemeral storage limit "20Mi". '],
    'a limit of one container is the limit of what is known of all': [
      half,
      usage({ b: 21 }),
      'Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. ',
    ],
    'no limit of storage': [podWith({ volumes: [unlimited] }), usage({ free: 1000, a: 1000 })],
    'a limit of nothing is none': [podWith({ containers: [container('a', '0')] }), usage({ a: 1000 })],
    'memory is the kernel’s business': [
      podWith({ volumes: [{ name: 'scratch', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }] }),
      usage({ scratch: 5 }),
    ],
  };
  for (const [name, [pod, used, problem]] of Object.entries(rows))
    t.equal(storageLimitProblem(pod, used), problem, name);
});

t.test('which pods are looked at', async (t) => {
  t.ok(hasStorageLimit(limited));
  t.ok(hasStorageLimit(podWith({ volumes })));
  t.notOk(hasContainerStorageLimit(podWith({ volumes })));
  t.notOk(hasStorageLimit(podWith({ volumes: [unlimited] })));
  t.notOk(hasStorageLimit(podWith({ volumes: [{ name: 'm', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }] })));
});
